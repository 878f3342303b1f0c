//! The summary of the queue for the administrator.

use std::collections::HashMap;
use std::hash::Hash;

use jiff::Timestamp;
use mail::{CauseKind, QueueId};
use rusqlite::{Connection, OptionalExtension, Row};
use spool::leases::LeaseTable;
use spool::{Ages, DestinationCount, ReasonCount, RecipientState, StateCounts, Summary, Unreadable};

use super::columns::{id, optional_text, text};
use super::schema;
use super::shown::{Leased, damaged, with_lease};
use super::state::State;
use crate::error::Result;

const TOTALS: &str = "SELECT count(*), coalesce(sum(size), 0), min(created) FROM message";
const ALL_RECIPIENTS: &str = "SELECT message_id, state, next_hop, enhanced, cause FROM recipient \
    ORDER BY message_id, idx";
const ALL_BEFORE_VERSION_4: &str = "SELECT message_id, state, next_hop, enhanced, NULL FROM recipient \
    ORDER BY message_id, idx";
const CREATED: &str = "SELECT created FROM message WHERE id = ?1";

/// What is counted while reading the recipients in the order of their messages.
struct Counts {
    now: Timestamp,
    /// Messages by state, but for the one that is being counted.
    messages: StateCounts,
    /// The message that is being counted, and how it stands by the recipients so far.
    message: Option<(QueueId, RecipientState)>,
    states: StateCounts,
    ages: Ages,
    hops: HashMap<Box<str>, Count>,
    reasons: HashMap<Reason, Count>,
}

/// What is counted for one next hop, or one reason.
struct Count {
    messages: u64,
    recipients: u64,
    ages: Ages,
    /// The first message counted: ids sort by time.
    oldest: QueueId,
    /// The last message counted.
    last: QueueId,
}

/// See [`spool::Inspect::summary`]. One pass over the recipients; needs some dozen octets for each next hop.
pub(crate) fn summary(
    connection: &mut Connection,
    leases: &LeaseTable,
    most: usize,
    now: Timestamp,
) -> Result<Summary> {
    let view = connection.transaction()?;
    let (messages, bytes, oldest): (i64, i64, Option<i64>) =
        view.query_row(TOTALS, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let mut counts = Counts {
        now,
        messages: StateCounts::default(),
        message: None,
        states: StateCounts::default(),
        ages: Ages::default(),
        hops: HashMap::new(),
        reasons: HashMap::new(),
    };
    let parts = leases.parts();
    let mut statement = match view.prepare_cached(ALL_RECIPIENTS) {
        // Who only looks does not migrate.
        Err(_) if schema::version(&view)? < 4 => view.prepare_cached(ALL_BEFORE_VERSION_4),
        prepared => prepared,
    }?;
    let mut rows = statement.query([])?;
    let (mut unreadable, mut last) = (Unreadable::default(), None);
    while let Some(row) = rows.next()? {
        if let Err(error) = counts.count(row, &parts) {
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
        states: counts.messages(),
        recipients: counts.states,
        ages: counts.ages,
        next_hops: counts.hops.len() as u64,
        destinations: destinations(&view, busiest(counts.hops, most))?,
        reasons: reasons(busiest(counts.reasons, most)),
        unreadable,
    })
}

impl Counts {
    fn count(&mut self, row: &Row<'_>, leased: &Leased) -> Result<()> {
        let id = id(row, 0)?;
        let next_hop = text(id, row, 2)?;
        let stored = State::read(id, row.get(1)?)?.shown();
        let state = with_lease(stored, leased.get(&id).map(Vec::as_slice), next_hop);
        self.states.add(state);
        self.count_message(id, state);
        if !state.is_open() {
            return Ok(());
        }
        self.ages.add(self.now.duration_since(id.time()));
        if let Some(hop) = self.hops.get_mut(next_hop) {
            hop.add(id, self.now);
        } else {
            self.hops.insert(next_hop.into(), Count::first(id, self.now));
        }
        let Some(enhanced) = optional_text(id, row, 3)? else {
            return Ok(());
        };
        let cause = row.get::<_, Option<u8>>(4)?.and_then(CauseKind::of);
        let reason = self.reasons.entry((cause, enhanced.into()));
        reason
            .and_modify(|reason| reason.add(id, self.now))
            .or_insert_with(|| Count::first(id, self.now));
        Ok(())
    }
}

impl Counts {
    /// One more recipient of a message; those of one message come one after the other.
    fn count_message(&mut self, id: QueueId, state: RecipientState) {
        self.message = Some(match self.message {
            Some((message, known)) if message == id => (id, known.or_livelier(state)),
            Some((_, known)) => {
                self.messages.add(known);
                (id, state)
            }
            None => (id, state),
        });
    }

    /// All messages by state.
    fn messages(&self) -> StateCounts {
        let mut messages = self.messages;
        if let Some((_, state)) = self.message {
            messages.add(state);
        }
        messages
    }
}

impl Count {
    fn first(id: QueueId, now: Timestamp) -> Self {
        let mut first = Self {
            messages: 1,
            recipients: 0,
            ages: Ages::default(),
            oldest: id,
            last: id,
        };
        first.add(id, now);
        first
    }

    fn add(&mut self, id: QueueId, now: Timestamp) {
        self.recipients = self.recipients.saturating_add(1);
        self.ages.add(now.duration_since(id.time()));
        if self.last != id {
            self.messages = self.messages.saturating_add(1);
            self.last = id;
        }
    }
}

/// Those with most messages, most first; equal ones by name.
fn busiest<N: Ord + Hash>(counted: HashMap<N, Count>, limit: usize) -> Vec<(N, Count)> {
    let mut counted: Vec<_> = counted.into_iter().collect();
    let rank = |(a, busy): &(N, Count), (b, other): &(N, Count)| {
        other.messages.cmp(&busy.messages).then_with(|| a.cmp(b))
    };
    if counted.len() > limit {
        counted.select_nth_unstable_by(limit, rank);
    }
    counted.truncate(limit);
    counted.sort_by(rank);
    counted
}

fn destinations(connection: &Connection, hops: Vec<(Box<str>, Count)>) -> Result<Vec<DestinationCount>> {
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
            ages: count.ages,
        });
    }
    Ok(found)
}

/// The kind of cause and the enhanced status code of the last attempt.
type Reason = (Option<CauseKind>, Box<str>);

fn reasons(counted: Vec<(Reason, Count)>) -> Vec<ReasonCount> {
    let counts = counted.into_iter().map(|((cause, enhanced), count)| ReasonCount {
        cause,
        enhanced: enhanced.into(),
        messages: count.messages,
        recipients: count.recipients,
    });
    counts.collect()
}
