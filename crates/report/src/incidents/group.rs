//! Which records are one incident: those of one host, and those of several hosts of one provider that have the same trouble
//! at the same time.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use mail::Domain;
use mail::incident::Kind;
use mail::registrable;
use mail::sighting::{Place, Trouble};
use spool::{IncidentNumber, KnownIncident};

use super::words::place_name;

/// By what records may belong together.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Provider(Trouble, Domain),
    Alone(u64),
}

/// The records of each incident, oldest first.
pub(super) fn groups(mut known: Vec<KnownIncident>) -> Vec<Vec<KnownIncident>> {
    // What goes on comes first, so that what has healed already joins it.
    known.sort_by_key(|one| (one.ended.is_some(), one.number));
    let mut groups: BTreeMap<Key, Vec<Vec<KnownIncident>>> = BTreeMap::new();
    for one in known {
        let candidates = groups.entry(key(&one)).or_default();
        match candidates.iter_mut().find(|group| belongs(&one, group)) {
            Some(group) => group.push(one),
            None => candidates.push(vec![one]),
        }
    }
    let mut groups: Vec<_> = groups.into_values().flatten().collect();
    for group in &mut groups {
        group.sort_by_key(|one| one.number);
    }
    groups
}

/// How many messages wait because of each of these groups: one that waits for several hosts of a group counts once.
pub(super) fn messages(groups: &[Vec<KnownIncident>]) -> Vec<u64> {
    let records = |group: &[KnownIncident]| group.iter().map(|one| one.waiting.messages).sum();
    let mut messages: Vec<u64> = groups.iter().map(|group| records(group)).collect();
    let mut group_of: HashMap<IncidentNumber, usize> = HashMap::new();
    for (at, group) in groups.iter().enumerate() {
        group_of.extend(group.iter().map(|one| (one.number, at)));
    }
    for one in groups.iter().flatten() {
        for shared in &one.waiting.shared {
            let numbers = std::iter::once(&one.number).chain(&shared.with);
            let mut waits_for: Vec<usize> = numbers
                .filter_map(|number| group_of.get(number).copied())
                .collect();
            waits_for.sort_unstable();
            for same in waits_for.chunk_by(usize::eq) {
                let again = shared.messages.saturating_mul(same.len() as u64 - 1);
                if let Some(messages) = same.first().and_then(|at| messages.get_mut(*at)) {
                    *messages = messages.saturating_sub(again);
                }
            }
        }
    }
    messages
}

fn key(one: &KnownIncident) -> Key {
    match &one.spot.place {
        Place::Host(host) => Key::Provider(one.spot.trouble, registrable::of(host)),
        Place::Domain(_) | Place::Resolver | Place::Login(_) => Key::Alone(one.number.0),
    }
}

/// Whether a host fails together with these: at the same time as one of them. A host that has healed and fails again joins the
/// incident that has gone on meanwhile, which keeps its id; otherwise it is another one.
fn belongs(one: &KnownIncident, group: &[KnownIncident]) -> bool {
    let end = |known: &KnownIncident| known.ended.map_or(Timestamp::MAX, |(at, _)| at);
    let overlaps = |other: &KnownIncident| other.first_seen <= end(one) && one.first_seen <= end(other);
    group.iter().any(overlaps)
}

/// The trouble of an open incident at hosts, when it began, and whose hosts they are.
pub(super) fn begun(records: &[KnownIncident]) -> Option<(Trouble, Timestamp, Domain)> {
    let first = records.iter().find(|one| one.ended.is_none())?;
    match &first.spot.place {
        Place::Host(host) => Some((first.spot.trouble, first.first_seen, registrable::of(host))),
        Place::Domain(_) | Place::Resolver | Place::Login(_) => None,
    }
}

/// What kind of thing the records are about, and its name.
pub(super) fn named(records: &[KnownIncident], place: &Place) -> (Kind, String) {
    match place {
        Place::Host(host) if records.iter().any(|one| one.spot.place != *place) => {
            (Kind::Provider, registrable::of(host).to_string())
        }
        Place::Host(host) => (Kind::Host, host.to_string()),
        Place::Domain(domain) => (Kind::Domain, domain.to_string()),
        Place::Resolver | Place::Login(_) => (Kind::Ours, place_name(place)),
    }
}
