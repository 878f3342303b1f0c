//! What waits, for the schedule.

use std::collections::HashMap;
use std::ops::ControlFlow;

use jiff::Timestamp;
use mail::QueueId;
use mail::event::store::Failed;
use rusqlite::{Connection, Row, Rows, named_params};
use spool::Pending;

use super::columns::{corrupt, id, number, parse, text, time};
use super::pages::{Reached, Table, each_id};
use super::state::State;
use crate::error::{Error, Result, is_malformed};
use crate::telling::Teller;

const PENDING: &str = "SELECT r.message_id, r.next_hop, r.next_attempt, m.size \
    FROM recipient r CROSS JOIN message m ON m.id = r.message_id \
    WHERE r.message_id > :after AND r.state IN (:queued, :deferred) ORDER BY r.message_id, r.idx";
const WAITING: &str = "SELECT r.message_id, r.next_hop, r.next_attempt, m.size \
    FROM recipient r CROSS JOIN message m ON m.id = r.message_id \
    WHERE r.message_id = :id AND r.state IN (:queued, :deferred) ORDER BY r.idx";
const WAITS: &str =
    "SELECT EXISTS (SELECT 1 FROM recipient WHERE message_id = :id AND state IN (:queued, :deferred))";

/// See [`spool::Spool::pending`].
pub(crate) fn pending(
    connection: &Connection,
    after: Option<QueueId>,
    limit: usize,
    teller: &Teller,
) -> Result<Vec<Pending>> {
    let after = after.map_or_else(Vec::new, |id| id.to_bytes().to_vec());
    // A page of one of the tables may be malformed; the other table tells whose messages are on it.
    page(connection, &after, limit, teller)
        .or_else(|error| one_by_one(connection, (Table::Messages, &after), limit, error, teller))
        .or_else(|error| one_by_one(connection, (Table::Recipients, &after), limit, error, teller))
}

fn page(connection: &Connection, after: &[u8], limit: usize, teller: &Teller) -> Result<Vec<Pending>> {
    let mut statement = connection.prepare_cached(PENDING)?;
    let rows = statement.query(named_params! {
        ":after": after,
        ":queued": State::Queued,
        ":deferred": State::Deferred,
    })?;
    Ok(parts(rows, limit, teller)?)
}

/// After a malformed page: reads what is waiting for each of these messages separately, so that only those on that page are
/// left out.
fn one_by_one(
    connection: &Connection,
    (table, after): (Table, &[u8]),
    limit: usize,
    error: Error,
    teller: &Teller,
) -> Result<Vec<Pending>> {
    if !error.is_malformed() {
        return Err(error);
    }
    let mut page = Vec::new();
    let reached = each_id(connection, table, after, |_, id| {
        match id.and_then(|id| waiting(connection, id, teller).map_err(|error| unreadable(id, error))) {
            Ok(parts) => page.extend(parts),
            Err(error) => teller.failed(Failed::ScheduleOfMessage, &error),
        }
        Ok(if page.len() < limit {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        })
    })?;
    match reached {
        Reached::Unreadable(error) if page.is_empty() => Err(error),
        Reached::Unreadable(_) | Reached::Goal => Ok(page),
    }
}

fn unreadable(id: QueueId, error: rusqlite::Error) -> Error {
    if is_malformed(&error) {
        return corrupt(id, "its page of the database is malformed");
    }
    error.into()
}

/// What waits of one message.
pub(crate) fn waiting(
    connection: &Connection,
    id: QueueId,
    teller: &Teller,
) -> rusqlite::Result<Vec<Pending>> {
    let mut statement = connection.prepare_cached(WAITING)?;
    let rows = statement.query(named_params! {
        ":id": id.to_bytes(),
        ":queued": State::Queued,
        ":deferred": State::Deferred,
    })?;
    parts(rows, usize::MAX, teller)
}

/// Groups recipients by message and next hop until `limit` is reached at the end of a message. A damaged row is left out: it
/// must not block the others.
fn parts(mut rows: Rows<'_>, limit: usize, teller: &Teller) -> rusqlite::Result<Vec<Pending>> {
    let mut page: Vec<Pending> = Vec::with_capacity(limit.min(4096));
    // Where the parts of the current message are in the page, by the text of their next hop.
    let mut places: HashMap<String, usize> = HashMap::new();
    while let Some(row) = rows.next()? {
        let (id, next_hop, due) = match waiting_recipient(row) {
            Ok(recipient) => recipient,
            Err(error) => {
                teller.failed(Failed::ScheduleOfRecipient, &error);
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
            Err(error) => teller.failed(Failed::ScheduleOfRecipient, &error),
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

/// Whether recipients of a message are waiting, as far as that can be read.
pub(crate) fn waits(connection: &Connection, id: QueueId) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached(WAITS)?;
    let key = named_params! {
        ":id": id.to_bytes(),
        ":queued": State::Queued,
        ":deferred": State::Deferred,
    };
    match statement.query_row(key, |row| row.get(0)) {
        Err(error) if is_malformed(&error) => Ok(true),
        waits => waits,
    }
}
