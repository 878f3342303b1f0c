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
}
