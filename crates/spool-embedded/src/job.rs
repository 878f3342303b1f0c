//! What is handed to the writer.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use jiff::Timestamp;
use mail::{Envelope, MailParameters, NextHop, QueueId, Recipient, ReversePath};
use tokio::sync::oneshot;

use super::bodies::Published;
use super::rows::whole_milliseconds;
use spool::SpoolError;
use spool::{Accepted, Lease, NewMessage, Notices, Pending, Report, Reported, Settled, Settlement};
use spool::{Acted, Action, Selected};

/// Where the answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, SpoolError>>;

/// A step to be made durable.
#[derive(Debug)]
pub(super) enum Job {
    /// Queue a message.
    Commit(Box<CommitJob>),
    /// Record outcomes.
    Settle(Box<SettleJob>),
    /// Record what was told.
    Report(Box<ReportJob>),
    /// Do what the administrator asks.
    Act(Box<ActJob>),
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
    pub(super) parameters: MailParameters,
    /// The distinct next hops.
    pub(super) next_hops: Vec<NextHop>,
    /// Each recipient with its place in `next_hops`.
    pub(super) recipients: Vec<(Recipient, usize)>,
    pub(super) body: Body,
}

/// The content of a new message.
#[derive(Debug)]
pub(super) struct Body {
    /// Octets.
    pub(super) size: u64,
    /// Their CRC-32.
    pub(super) sum: u32,
    pub(super) stored: Stored,
}

/// Where a content is.
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
    pub(super) now: Timestamp,
    pub(super) reply: Reply<Settled>,
}

/// What was told to a sender.
#[derive(Debug)]
pub(super) struct ReportJob {
    pub(super) notices: Notices,
    pub(super) report: Option<(MessageRows, Accepted)>,
    pub(super) reply: Reply<Reported>,
}

/// Something that the administrator asks.
#[derive(Debug)]
pub(super) struct ActJob {
    pub(super) action: Action,
    pub(super) selected: Vec<Selected>,
    /// A damaged message to be deleted, whatever its rows say.
    pub(super) discarded: Option<QueueId>,
    pub(super) now: Timestamp,
    pub(super) reply: Reply<Acted>,
}

/// Octets of a row, and of the pages that a step touches, as they weigh in the log.
const ROW: usize = 256;
const PAGES: usize = 4096;

impl Job {
    /// About how many octets it adds to the log.
    pub(super) fn weight(&self) -> usize {
        let rows = |count: usize| PAGES.saturating_add(count.saturating_mul(ROW));
        match self {
            Self::Commit(job) => job.message.weight(),
            Self::Settle(job) => rows(job.settlements.len()),
            Self::Report(job) => {
                let report = job.report.as_ref().map_or(0, |(message, _)| message.weight());
                rows(job.notices.recipients.len()).saturating_add(report)
            }
            Self::Act(job) => rows(job.selected.iter().map(|one| one.recipients.len()).sum()),
            Self::Close(_) => 0,
        }
    }
}

impl MessageRows {
    fn weight(&self) -> usize {
        let body = match &self.body.stored {
            Stored::Inline(bytes) => bytes.len(),
            Stored::File(_) => 0,
        };
        let rows = self.recipients.len().saturating_mul(ROW);
        PAGES.saturating_add(body).saturating_add(rows)
    }
}

impl Body {
    /// A content that is stored beside its envelope.
    pub(super) fn inline(content: Bytes) -> Self {
        Self {
            size: content.len() as u64,
            sum: crc32fast::hash(&content),
            stored: Stored::Inline(content),
        }
    }
}

/// The rows of a new message and what its commit will return, or why it cannot be one.
pub(super) fn plan(message: NewMessage, body: Body) -> Result<(MessageRows, Accepted), SpoolError> {
    let NewMessage {
        id,
        envelope:
            Envelope {
                reverse_path,
                recipients,
                parameters,
            },
        created,
    } = message;
    if recipients.is_empty() {
        return Err(SpoolError::NoRecipients);
    }
    let created = whole_milliseconds(created);
    let size = body.size;
    let (recipients, pending) = group(id, created, size, recipients);
    let rows = MessageRows {
        id,
        created,
        reverse_path,
        parameters,
        next_hops: pending.iter().map(|part| part.next_hop.clone()).collect(),
        recipients,
        body,
    };
    Ok((rows, Accepted { id, size, pending }))
}

/// The rows of a report and what is to be delivered of it.
pub(super) fn plan_report(report: Report) -> Result<(MessageRows, Accepted), SpoolError> {
    plan(report.message, Body::inline(report.content))
}

/// Gathers recipients by next hop, in the order in which the next hops first appear.
fn group(
    id: QueueId,
    due: Timestamp,
    size: u64,
    recipients: Vec<Recipient>,
) -> (Vec<(Recipient, usize)>, Vec<Pending>) {
    let mut pending: Vec<Pending> = Vec::with_capacity(1);
    let mut known = HashMap::new();
    let placed = recipients.into_iter().map(|recipient| {
        let next_hop = NextHop::of(&recipient.address);
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
        (recipient, place)
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
