//! Questions in progress: callers that ask the same question share one answer.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::OnceCell;

/// The questions under way, by key.
#[derive(Debug)]
pub(crate) struct Flights<K, V>(Mutex<HashMap<K, Arc<OnceCell<V>>>>);

impl<K: Hash + Eq + Clone, V: Clone> Flights<K, V> {
    pub(crate) fn new() -> Self {
        Self(Mutex::default())
    }

    /// Runs `ask`, or waits for the caller that already does. If that one gives up, the next waiter asks instead.
    pub(crate) async fn share<F: Future<Output = V>>(&self, key: &K, ask: impl FnOnce() -> F) -> V {
        let cell = Arc::clone(self.under_way().entry(key.clone()).or_default());
        let seat = Seat {
            flights: self,
            key,
            cell,
        };
        seat.cell.get_or_init(ask).await.clone()
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<K, Arc<OnceCell<V>>>> {
        self.0.lock()
    }
}

/// One caller. Once there is an answer, or the last caller is gone, the question is no longer in progress.
struct Seat<'a, K: Hash + Eq + Clone, V: Clone> {
    flights: &'a Flights<K, V>,
    key: &'a K,
    cell: Arc<OnceCell<V>>,
}

impl<K: Hash + Eq + Clone, V: Clone> Drop for Seat<'_, K, V> {
    fn drop(&mut self) {
        let mut under_way = self.flights.under_way();
        let ours = under_way
            .get(self.key)
            .is_some_and(|cell| Arc::ptr_eq(cell, &self.cell));
        // The two owners are the map and this seat.
        if ours && (self.cell.initialized() || Arc::strong_count(&self.cell) <= 2) {
            under_way.remove(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use futures_util::future::join;
    use tokio::time::{sleep, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_asks_for_all_and_the_next_question_is_asked_anew() {
        let (flights, asked) = (Flights::new(), AtomicUsize::new(0));
        let ask = || async {
            sleep(Duration::from_secs(1)).await;
            asked.fetch_add(1, Ordering::Relaxed)
        };
        assert_eq!(
            join(flights.share(&"a", ask), flights.share(&"a", ask)).await,
            (0, 0)
        );
        assert_eq!(flights.share(&"a", ask).await, 1);
        assert!(flights.under_way().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_leaves_the_question_to_the_next() {
        let flights = Flights::new();
        let never = timeout(
            Duration::from_secs(1),
            flights.share(&"a", std::future::pending::<u8>),
        );
        let second = async {
            sleep(Duration::from_millis(10)).await;
            flights.share(&"a", || std::future::ready(7)).await
        };
        let (first, second) = join(never, second).await;
        assert!(first.is_err());
        assert_eq!(second, 7);
        assert!(flights.under_way().is_empty());
    }
}
