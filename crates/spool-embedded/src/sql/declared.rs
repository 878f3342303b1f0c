//! What clients declared about a message.

use mail::{BodyType, QueueId};
use rusqlite::{Connection, OptionalExtension};
use spool::{Declared, DeclaredRecipient};

use super::columns::{body_type, ret, tls_tag};
use crate::error::Result;

const DECLARED: &str = "SELECT body_type, smtputf8, ret, envelope_id, tls FROM message WHERE id = ?1";
const DECLARED_OF_VERSION_2: &str =
    "SELECT body_type, smtputf8, ret, envelope_id, 0 FROM message WHERE id = ?1";
const DECLARED_OF_VERSION_1: &str = "SELECT body_type, 0, NULL, NULL, 0 FROM message WHERE id = ?1";
const DECLARED_RECIPIENTS: &str = "SELECT notify, original FROM recipient WHERE message_id = ?1 ORDER BY idx";
const DECLARED_RECIPIENTS_OF_VERSION_1: &str =
    "SELECT NULL, NULL FROM recipient WHERE message_id = ?1 ORDER BY idx";

/// What was declared about a message, in a database of this schema version.
pub(crate) fn declared(connection: &mut Connection, id: QueueId, version: i32) -> Result<Option<Declared>> {
    let (message, recipients) = match version {
        ..2 => (DECLARED_OF_VERSION_1, DECLARED_RECIPIENTS_OF_VERSION_1),
        2..5 => (DECLARED_OF_VERSION_2, DECLARED_RECIPIENTS),
        5.. => (DECLARED, DECLARED_RECIPIENTS),
    };
    let view = connection.transaction()?;
    let found = view
        .prepare_cached(message)?
        .query_row([id.to_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        })
        .optional()?;
    let Some((body, smtputf8, returned, envid, tls)) = found else {
        return Ok(None);
    };
    let returned: Option<i64> = returned;
    Ok(Some(Declared {
        eight_bit: body_type(id, body)? == BodyType::EightBitMime,
        smtputf8,
        ret: returned
            .map(|column| ret(id, column).map(|ret| ret.to_string()))
            .transpose()?,
        envid,
        tls: tls_tag(id, tls)?,
        recipients: view
            .prepare_cached(recipients)?
            .query_map([id.to_bytes()], |row| {
                Ok(DeclaredRecipient {
                    notify: row.get(0)?,
                    orcpt: row.get(1)?,
                })
            })?
            .collect::<rusqlite::Result<_>>()?,
    }))
}
