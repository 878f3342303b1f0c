//! What the log is told.

use std::fmt;
use std::sync::Arc;

use mail::event::store::{Failed, Store};
use mail::{Event, EventLog};

/// The way to the log. Clones lead to the same log.
#[derive(Clone)]
pub(crate) struct Teller(Arc<dyn EventLog>);

impl Teller {
    /// To this log.
    pub(crate) fn to(events: Arc<dyn EventLog>) -> Self {
        Self(events)
    }

    /// Writes to no log: for those who only inspect a spool, and have nothing to report.
    pub(crate) fn nobody() -> Self {
        Self(Arc::new(()))
    }

    pub(crate) fn tell(&self, event: Store) {
        self.0.write(&Event::Store(event));
    }

    pub(crate) fn failed(&self, what: Failed, error: &impl fmt::Display) {
        self.tell(Store::Failed(what, error.to_string()));
    }
}

impl fmt::Debug for Teller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Teller")
    }
}
