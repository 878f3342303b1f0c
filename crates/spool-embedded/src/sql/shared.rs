//! Messages that wait because of several incidents.

use std::collections::{BTreeMap, HashMap};

use rusqlite::Connection;
use spool::{IncidentNumber, KnownIncident, Shared};

use crate::error::Result;

/// The most messages that are remembered while they are looked for: some ten octets each.
const LOOKED_AT: u64 = 200_000;

// The index has them in this order.
const MESSAGES: &str = "SELECT DISTINCT message_id FROM recipient INDEXED BY held_up WHERE incident = ?1";

/// Notes at each of these, which are in the order of their numbers, which of its messages wait for others, too. Not if there are
/// too many.
pub(super) fn note(connection: &Connection, known: &mut [KnownIncident]) -> Result<()> {
    let mail = |one: &&KnownIncident| one.waiting.messages;
    let Some(most) = known.iter().max_by_key(mail).map(|one| one.number) else {
        return Ok(());
    };
    let with_mail = known.iter().filter(|one| one.waiting.messages > 0);
    let others: Vec<_> = with_mail.filter(|one| one.number != most).collect();
    if others.is_empty() || others.iter().map(mail).sum::<u64>() > LOOKED_AT {
        return Ok(());
    }
    let mut incidents: HashMap<[u8; 16], Vec<IncidentNumber>> = HashMap::new();
    for one in others {
        visit(connection, one.number, |message| {
            incidents.entry(message).or_default().push(one.number);
        })?;
    }
    // It need not be remembered which other messages wait for this one.
    visit(connection, most, |message| {
        if let Some(incidents) = incidents.get_mut(&message) {
            incidents.push(most);
        }
    })?;
    let mut counts: BTreeMap<Vec<IncidentNumber>, u64> = BTreeMap::new();
    for mut numbers in incidents.into_values().filter(|numbers| numbers.len() > 1) {
        numbers.sort_unstable();
        *counts.entry(numbers).or_default() += 1;
    }
    for (numbers, messages) in counts {
        let Some((first, with)) = numbers.split_first() else {
            continue;
        };
        if let Ok(at) = known.binary_search_by_key(first, |one| one.number)
            && let Some(one) = known.get_mut(at)
        {
            let with = with.to_vec();
            one.waiting.shared.push(Shared { with, messages });
        }
    }
    Ok(())
}

/// Visits the messages that wait because of an incident.
fn visit(connection: &Connection, incident: IncidentNumber, mut visit: impl FnMut([u8; 16])) -> Result<()> {
    let mut statement = connection.prepare_cached(MESSAGES)?;
    let mut rows = statement.query([incident.0.cast_signed()])?;
    while let Some(row) = rows.next()? {
        visit(row.get(0)?);
    }
    Ok(())
}
