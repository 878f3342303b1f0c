//! The reading statements of what the administrator is shown.

use std::collections::HashMap;
use std::ops::ControlFlow;

use jiff::Timestamp;
use mail::{BodyType, NextHop, QueueId};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::error::{Error, Result};
use super::rows::{body_type, corrupt, id, number, ret, shown_state, text, time};
use spool::leases::LeaseTable;
use spool::{
    Declared, DeclaredRecipient, DestinationCount, QueuedMessage, QueuedRecipient, RecipientIndex,
    RecipientState, SpoolError, StateCounts, Summary, Unreadable,
};

const MESSAGES: &str =
    "SELECT id, reverse_path, size, created FROM message WHERE id > ?1 ORDER BY id LIMIT ?2";
const ONE_MESSAGE: &str = "SELECT id, reverse_path, size, created FROM message WHERE id = ?1 LIMIT ?2";
const MESSAGES_OF_RECIPIENTS: &str =
    "SELECT DISTINCT message_id FROM recipient WHERE message_id > ?1 ORDER BY message_id";
const RECIPIENTS: &str = "SELECT address, state, next_hop, attempts, next_attempt, reply_code, enhanced, reason, idx \
    FROM recipient WHERE message_id = ?1 ORDER BY idx";
const LOST: &str = "SELECT EXISTS (SELECT 1 FROM recipient WHERE message_id = ?1)";
/// All that is stored of a message.
const PARTS: [&str; 3] = [
    "SELECT * FROM message WHERE id = ?1",
    "SELECT * FROM recipient WHERE message_id = ?1",
    "SELECT content FROM body WHERE seq = (SELECT body FROM message WHERE id = ?1)",
];
const TOTALS: &str = "SELECT count(*), coalesce(sum(size), 0), min(created) FROM message";
const ALL_RECIPIENTS: &str = "SELECT message_id, state, next_hop FROM recipient ORDER BY message_id, idx";
const CREATED: &str = "SELECT created FROM message WHERE id = ?1";

const DECLARED: &str = "SELECT body_type, smtputf8, ret, envelope_id FROM message WHERE id = ?1";
const DECLARED_OF_VERSION_1: &str = "SELECT body_type, 0, NULL, NULL FROM message WHERE id = ?1";
const DECLARED_RECIPIENTS: &str = "SELECT notify, original FROM recipient WHERE message_id = ?1 ORDER BY idx";
const DECLARED_RECIPIENTS_OF_VERSION_1: &str =
    "SELECT NULL, NULL FROM recipient WHERE message_id = ?1 ORDER BY idx";

/// Messages read in one transaction while listing: a longer one would keep the log from starting again.
const PAGE: usize = 500;
/// Recipients after which a page ends, whatever the number of messages.
const PAGE_RECIPIENTS: usize = 5000;
/// Messages in a page that is read by the recipients.
const PAGE_BY_RECIPIENTS: usize = 50;

/// The parts of messages that are leased, at one moment.
type Leased = HashMap<QueueId, Vec<NextHop>>;

/// Shows messages in the order of their ids, in pages, until `visit` has seen enough; only this one, if one is given.
/// Those that are damaged are passed over, so that they do not hide the others, and counted.
pub(super) fn list(
    connection: &mut Connection,
    leases: &LeaseTable,
    one: Option<QueueId>,
    visit: impl FnMut(QueuedMessage) -> ControlFlow<()>,
) -> Result<Unreadable> {
    let Some(id) = one else {
        return walk(connection, leases, Vec::new(), visit);
    };
    let view = connection.transaction()?;
    let messages = one_message(&view, &leases.parts(), id)?;
    if messages.is_empty() {
        return lost(&view, id);
    }
    let mut unreadable = Unreadable::default();
    let _ = show(messages, &mut unreadable, visit);
    Ok(unreadable)
}

/// What is left of a message without its row, if anything is.
fn lost(connection: &Connection, id: QueueId) -> Result<Unreadable> {
    let left: bool = connection
        .prepare_cached(LOST)?
        .query_row([id.to_bytes()], |row| row.get(0))?;
    Ok(if left {
        damaged(Some(id), corrupt(id, "recipients without their message"))
    } else {
        Unreadable::default()
    })
}

/// Fails where a page of the database that has a part of this message is malformed, or cannot be read now.
pub(super) fn check_pages(connection: &mut Connection, id: QueueId) -> Result<()> {
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

/// A message that cannot be read.
fn damaged(id: Option<QueueId>, error: Error) -> Unreadable {
    let error = match id {
        Some(id) => of_message(id, error),
        None => error.into(),
    };
    Unreadable::one(id, &error)
}

/// The error, which says of which message it is.
fn of_message(id: QueueId, error: Error) -> SpoolError {
    match error.into() {
        SpoolError::Corrupt { id: None, what } => SpoolError::Corrupt { id: Some(id), what },
        error => error,
    }
}

/// Shows the messages whose ids come after this one, likewise.
pub(super) fn list_after(
    connection: &mut Connection,
    leases: &LeaseTable,
    after: QueueId,
    visit: impl FnMut(QueuedMessage) -> ControlFlow<()>,
) -> Result<Unreadable> {
    walk(connection, leases, after.to_bytes().to_vec(), visit)
}

fn walk(
    connection: &mut Connection,
    leases: &LeaseTable,
    mut after: Vec<u8>,
    mut visit: impl FnMut(QueuedMessage) -> ControlFlow<()>,
) -> Result<Unreadable> {
    let mut unreadable = Unreadable::default();
    loop {
        let page = page(connection, &leases.parts(), &after)?;
        if show(page.messages, &mut unreadable, &mut visit).is_break() {
            return Ok(unreadable);
        }
        match page.last {
            Some(last) => after = last,
            None => return Ok(unreadable),
        }
    }
}

/// Shows messages until `visit` has seen enough, and counts those up to there that cannot be read.
fn show(
    messages: Shown,
    unreadable: &mut Unreadable,
    mut visit: impl FnMut(QueuedMessage) -> ControlFlow<()>,
) -> ControlFlow<()> {
    messages.into_iter().try_for_each(|message| match message {
        Ok(message) => visit(message),
        Err(one) => {
            unreadable.add(one);
            ControlFlow::Continue(())
        }
    })
}

/// Messages in their order, the damaged ones in their place.
type Shown = Vec<std::result::Result<QueuedMessage, Unreadable>>;

#[derive(Default)]
struct Page {
    messages: Shown,
    /// The id of the last row, shown or not; `None` after the end.
    last: Option<Vec<u8>>,
}

/// A page of the list. Where one of the database is malformed, the recipients tell which messages are on that.
fn page(connection: &mut Connection, leased: &Leased, after: &[u8]) -> Result<Page> {
    let view = connection.transaction()?;
    match read_page(&view, leased, MESSAGES, after) {
        Err(error) if error.is_damage() => page_by_recipients(&view, leased, after),
        read => read,
    }
}

/// What the statement finds, up to a malformed page of the database.
fn read_page(view: &Connection, leased: &Leased, statement: &str, after: &[u8]) -> Result<Page> {
    let mut statement = view.prepare_cached(statement)?;
    let mut rows = statement.query(params![after, PAGE.cast_signed()])?;
    let mut page = Page::default();
    let mut listed = 0_usize;
    while listed < PAGE_RECIPIENTS {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Err(error) if page.last.is_none() => return Err(error.into()),
            // The next page begins with the error.
            Ok(None) | Err(_) => break,
        };
        page.last = Some(row.get(0)?);
        let id = id(row, 0).ok();
        let message = message(view, leased, row).map_err(|error| damaged(id, error));
        listed = listed.saturating_add(message.as_ref().map_or(1, |message| message.recipients.len()));
        page.messages.push(message);
    }
    Ok(page)
}

/// The messages to which the next recipients belong, each by itself.
fn page_by_recipients(view: &Connection, leased: &Leased, after: &[u8]) -> Result<Page> {
    let mut statement = view.prepare_cached(MESSAGES_OF_RECIPIENTS)?;
    let mut rows = statement.query([after])?;
    let mut page = Page::default();
    while page.messages.len() < PAGE_BY_RECIPIENTS {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Err(error) if page.last.is_none() => return Err(error.into()),
            Ok(None) | Err(_) => break,
        };
        page.last = Some(row.get(0)?);
        match id(row, 0) {
            Ok(id) => page.messages.extend(one_message(view, leased, id)?),
            Err(error) => page.messages.push(Err(damaged(None, error))),
        }
    }
    Ok(page)
}

/// One message; nothing if there is no such row.
fn one_message(view: &Connection, leased: &Leased, id: QueueId) -> Result<Shown> {
    match read_page(view, leased, ONE_MESSAGE, &id.to_bytes()) {
        Err(error) if error.is_damage() => Ok(vec![Err(damaged(Some(id), error))]),
        read => Ok(read?.messages),
    }
}

fn message(connection: &Connection, leased: &Leased, row: &Row<'_>) -> Result<QueuedMessage> {
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
    let mut statement = connection.prepare_cached(RECIPIENTS)?;
    let mut rows = statement.query([id.to_bytes()])?;
    let mut recipients = Vec::new();
    while let Some(row) = rows.next()? {
        let stored = shown_state(id, row.get(1)?)?;
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
        });
    }
    Ok(recipients)
}

/// What was declared of a message, in a database of this schema version.
pub(super) fn declared(connection: &mut Connection, id: QueueId, version: i32) -> Result<Option<Declared>> {
    let (message, recipients) = if version < 2 {
        (DECLARED_OF_VERSION_1, DECLARED_RECIPIENTS_OF_VERSION_1)
    } else {
        (DECLARED, DECLARED_RECIPIENTS)
    };
    let view = connection.transaction()?;
    let found = view
        .prepare_cached(message)?
        .query_row([id.to_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((body, smtputf8, returned, envid)) = found else {
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

/// The state to show, where these parts of the message are leased.
fn with_lease(stored: RecipientState, leased: Option<&[NextHop]>, next_hop: &str) -> RecipientState {
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

/// What is counted for one next hop while the recipients go by in the order of their messages.
struct Count {
    messages: u64,
    recipients: u64,
    /// The first message counted: ids sort by time.
    oldest: QueueId,
    /// The last message counted.
    last: QueueId,
}

/// See [`crate::Manage::summary`]. One walk over the recipients; holds a few dozen octets for each next hop.
pub(super) fn summary(
    connection: &mut Connection,
    leases: &LeaseTable,
    destinations: usize,
) -> Result<Summary> {
    let view = connection.transaction()?;
    let (messages, bytes, oldest): (i64, i64, Option<i64>) =
        view.query_row(TOTALS, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let mut counts = StateCounts::default();
    let mut hops: HashMap<Box<str>, Count> = HashMap::new();
    let parts = leases.parts();
    let mut statement = view.prepare_cached(ALL_RECIPIENTS)?;
    let mut rows = statement.query([])?;
    let (mut unreadable, mut last) = (Unreadable::default(), None);
    while let Some(row) = rows.next()? {
        if let Err(error) = count(row, &parts, &mut counts, &mut hops) {
            let id = id(row, 0).ok();
            // The recipients of one message follow each other.
            if last != Some(id) {
                unreadable.add(damaged(id, error));
            }
            last = Some(id);
        }
    }
    Ok(Summary {
        messages: u64::try_from(messages).unwrap_or(0),
        bytes: u64::try_from(bytes).unwrap_or(0),
        oldest: oldest.and_then(|time| Timestamp::from_millisecond(time).ok()),
        oldest_age: None,
        recipients: counts,
        destinations: busiest(&view, hops, destinations)?,
        unreadable,
    })
}

fn count(
    row: &Row<'_>,
    leased: &Leased,
    counts: &mut StateCounts,
    hops: &mut HashMap<Box<str>, Count>,
) -> Result<()> {
    let id = id(row, 0)?;
    let next_hop = text(id, row, 2)?;
    let stored = shown_state(id, row.get(1)?)?;
    let (counter, open) = match with_lease(stored, leased.get(&id).map(Vec::as_slice), next_hop) {
        RecipientState::Queued => (&mut counts.queued, true),
        RecipientState::Leased => (&mut counts.leased, true),
        RecipientState::Deferred => (&mut counts.deferred, true),
        RecipientState::Held => (&mut counts.held, true),
        RecipientState::Sent => (&mut counts.sent, false),
        RecipientState::Failed => (&mut counts.failed, false),
    };
    *counter = counter.saturating_add(1);
    if !open {
        return Ok(());
    }
    if let Some(hop) = hops.get_mut(next_hop) {
        hop.recipients = hop.recipients.saturating_add(1);
        if hop.last != id {
            hop.messages = hop.messages.saturating_add(1);
            hop.last = id;
        }
    } else {
        let first = Count {
            messages: 1,
            recipients: 1,
            oldest: id,
            last: id,
        };
        hops.insert(next_hop.into(), first);
    }
    Ok(())
}

/// The next hops with most messages, most first; equal ones by name.
fn busiest(
    connection: &Connection,
    hops: HashMap<Box<str>, Count>,
    limit: usize,
) -> Result<Vec<DestinationCount>> {
    let mut hops: Vec<_> = hops.into_iter().collect();
    let rank = |(a, busy): &(Box<str>, Count), (b, other): &(Box<str>, Count)| {
        other.messages.cmp(&busy.messages).then_with(|| a.cmp(b))
    };
    if hops.len() > limit {
        hops.select_nth_unstable_by(limit, rank);
    }
    hops.truncate(limit);
    hops.sort_by(rank);
    let mut found = Vec::with_capacity(hops.len());
    for (next_hop, count) in hops {
        let created: Option<i64> = connection
            .prepare_cached(CREATED)?
            .query_row([count.oldest.to_bytes()], |row| row.get(0))
            .optional()?;
        let Some(oldest) = created.and_then(|time| Timestamp::from_millisecond(time).ok()) else {
            continue;
        };
        found.push(DestinationCount {
            next_hop: next_hop.into(),
            messages: count.messages,
            recipients: count.recipients,
            oldest,
        });
    }
    Ok(found)
}
