//! The summary of the queue for the administrator.

use std::collections::HashMap;

use jiff::Timestamp;
use mail::QueueId;
use rusqlite::{Connection, OptionalExtension, Row};
use spool::leases::LeaseTable;
use spool::{DestinationCount, RecipientState, StateCounts, Summary, Unreadable};

use super::columns::{id, text};
use super::shown::{Leased, damaged, with_lease};
use super::state::State;
use crate::error::Result;

const TOTALS: &str = "SELECT count(*), coalesce(sum(size), 0), min(created) FROM message";
const ALL_RECIPIENTS: &str = "SELECT message_id, state, next_hop FROM recipient ORDER BY message_id, idx";
const CREATED: &str = "SELECT created FROM message WHERE id = ?1";

/// What is counted for one next hop while reading the recipients in the order of their messages.
struct Count {
    messages: u64,
    recipients: u64,
    /// The first message counted: ids sort by time.
    oldest: QueueId,
    /// The last message counted.
    last: QueueId,
}

/// See [`spool::Inspect::summary`]. One pass over the recipients; needs a few dozen octets for each next hop.
pub(crate) fn summary(
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
            // The recipients of one message come one after the other.
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
    let stored = State::read(id, row.get(1)?)?.shown();
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
