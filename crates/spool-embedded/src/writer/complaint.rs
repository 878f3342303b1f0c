//! What the log is told of writes that fail.

use std::time::Duration;

use mail::event::store::{Failed, Store};
use mail::{Alarm, Pace};
use spool::SpoolError;
use tokio::time::Instant;

use crate::telling::Teller;

/// A failure that lasts is reported again after this time; one that comes and goes is not called over more often.
const REMINDER: Duration = Duration::from_mins(1);

/// What the log was told of writes that fail.
#[derive(Debug)]
pub(crate) struct Complaint {
    /// Why a write fails may differ from one to the next: that is no news.
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

    /// Says that writing fails: at once if the log believes otherwise, else as a reminder.
    pub(super) fn failed(&mut self, error: &SpoolError) {
        if self.alarm.raise((), Instant::now().into_std()) {
            self.teller.failed(Failed::Write, error);
        }
    }

    /// Says that writing works again, if the log believes otherwise.
    pub(super) fn succeeded(&mut self) {
        if self.alarm.clear(Instant::now().into_std()).is_some() {
            self.teller.tell(Store::Writable);
        }
    }
}
