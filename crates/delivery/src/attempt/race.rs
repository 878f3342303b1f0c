//! Two addresses of a host, one of each family, are connected to at nearly the same time (RFC 8305): if one family is
//! broken, mail does not wait for that. Whichever connection is there first is used; the other one is closed before
//! anything is said over it, and its address is tried after the others for a while.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::addresses::{Addresses, Runner};
use super::target::{Shown, Visit};
use super::walk::Attempt;
use crate::connections::{Dialled, NotOpened, Place, Witness};

/// The second connection begins so much later (RFC 8305 §5, Connection Attempt Delay).
const HEAD_START: Duration = Duration::from_millis(250);

/// The result of a race.
#[derive(Debug, PartialEq, Eq)]
enum Raced<A, B, E> {
    /// The first has won, or failed while there was no second.
    First(Result<A, E>),
    /// The second has won; why the first failed, if it has.
    Second(B, Option<E>),
}

/// The second begins later than the first, with what it has to wait for. If the first ends before that is there, there is
/// no second. The second has nothing to say about its failure.
async fn race<A, B, E, P, F: Future<Output = Option<B>>>(
    first: impl Future<Output = Result<A, E>>,
    ready: impl Future<Output = Option<P>>,
    second: impl FnOnce(P) -> F,
) -> Raced<A, B, E> {
    let mut first = pin!(first);
    let ready = async {
        sleep(HEAD_START).await;
        ready.await
    };
    let ready = tokio::select! {
        biased;
        result = &mut first => return Raced::First(result),
        ready = ready => ready,
    };
    let Some(ready) = ready else {
        return Raced::First(first.await);
    };
    let mut second = pin!(second(ready));
    tokio::select! {
        biased;
        result = &mut first => match result {
            Ok(won) => Raced::First(Ok(won)),
            Err(failure) => match second.await {
                Some(won) => Raced::Second(won, Some(failure)),
                None => Raced::First(Err(failure)),
            },
        },
        won = &mut second => match won {
            Some(won) => Raced::Second(won, None),
            None => Raced::First(first.await),
        },
    }
}

impl Attempt<'_, '_> {
    /// A new connection to the first address, or to the rival if that is sooner; and its result.
    pub(super) async fn connect_first_of(
        &mut self,
        first: &Runner<'_>,
        place: Place,
        rival: Option<&Runner<'_>>,
        addresses: &mut Addresses,
    ) -> Visit {
        let began = Instant::now();
        let Some(rival) = rival else {
            return self.connect(first, Ok(place.into()), began).await;
        };
        match self.race(first, place, rival).await {
            Raced::First(dialled) => self.connect(first, dialled, began).await,
            Raced::Second(dialled, failure) => {
                addresses.change_to(
                    rival.target.address,
                    matches!(failure, Some(NotOpened::Failed(_))),
                );
                match failure {
                    None => self.deliverer.connections.doubt(&first.want),
                    Some(NotOpened::Failed(failure)) => {
                        self.failed(&first.target, failure, Shown::new(began, Witness::default()));
                    }
                    // It has enough connections, and may have room again.
                    Some(NotOpened::Full(_)) => {}
                }
                self.connect(rival, Ok(dialled), began).await
            }
        }
    }

    async fn dial(&self, runner: &Runner<'_>, place: Place) -> Result<Dialled, NotOpened> {
        let connections = &self.deliverer.connections;
        connections
            .dial(&runner.target.peer(None), &runner.want, place)
            .await
    }

    async fn race(
        &self,
        first: &Runner<'_>,
        place: Place,
        rival: &Runner<'_>,
    ) -> Raced<Dialled, Dialled, NotOpened> {
        let second = async |place| self.dial(rival, place).await.ok();
        race(self.dial(first, place), self.place_of(rival), second).await
    }

    /// A place for the rival. If there is none in time, its address has its turn later, as it has if what is known about it
    /// has grown too old meanwhile: then the look-ups are made again.
    async fn place_of(&self, rival: &Runner<'_>) -> Option<Place> {
        let place = self.deliverer.connections.place(&rival.want);
        let place = timeout_at(self.last_begin, place).await.ok()?.ok()?;
        (!self.is_outdated(&rival.target)).then_some(place)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    /// Ends with this after so many milliseconds.
    async fn after<T>(millis: u64, end: T) -> T {
        sleep(Duration::from_millis(millis)).await;
        end
    }

    #[tokio::test(start_paused = true)]
    async fn the_second_begins_late_and_wins_only_if_it_is_sooner() {
        let long = 30_000;
        let at_once = || after(0, Some(()));
        for (first, second, expected, time) in [
            (after(100, Ok(1)), after(0, Some(2)), Raced::First(Ok(1)), 100),
            (after(100, Err(0)), after(0, Some(2)), Raced::First(Err(0)), 100),
            (after(270, Ok(1)), after(30, Some(2)), Raced::First(Ok(1)), 270),
            (
                after(long, Ok(1)),
                after(30, Some(2)),
                Raced::Second(2, None),
                280,
            ),
            (
                after(300, Err(0)),
                after(90, Some(2)),
                Raced::Second(2, Some(0)),
                340,
            ),
            (after(300, Ok(1)), after(10, None), Raced::First(Ok(1)), 300),
            (
                after(300, Err(0)),
                after(long, None),
                Raced::First(Err(0)),
                long + 250,
            ),
        ] {
            let began = Instant::now();
            assert_eq!(race(first, at_once(), |()| second).await, expected);
            assert_eq!(began.elapsed(), Duration::from_millis(time), "{expected:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_no_second_unless_it_may_begin_before_the_first_has_ended() {
        for (first, ready, expected, time) in [
            (
                after(1_000, Err(0)),
                after(2_000, Some(())),
                Raced::First(Err(0)),
                1_000,
            ),
            (after(1_000, Ok(1)), after(10, None), Raced::First(Ok(1)), 1_000),
            (
                after(1_000, Err(0)),
                after(500, Some(())),
                Raced::Second(2, Some(0)),
                1_250,
            ),
        ] {
            let began = Instant::now();
            assert_eq!(race(first, ready, |()| after(500, Some(2))).await, expected);
            assert_eq!(began.elapsed(), Duration::from_millis(time), "{expected:?}");
        }
    }
}
