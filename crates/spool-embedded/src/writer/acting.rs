//! What the administrator does, as a part of a group.

use std::collections::HashMap;

use mail::{NextHop, QueueId};
use rusqlite::Connection;
use spool::leases::LeaseGuard;
use spool::{Acted, Action, Pending, Selected};

use super::job::ActJob;
use super::written::Written;
use crate::shared::Shared;
use crate::sql::messages::{self, Deleted};
use crate::sql::{actions, schedule};

/// What an action has locked until it is durable: nobody can lease it meanwhile.
#[derive(Debug, Default)]
pub(super) struct Hands {
    /// Each part by message and next hop: locked by us, or leased by a delivery.
    parts: HashMap<(QueueId, String), Hold>,
}

#[derive(Debug)]
enum Hold {
    /// Ours until this is dropped.
    Ours(#[expect(dead_code, reason = "kept, it holds the part")] LeaseGuard),
    /// Its next hop cannot be read, so nobody can lease it; it can only be deleted.
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
            actions::count_deleted(connection, selected.id, done)?;
            if let Some(deleted) = messages::delete_if_done(connection, selected.id)? {
                written.deleted(selected.id, deleted);
            }
        }
        let waiting = schedule::waiting(connection, selected.id, &shared.teller)?;
        acted
            .pending
            .extend(waiting.into_iter().filter(|part| hands.holds(part)));
    }
    if let Some(id) = job.discarded {
        discard(connection, id, (&mut acted, &mut hands), shared, written)?;
    }
    Ok((acted, hands))
}

/// Deletes a message by its id, whatever its rows contain, unless a part of it is being delivered.
fn discard(
    connection: &Connection,
    id: QueueId,
    (acted, hands): (&mut Acted, &mut Hands),
    shared: &Shared,
    written: &mut Written<'_>,
) -> rusqlite::Result<()> {
    let mut free = true;
    // A part whose next hop cannot be read cannot be leased by anybody.
    for next_hop in actions::next_hops(connection, id)? {
        free &= hands.take(shared, id, next_hop);
    }
    if !free {
        acted.leased = acted.leased.saturating_add(1);
        return Ok(());
    }
    let recipients = actions::delete_recipients(connection, id)?;
    let deleted = messages::delete(connection, id)?;
    if recipients == 0 && deleted == Deleted::Nothing {
        acted.unsuitable = acted.unsuitable.saturating_add(1);
        return Ok(());
    }
    written.deleted(id, deleted);
    acted.messages.push(id);
    acted.done = acted.done.saturating_add((recipients as u64).max(1));
    Ok(())
}

/// Acts on recipients of one message; returns for how many it was done.
fn act_on_message(
    connection: &Connection,
    (job, selected): (&ActJob, &Selected),
    (shared, hands): (&Shared, &mut Hands),
    acted: &mut Acted,
) -> rusqlite::Result<u64> {
    let mut done = 0_u64;
    for recipient in &selected.recipients {
        let Some(next_hop) = actions::suitable(connection, job.action, selected.id, *recipient)? else {
            acted.unsuitable = acted.unsuitable.saturating_add(1);
            continue;
        };
        if hands.take(shared, selected.id, next_hop) {
            actions::change(connection, job.action, (selected.id, *recipient), job.now)?;
            done = done.saturating_add(1);
        } else {
            acted.leased = acted.leased.saturating_add(1);
        }
    }
    Ok(done)
}

impl Hands {
    /// Locks a part against everyone else; false if a delivery has it.
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
                        // The next lease must see what is changed here.
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
