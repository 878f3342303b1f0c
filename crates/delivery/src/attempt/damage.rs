//! A message whose stored content is damaged: no attempt can send it to any next hop. It is deferred like any other
//! message that could not be sent, because the content may yet be restored, and given up when it gets too old, so that
//! its sender is told.
//!
//! No server is at fault, so none is named: neither to the sender, nor in the ledger, nor in the log.

use std::sync::Arc;

use spool::{Damage, Lease};

use super::pending::Pending;
use super::record::HostRecord;
use super::result::{Attempted, Ending, RecipientResult, Trail};
use crate::failure::damaged;

/// No look-up or connection was made, because the damage was already known.
pub(super) fn without_content(lease: &Lease, damage: Damage, record: HostRecord) -> Attempted<'_> {
    let (ending, record) = (ending(damage), Arc::new(record));
    let results = lease.recipients.iter().map(|recipient| RecipientResult {
        recipient,
        ending: ending.clone(),
        record: Arc::clone(&record),
    });
    Attempted {
        results: results.collect(),
        trail: Trail::default(),
        damage: Some(damage),
        later: None,
    }
}

/// Ends the attempt for all recipients that are not done: what this host or an earlier one said about them no longer
/// matters.
pub(super) fn end_all<'p, 'a: 'p>(
    open: impl Iterator<Item = &'p mut Pending<'a>>,
    damage: Damage,
    record: HostRecord,
) {
    let (ending, record) = (ending(damage), Arc::new(record));
    for pending in open {
        pending.done = Some(RecipientResult {
            recipient: pending.recipient,
            ending: ending.clone(),
            record: Arc::clone(&record),
        });
    }
}

fn ending(damage: Damage) -> Ending {
    Ending::Failed(Arc::new(damaged(damage)))
}
