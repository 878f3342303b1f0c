//! The reading statements of the queue.

use std::collections::HashMap;

use jiff::Timestamp;
use mail::{EnhancedStatus, Mailbox, NextHop, Notice, Outcome, QueueId, RecipientParameters, ReplyCode};
use rusqlite::{Connection, Row, Rows, params};

use super::bodies::Directories;
use super::error::{Error, Result, is_malformed};
use super::rows::{corrupt, id, last_status, number, optional_text, parse, text, time};
use super::stored::message;
use spool::leases::LeaseGuard;
use spool::{Lease, LeasedRecipient, NoticedRecipient, Notices, Pending, RecipientIndex};

const PENDING: &str = "SELECT r.message_id, r.next_hop, r.next_attempt, m.size \
    FROM recipient r CROSS JOIN message m ON m.id = r.message_id \
    WHERE r.message_id > ?1 AND r.state IN (0, 2) ORDER BY r.message_id, r.idx";
const WAITING: &str = "SELECT r.message_id, r.next_hop, r.next_attempt, m.size \
    FROM recipient r CROSS JOIN message m ON m.id = r.message_id \
    WHERE r.message_id = ?1 AND r.state IN (0, 2) ORDER BY r.idx";
const MESSAGE_IDS: &str = "SELECT id FROM message WHERE id > ?1 ORDER BY id";
const RECIPIENT_IDS: &str =
    "SELECT DISTINCT message_id FROM recipient WHERE message_id > ?1 ORDER BY message_id";
const LEASED_RECIPIENTS: &str = "SELECT idx, address, notify, original, attempts, next_attempt, delay_noticed \
    FROM recipient WHERE message_id = ?1 AND next_hop = ?2 AND state IN (0, 2) ORDER BY idx";
const NOTICED_RECIPIENTS: &str = "SELECT idx, address, notify, original, state, reply_code, enhanced, reason, notice \
    FROM recipient WHERE message_id = ?1 AND notice IS NOT NULL ORDER BY idx";
const UNREPORTED: &str =
    "SELECT DISTINCT message_id FROM recipient WHERE notice IS NOT NULL ORDER BY message_id";
const WAITS: &str = "SELECT EXISTS (SELECT 1 FROM recipient WHERE message_id = ?1 AND state IN (0, 2))";

/// See [`crate::Spool::pending`].
pub(super) fn pending(connection: &Connection, after: Option<QueueId>, limit: usize) -> Result<Vec<Pending>> {
    let after = after.map_or_else(Vec::new, |id| id.to_bytes().to_vec());
    let mut statement = connection.prepare_cached(PENDING)?;
    let found = parts(statement.query([&after])?, limit);
    // A page of one of the tables may be malformed; whose messages are on it is known to the other.
    let found = found.or_else(|error| one_by_one(connection, (MESSAGE_IDS, &after), limit, error));
    Ok(found.or_else(|error| one_by_one(connection, (RECIPIENT_IDS, &after), limit, error))?)
}

/// After a malformed page: what waits of each of these messages by itself, so that only those on that page are left out.
fn one_by_one(
    connection: &Connection,
    (ids, after): (&str, &[u8]),
    limit: usize,
    error: rusqlite::Error,
) -> rusqlite::Result<Vec<Pending>> {
    if !is_malformed(&error) {
        return Err(error);
    }
    let mut statement = connection.prepare_cached(ids)?;
    let mut rows = statement.query([after])?;
    let mut page = Vec::new();
    while page.len() < limit {
        let id = match rows.next() {
            Ok(Some(row)) => id(row, 0),
            Err(error) if page.is_empty() => return Err(error),
            Ok(None) | Err(_) => break,
        };
        match id.and_then(|id| waiting(connection, id).map_err(|error| unreadable(id, error))) {
            Ok(parts) => page.extend(parts),
            Err(error) => tracing::error!(%error, "a message is left out of the schedule"),
        }
    }
    Ok(page)
}

fn unreadable(id: QueueId, error: rusqlite::Error) -> Error {
    if is_malformed(&error) {
        return corrupt(id, "its page of the database is malformed");
    }
    error.into()
}

/// What waits of one message.
pub(super) fn waiting(connection: &Connection, id: QueueId) -> rusqlite::Result<Vec<Pending>> {
    let mut statement = connection.prepare_cached(WAITING)?;
    parts(statement.query([id.to_bytes()])?, usize::MAX)
}

/// Gathers recipients by message and next hop until `limit` is reached at the end of a message. A damaged row is left
/// out: it must not keep the others back.
fn parts(mut rows: Rows<'_>, limit: usize) -> rusqlite::Result<Vec<Pending>> {
    let mut page: Vec<Pending> = Vec::with_capacity(limit.min(4096));
    // Where the parts of the message at hand are in the page, by the text of their next hop.
    let mut places: HashMap<String, usize> = HashMap::new();
    while let Some(row) = rows.next()? {
        let (id, next_hop, due) = match waiting_recipient(row) {
            Ok(recipient) => recipient,
            Err(error) => {
                tracing::error!(%error, "a recipient is left out of the schedule");
                continue;
            }
        };
        if page.last().is_some_and(|last| last.id != id) {
            if page.len() >= limit {
                break;
            }
            places.clear();
        }
        if let Some(part) = places.get(next_hop).and_then(|place| page.get_mut(*place)) {
            part.recipients = part.recipients.saturating_add(1);
            part.due = part.due.min(due);
            continue;
        }
        match waiting_part(row, (id, next_hop, due)) {
            Ok(part) => {
                places.insert(next_hop.to_owned(), page.len());
                page.push(part);
            }
            Err(error) => tracing::error!(%error, "a recipient is left out of the schedule"),
        }
    }
    Ok(page)
}

fn waiting_recipient<'row>(row: &'row Row<'_>) -> Result<(QueueId, &'row str, Timestamp)> {
    let id = id(row, 0)?;
    Ok((id, text(id, row, 1)?, time(id, row.get(2)?)?))
}

fn waiting_part(row: &Row<'_>, (id, next_hop, due): (QueueId, &str, Timestamp)) -> Result<Pending> {
    Ok(Pending {
        id,
        next_hop: parse(id, next_hop, "a next hop that does not parse")?,
        due,
        recipients: 1,
        size: number(id, row.get(3)?)?,
    })
}

/// The lease that `guard` stands for, or `None` if nothing waits there.
pub(super) fn lease(
    connection: &Connection,
    directories: &Directories,
    key: (QueueId, NextHop),
    guard: LeaseGuard,
) -> Result<Option<Lease>> {
    let (id, next_hop) = key;
    // One view of both tables; dropped at the end, it only ends the reading.
    let view = connection.unchecked_transaction()?;
    let recipients = leased_recipients(&view, id, &next_hop)?;
    if recipients.is_empty() {
        return Ok(None);
    }
    let message = message(&view, directories, id)?;
    Ok(Some(Lease {
        id,
        next_hop,
        created: message.created,
        reverse_path: message.reverse_path,
        parameters: message.parameters,
        size: message.size,
        recipients,
        accepted_recipients: message.accepted,
        content: message.content,
        guard,
    }))
}

/// What is to be told, with the right to tell it that `guard` stands for; `None` if there is nothing.
pub(super) fn notices(
    connection: &Connection,
    directories: &Directories,
    id: QueueId,
    guard: LeaseGuard,
) -> Result<Option<Notices>> {
    let view = connection.unchecked_transaction()?;
    let recipients = noticed_recipients(&view, id)?;
    if recipients.is_empty() {
        return Ok(None);
    }
    let message = message(&view, directories, id)?;
    Ok(Some(Notices {
        id,
        created: message.created,
        reverse_path: message.reverse_path,
        parameters: message.parameters,
        size: message.size,
        content: message.content,
        recipients,
        guard,
    }))
}

/// See [`crate::Spool::unreported`].
pub(super) fn unreported(connection: &Connection) -> Result<Vec<QueueId>> {
    let mut statement = connection.prepare_cached(UNREPORTED)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    loop {
        match rows.next() {
            Ok(Some(row)) => match id(row, 0) {
                Ok(id) => found.push(id),
                Err(error) => tracing::error!(%error, "a message is left out of the reports"),
            },
            Ok(None) => break,
            Err(error) if is_malformed(&error) => {
                tracing::error!(%error, "messages are left out of the reports");
                break;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// Whether recipients of a message wait, as far as that can be read.
pub(super) fn waits(connection: &Connection, id: QueueId) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached(WAITS)?;
    match statement.query_row([id.to_bytes()], |row| row.get(0)) {
        Err(error) if is_malformed(&error) => Ok(true),
        waits => waits,
    }
}

fn leased_recipients(
    connection: &Connection,
    id: QueueId,
    next_hop: &NextHop,
) -> Result<Vec<LeasedRecipient>> {
    let mut statement = connection.prepare_cached(LEASED_RECIPIENTS)?;
    let mut rows = statement.query(params![id.to_bytes(), next_hop.to_string()])?;
    let mut recipients = Vec::new();
    while let Some(row) = rows.next()? {
        let (index, address, parameters) = recipient(id, row)?;
        recipients.push(LeasedRecipient {
            index,
            address,
            parameters,
            attempts: number(id, row.get(4)?)?,
            due: time(id, row.get(5)?)?,
            delay_noticed: row.get(6)?,
        });
    }
    Ok(recipients)
}

fn noticed_recipients(connection: &Connection, id: QueueId) -> Result<Vec<NoticedRecipient>> {
    let mut statement = connection.prepare_cached(NOTICED_RECIPIENTS)?;
    let mut rows = statement.query([id.to_bytes()])?;
    let mut recipients = Vec::new();
    while let Some(row) = rows.next()? {
        let (index, address, parameters) = recipient(id, row)?;
        let reply_code: Option<u16> = row.get(5)?;
        let enhanced: EnhancedStatus =
            parse(id, text(id, row, 6)?, "an enhanced status that does not parse")?;
        let notice: Notice = serde_json::from_str(text(id, row, 8)?)
            .map_err(|_| corrupt(id, "a notice that does not parse"))?;
        recipients.push(NoticedRecipient {
            index,
            address,
            parameters,
            outcome: Outcome {
                status: last_status(id, row.get(4)?)?,
                reply_code: reply_code.and_then(ReplyCode::new),
                enhanced,
                reason: text(id, row, 7)?.to_owned(),
            },
            notice,
        });
    }
    Ok(recipients)
}

/// The columns idx, address, notify and original.
fn recipient(id: QueueId, row: &Row<'_>) -> Result<(RecipientIndex, Mailbox, RecipientParameters)> {
    let notify = optional_text(id, row, 2)?;
    let original = optional_text(id, row, 3)?;
    let parameters = RecipientParameters {
        notify: notify
            .map(|text| parse(id, text, "a NOTIFY that does not parse"))
            .transpose()?,
        original: original
            .map(|text| parse(id, text, "an ORCPT that does not parse"))
            .transpose()?,
    };
    Ok((
        RecipientIndex(number(id, row.get(0)?)?),
        parse(id, text(id, row, 1)?, "a forward-path that does not parse")?,
        parameters,
    ))
}
