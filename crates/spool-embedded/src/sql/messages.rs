//! Inserting, deleting and counting messages. All of it runs inside one of the writer's transactions.

use mail::QueueId;
use rusqlite::{Connection, OptionalExtension, params};

use super::columns::{body_column, ret_column, tls_column};
use super::new_message::{MessageRows, Stored};
use super::state::State;

const INSERT_MESSAGE: &str = "INSERT OR IGNORE INTO message \
    (id, created, reverse_path, body_type, size, accepted, remaining, body, smtputf8, ret, envelope_id, body_sum, \
    tls) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
const INSERT_RECIPIENT: &str = "INSERT INTO recipient \
    (message_id, idx, address, next_hop, state, attempts, next_attempt, notify, original) \
    VALUES (?1, ?2, ?3, ?4, ?8, 0, ?5, ?6, ?7)";
const INSERT_BODY: &str = "INSERT INTO body (seq, content) VALUES (?1, ?2)";
// The count in the message must agree with the rows before mail is deleted.
const IS_DONE: &str = "SELECT remaining <= 0 AND NOT EXISTS \
    (SELECT 1 FROM recipient WHERE message_id = ?1 AND (state <= ?2 OR notice IS NOT NULL)) \
    FROM message WHERE id = ?1";
const DELETE_MESSAGE: &str = "DELETE FROM message WHERE id = ?1 RETURNING body";
const DELETE_RECIPIENTS: &str = "DELETE FROM recipient WHERE message_id = ?1";
const DELETE_BODY: &str = "DELETE FROM body WHERE seq = ?1";
const COUNTERS: &str = "SELECT commits, messages FROM counters";
const UPDATE_COUNTERS: &str = "UPDATE counters SET commits = ?1, messages = ?2";

/// The row of the table of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Transactions since the spool was created.
    pub(crate) commits: u64,
    /// Messages in the queue.
    pub(crate) messages: u64,
}

/// What happened to a message's content when the message was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deleted {
    /// There was no such message.
    Nothing,
    /// It was a row, and is gone.
    Row,
    /// It is a file, to be removed once this is durable.
    File,
}

/// The first unused number for a body.
pub(crate) fn next_body(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT coalesce(max(seq), 0) + 1 FROM body", [], |row| row.get(0))
}

/// What is counted.
pub(crate) fn counters(connection: &Connection) -> rusqlite::Result<Counters> {
    let read = |row: &rusqlite::Row<'_>| {
        let (commits, messages): (i64, i64) = (row.get(0)?, row.get(1)?);
        Ok(Counters {
            commits: u64::try_from(commits).unwrap_or(0),
            messages: u64::try_from(messages).unwrap_or(0),
        })
    };
    connection.query_row(COUNTERS, [], read)
}

/// Writes what is counted.
pub(crate) fn write_counters(connection: &Connection, counters: Counters) -> rusqlite::Result<()> {
    let columns = params![counters.commits.cast_signed(), counters.messages.cast_signed()];
    connection.prepare_cached(UPDATE_COUNTERS)?.execute(columns)?;
    Ok(())
}

/// Inserts a message; returns false, and inserts nothing, if its id is taken.
pub(crate) fn insert(connection: &Connection, message: &MessageRows, body: i64) -> rusqlite::Result<bool> {
    let id = message.id.to_bytes();
    let created = message.created.as_millisecond();
    let body = match &message.body.stored {
        Stored::Inline(_) => Some(body),
        Stored::File(_) => None,
    };
    let parameters = &message.parameters;
    let inserted = connection.prepare_cached(INSERT_MESSAGE)?.execute(params![
        id,
        created,
        message.reverse_path.as_str(),
        body_column(parameters.body),
        message.body.size.cast_signed(),
        message.recipients.len().cast_signed(),
        body,
        parameters.smtputf8,
        parameters.ret.map(ret_column),
        parameters.envelope_id.as_ref().map(mail::EnvelopeId::as_str),
        message.body.sum,
        tls_column(parameters.tls),
    ])?;
    if inserted == 0 {
        return Ok(false);
    }
    insert_recipients(connection, message)?;
    if let Stored::Inline(content) = &message.body.stored {
        connection
            .prepare_cached(INSERT_BODY)?
            .execute(params![body, content.as_ref()])?;
    }
    Ok(true)
}

fn insert_recipients(connection: &Connection, message: &MessageRows) -> rusqlite::Result<()> {
    let next_hops: Vec<String> = message.next_hops.iter().map(ToString::to_string).collect();
    let mut insert_recipient = connection.prepare_cached(INSERT_RECIPIENT)?;
    for (index, (recipient, next_hop)) in (0_i64..).zip(&message.recipients) {
        let parameters = &recipient.parameters;
        insert_recipient.execute(params![
            message.id.to_bytes(),
            index,
            recipient.address.as_str(),
            next_hops.get(*next_hop),
            message.created.as_millisecond(),
            parameters.notify.as_ref().map(mail::Notify::as_str),
            parameters.original.as_ref().map(mail::OriginalRecipient::as_str),
            State::Queued,
        ])?;
    }
    Ok(())
}

/// Deletes a message if all its recipients are final and reported; `None` if not. A message that does not exist counts as
/// done.
pub(crate) fn delete_if_done(connection: &Connection, id: QueueId) -> rusqlite::Result<Option<Deleted>> {
    let done: Option<bool> = connection
        .prepare_cached(IS_DONE)?
        .query_row(params![id.to_bytes(), State::LAST_OPEN], |row| row.get(0))
        .optional()?;
    match done {
        None => Ok(Some(Deleted::Nothing)),
        Some(true) => delete(connection, id).map(Some),
        Some(false) => Ok(None),
    }
}

/// Deletes a message with its recipients, and its content if that is in a row.
pub(crate) fn delete(connection: &Connection, id: QueueId) -> rusqlite::Result<Deleted> {
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
