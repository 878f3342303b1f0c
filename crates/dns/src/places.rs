//! Limits on what is in progress at once: look-ups, the sockets of each, and large answers in memory.
//!
//! Strangers decide how many names there are to look up, how long their servers take, and how large the answers are. So each
//! look-up takes a place before its own time starts, and has only a few sockets; a large answer needs room in memory, of
//! which there is little. Whoever waits for a place holds nothing that others need.

use std::sync::Arc;
use std::time::Duration;

use hickory_net::NetError;
use hickory_proto::op::DnsResponse;
use parking_lot::Mutex;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// The sockets that one look-up may have open at once: for a question, for its repetition if no answer comes, and for a key
/// that is needed meanwhile.
const SOCKETS: usize = 3;
/// How long a look-up waits for a place.
pub(crate) const TURN: Duration = Duration::from_secs(30);
/// The most TCP connections at once (they count as sockets too): each may bring an answer of 64 KiB, which takes some twenty
/// times as much once it is parsed.
const STREAMS: usize = 16;
/// An answer of more octets is large. Ordinary ones take up to 4 KiB, with signatures and proofs.
const LARGE: usize = 8 * 1024;
/// How much of large answers may be parsed at once, in KiB as received: eight of the largest.
const ROOM: usize = 512;
/// The most large answers that wait for room, unparsed: 4 MiB of the largest. Answers beyond that are dropped.
const WAITING: usize = 64;

const NO_ROOM: NetError = NetError::Message("no room for a large answer");

tokio::task_local! {
    static PLACE: Arc<Place>;
}

/// The places of all look-ups.
pub(crate) struct Places {
    look_ups: Arc<Semaphore>,
    shared: Arc<Shared>,
}

/// What look-ups share beside their limit.
struct Shared {
    streams: Semaphore,
    room: Arc<Semaphore>,
    waiting: Semaphore,
}

/// The place of one look-up.
pub(crate) struct Place {
    sockets: Arc<Semaphore>,
    /// What its large answers take.
    room: Mutex<Option<OwnedSemaphorePermit>>,
    shared: Arc<Shared>,
    _look_up: Option<OwnedSemaphorePermit>,
}

impl Places {
    /// For look-ups with at most `sockets` sockets in all.
    pub(crate) fn new(sockets: usize) -> Self {
        Self {
            look_ups: Arc::new(Semaphore::new((sockets / SOCKETS).max(1))),
            shared: Arc::default(),
        }
    }

    /// A place, once one is free; `None` if that takes longer than [`TURN`].
    pub(crate) async fn enter(&self) -> Option<Place> {
        let permit = timeout(TURN, Arc::clone(&self.look_ups).acquire_owned()).await;
        let permit = permit.ok()?.ok()?;
        Some(Place::new(&self.shared, Some(permit)))
    }
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            streams: Semaphore::new(STREAMS),
            room: Arc::new(Semaphore::new(ROOM)),
            waiting: Semaphore::new(WAITING),
        }
    }
}

impl Place {
    fn new(shared: &Arc<Shared>, look_up: Option<OwnedSemaphorePermit>) -> Self {
        Self {
            sockets: Arc::new(Semaphore::new(SOCKETS)),
            room: Mutex::default(),
            shared: Arc::clone(shared),
            _look_up: look_up,
        }
    }

    /// An extra place, for our own questions: however many look-ups there are, we can check whether the servers answer.
    pub(crate) fn aside() -> Self {
        Self::new(&Arc::default(), None)
    }

    /// Does something in this place.
    pub(crate) async fn within<F: Future>(self, task: F) -> F::Output {
        PLACE.scope(Arc::new(self), task).await
    }

    /// The place that this task holds, if any.
    pub(crate) fn here() -> Option<Arc<Self>> {
        PLACE.try_with(Arc::clone).ok()
    }

    /// What its sockets are counted by.
    pub(crate) fn sockets(&self) -> Arc<Semaphore> {
        Arc::clone(&self.sockets)
    }

    /// Does something with a TCP connection, of which there are only a few at a time.
    pub(crate) async fn with_stream<F: Future>(&self, task: F) -> F::Output {
        // `None` only if the semaphore were closed, which never happens.
        let _stream = self.shared.streams.acquire().await.ok();
        task.await
    }

    /// Accepts an answer for parsing. If it is large, it first needs room, which it keeps until the look-up ends.
    pub(crate) async fn take(&self, answer: DnsResponse) -> Result<DnsResponse, NetError> {
        if answer.as_buffer().len() <= LARGE {
            return Ok(answer);
        }
        // It waits unparsed, which is by far the smaller form.
        let octets = answer.into_buffer();
        let kib = u32::try_from(octets.len().div_ceil(1024)).unwrap_or(u32::MAX);
        {
            let _waiting = self.shared.waiting.try_acquire().map_err(|_| NO_ROOM)?;
            self.make_room(kib).await?;
        }
        Ok(DnsResponse::from_buffer(octets)?)
    }

    async fn make_room(&self, kib: u32) -> Result<(), NetError> {
        let all = Arc::clone(&self.shared.room);
        // Whoever already has room does not wait for more: others who have some might do the same.
        let more = if self.room().is_some() {
            all.try_acquire_many_owned(kib).map_err(|_| NO_ROOM)?
        } else {
            let more = all.acquire_many_owned(kib).await;
            more.map_err(|_: AcquireError| NO_ROOM)?
        };
        let mut room = self.room();
        match room.as_mut() {
            Some(room) => room.merge(more),
            None => *room = Some(more),
        }
        Ok(())
    }

    fn room(&self) -> parking_lot::MutexGuard<'_, Option<OwnedSemaphorePermit>> {
        self.room.lock()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures_util::FutureExt;
    use hickory_proto::op::Message;

    use super::*;

    /// An answer of about so many octets.
    fn answer(octets: usize) -> DnsResponse {
        let mut buffer = Message::query().into_response().to_vec().unwrap();
        buffer.resize(octets, 0);
        DnsResponse::from_buffer(buffer).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_place_waits_for_one_and_not_for_ever() {
        let places = Places::new(2 * SOCKETS + 1);
        let first = places.enter().await.unwrap();
        let _second = places.enter().await.unwrap();
        assert!(places.enter().await.is_none());
        drop(first);
        assert!(places.enter().now_or_never().is_some());
    }

    #[tokio::test]
    async fn large_answers_wait_for_room_and_small_ones_do_not() {
        let places = Places::new(100 * SOCKETS);
        let mut full = Vec::new();
        for _ in 0..8 {
            let place = places.enter().await.unwrap();
            assert!(place.take(answer(65_535)).now_or_never().unwrap().is_ok());
            full.push(place);
        }
        let late = places.enter().await.unwrap();
        assert!(late.take(answer(LARGE)).now_or_never().unwrap().is_ok());
        assert!(late.take(answer(LARGE + 1)).now_or_never().is_none());
        // While only one large answer is in progress, nobody waits for room for another.
        let holder = full.pop().unwrap();
        let another = holder.take(answer(LARGE + 1)).now_or_never();
        assert!(another.unwrap().is_err());
        drop(holder);
        assert!(late.take(answer(LARGE + 1)).now_or_never().unwrap().is_ok());
    }
}
