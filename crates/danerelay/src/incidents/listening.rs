//! A log that shows what goes wrong on our own side on its way.

use std::sync::Arc;

use mail::event::{Event, EventLog};

use super::board::OwnSide;

/// Passes all events on, and learns from them what is wrong on our own side.
pub(crate) struct Listening<L: ?Sized> {
    own: OwnSide,
    log: Arc<L>,
}

impl<L: ?Sized> Listening<L> {
    /// In front of this log.
    pub(crate) fn to(log: Arc<L>) -> Self {
        Self {
            own: OwnSide::default(),
            log,
        }
    }

    /// What is wrong.
    pub(crate) fn own(&self) -> &OwnSide {
        &self.own
    }
}

impl<L: EventLog + ?Sized> EventLog for Listening<L> {
    fn write(&self, event: &Event) {
        self.own.note(event);
        self.log.write(event);
    }
}
