//! Statements that read what is stored about a message beside its recipients: its parameters and its content.

use bytes::Bytes;
use jiff::Timestamp;
use mail::{MailParameters, QueueId, ReversePath};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};
use spool::content::{BodyFile, Expected};
use spool::{Content, Damage, Flaw, SpoolError};

use super::columns::{body_type, corrupt, number, optional_text, parse, ret, text, time, tls_tag};
use crate::disk::bodies::Directories;
use crate::error::{Error, Result};

const MESSAGE: &str = "SELECT m.size, m.body, b.content, m.body_sum, \
    m.created, m.reverse_path, m.body_type, m.accepted, m.smtputf8, m.ret, m.envelope_id, m.tls \
    FROM message m LEFT JOIN body b ON b.seq = m.body WHERE m.id = ?1";
const CONTENT: &str = "SELECT m.size, m.body, b.content, m.body_sum \
    FROM message m LEFT JOIN body b ON b.seq = m.body WHERE m.id = ?1";
const CONTENT_OF_VERSION_1: &str = "SELECT m.size, m.body, b.content, NULL \
    FROM message m LEFT JOIN body b ON b.seq = m.body WHERE m.id = ?1";

const IN_FILE: &str = "SELECT EXISTS (SELECT 1 FROM message WHERE id = ?1 AND body IS NULL)";

/// The content of a message, in a database of this schema version. Fails with [`SpoolError::Damaged`] if it is damaged.
pub(crate) fn content(
    connection: &Connection,
    directories: &Directories,
    id: QueueId,
    version: i32,
) -> Result<Option<Content>> {
    let statement = if version < 2 {
        CONTENT_OF_VERSION_1
    } else {
        CONTENT
    };
    let find = || {
        connection
            .prepare_cached(statement)?
            .query_row([id.to_bytes()], |row| Ok(stored_content(row, directories, id)))
            .optional()?
            .transpose()
    };
    let mut found = find()?;
    if let Some(Content::Damaged(Damage {
        flaw: Flaw::Missing, ..
    })) = found
    {
        // The message may have been deleted meanwhile, and its file with it.
        found = find()?;
    }
    match found {
        Some(Content::Damaged(damage)) => Err(SpoolError::from(damage).into()),
        found => Ok(found),
    }
}

/// Whether there is a message whose content is in a file.
pub(crate) fn is_in_file(connection: &Connection, id: QueueId) -> Result<bool> {
    let mut statement = connection.prepare_cached(IN_FILE)?;
    Ok(statement.query_row([id.to_bytes()], |row| row.get(0))?)
}

/// What is stored about a message beside its recipients.
pub(crate) struct StoredMessage {
    pub(crate) created: Timestamp,
    pub(crate) reverse_path: ReversePath,
    pub(crate) parameters: MailParameters,
    pub(crate) size: u64,
    /// Recipients it was accepted for.
    pub(crate) accepted: u32,
    /// Damaged or not: even then it is known whose message it is.
    pub(crate) content: Content,
}

/// Reads a message that has recipients.
pub(crate) fn message(
    connection: &Connection,
    directories: &Directories,
    id: QueueId,
) -> Result<StoredMessage> {
    connection
        .prepare_cached(MESSAGE)?
        .query_row([id.to_bytes()], |row| Ok(stored_message(row, directories, id)))
        .optional()?
        .unwrap_or_else(|| Err(corrupt(id, "recipients without their message")))
}

fn stored_message(row: &Row<'_>, directories: &Directories, id: QueueId) -> Result<StoredMessage> {
    let returned: Option<i64> = row.get(9)?;
    let envelope_id = optional_text(id, row, 10)?;
    let parameters = MailParameters {
        body: body_type(id, row.get(6)?)?,
        smtputf8: row.get(8)?,
        ret: returned.map(|column| ret(id, column)).transpose()?,
        envelope_id: envelope_id
            .map(|text| parse(id, text, "an ENVID that does not parse"))
            .transpose()?,
        tls: tls_tag(id, row.get(11)?)?,
    };
    Ok(StoredMessage {
        created: time(id, row.get(4)?)?,
        reverse_path: ReversePath::parse(text(id, row, 5)?)
            .map_err(|_| corrupt(id, "a reverse-path that does not parse"))?,
        parameters,
        size: number(id, row.get(0)?)?,
        accepted: number(id, row.get(7)?)?,
        content: stored_content(row, directories, id).or_else(|error| even_if_damaged(id, error))?,
    })
}

/// Damage becomes a property of the content; a disk that cannot be read now is an error.
fn even_if_damaged(id: QueueId, error: Error) -> Result<Content> {
    if error.is_damage() {
        Ok(Content::Damaged(Flaw::Unreadable.of(id)))
    } else {
        Err(error)
    }
}

/// The content from the columns size, body, content and `body_sum`, checked as far as possible without reading a file;
/// marked as damaged if it is.
fn stored_content(row: &Row<'_>, directories: &Directories, id: QueueId) -> Result<Content> {
    let size: u64 = number(id, row.get(0)?)?;
    let in_row: Option<i64> = row.get(1)?;
    let sum: Option<i64> = row.get(3)?;
    let sum: Option<u32> = sum.map(|column| number(id, column)).transpose()?;
    if in_row.is_none() {
        return file_content(directories, id, (size, sum));
    }
    let ValueRef::Blob(octets) = row.get_ref(2)? else {
        return Ok(Content::Damaged(Flaw::Missing.of(id)));
    };
    if octets.len() as u64 != size {
        return Ok(Content::Damaged(Flaw::OtherSize.of(id)));
    }
    if sum.is_some_and(|sum| sum != crc32fast::hash(octets)) {
        return Ok(Content::Damaged(Flaw::Altered.of(id)));
    }
    Ok(Content::Inline(Bytes::copy_from_slice(octets)))
}

fn file_content(directories: &Directories, id: QueueId, (size, sum): (u64, Option<u32>)) -> Result<Content> {
    let file = BodyFile::new(directories.body(id), Expected { id, size, sum });
    let found = match std::fs::metadata(file.path()) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Content::Damaged(Flaw::Missing.of(id)));
        }
        Err(error) => return Err(error.into()),
    };
    if found != size {
        return Ok(Content::Damaged(Flaw::OtherSize.of(id)));
    }
    Ok(Content::File(file))
}
