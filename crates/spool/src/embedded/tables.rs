//! The writing statements. All run inside a transaction of the writer.

use mail::QueueId;
use rusqlite::{Connection, OptionalExtension, params};

use super::job::{MessageRows, Stored};
use super::rows::{LAST_OPEN, body_column, state_after};
use crate::message::{Lease, Settlement};

/// The longest reason that is kept, in octets: a peer's reply is not bounded by its sense.
const REASON_LENGTH: usize = 1000;

const INSERT_MESSAGE: &str = "INSERT OR IGNORE INTO message \
    (id, created, reverse_path, body_type, size, accepted, remaining, body) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)";
const INSERT_RECIPIENT: &str = "INSERT INTO recipient \
    (message_id, idx, address, next_hop, state, attempts, next_attempt) VALUES (?1, ?2, ?3, ?4, 0, 0, ?5)";
const INSERT_BODY: &str = "INSERT INTO body (seq, content) VALUES (?1, ?2)";
const UPDATE_RECIPIENT: &str = "UPDATE recipient SET state = ?3, attempts = ?4, \
    next_attempt = coalesce(?5, next_attempt), reply_code = ?6, enhanced = ?7, reason = ?8 \
    WHERE message_id = ?1 AND idx = ?2 AND state <= ?9";
const UPDATE_REMAINING: &str =
    "UPDATE message SET remaining = remaining - ?2 WHERE id = ?1 RETURNING remaining";
const DELETE_MESSAGE: &str = "DELETE FROM message WHERE id = ?1 RETURNING body";
const DELETE_RECIPIENTS: &str = "DELETE FROM recipient WHERE message_id = ?1";
const DELETE_BODY: &str = "DELETE FROM body WHERE seq = ?1";

/// What became of a message's content when the message was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deleted {
    /// There was no such message.
    Nothing,
    /// It was a row, and is gone.
    Row,
    /// It is a file, to be removed once this is durable.
    File,
}

/// The first unused number for a body.
pub(super) fn next_body(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT coalesce(max(seq), 0) + 1 FROM body", [], |row| row.get(0))
}

/// Inserts a message; false, and nothing is inserted, if its id is taken.
pub(super) fn insert(connection: &Connection, message: &MessageRows, body: i64) -> rusqlite::Result<bool> {
    let id = message.id.to_bytes();
    let created = message.created.as_millisecond();
    let body = match &message.content {
        Stored::Inline(_) => Some(body),
        Stored::File(_) => None,
    };
    let inserted = connection.prepare_cached(INSERT_MESSAGE)?.execute(params![
        id,
        created,
        message.reverse_path.as_str(),
        body_column(message.body),
        message.size.cast_signed(),
        message.recipients.len().cast_signed(),
        body,
    ])?;
    if inserted == 0 {
        return Ok(false);
    }
    let next_hops: Vec<String> = message.next_hops.iter().map(ToString::to_string).collect();
    let mut insert_recipient = connection.prepare_cached(INSERT_RECIPIENT)?;
    for (index, (address, next_hop)) in (0_i64..).zip(&message.recipients) {
        let next_hop = next_hops.get(*next_hop);
        insert_recipient.execute(params![id, index, address.as_str(), next_hop, created])?;
    }
    if let Stored::Inline(content) = &message.content {
        connection
            .prepare_cached(INSERT_BODY)?
            .execute(params![body, content.as_ref()])?;
    }
    Ok(true)
}

/// Records outcomes; says what became of the content if the message is done, `None` if it is not.
///
/// Doing it twice is the same as doing it once, so that outcomes may be written again after a commit of which it
/// is not known whether it took place.
pub(super) fn settle(
    connection: &Connection,
    lease: &Lease,
    settlements: &[Settlement],
) -> rusqlite::Result<Option<Deleted>> {
    let finals = settlements
        .iter()
        .filter(|settlement| settlement.outcome.status.is_final())
        .count();
    if u32::try_from(finals).is_ok_and(|finals| finals == lease.accepted_recipients) {
        return delete(connection, lease.id).map(Some);
    }
    let mut newly_final = 0_i64;
    for settlement in settlements {
        let changed = update(connection, lease, settlement)?;
        if changed > 0 && settlement.outcome.status.is_final() {
            newly_final += 1;
        }
    }
    let remaining: Option<i64> = connection
        .prepare_cached(UPDATE_REMAINING)?
        .query_row(params![lease.id.to_bytes(), newly_final], |row| row.get(0))
        .optional()?;
    match remaining {
        None => Ok(Some(Deleted::Nothing)),
        Some(0) => delete(connection, lease.id).map(Some),
        Some(_) => Ok(None),
    }
}

fn update(connection: &Connection, lease: &Lease, settlement: &Settlement) -> rusqlite::Result<usize> {
    let before = lease
        .recipients
        .iter()
        .find(|recipient| recipient.index == settlement.recipient)
        .map_or(0, |recipient| recipient.attempts);
    let outcome = &settlement.outcome;
    connection.prepare_cached(UPDATE_RECIPIENT)?.execute(params![
        lease.id.to_bytes(),
        settlement.recipient.0,
        state_after(outcome.status),
        before.saturating_add(1),
        settlement.next_attempt.map(jiff::Timestamp::as_millisecond),
        outcome.reply_code.map(mail::ReplyCode::get),
        outcome.enhanced.to_string(),
        shortened(&outcome.reason),
        LAST_OPEN,
    ])
}

/// Deletes a message with its recipients and its content where that is a row.
pub(super) fn delete(connection: &Connection, id: QueueId) -> rusqlite::Result<Deleted> {
    let id = id.to_bytes();
    let body: Option<Option<i64>> = connection
        .prepare_cached(DELETE_MESSAGE)?
        .query_row([id], |row| row.get(0))
        .optional()?;
    let Some(body) = body else {
        return Ok(Deleted::Nothing);
    };
    connection.prepare_cached(DELETE_RECIPIENTS)?.execute([id])?;
    let Some(seq) = body else {
        return Ok(Deleted::File);
    };
    connection.prepare_cached(DELETE_BODY)?.execute([seq])?;
    Ok(Deleted::Row)
}

fn shortened(reason: &str) -> &str {
    let end = reason.floor_char_boundary(REASON_LENGTH);
    reason.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let long = "é".repeat(REASON_LENGTH);
        assert_eq!(shortened(&long).len(), REASON_LENGTH);
        assert_eq!(shortened(&format!("x{long}")).len(), REASON_LENGTH - 1);
        assert_eq!(shortened("short"), "short");
    }
}
