//! Which clients have a place, and which one has to give it up when another client needs one.
//!
//! A client may take its time: paging through a long list holds up nobody. Only if all places are taken and one more
//! client connects, the client for which the daemon has waited longest loses its place. A client is never cut off while
//! the daemon is working for it.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::Instant;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::timeout;

/// A well-behaved client has sent its request after a fraction of this.
const ASKING: Duration = Duration::from_secs(1);

/// The places that are taken.
#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    taken: Vec<Weak<Place>>,
}

/// One client's place. Dropping it frees it.
#[derive(Debug)]
pub(super) struct Place {
    state: Mutex<State>,
    given_away: Notify,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// The daemon is working for the client.
    Working,
    /// The daemon has been waiting for the client's next step since then.
    Waiting(Awaited, Instant),
    /// Another client has the place.
    GivenAway,
}

/// What the client has to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    /// Send its request.
    Asking,
    /// Read its answer.
    Reading,
}

/// Why writing ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BrokenOff {
    /// The client has disconnected.
    #[error("the client went away")]
    Gone,
    /// The client takes too long.
    #[error("the client stopped reading")]
    Slow,
    /// The client was slow, and another one needed its place.
    #[error("others needed the place of this client")]
    GivenAway,
    /// The daemon is shutting down.
    #[error("the daemon was told to stop")]
    Stopping,
}

impl Places {
    /// For this many clients at once.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            taken: Vec::new(),
        }
    }

    /// A place for one more client, taken from another client if necessary; none if the daemon is working for all of
    /// them.
    pub(super) fn take(&mut self) -> Option<Arc<Place>> {
        self.taken.retain(|place| place.strong_count() > 0);
        if self.taken.len() >= self.most {
            self.give_away()?;
        }
        let place = Arc::new(Place::new());
        self.taken.push(Arc::downgrade(&place));
        Some(place)
    }

    /// Takes the place of the client with the lowest rank.
    fn give_away(&mut self) -> Option<()> {
        let now = Instant::now();
        loop {
            let waiting = self.taken.iter().enumerate().filter_map(|(index, place)| {
                let rank = place.upgrade()?.rank(now)?;
                Some((rank, index))
            });
            let (_, index) = waiting.min()?;
            let place = self.taken.get(index)?.upgrade();
            // The client may have continued in the meantime.
            if place.is_none_or(|place| place.give_away()) {
                self.taken.swap_remove(index);
                return Some(());
            }
        }
    }
}

impl Place {
    fn new() -> Self {
        Self {
            state: Mutex::new(State::Waiting(Awaited::Asking, Instant::now())),
            given_away: Notify::new(),
        }
    }

    /// Waits for the client's next step: for this time at most, and as long as no other client needs its place. What it
    /// did just when its place was given away is lost.
    pub(super) async fn wait<T>(
        &self,
        (awaited, patience): (Awaited, Duration),
        client: impl Future<Output = io::Result<T>>,
    ) -> Result<T, BrokenOff> {
        self.enter(State::Waiting(awaited, Instant::now()))?;
        let done = tokio::select! {
            biased;
            done = timeout(patience, client) => done,
            () = self.given_away.notified() => return Err(BrokenOff::GivenAway),
        };
        self.enter(State::Working)?;
        match done {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(_)) => Err(BrokenOff::Gone),
            Err(_) => Err(BrokenOff::Slow),
        }
    }

    fn enter(&self, next: State) -> Result<(), BrokenOff> {
        let mut state = self.state.lock();
        match *state {
            State::GivenAway => Err(BrokenOff::GivenAway),
            State::Working | State::Waiting(..) => {
                *state = next;
                Ok(())
            }
        }
    }

    /// The smaller, the sooner the place is given away: first clients that have not asked in time, then in the order in
    /// which the daemon began to wait for them. `None` if the daemon is not waiting for the client.
    fn rank(&self, now: Instant) -> Option<(bool, Instant)> {
        match *self.state.lock() {
            State::Waiting(awaited, since) => {
                let late = now.saturating_duration_since(since) >= ASKING;
                Some((!(late && awaited == Awaited::Asking), since))
            }
            State::Working | State::GivenAway => None,
        }
    }

    /// False if the daemon is no longer waiting for the client.
    fn give_away(&self) -> bool {
        let mut state = self.state.lock();
        match *state {
            State::Waiting(..) => {
                *state = State::GivenAway;
                self.given_away.notify_one();
                true
            }
            State::Working | State::GivenAway => false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::future::{pending, ready};

    use super::*;

    impl Place {
        fn waits(&self, awaited: Awaited, seconds: u64) {
            let since = Instant::now().checked_sub(Duration::from_secs(seconds));
            self.enter(State::Waiting(awaited, since.unwrap())).unwrap();
        }

        fn is_given_away(&self) -> bool {
            self.enter(State::Working).is_err()
        }
    }

    fn working(places: &mut Places) -> Option<Arc<Place>> {
        let place = places.take()?;
        place.enter(State::Working).unwrap();
        Some(place)
    }

    /// This many places, with the daemon working for all of them.
    fn full(most: usize) -> (Places, Vec<Arc<Place>>) {
        let mut places = Places::new(most);
        let taken = (0..most).map(|_| working(&mut places).unwrap()).collect();
        (places, taken)
    }

    #[test]
    fn a_place_that_is_left_is_free() {
        let (mut places, mut taken) = full(2);
        assert!(places.take().is_none());
        taken.pop();
        let last = working(&mut places);
        assert!(last.is_some());
        assert!(places.take().is_none());
    }

    #[test]
    fn nobody_is_ended_while_there_is_a_place() {
        let mut places = Places::new(2);
        let first = places.take().unwrap();
        first.waits(Awaited::Reading, 1000);
        let _second = places.take().unwrap();
        assert!(!first.is_given_away());
    }

    #[test]
    fn whoever_lets_the_daemon_wait_longest_is_ended() {
        let (mut places, taken) = full(4);
        let [slow, slower, busy, fresh] = taken.try_into().unwrap();
        slow.waits(Awaited::Reading, 10);
        slower.waits(Awaited::Reading, 20);
        fresh.waits(Awaited::Asking, 0);
        let mut new = Vec::new();
        for ended in [&slower, &slow, &fresh] {
            new.push(working(&mut places).unwrap());
            assert!(ended.is_given_away());
        }
        assert!(places.take().is_none());
        assert!(!busy.is_given_away());
    }

    #[test]
    fn whoever_has_asked_for_nothing_goes_before_those_who_read() {
        let (mut places, taken) = full(2);
        let [reading, silent] = taken.try_into().unwrap();
        reading.waits(Awaited::Reading, 1000);
        silent.waits(Awaited::Asking, 2);
        let _new = places.take().unwrap();
        assert!(silent.is_given_away());
        assert!(!reading.is_given_away());
    }

    #[test]
    fn of_many_that_come_at_once_the_last_have_the_places() {
        let mut places = Places::new(2);
        let come: Vec<_> = (0..5).map(|_| places.take().unwrap()).collect();
        let given_away: Vec<_> = come.iter().map(|place| place.is_given_away()).collect();
        assert_eq!(given_away, [true, true, true, false, false]);
    }

    #[tokio::test]
    async fn waiting_ends_with_the_client_its_time_or_its_place() {
        let (mut places, taken) = full(1);
        let [place] = taken.try_into().unwrap();
        let reading = (Awaited::Reading, Duration::from_mins(1));
        assert_eq!(place.wait(reading, ready(Ok(17))).await, Ok(17));
        let gone = ready(Err::<(), _>(io::ErrorKind::BrokenPipe.into()));
        assert_eq!(place.wait(reading, gone).await, Err(BrokenOff::Gone));
        let short = (Awaited::Reading, Duration::from_millis(10));
        assert_eq!(
            place.wait(short, pending::<io::Result<()>>()).await,
            Err(BrokenOff::Slow)
        );
        // Working again.
        assert!(places.take().is_none());
        let waiting = place.wait(reading, pending::<io::Result<()>>());
        let coming = async {
            tokio::task::yield_now().await;
            places.take().map(|_| ())
        };
        assert_eq!(
            tokio::join!(waiting, coming),
            (Err(BrokenOff::GivenAway), Some(()))
        );
        assert_eq!(
            place.wait(reading, ready(Ok(17))).await,
            Err(BrokenOff::GivenAway)
        );
    }
}
