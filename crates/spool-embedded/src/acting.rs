//! The writing statements of what the administrator does. All run inside a transaction of the writer.

use std::collections::HashMap;

use mail::{NextHop, QueueId};
use rusqlite::{Connection, OptionalExtension, params};

use super::group::Written;
use super::job::ActJob;
use super::queries;
use super::rows::HELD;
use super::shared::Shared;
use super::tables::{self, Deleted};
use spool::leases::LeaseGuard;
use spool::{Acted, Action, Selected};
use spool::{Pending, RecipientIndex};

const RECIPIENT: &str = "SELECT state, next_hop FROM recipient WHERE message_id = ?1 AND idx = ?2";
const RETRY: &str = "UPDATE recipient SET next_attempt = ?3 WHERE message_id = ?1 AND idx = ?2";
const HOLD: &str = "UPDATE recipient SET state = 3 WHERE message_id = ?1 AND idx = ?2";
const RELEASE: &str = "UPDATE recipient SET next_attempt = ?3, state = CASE WHEN attempts > 0 THEN 2 ELSE 0 END \
    WHERE message_id = ?1 AND idx = ?2";
const DELETE: &str = "DELETE FROM recipient WHERE message_id = ?1 AND idx = ?2";
const NEXT_HOPS: &str = "SELECT DISTINCT next_hop FROM recipient WHERE message_id = ?1";
const DELETE_ALL: &str = "DELETE FROM recipient WHERE message_id = ?1";
const UPDATE_ACCEPTED: &str =
    "UPDATE message SET accepted = accepted - ?2, remaining = remaining - ?2 WHERE id = ?1";

/// What an action has its hands on until it is durable: nobody can lease it meanwhile.
#[derive(Debug, Default)]
pub(super) struct Hands {
    /// Each part by message and next hop: held by us, or by a delivery.
    parts: HashMap<(QueueId, String), Hold>,
}

#[derive(Debug)]
enum Hold {
    /// Ours until this is dropped.
    Ours(#[expect(dead_code, reason = "kept, it holds the part")] LeaseGuard),
    /// Nobody can lease what has no next hop that can be read; it can only be deleted.
    Unreadable,
    /// A delivery is under way.
    Leased,
}

/// Does what was asked.
pub(super) fn act(
    connection: &Connection,
    job: &ActJob,
    shared: &Shared,
    written: &mut Written<'_>,
) -> rusqlite::Result<(Acted, Hands)> {
    let mut acted = Acted::default();
    let mut hands = Hands::default();
    for selected in &job.selected {
        let done = act_on_message(connection, (job, selected), (shared, &mut hands), &mut acted)?;
        if done > 0 {
            acted.messages.push(selected.id);
            acted.done = acted.done.saturating_add(done);
        }
        if job.action == Action::Delete && done > 0 {
            connection
                .prepare_cached(UPDATE_ACCEPTED)?
                .execute(params![selected.id.to_bytes(), done.cast_signed()])?;
            if let Some(deleted) = tables::delete_if_done(connection, selected.id)? {
                written.deleted(selected.id, deleted);
            }
        }
        let waiting = queries::waiting(connection, selected.id)?;
        acted
            .pending
            .extend(waiting.into_iter().filter(|part| hands.holds(part)));
    }
    if let Some(id) = job.discarded {
        discard(connection, id, (shared, &mut hands), (&mut acted, written))?;
    }
    Ok((acted, hands))
}

/// Deletes a message by its id, whatever its rows say, unless somebody delivers a part of it.
fn discard(
    connection: &Connection,
    id: QueueId,
    (shared, hands): (&Shared, &mut Hands),
    (acted, written): (&mut Acted, &mut Written<'_>),
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(NEXT_HOPS)?;
    let mut rows = statement.query([id.to_bytes()])?;
    let mut free = true;
    while let Some(row) = rows.next()? {
        // A next hop that is no text is nobody's to lease.
        if let Ok(next_hop) = row.get_ref(0)?.as_str() {
            free &= hands.take(shared, id, next_hop.to_owned());
        }
    }
    if !free {
        acted.leased = acted.leased.saturating_add(1);
        return Ok(());
    }
    let recipients = connection.prepare_cached(DELETE_ALL)?.execute([id.to_bytes()])?;
    let deleted = tables::delete(connection, id)?;
    if recipients == 0 && deleted == Deleted::Nothing {
        acted.unsuitable = acted.unsuitable.saturating_add(1);
        return Ok(());
    }
    written.deleted(id, deleted);
    acted.messages.push(id);
    acted.done = acted.done.saturating_add((recipients as u64).max(1));
    Ok(())
}

/// Acts on recipients of one message; for how many it was done.
fn act_on_message(
    connection: &Connection,
    (job, selected): (&ActJob, &Selected),
    (shared, hands): (&Shared, &mut Hands),
    acted: &mut Acted,
) -> rusqlite::Result<u64> {
    let mut done = 0_u64;
    for recipient in &selected.recipients {
        let found: Option<(i64, String)> = connection
            .prepare_cached(RECIPIENT)?
            .query_row(params![selected.id.to_bytes(), recipient.0], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        let suitable = found.filter(|(state, _)| suits(job.action, *state));
        let Some((_, next_hop)) = suitable else {
            acted.unsuitable = acted.unsuitable.saturating_add(1);
            continue;
        };
        if hands.take(shared, selected.id, next_hop) {
            change(connection, job, selected.id, *recipient)?;
            done = done.saturating_add(1);
        } else {
            acted.leased = acted.leased.saturating_add(1);
        }
    }
    Ok(done)
}

/// Whether an action is for recipients in this state.
fn suits(action: Action, state: i64) -> bool {
    let waits = state == 0 || state == 2;
    match action {
        Action::Retry | Action::Hold => waits,
        Action::Release => state == HELD,
        Action::Delete => waits || state == HELD,
    }
}

fn change(
    connection: &Connection,
    job: &ActJob,
    id: QueueId,
    recipient: RecipientIndex,
) -> rusqlite::Result<()> {
    let id = id.to_bytes();
    let now = job.now.as_millisecond();
    match job.action {
        Action::Retry => connection
            .prepare_cached(RETRY)?
            .execute(params![id, recipient.0, now])?,
        Action::Hold => connection
            .prepare_cached(HOLD)?
            .execute(params![id, recipient.0])?,
        Action::Release => connection
            .prepare_cached(RELEASE)?
            .execute(params![id, recipient.0, now])?,
        Action::Delete => connection
            .prepare_cached(DELETE)?
            .execute(params![id, recipient.0])?,
    };
    Ok(())
}

impl Hands {
    /// Takes a part so that nobody else can; false if a delivery has it.
    fn take(&mut self, shared: &Shared, id: QueueId, next_hop: String) -> bool {
        let hold = self
            .parts
            .entry((id, next_hop))
            .or_insert_with_key(|(id, next_hop)| {
                let Ok(next_hop) = next_hop.parse::<NextHop>() else {
                    return Hold::Unreadable;
                };
                match shared.leases.take(*id, &next_hop) {
                    Some(guard) => {
                        // The next lease is to see what is changed here.
                        shared.recent.forget(*id);
                        Hold::Ours(guard)
                    }
                    None => Hold::Leased,
                }
            });
        match hold {
            Hold::Ours(_) | Hold::Unreadable => true,
            Hold::Leased => false,
        }
    }

    fn holds(&self, part: &Pending) -> bool {
        match self.parts.get(&(part.id, part.next_hop.to_string())) {
            Some(Hold::Ours(_)) => true,
            Some(Hold::Unreadable | Hold::Leased) | None => false,
        }
    }
}
