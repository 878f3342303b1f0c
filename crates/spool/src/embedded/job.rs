//! What is handed to the writer.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use jiff::Timestamp;
use mail::{BodyType, Envelope, Mailbox, NextHop, QueueId, ReversePath};
use tokio::sync::oneshot;

use super::bodies::Published;
use super::rows::whole_milliseconds;
use crate::error::SpoolError;
use crate::message::{Accepted, Lease, NewMessage, Pending, Settled, Settlement};

/// Where the answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, SpoolError>>;

/// A step to be made durable.
#[derive(Debug)]
pub(super) enum Job {
    /// Queue a message.
    Commit(Box<CommitJob>),
    /// Record outcomes.
    Settle(Box<SettleJob>),
    /// Write what was handed over before, tidy up and end.
    Close(Reply<()>),
}

/// A new message to be made durable.
#[derive(Debug)]
pub(super) struct CommitJob {
    pub(super) message: MessageRows,
    pub(super) reply: Reply<()>,
}

/// The rows of a new message.
#[derive(Debug)]
pub(super) struct MessageRows {
    pub(super) id: QueueId,
    pub(super) created: Timestamp,
    pub(super) reverse_path: ReversePath,
    pub(super) body: BodyType,
    pub(super) size: u64,
    /// The distinct next hops.
    pub(super) next_hops: Vec<NextHop>,
    /// Each recipient with its place in `next_hops`.
    pub(super) recipients: Vec<(Mailbox, usize)>,
    pub(super) content: Stored,
}

/// The content of a new message.
#[derive(Debug)]
pub(super) enum Stored {
    Inline(Bytes),
    File(Published),
}

/// The outcomes of an attempt.
#[derive(Debug)]
pub(super) struct SettleJob {
    pub(super) lease: Lease,
    pub(super) settlements: Vec<Settlement>,
    pub(super) report: Option<(MessageRows, Accepted)>,
    pub(super) reply: Reply<Settled>,
}

impl Job {
    /// About how many octets it adds to the log.
    pub(super) fn weight(&self) -> usize {
        let row = 256_usize;
        let pages = 4096_usize;
        let message = |rows: &MessageRows| {
            let body = match &rows.content {
                Stored::Inline(bytes) => bytes.len(),
                Stored::File(_) => 0,
            };
            pages
                .saturating_add(body)
                .saturating_add(rows.recipients.len().saturating_mul(row))
        };
        match self {
            Self::Commit(job) => message(&job.message),
            Self::Settle(job) => {
                let report = job.report.as_ref().map_or(0, |(rows, _)| message(rows));
                pages
                    .saturating_add(job.settlements.len().saturating_mul(row))
                    .saturating_add(report)
            }
            Self::Close(_) => 0,
        }
    }
}

/// The rows of a new message and what its commit will return, or why it cannot be one.
pub(super) fn plan(
    message: NewMessage,
    size: u64,
    content: Stored,
) -> Result<(MessageRows, Accepted), SpoolError> {
    let NewMessage {
        id,
        envelope,
        created,
    } = message;
    let Envelope {
        reverse_path,
        recipients,
        body,
    } = envelope;
    if recipients.is_empty() {
        return Err(SpoolError::NoRecipients);
    }
    let created = whole_milliseconds(created);
    let (recipients, pending) = group(id, created, size, recipients);
    let rows = MessageRows {
        id,
        created,
        reverse_path,
        body,
        size,
        next_hops: pending.iter().map(|part| part.next_hop.clone()).collect(),
        recipients,
        content,
    };
    Ok((rows, Accepted { id, size, pending }))
}

/// Gathers recipients by next hop, in the order in which the next hops first appear.
fn group(
    id: QueueId,
    due: Timestamp,
    size: u64,
    recipients: Vec<Mailbox>,
) -> (Vec<(Mailbox, usize)>, Vec<Pending>) {
    let mut pending: Vec<Pending> = Vec::with_capacity(1);
    let mut known = HashMap::new();
    let placed = recipients.into_iter().map(|address| {
        let next_hop = NextHop::of(&address);
        let place = *known.entry(next_hop.clone()).or_insert(pending.len());
        match pending.get_mut(place) {
            Some(part) => part.recipients = part.recipients.saturating_add(1),
            None => pending.push(Pending {
                id,
                next_hop,
                due,
                recipients: 1,
                size,
            }),
        }
        (address, place)
    });
    (placed.collect(), pending)
}

/// Checks that each settlement names a recipient of the lease, none twice, and has a next attempt exactly if deferred.
pub(super) fn check(lease: &Lease, settlements: &[Settlement]) -> Result<(), SpoolError> {
    let mut leased: HashSet<_> = lease.recipients.iter().map(|r| r.index).collect();
    for settlement in settlements {
        let timed = settlement.next_attempt.is_some() != settlement.outcome.status.is_final();
        if !leased.remove(&settlement.recipient) || !timed {
            return Err(SpoolError::WrongSettlement(settlement.recipient.0));
        }
    }
    Ok(())
}

/// What still waits under this lease after these settlements.
pub(super) fn rest(lease: &Lease, settlements: &[Settlement]) -> Option<Pending> {
    let settled: HashMap<_, _> = settlements
        .iter()
        .map(|settlement| (settlement.recipient, settlement.next_attempt))
        .collect();
    let mut waiting = lease
        .recipients
        .iter()
        .filter_map(|recipient| match settled.get(&recipient.index) {
            Some(next_attempt) => next_attempt.map(whole_milliseconds),
            None => Some(recipient.due),
        })
        .peekable();
    waiting.peek()?;
    let (recipients, due) = waiting.fold((0_u32, Timestamp::MAX), |(count, earliest), due| {
        (count.saturating_add(1), earliest.min(due))
    });
    Some(Pending {
        id: lease.id,
        next_hop: lease.next_hop.clone(),
        due,
        recipients,
        size: lease.size,
    })
}
