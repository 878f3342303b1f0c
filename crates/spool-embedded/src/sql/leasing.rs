//! What a delivery or a report needs to know about one message, and which messages have something to report.

use mail::event::store::Failed;
use mail::{EnhancedStatus, Mailbox, NextHop, Notice, Outcome, QueueId, RecipientParameters, ReplyCode};
use rusqlite::{Connection, Row, named_params};
use spool::leases::LeaseGuard;
use spool::{Lease, LeasedRecipient, NoticedRecipient, Notices, RecipientIndex};

use super::columns::{corrupt, id, number, optional_text, parse, text, time};
use super::state::State;
use super::stored::message;
use crate::disk::bodies::Directories;
use crate::error::{Result, is_malformed};
use crate::telling::Teller;

const LEASED_RECIPIENTS: &str = "SELECT idx, address, notify, original, attempts, next_attempt, delay_noticed \
    FROM recipient WHERE message_id = :id AND next_hop = :hop AND state IN (:queued, :deferred) ORDER BY idx";
const NOTICED_RECIPIENTS: &str = "SELECT idx, address, notify, original, state, reply_code, enhanced, reason, notice \
    FROM recipient WHERE message_id = ?1 AND notice IS NOT NULL ORDER BY idx";
const UNREPORTED: &str =
    "SELECT DISTINCT message_id FROM recipient WHERE notice IS NOT NULL ORDER BY message_id";

/// The lease that `guard` stands for, or `None` if nothing is waiting there.
pub(crate) fn lease(
    connection: &Connection,
    directories: &Directories,
    key: (QueueId, NextHop),
    guard: LeaseGuard,
) -> Result<Option<Lease>> {
    let (id, next_hop) = key;
    // One consistent view of both tables; dropping it only ends the reading.
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

/// What the sender is to be told, with the right to do so that `guard` stands for; `None` if there is nothing.
pub(crate) fn notices(
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

/// See [`spool::Spool::unreported`].
pub(crate) fn unreported(connection: &Connection, teller: &Teller) -> Result<Vec<QueueId>> {
    let mut statement = connection.prepare_cached(UNREPORTED)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    loop {
        match rows.next() {
            Ok(Some(row)) => match id(row, 0) {
                Ok(id) => found.push(id),
                Err(error) => teller.failed(Failed::ReportOfOne, &error),
            },
            Ok(None) => break,
            Err(error) if is_malformed(&error) => {
                teller.failed(Failed::Reports, &error);
                break;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

fn leased_recipients(
    connection: &Connection,
    id: QueueId,
    next_hop: &NextHop,
) -> Result<Vec<LeasedRecipient>> {
    let mut statement = connection.prepare_cached(LEASED_RECIPIENTS)?;
    let mut rows = statement.query(named_params! {
        ":id": id.to_bytes(),
        ":hop": next_hop.to_string(),
        ":queued": State::Queued,
        ":deferred": State::Deferred,
    })?;
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
        let last = State::read(id, row.get(4)?)?.last_status();
        let status = last.ok_or_else(|| corrupt(id, "a recipient that was not tried has an outcome"))?;
        let notice: Notice = serde_json::from_str(text(id, row, 8)?)
            .map_err(|_| corrupt(id, "a notice that does not parse"))?;
        recipients.push(NoticedRecipient {
            index,
            address,
            parameters,
            outcome: Outcome {
                status,
                reply_code: reply_code.and_then(ReplyCode::new),
                enhanced,
                reason: text(id, row, 7)?.into(),
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
