//! A log that counts what passes.

use std::sync::Arc;

use mail::event::{Event, EventLog};

use super::metrics::Metrics;

/// Passes all events on, and counts what they tell, whatever the log makes of them.
pub(crate) struct Metering<L: ?Sized> {
    metrics: Arc<Metrics>,
    log: Arc<L>,
}

impl<L: ?Sized> Metering<L> {
    /// In front of this log.
    pub(crate) fn to(log: Arc<L>, metrics: Arc<Metrics>) -> Self {
        Self { metrics, log }
    }
}

impl<L: EventLog + ?Sized> EventLog for Metering<L> {
    fn write(&self, event: &Event) {
        self.metrics.note(event);
        self.log.write(event);
    }
}
