//! What the log is told of writes that fail.

use std::time::Duration;

use spool::SpoolError;
use tokio::time::Instant;

/// A failure that lasts is reported again after this time; one that comes and goes is not called over more often.
const REMINDER: Duration = Duration::from_mins(1);

/// What the log was told of writes that fail.
#[derive(Debug, Default)]
pub(crate) struct Complaint {
    failing: Option<Instant>,
    working: Option<Instant>,
    /// The log believes that writing fails.
    stands: bool,
}

impl Complaint {
    /// Says that writing fails: at once if the log believes otherwise, else as a reminder.
    pub(super) fn failed(&mut self, error: &SpoolError) {
        if self.is_news(Instant::now()) {
            tracing::error!(%error, "cannot write to the spool");
        }
    }

    /// Says that writing works again, if the log believes otherwise.
    pub(super) fn succeeded(&mut self) {
        if self.is_over(Instant::now()) {
            tracing::warn!("the spool can be written to again");
        }
    }

    /// Whether a failure now is to be told; it counts as told then.
    fn is_news(&mut self, now: Instant) -> bool {
        let news = !self.stands || is_long_ago(self.failing, now);
        if news {
            self.failing = Some(now);
            self.stands = true;
        }
        news
    }

    /// Whether a success now is to be told. Where failures come and go, the log goes on to believe in them for a while:
    /// that costs fewer lines, and no failure is kept from it.
    fn is_over(&mut self, now: Instant) -> bool {
        let over = self.stands && is_long_ago(self.working, now);
        if over {
            self.working = Some(now);
            self.stands = false;
        }
        over
    }
}

fn is_long_ago(last: Option<Instant>, now: Instant) -> bool {
    last.is_none_or(|last| now.saturating_duration_since(last) >= REMINDER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_never_believes_that_writing_works_while_it_fails() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut complaint = Complaint::default();
        assert!(!complaint.is_over(at(0)));
        assert!(complaint.is_news(at(0)));
        assert!(!complaint.is_news(at(1)), "said already");
        assert!(complaint.is_over(at(2)));
        assert!(!complaint.is_over(at(3)), "said already");
        assert!(complaint.is_news(at(4)), "the log believed otherwise");
        // It comes and goes: neither is said again for a while.
        assert!(!complaint.is_over(at(5)));
        assert!(!complaint.is_news(at(6)));
        assert!(complaint.is_news(at(64)), "a reminder");
        assert!(complaint.is_over(at(65)));
        assert!(complaint.is_news(at(66)));
    }
}
