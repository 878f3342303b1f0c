//! One message as it is shown to the administrator.

use std::collections::HashMap;

use mail::{CauseKind, NextHop, QueueId};
use rusqlite::{Connection, Row};
use spool::{QueuedMessage, QueuedRecipient, RecipientIndex, RecipientState, Unreadable};

use super::columns::{corrupt, id, number, text, time};
use super::pages::of_message;
use super::schema;
use super::state::State;
use crate::error::{Error, Result};

const RECIPIENTS: &str = "SELECT address, state, next_hop, attempts, next_attempt, reply_code, enhanced, reason, idx, \
    dane, host, cause FROM recipient WHERE message_id = ?1 ORDER BY idx";
const RECIPIENTS_OF_VERSION_3: &str = "SELECT address, state, next_hop, attempts, next_attempt, reply_code, enhanced, \
    reason, idx, dane, NULL, NULL FROM recipient WHERE message_id = ?1 ORDER BY idx";
const RECIPIENTS_BEFORE_VERSION_3: &str = "SELECT address, state, next_hop, attempts, next_attempt, reply_code, enhanced, \
    reason, idx, NULL, NULL, NULL FROM recipient WHERE message_id = ?1 ORDER BY idx";

/// The leased parts of messages, at one moment.
pub(crate) type Leased = HashMap<QueueId, Vec<NextHop>>;

/// A message that cannot be read.
pub(crate) fn damaged(id: Option<QueueId>, error: Error) -> Unreadable {
    let error = match id {
        Some(id) => of_message(id, error),
        None => error.into(),
    };
    Unreadable::one(id, &error)
}

/// The message of a row with its id, reverse-path, size and time of acceptance.
pub(crate) fn message(connection: &Connection, leased: &Leased, row: &Row<'_>) -> Result<QueuedMessage> {
    let id = id(row, 0)?;
    let recipients = recipients(connection, leased.get(&id).map(Vec::as_slice), id)?;
    if recipients.is_empty() {
        return Err(corrupt(id, "a message without recipients"));
    }
    Ok(QueuedMessage {
        id,
        sender: text(id, row, 1)?.to_owned(),
        size: number(id, row.get(2)?)?,
        created: time(id, row.get(3)?)?,
        attempts: recipients.iter().map(|r| r.attempts).max().unwrap_or(0),
        next_attempt: recipients.iter().filter_map(|r| r.next_attempt).min(),
        recipients,
    })
}

fn recipients(
    connection: &Connection,
    leased: Option<&[NextHop]>,
    id: QueueId,
) -> Result<Vec<QueuedRecipient>> {
    let mut statement = match connection.prepare_cached(RECIPIENTS) {
        // Who only looks does not migrate.
        Err(_) if schema::version(connection)? < 3 => connection.prepare_cached(RECIPIENTS_BEFORE_VERSION_3),
        Err(_) if schema::version(connection)? < 4 => connection.prepare_cached(RECIPIENTS_OF_VERSION_3),
        prepared => prepared,
    }?;
    let mut rows = statement.query([id.to_bytes()])?;
    let mut recipients = Vec::new();
    while let Some(row) = rows.next()? {
        let stored = State::read(id, row.get(1)?)?.shown();
        let next_hop = text(id, row, 2)?;
        let next_attempt = match stored {
            RecipientState::Deferred => Some(time(id, row.get(4)?)?),
            RecipientState::Queued
            | RecipientState::Leased
            | RecipientState::Held
            | RecipientState::Sent
            | RecipientState::Failed => None,
        };
        recipients.push(QueuedRecipient {
            index: RecipientIndex(number(id, row.get(8)?)?),
            address: text(id, row, 0)?.to_owned(),
            state: with_lease(stored, leased, next_hop),
            next_hop: next_hop.to_owned(),
            attempts: number(id, row.get(3)?)?,
            next_attempt,
            reply_code: row.get(5)?,
            enhanced: row.get(6)?,
            reason: row.get(7)?,
            dane: row.get(9)?,
            host: row.get(10)?,
            cause: row.get::<_, Option<u8>>(11)?.and_then(CauseKind::of),
        });
    }
    Ok(recipients)
}

/// The state to show, if these parts of the message are leased.
pub(crate) fn with_lease(
    stored: RecipientState,
    leased: Option<&[NextHop]>,
    next_hop: &str,
) -> RecipientState {
    let Some(leased) = leased else {
        return stored;
    };
    match stored {
        RecipientState::Queued | RecipientState::Deferred => match next_hop.parse() {
            Ok(next_hop) if leased.contains(&next_hop) => RecipientState::Leased,
            Ok(_) | Err(_) => stored,
        },
        RecipientState::Leased | RecipientState::Held | RecipientState::Sent | RecipientState::Failed => {
            stored
        }
    }
}
