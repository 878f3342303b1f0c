//! Logging of failed writes.

use std::time::Duration;

use mail::event::store::{Failed, Store};
use mail::{Alarm, Pace};
use spool::SpoolError;
use tokio::time::Instant;

use crate::telling::Teller;

/// A lasting failure is logged again after this time; one that comes and goes is not reported as over more often than this.
const REMINDER: Duration = Duration::from_mins(1);

/// What has been logged about failed writes.
#[derive(Debug)]
pub(crate) struct Complaint {
    /// The reason may differ from one failed write to the next: that is not worth logging.
    alarm: Alarm<()>,
    teller: Teller,
}

impl Complaint {
    pub(crate) fn to(teller: Teller) -> Self {
        let pace = Pace {
            reminder: Some(REMINDER),
            pause: REMINDER,
        };
        Self {
            alarm: Alarm::new(pace),
            teller,
        }
    }

    /// Reports that writing fails: at once if the log does not say so yet, otherwise as a reminder.
    pub(super) fn failed(&mut self, error: &SpoolError) {
        if self.alarm.raise((), Instant::now().into_std()) {
            self.teller.failed(Failed::Write, error);
        }
    }

    /// Reports that writing works again, if the log says that it fails.
    pub(super) fn succeeded(&mut self) {
        if self.alarm.clear(Instant::now().into_std()).is_some() {
            self.teller.tell(Store::Writable);
        }
    }

    /// The same, if writing has worked since, which was too early to be reported.
    pub(super) fn catch_up(&mut self) {
        let now = Instant::now().into_std();
        if self.alarm.end_due().is_some_and(|due| due <= now) {
            self.succeeded();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mail::{Event, EventLog};
    use parking_lot::Mutex;

    use super::*;

    #[derive(Default)]
    struct Kept(Mutex<Vec<bool>>);

    impl EventLog for Kept {
        fn write(&self, event: &Event) {
            self.0.lock().push(matches!(event, Event::Store(Store::Writable)));
        }
    }

    /// The log must not say for hours that nothing can be written because no mail comes.
    #[tokio::test(start_paused = true)]
    async fn the_end_is_told_when_the_pause_is_over_although_nothing_is_written_any_more() {
        let kept = Arc::new(Kept::default());
        let mut complaint = Complaint::to(Teller::to(Arc::<Kept>::clone(&kept)));
        for _ in 0..2 {
            complaint.failed(&SpoolError::Full);
            complaint.succeeded();
        }
        let told = || kept.0.lock().clone();
        assert_eq!(told(), [false, true, false]);
        complaint.catch_up();
        assert_eq!(told().len(), 3, "so soon it could fail again");
        tokio::time::advance(REMINDER).await;
        complaint.catch_up();
        complaint.catch_up();
        assert_eq!(told(), [false, true, false, true]);
        // What fails still is not over.
        complaint.failed(&SpoolError::Full);
        tokio::time::advance(REMINDER).await;
        complaint.catch_up();
        assert_eq!(told().len(), 5);
    }
}
