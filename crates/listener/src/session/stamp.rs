//! What a message gets from us when its content begins.

use jiff::Timestamp;
use mail::QueueId;

/// The name and the time of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    pub(crate) id: QueueId,
    pub(crate) at: Timestamp,
}
