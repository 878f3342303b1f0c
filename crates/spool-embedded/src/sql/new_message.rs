//! The rows of a new message, before they are written.

use std::collections::HashMap;

use bytes::Bytes;
use jiff::Timestamp;
use mail::{Envelope, MailParameters, NextHop, QueueId, Recipient, ReversePath};
use spool::{Accepted, NewMessage, Pending, Report, SpoolError};

use super::columns::whole_milliseconds;
use crate::disk::bodies::Published;

/// The rows of a new message.
#[derive(Debug)]
pub(crate) struct MessageRows {
    pub(crate) id: QueueId,
    pub(crate) created: Timestamp,
    pub(crate) reverse_path: ReversePath,
    pub(crate) parameters: MailParameters,
    /// The distinct next hops.
    pub(crate) next_hops: Vec<NextHop>,
    /// Each recipient with its place in `next_hops`.
    pub(crate) recipients: Vec<(Recipient, usize)>,
    pub(crate) body: Body,
}

/// The content of a new message.
#[derive(Debug)]
pub(crate) struct Body {
    /// Octets.
    pub(crate) size: u64,
    /// Their CRC-32.
    pub(crate) sum: u32,
    pub(crate) stored: Stored,
}

/// Where a content is.
#[derive(Debug)]
pub(crate) enum Stored {
    Inline(Bytes),
    File(Published),
}

/// The estimated octets in the log for a row, and for the pages that a step touches.
const ROW: usize = 256;
const PAGES: usize = 4096;

/// Roughly how many octets a step that touches so many rows adds to the log.
pub(crate) fn weight_of_rows(rows: usize) -> usize {
    PAGES.saturating_add(rows.saturating_mul(ROW))
}

impl MessageRows {
    /// Roughly how many octets it adds to the log.
    pub(crate) fn weight(&self) -> usize {
        let body = match &self.body.stored {
            Stored::Inline(bytes) => bytes.len(),
            Stored::File(_) => 0,
        };
        weight_of_rows(self.recipients.len()).saturating_add(body)
    }
}

impl Body {
    /// A content that is stored beside its envelope.
    pub(crate) fn inline(content: Bytes) -> Self {
        Self {
            size: content.len() as u64,
            sum: crc32fast::hash(&content),
            stored: Stored::Inline(content),
        }
    }
}

/// The rows of a new message and what its commit will return, or why it cannot be queued.
pub(crate) fn plan(message: NewMessage, body: Body) -> Result<(MessageRows, Accepted), SpoolError> {
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

/// The rows of a report and its pending deliveries.
pub(crate) fn plan_report(report: Report) -> Result<(MessageRows, Accepted), SpoolError> {
    plan(report.message, Body::inline(report.content))
}

/// Groups recipients by next hop, in the order in which the next hops first appear.
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
        let place = place(&next_hop, &pending, &mut known);
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

/// The place of a next hop among these parts, or the next one if it is new. The table begins with the second next hop: most
/// messages have one.
fn place(next_hop: &NextHop, parts: &[Pending], known: &mut HashMap<NextHop, usize>) -> usize {
    match parts {
        [] => return 0,
        [only] if only.next_hop == *next_hop => return 0,
        [only] => {
            known.insert(only.next_hop.clone(), 0);
        }
        _ => {}
    }
    if let Some(place) = known.get(next_hop) {
        return *place;
    }
    known.insert(next_hop.clone(), parts.len());
    parts.len()
}
