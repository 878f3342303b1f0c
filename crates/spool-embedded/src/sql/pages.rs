//! How reading continues when a page of the database is malformed: another table tells whose rows were on it.

use std::ops::ControlFlow;

use mail::QueueId;
use rusqlite::Connection;
use spool::SpoolError;

use super::columns::id;
use crate::error::{Error, Result};

const MESSAGE_IDS: &str = "SELECT id FROM message WHERE id > ?1 ORDER BY id";
const RECIPIENT_IDS: &str =
    "SELECT DISTINCT message_id FROM recipient WHERE message_id > ?1 ORDER BY message_id";
/// All that is stored of a message.
const PARTS: [&str; 3] = [
    "SELECT * FROM message WHERE id = ?1",
    "SELECT * FROM recipient WHERE message_id = ?1",
    "SELECT content FROM body WHERE seq = (SELECT body FROM message WHERE id = ?1)",
];

/// A table that knows which messages there are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Table {
    Messages,
    Recipients,
}

/// Where a walk over ids has come.
#[derive(Debug)]
pub(crate) enum Reached {
    /// To the end, or until `visit` broke off.
    Goal,
    /// Up to something that cannot be read. A caller who continues after the last id meets it at once.
    Unreadable(Error),
}

/// Visits the messages after this one by their ids alone, as this table has them, until `visit` breaks off. `visit` gets
/// each id as stored, and as a queue id if it is one.
pub(crate) fn each_id(
    view: &Connection,
    table: Table,
    after: &[u8],
    mut visit: impl FnMut(Vec<u8>, Result<QueueId>) -> Result<ControlFlow<()>>,
) -> Result<Reached> {
    let mut statement = view.prepare_cached(match table {
        Table::Messages => MESSAGE_IDS,
        Table::Recipients => RECIPIENT_IDS,
    })?;
    let mut rows = statement.query([after])?;
    loop {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(Reached::Goal),
            Err(error) => return Ok(Reached::Unreadable(error.into())),
        };
        if visit(row.get(0)?, id(row, 0))?.is_break() {
            return Ok(Reached::Goal);
        }
    }
}

/// Fails if a page with a part of this message is malformed, or cannot be read now.
pub(crate) fn check(connection: &mut Connection, id: QueueId) -> Result<()> {
    let view = connection.transaction()?;
    for statement in PARTS {
        let mut statement = view.prepare_cached(statement)?;
        let columns = statement.column_count();
        let mut rows = statement.query([id.to_bytes()])?;
        while let Some(row) = rows.next().map_err(|error| of_message(id, error.into()))? {
            for column in 0..columns {
                row.get_ref(column)
                    .map_err(|error| of_message(id, error.into()))?;
            }
        }
    }
    Ok(())
}

/// The error, with the message it concerns.
pub(crate) fn of_message(id: QueueId, error: Error) -> SpoolError {
    match error.into() {
        SpoolError::Corrupt { id: None, what } => SpoolError::Corrupt { id: Some(id), what },
        error => error,
    }
}
