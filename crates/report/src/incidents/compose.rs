//! From records to incidents.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mail::Domain;
use mail::incident::{Cause, Kind, OwnTrouble};
use mail::registrable;
use mail::sighting::Trouble;
use spool::KnownIncident;

use super::change::{self, Member};
use super::group;
use super::incident::{Incident, Status};
use super::ours::Ours;
use super::words::{TlsBy, said};

/// How many domains of an incident are named.
const DOMAINS_NAMED: usize = 20;
/// How many hosts of an incident are shown with their evidence.
pub(super) const MEMBERS_SHOWN: usize = 8;

/// What is needed beside the records.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// For how long mail is tried.
    pub max_age: Duration,
    /// The time at which incidents are composed.
    pub now: Timestamp,
}

/// An incident with the records that it is made of.
#[derive(Debug, Clone)]
pub struct Composed {
    /// The incident.
    pub incident: Incident,
    /// Its records, oldest first; none for what is ours and holds up no mail.
    pub records: Vec<KnownIncident>,
}

/// All incidents: what is ours first, then by the mail that waits.
pub fn compose(known: Vec<KnownIncident>, ours: &Ours, terms: Terms) -> Vec<Composed> {
    let groups = group::groups(known);
    // Several unrelated hosts at once point to something between us and them.
    let began: Vec<(Trouble, Timestamp, Domain)> =
        groups.iter().filter_map(|one| group::begun(one)).collect();
    let messages = group::messages(&groups);
    let mut composed: Vec<Composed> = groups
        .into_iter()
        .zip(messages)
        .map(|(records, messages)| Composed {
            incident: Incident {
                messages,
                ..incident(&records, &began, terms)
            },
            records,
        })
        .collect();
    for own in ours.standing(terms.now) {
        let waiting = match own.trouble {
            OwnTrouble::Resolver => composed.iter().position(waits_for_resolver),
            OwnTrouble::SpoolFull
            | OwnTrouble::SpoolFails
            | OwnTrouble::Policy
            | OwnTrouble::Configuration
            | OwnTrouble::ListHeldBack
            | OwnTrouble::ListTooOld
            | OwnTrouble::Clock
            | OwnTrouble::TlsReports => None,
        };
        let waiting = waiting.map(|at| composed.remove(at).incident);
        composed.push(Composed {
            incident: with_mail(own.incident(), waiting),
            records: Vec::new(),
        });
    }
    composed.sort_by(|a, b| {
        let rank = |one: &Incident| {
            (
                !one.is_open(),
                !one.is_ours(),
                u64::MAX - one.messages,
                one.first_seen,
            )
        };
        rank(&a.incident).cmp(&rank(&b.incident))
    });
    composed
}

/// Whether this is the mail that waits because our resolver fails.
fn waits_for_resolver(composed: &Composed) -> bool {
    composed.incident.is_open() && composed.incident.cause == Cause::Mail(Trouble::ResolverFails)
}

/// An incident of our own, with the mail that waits because of it.
fn with_mail(own: Incident, waiting: Option<Incident>) -> Incident {
    let Some(waiting) = waiting else {
        return own;
    };
    Incident {
        domains: waiting.domains,
        domains_at_least: waiting.domains_at_least,
        some_domains: waiting.some_domains,
        messages: waiting.messages,
        recipients: waiting.recipients,
        oldest: waiting.oldest,
        oldest_age: waiting.oldest_age,
        first_return: waiting.first_return,
        first_seen: own.first_seen.min(waiting.first_seen),
        ..own
    }
}

/// All of it but how many messages wait.
fn incident(records: &[KnownIncident], began: &[(Trouble, Timestamp, Domain)], terms: Terms) -> Incident {
    let first = records.iter().min_by_key(|one| one.number);
    let Some(first) = first else {
        return Incident::nothing(terms.now);
    };
    let trouble = first.spot.trouble;
    let (kind, name) = group::named(records, &first.spot.place);
    let open: Vec<&KnownIncident> = records.iter().filter(|one| one.ended.is_none()).collect();
    let is_open = !open.is_empty();
    let ended = records
        .iter()
        .filter_map(|one| one.ended)
        .max_by_key(|(at, _)| *at);
    let ended = ended.filter(|_| !is_open);
    let domains: BTreeSet<&Domain> = records.iter().flat_map(|one| &one.domains).collect();
    let waiting = records.iter().map(|one| &one.waiting);
    let oldest = waiting
        .clone()
        .flat_map(|one| [one.oldest, one.oldest_report])
        .flatten()
        .min();
    let returned = waiting.clone().filter_map(|one| one.oldest).min();
    let finding = change::assess(records, began);
    let tls_by = TlsBy::of(records.iter().map(|one| &one.evidence));
    let stands_for_more = records.iter().any(|one| one.stands_for_more);
    Incident {
        id: first.number.0.to_string(),
        kind,
        summary: sentence((trouble, tls_by), (kind, &name), stands_for_more),
        name,
        cause: Cause::Mail(trouble),
        status: if is_open { Status::Open } else { Status::Ended },
        first_seen: records
            .iter()
            .map(|one| one.first_seen)
            .min()
            .unwrap_or(first.first_seen),
        last_seen: records
            .iter()
            .map(|one| one.last_seen)
            .max()
            .unwrap_or(first.last_seen),
        ended: ended.map(|(at, _)| at),
        ending: ended.map(|(_, ending)| ending),
        last_worked: records
            .iter()
            .filter_map(|one| one.before.as_ref())
            .map(|before| before.until)
            .max(),
        failing: open.len() as u64,
        domains: domains.len() as u64,
        domains_at_least: stands_for_more || records.iter().any(|one| one.has_more_domains),
        some_domains: domains.into_iter().take(DOMAINS_NAMED).cloned().collect(),
        messages: 0,
        recipients: waiting.map(|one| one.recipients).sum(),
        oldest,
        oldest_age: oldest.map(|oldest| age(oldest, terms.now)),
        first_return: returned.and_then(|oldest| after(oldest, terms.max_age)),
        finding,
        members: members(records),
    }
}

/// The first of those that fail still, then the others.
fn members(records: &[KnownIncident]) -> Vec<Member> {
    let (open, ended): (Vec<_>, Vec<_>) = records.iter().partition(|one| one.ended.is_none());
    let records = open.into_iter().chain(ended);
    records.take(MEMBERS_SHOWN).map(Member::of).collect()
}

fn age(since: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(now.duration_since(since).as_secs()).unwrap_or(0)
}

fn after(time: Timestamp, span: Duration) -> Option<Timestamp> {
    time.checked_add(SignedDuration::try_from(span).ok()?).ok()
}

/// An incident in one sentence.
fn sentence(
    (trouble, tls_by): (Trouble, TlsBy),
    (kind, name): (Kind, &str),
    stands_for_more: bool,
) -> String {
    let whose = match kind {
        Kind::Host | Kind::Domain if stands_for_more => match Domain::parse(name) {
            Ok(domain) => format!("{name} and others below {}", registrable::of(&domain)),
            Err(_) => name.to_owned(),
        },
        Kind::Host | Kind::Domain | Kind::Ours => name.to_owned(),
        Kind::Provider => format!("hosts of {name}"),
    };
    format!("{whose}: {}", said(trouble, tls_by))
}
