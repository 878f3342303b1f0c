//! One waiting part of a message.

use std::sync::Arc;

use mail::{NextHop, QueueId};

use super::job::Job;
use crate::clock::Millis;

/// A message: [`mail::QueueId::to_bytes`], which needs no alignment. Ordered by age.
pub(super) type Id = [u8; 16];

/// One waiting part of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// When it is taken up.
    pub(super) wake: Millis,
    pub(super) id: Id,
    /// The due time in the spool when the entry was made.
    pub(super) due: Millis,
}

impl Entry {
    /// What is to be done at this destination.
    pub(super) fn of(self, next_hop: Arc<NextHop>) -> Job {
        Job {
            id: QueueId::from_bytes(self.id),
            next_hop,
            due: self.due,
        }
    }
}

/// When the message was accepted: the first 48 bits of its id.
pub(super) fn accepted(id: Id) -> Millis {
    let millis = u128::from_be_bytes(id) >> 80;
    Millis::since_1970(i64::try_from(millis).unwrap_or(i64::MAX))
}

/// The first id of this time.
pub(super) fn first_id(time: Millis) -> Id {
    let millis = u128::try_from(time.in_millis()).unwrap_or_default();
    (millis.min((1 << 48) - 1) << 80).to_be_bytes()
}
