//! How long one domain may be looked at, with all its hosts.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

/// What is left for what would be good to know beside the verdict, so that it does not cost what is known already.
const RESERVE: Duration = Duration::from_secs(1);

/// Why some detail is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// It took longer than it may by itself.
    Slow,
    /// The time for the domain was over.
    Over,
}

/// The end of the time for one domain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    /// From now on for so long.
    pub(super) fn after(limit: Duration) -> Self {
        Self {
            at: Instant::now() + limit,
            limit,
        }
    }

    /// In whole seconds.
    pub(super) fn seconds(self) -> u64 {
        self.limit.as_secs()
    }

    /// What comes of some work; `None` if it does not end in time.
    pub(super) async fn cut<T>(self, work: impl Future<Output = T>) -> Option<T> {
        timeout_at(self.at, work).await.ok()
    }

    /// The same for further details, which have at most `patience`.
    pub(super) async fn cut_details<T>(
        self,
        patience: Duration,
        work: impl Future<Output = T>,
    ) -> Result<T, Cut> {
        let now = Instant::now();
        let left = self.at.saturating_duration_since(now).saturating_sub(RESERVE);
        if left.is_zero() {
            return Err(Cut::Over);
        }
        let cut = if left < patience { Cut::Over } else { Cut::Slow };
        timeout_at(now + left.min(patience), work).await.map_err(|_| cut)
    }
}
