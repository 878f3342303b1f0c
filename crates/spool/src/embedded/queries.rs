//! The reading statements.

use std::collections::HashMap;
use std::ops::ControlFlow;

use bytes::Bytes;
use jiff::Timestamp;
use mail::{Mailbox, NextHop, QueueId, ReversePath};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::bodies::Directories;
use super::rows::{body_type, corrupt, id, number, parse, shown_state, time};
use crate::content::{BodyFile, Content};
use crate::error::SpoolError;
use crate::leases::{LeaseGuard, LeaseTable};
use crate::listing::{QueuedMessage, QueuedRecipient, RecipientState};
use crate::message::{Lease, LeasedRecipient, Pending, RecipientIndex};

const PENDING: &str = "SELECT r.message_id, r.next_hop, r.next_attempt, m.size \
    FROM recipient r CROSS JOIN message m ON m.id = r.message_id \
    WHERE r.message_id > ?1 AND r.state IN (0, 2) ORDER BY r.message_id, r.idx";
const LEASED_RECIPIENTS: &str = "SELECT idx, address, attempts, next_attempt FROM recipient \
    WHERE message_id = ?1 AND next_hop = ?2 AND state IN (0, 2) ORDER BY idx";
const LEASED_MESSAGE: &str = "SELECT m.created, m.reverse_path, m.body_type, m.size, m.accepted, m.body, b.content \
    FROM message m LEFT JOIN body b ON b.seq = m.body WHERE m.id = ?1";
const LISTED_MESSAGES: &str =
    "SELECT id, reverse_path, size, created FROM message WHERE id > ?1 ORDER BY id LIMIT ?2";
const LISTED_RECIPIENTS: &str = "SELECT address, state, next_hop, attempts, next_attempt, reply_code, enhanced, reason \
    FROM recipient WHERE message_id = ?1 ORDER BY idx";

/// Messages read in one transaction while listing: a longer one would keep the log from starting again.
const PAGE: usize = 500;
/// Recipients after which a page ends, whatever the number of messages.
const PAGE_RECIPIENTS: usize = 5000;

/// See [`crate::Spool::pending`].
pub(super) fn pending(
    connection: &Connection,
    after: Option<QueueId>,
    limit: usize,
) -> Result<Vec<Pending>, SpoolError> {
    let after = after.map_or_else(Vec::new, |id| id.to_bytes().to_vec());
    let mut statement = connection.prepare_cached(PENDING)?;
    let mut rows = statement.query([after])?;
    let mut page: Vec<Pending> = Vec::with_capacity(limit.min(4096));
    // Where the parts of the message at hand are in the page, by the text of their next hop.
    let mut places: HashMap<String, usize> = HashMap::new();
    while let Some(row) = rows.next()? {
        let id = id(row, 0)?;
        if page.last().is_some_and(|last| last.id != id) {
            if page.len() >= limit {
                break;
            }
            places.clear();
        }
        let next_hop = text(id, row, 1)?;
        let due = time(id, row.get(2)?)?;
        if let Some(part) = places.get(next_hop).and_then(|place| page.get_mut(*place)) {
            part.recipients = part.recipients.saturating_add(1);
            part.due = part.due.min(due);
            continue;
        }
        places.insert(next_hop.to_owned(), page.len());
        page.push(Pending {
            id,
            next_hop: parse(id, next_hop, "a next hop that does not parse")?,
            due,
            recipients: 1,
            size: number(id, row.get(3)?)?,
        });
    }
    Ok(page)
}

/// The lease that `guard` stands for, or `None` if nothing waits there.
pub(super) fn lease(
    connection: &Connection,
    directories: &Directories,
    key: (QueueId, NextHop),
    guard: LeaseGuard,
) -> Result<Option<Lease>, SpoolError> {
    let (id, next_hop) = key;
    // One view of both tables; dropped at the end, it only ends the reading.
    let view = connection.unchecked_transaction()?;
    let recipients = leased_recipients(&view, id, &next_hop)?;
    if recipients.is_empty() {
        return Ok(None);
    }
    let mut statement = view.prepare_cached(LEASED_MESSAGE)?;
    let lease = statement
        .query_row([id.to_bytes()], |row| {
            Ok(leased_message(row, directories, id).map(|message| Lease {
                id,
                next_hop,
                created: message.created,
                reverse_path: message.reverse_path,
                body: message.body,
                size: message.size,
                recipients,
                accepted_recipients: message.accepted,
                content: message.content,
                guard,
            }))
        })
        .optional()?;
    lease
        .unwrap_or_else(|| Err(corrupt(id, "recipients without their message")))
        .map(Some)
}

struct LeasedMessage {
    created: Timestamp,
    reverse_path: ReversePath,
    body: mail::BodyType,
    size: u64,
    accepted: u32,
    content: Content,
}

fn leased_message(
    row: &Row<'_>,
    directories: &Directories,
    id: QueueId,
) -> Result<LeasedMessage, SpoolError> {
    let size: u64 = number(id, row.get(3)?)?;
    let in_row: Option<i64> = row.get(5)?;
    let content = match in_row {
        Some(_) => {
            let ValueRef::Blob(octets) = row.get_ref(6)? else {
                return Err(corrupt(id, "its content is missing"));
            };
            Content::Inline(Bytes::copy_from_slice(octets))
        }
        None => Content::File(BodyFile::new(directories.body(id))),
    };
    let found = match &content {
        Content::Inline(octets) => octets.len() as u64,
        Content::File(file) => match std::fs::metadata(file.path()) {
            Ok(found) => found.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(corrupt(id, "its content is missing"));
            }
            Err(error) => return Err(error.into()),
        },
    };
    if found != size {
        return Err(corrupt(id, "its content has another size"));
    }
    Ok(LeasedMessage {
        created: time(id, row.get(0)?)?,
        reverse_path: ReversePath::parse(text(id, row, 1)?)
            .map_err(|_| corrupt(id, "a reverse-path that does not parse"))?,
        body: body_type(id, row.get(2)?)?,
        size,
        accepted: number(id, row.get(4)?)?,
        content,
    })
}

fn leased_recipients(
    connection: &Connection,
    id: QueueId,
    next_hop: &NextHop,
) -> Result<Vec<LeasedRecipient>, SpoolError> {
    let mut statement = connection.prepare_cached(LEASED_RECIPIENTS)?;
    let mut rows = statement.query(params![id.to_bytes(), next_hop.to_string()])?;
    let mut recipients = Vec::new();
    while let Some(row) = rows.next()? {
        recipients.push(LeasedRecipient {
            index: RecipientIndex(number(id, row.get(0)?)?),
            address: parse::<Mailbox>(id, text(id, row, 1)?, "a forward-path that does not parse")?,
            attempts: number(id, row.get(2)?)?,
            due: time(id, row.get(3)?)?,
        });
    }
    Ok(recipients)
}

/// Shows messages in the order of their ids, in pages, until `visit` has seen enough.
pub(super) fn list(
    connection: &mut Connection,
    leases: &LeaseTable,
    mut visit: impl FnMut(QueuedMessage) -> ControlFlow<()>,
) -> Result<(), SpoolError> {
    let mut after = Vec::new();
    loop {
        let page = listed_page(connection, leases, &after)?;
        let Some(last) = page.last().map(|message| message.id) else {
            return Ok(());
        };
        for message in page {
            if visit(message).is_break() {
                return Ok(());
            }
        }
        after = last.to_bytes().to_vec();
    }
}

fn listed_page(
    connection: &mut Connection,
    leases: &LeaseTable,
    after: &[u8],
) -> Result<Vec<QueuedMessage>, SpoolError> {
    let view = connection.transaction()?;
    let mut statement = view.prepare_cached(LISTED_MESSAGES)?;
    let mut rows = statement.query(params![after, PAGE.cast_signed()])?;
    let mut page = Vec::new();
    let mut listed = 0_usize;
    while listed < PAGE_RECIPIENTS
        && let Some(row) = rows.next()?
    {
        let id = id(row, 0)?;
        let recipients = listed_recipients(&view, leases, id)?;
        listed = listed.saturating_add(recipients.len());
        page.push(QueuedMessage {
            id,
            sender: row.get(1)?,
            size: number(id, row.get(2)?)?,
            created: time(id, row.get(3)?)?,
            attempts: recipients.iter().map(|r| r.attempts).max().unwrap_or(0),
            next_attempt: recipients.iter().filter_map(|r| r.next_attempt).min(),
            recipients,
        });
    }
    Ok(page)
}

fn listed_recipients(
    connection: &Connection,
    leases: &LeaseTable,
    id: QueueId,
) -> Result<Vec<QueuedRecipient>, SpoolError> {
    let mut statement = connection.prepare_cached(LISTED_RECIPIENTS)?;
    let mut rows = statement.query([id.to_bytes()])?;
    let mut recipients = Vec::new();
    while let Some(row) = rows.next()? {
        let stored = shown_state(id, row.get(1)?)?;
        let next_hop: String = row.get(2)?;
        let next_attempt = match stored {
            RecipientState::Deferred => Some(time(id, row.get(4)?)?),
            RecipientState::Queued
            | RecipientState::Leased
            | RecipientState::Held
            | RecipientState::Sent
            | RecipientState::Failed => None,
        };
        recipients.push(QueuedRecipient {
            address: row.get(0)?,
            state: with_lease(stored, leases, id, &next_hop),
            next_hop,
            attempts: number(id, row.get(3)?)?,
            next_attempt,
            reply_code: row.get(5)?,
            enhanced: row.get(6)?,
            reason: row.get(7)?,
        });
    }
    Ok(recipients)
}

fn with_lease(stored: RecipientState, leases: &LeaseTable, id: QueueId, next_hop: &str) -> RecipientState {
    match stored {
        RecipientState::Queued | RecipientState::Deferred if leases.is_empty() => stored,
        RecipientState::Queued | RecipientState::Deferred => match next_hop.parse() {
            Ok(next_hop) if leases.holds(id, &next_hop) => RecipientState::Leased,
            Ok(_) | Err(_) => stored,
        },
        RecipientState::Leased | RecipientState::Held | RecipientState::Sent | RecipientState::Failed => {
            stored
        }
    }
}

fn text<'row>(id: QueueId, row: &'row Row<'_>, column: usize) -> Result<&'row str, SpoolError> {
    match row.get_ref(column)? {
        ValueRef::Text(octets) => {
            std::str::from_utf8(octets).map_err(|_| corrupt(id, "a text that is not UTF-8"))
        }
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => {
            Err(corrupt(id, "a text is missing"))
        }
    }
}
