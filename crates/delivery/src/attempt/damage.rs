//! A message whose stored content is damaged: no attempt can send it, wherever it goes. It is deferred like any other that
//! could not be sent, for the content may yet be restored, and given up when its time is over, so that its sender is told.
//!
//! No server is to blame, so none is named: neither to the sender, nor in the ledger, nor in the log.

use std::sync::Arc;

use mail::EnhancedStatus;
use policy::cause::Failure;
use spool::{Damage, Lease};

use super::pending::Pending;
use super::{Attempted, Ending, RecipientResult};
use crate::failure::SessionFailure;
use crate::record::HostRecord;

impl Attempted {
    /// Nobody was looked up or connected to, because the damage was known before.
    pub(super) fn without_content(lease: &Lease, damage: Damage, record: HostRecord) -> Self {
        Self {
            results: vec![result(damage, record); lease.recipients.len()],
            damage: Some(damage),
        }
    }
}

/// Ends the attempt for everybody who is not done: what this host or an earlier one said of them does not matter any more.
pub(super) fn end_all(pending: &mut [Pending<'_>], damage: Damage, record: HostRecord) {
    let result = result(damage, record);
    for recipient in pending.iter_mut().filter(|recipient| recipient.done.is_none()) {
        recipient.done = Some(result.clone());
    }
}

fn result(damage: Damage, record: HostRecord) -> RecipientResult {
    RecipientResult {
        ending: Ending::Failed(Failure::outage(
            EnhancedStatus::new(4, 3, 0),
            SessionFailure::Damaged(damage).to_string(),
        )),
        record: Arc::new(record),
    }
}
