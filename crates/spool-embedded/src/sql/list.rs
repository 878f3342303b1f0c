//! The list of the queue for the administrator.

use std::ops::ControlFlow;

use mail::QueueId;
use rusqlite::{Connection, params};
use spool::leases::LeaseTable;
use spool::{QueuedMessage, Unreadable};

use super::columns::{corrupt, id};
use super::pages::{Reached, Table, each_id};
use super::shown::{Leased, damaged, message};
use crate::error::Result;

const MESSAGES: &str =
    "SELECT id, reverse_path, size, created FROM message WHERE id > ?1 ORDER BY id LIMIT ?2";
const ONE_MESSAGE: &str = "SELECT id, reverse_path, size, created FROM message WHERE id = ?1 LIMIT ?2";
const LOST: &str = "SELECT EXISTS (SELECT 1 FROM recipient WHERE message_id = ?1)";

/// Messages read in one transaction while listing: a longer one would prevent the log from restarting.
const PAGE: usize = 500;
/// A page ends after this many recipients, whatever the number of messages.
const PAGE_RECIPIENTS: usize = 5000;
/// Messages in a page that is read by way of the recipients.
const PAGE_BY_RECIPIENTS: usize = 50;

/// Shows messages in the order of their ids, page by page, until `visit` breaks off; only this one, if an id is given.
/// Damaged messages are skipped, so that they do not hide the others, and counted.
pub(crate) fn list(
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

/// What is left of a message that has lost its row, if anything.
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

/// Shows the messages with ids after this one, likewise.
pub(crate) fn list_after(
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

/// Shows messages until `visit` breaks off, and counts the unreadable ones up to there.
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

/// Messages in order, with the damaged ones in their places.
type Shown = Vec<std::result::Result<QueuedMessage, Unreadable>>;

#[derive(Default)]
struct Page {
    messages: Shown,
    /// The id of the last row, shown or not; `None` at the end.
    last: Option<Vec<u8>>,
}

/// A page of the list. If a page of the database is malformed, the recipients table tells which messages are on it.
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

/// The messages that the next recipients belong to, each read separately.
fn page_by_recipients(view: &Connection, leased: &Leased, after: &[u8]) -> Result<Page> {
    let mut page = Page::default();
    let reached = each_id(view, Table::Recipients, after, |stored, id| {
        match id {
            Ok(id) => page.messages.extend(one_message(view, leased, id)?),
            Err(error) => page.messages.push(Err(damaged(None, error))),
        }
        page.last = Some(stored);
        Ok(if page.messages.len() < PAGE_BY_RECIPIENTS {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        })
    })?;
    match reached {
        Reached::Unreadable(error) if page.last.is_none() => Err(error),
        Reached::Unreadable(_) | Reached::Goal => Ok(page),
    }
}

/// One message; `None` if there is no such row.
fn one_message(view: &Connection, leased: &Leased, id: QueueId) -> Result<Shown> {
    match read_page(view, leased, ONE_MESSAGE, &id.to_bytes()) {
        Err(error) if error.is_damage() => Ok(vec![Err(damaged(Some(id), error))]),
        read => Ok(read?.messages),
    }
}
