//! What is to be done when.

use std::sync::Arc;

use mail::{NextHop, QueueId};

use crate::clock::Millis;

/// What is to be delivered: a part of a message, and the time for which it stands in the schedule.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: QueueId,
    pub(crate) next_hop: Arc<NextHop>,
    pub(crate) due: Millis,
}
