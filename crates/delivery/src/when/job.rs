//! What is to be done, and when.

use std::sync::Arc;

use mail::{NextHop, QueueId};

use crate::clock::Millis;

/// What is to be delivered: a part of a message, and the due time that its entry in the schedule was made for.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: QueueId,
    pub(crate) next_hop: Arc<NextHop>,
    pub(crate) due: Millis,
}
