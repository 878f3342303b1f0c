//! Who has a place, and who gives it up when somebody else needs one.
//!
//! A client may take its time: whoever pages through a long list holds up nobody. Only when all places are taken and
//! one more client comes does the one give its place up that has let the daemon wait longest. Nobody is ended for whom
//! the daemon is doing something.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::Instant;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::timeout;

/// A client that means well has asked after a fraction of this.
const ASKING: Duration = Duration::from_secs(1);

/// The places that are taken.
#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    taken: Vec<Weak<Place>>,
}

/// One client's place. It is free when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    state: Mutex<State>,
    given_away: Notify,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// The daemon does something for the client.
    Working,
    /// The client has not taken the next step since then.
    Waiting(Awaited, Instant),
    /// Somebody else has the place.
    GivenAway,
}

/// What a client is to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    /// Say what it wants.
    Asking,
    /// Read what it wanted.
    Reading,
}

/// Why nothing more is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BrokenOff {
    /// Nobody reads any more.
    #[error("the client went away")]
    Gone,
    /// The client takes too long.
    #[error("the client stopped reading")]
    Slow,
    /// The client took long, and others needed its place.
    #[error("others needed the place of this client")]
    GivenAway,
    /// The daemon is about to end.
    #[error("the daemon was told to stop")]
    Stopping,
}

impl Places {
    /// For so many clients at once.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            taken: Vec::new(),
        }
    }

    /// A place for one more client, that of another if need be; none if the daemon is at work for all of them.
    pub(super) fn take(&mut self) -> Option<Arc<Place>> {
        self.taken.retain(|place| place.strong_count() > 0);
        if self.taken.len() >= self.most {
            self.give_away()?;
        }
        let place = Arc::new(Place::new());
        self.taken.push(Arc::downgrade(&place));
        Some(place)
    }

    /// Ends the client for whom it is the least loss.
    fn give_away(&mut self) -> Option<()> {
        let now = Instant::now();
        loop {
            let waiting = self.taken.iter().enumerate().filter_map(|(index, place)| {
                let rank = place.upgrade()?.rank(now)?;
                Some((rank, index))
            });
            let (_, index) = waiting.min()?;
            let place = self.taken.get(index)?.upgrade();
            // It may have gone on in the meantime.
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

    /// Waits for what the client is to do: for this time at most, and as long as nobody else needs its place. What it has
    /// done at the moment when its place is given away is lost.
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

    /// The smaller, the sooner it is given away: first those who have not asked in time, then by the time since which
    /// they are waited for. `None` where the client is not waited for.
    fn rank(&self, now: Instant) -> Option<(bool, Instant)> {
        match *self.state.lock() {
            State::Waiting(awaited, since) => {
                let late = now.saturating_duration_since(since) >= ASKING;
                Some((!(late && awaited == Awaited::Asking), since))
            }
            State::Working | State::GivenAway => None,
        }
    }

    /// False where its client is not waited for any more.
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

    /// So many places, with the daemon at work for all of them.
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
        // At work again.
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
