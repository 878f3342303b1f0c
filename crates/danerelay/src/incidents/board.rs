//! How incidents stand.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mail::event::Event;
use parking_lot::Mutex;
use report::incidents::ours::Ours;
use report::incidents::{Composed, Terms, compose};
use spool::{Incidents, KnownIncident, SpoolError};
use tokio::sync::Notify;

/// How incidents stand: what the spool has recorded, and what is wrong on our own side.
pub(crate) struct Board<S> {
    spool: Arc<S>,
    ours: Arc<Mutex<Ours>>,
    /// For how long mail is tried.
    max_age: Duration,
    /// Told when something begins or ends.
    pub(super) changed: Arc<Notify>,
}

impl<S> Clone for Board<S> {
    fn clone(&self) -> Self {
        Self {
            spool: Arc::clone(&self.spool),
            ours: Arc::clone(&self.ours),
            max_age: self.max_age,
            changed: Arc::clone(&self.changed),
        }
    }
}

/// What is wrong on our own side, and whom a change of that wakes.
#[derive(Clone, Default)]
pub(crate) struct OwnSide {
    ours: Arc<Mutex<Ours>>,
    changed: Arc<Notify>,
}

impl OwnSide {
    /// Learns from an event.
    pub(super) fn note(&self, event: &Event) {
        if self.ours.lock().note(event, Timestamp::now()) {
            self.changed.notify_one();
        }
    }

    /// Told when something begins or ends, here or in deliveries.
    pub(crate) fn changed(&self) -> Arc<Notify> {
        Arc::clone(&self.changed)
    }
}

impl<S> Board<S> {
    /// What this spool records, and what is wrong on our own side.
    pub(crate) fn new(spool: Arc<S>, own: &OwnSide, max_age: Duration) -> Self {
        Self {
            spool,
            ours: Arc::clone(&own.ours),
            max_age,
            changed: own.changed(),
        }
    }

    pub(super) fn spool(&self) -> &Arc<S> {
        &self.spool
    }

    /// What is wrong on our own side, whatever the spool records.
    pub(super) fn ours(&self, now: Timestamp) -> Vec<Composed> {
        self.compose(Vec::new(), now)
    }

    fn compose(&self, known: Vec<KnownIncident>, now: Timestamp) -> Vec<Composed> {
        let ours = self.ours.lock().clone();
        let max_age = self.max_age;
        compose(known, &ours, Terms { max_age, now })
    }
}

impl<S: Incidents> Board<S> {
    /// All incidents, as they stand at this time.
    pub(crate) async fn incidents(&self, now: Timestamp) -> Result<Vec<Composed>, SpoolError> {
        Ok(self.compose(self.spool.incidents().await?, now))
    }
}
