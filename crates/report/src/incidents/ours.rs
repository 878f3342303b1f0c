//! What is wrong on our own side and is no fault of any destination.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use mail::event::Event;
use mail::event::resolver::{Finding as Test, Resolver};
use mail::event::settings::{ListNews, ListState, Mended, PolicyLoaded, Refused, Subject};
use mail::event::spool::Spool;
use mail::event::store::{Failed, Store};
use mail::event::tlsrpt::TlsReports;
use mail::incident::{Cause, OwnTrouble};

use super::change::Finding;
use super::incident::Incident;

/// For so long a clock must not have gone back to count as right.
const CLOCK_RIGHT: SignedDuration = SignedDuration::from_hours(1);
/// What is said within this time is said of the same thing.
const MOMENT: SignedDuration = SignedDuration::from_secs(1);
/// Reasons of one moment are put together up to about so many octets.
const REASONS: usize = 1000;

/// One of them, as long as it lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// What it is.
    pub trouble: OwnTrouble,
    /// Of several things of that kind, which one: the URL of a list. Empty where there is only one.
    pub subject: String,
    /// Since when.
    pub since: Timestamp,
    /// When it was last seen.
    pub last: Timestamp,
    /// What is wrong, in words.
    pub reason: String,
}

/// All that is wrong on our own side now.
#[derive(Debug, Clone, Default)]
pub struct Ours(BTreeMap<(OwnTrouble, String), Own>);

impl Ours {
    /// Learns from what is written to the log. Returns whether that changes anything.
    pub fn note(&mut self, event: &Event, now: Timestamp) -> bool {
        let Some(seen) = seen(event) else {
            return false;
        };
        // What comes again later is another one.
        self.0.retain(|_, own| own.lasts(now));
        match seen {
            Seen::Begins(trouble, subject, reason) => {
                let key = (trouble, subject.to_owned());
                let known = self.0.get(&key);
                let since = known.map_or(now, |own| own.since);
                let reason = known.map_or(reason.clone(), |own| own.with(&reason, now));
                let own = Own {
                    trouble,
                    subject: subject.to_owned(),
                    since,
                    last: now,
                    reason,
                };
                self.0.insert(key, own).is_none()
            }
            Seen::Ends(troubles, subject) => {
                let before = self.0.len();
                self.0
                    .retain(|(trouble, of), _| of != subject || !troubles.contains(trouble));
                before != self.0.len()
            }
        }
    }

    /// What is wrong now.
    pub fn standing(&self, now: Timestamp) -> impl Iterator<Item = &Own> {
        self.0.values().filter(move |own| own.lasts(now))
    }
}

/// What an event says about our own side: the trouble, of what, and why.
enum Seen<'a> {
    Begins(OwnTrouble, &'a str, String),
    Ends(&'static [OwnTrouble], &'a str),
}

/// There is only one thing of the kind.
const ONLY: &str = "";

fn seen(event: &Event) -> Option<Seen<'_>> {
    match event {
        Event::Resolver(resolver) => of_resolver(resolver),
        Event::Spool(spool) => of_spool(spool),
        Event::Store(store) => of_store(store),
        Event::Refused(refused) => of_refused(refused),
        Event::List(ListNews { url, news }) => list(url, news),
        Event::PolicyLoaded(PolicyLoaded { mended, .. }) => of_mended(*mended),
        Event::ClockWentBack(_) => Some(begins(OwnTrouble::Clock, "the system's clock went back")),
        Event::TlsReports(TlsReports::NotSent(reason)) => Some(begins(OwnTrouble::TlsReports, reason)),
        Event::TlsReports(TlsReports::SentAgain) => Some(Seen::Ends(&[OwnTrouble::TlsReports], ONLY)),
        Event::Delivery(_)
        | Event::Trace(_)
        | Event::Undeliverable(_)
        | Event::ReportMade(_)
        | Event::DestinationHeldUp(_)
        | Event::Login(_)
        | Event::Incident(_)
        | Event::NotTold(_)
        | Event::Accepted(_)
        | Event::Rejected(_)
        | Event::NotBegun(_)
        | Event::ConnectionRefused(_)
        | Event::Listener(_)
        | Event::Fault(_)
        | Event::Warning(_)
        | Event::WaitsForRestart(_)
        | Event::ExceptionEnds(_)
        | Event::MtaSts(_)
        | Event::TlsReport(_)
        | Event::NotCollected(_)
        | Event::Rechecked(_)
        | Event::ClientsLoaded(_)
        | Event::Admin(_)
        | Event::Started(_)
        | Event::Recovery(_)
        | Event::Listen(_)
        | Event::NotStarted(_)
        | Event::Stopping(_)
        | Event::Stopped(_)
        | Event::Log(_)
        | Event::Throttled(_)
        | Event::Library(_) => None,
    }
}

/// Something of which there is only one.
fn begins(trouble: OwnTrouble, reason: &str) -> Seen<'static> {
    Seen::Begins(trouble, ONLY, reason.to_owned())
}

fn of_resolver(event: &Resolver) -> Option<Seen<'static>> {
    match event {
        Resolver::Tested { finding, .. } => Some(match finding {
            Test::Failing(fault) => begins(OwnTrouble::Resolver, fault),
            Test::Fine(_) => Seen::Ends(&[OwnTrouble::Resolver], ONLY),
        }),
        Resolver::Servers { .. }
        | Resolver::ServersRefused { .. }
        | Resolver::PassedOver { .. }
        | Resolver::Unvalidated { .. }
        | Resolver::TrustAnchors { .. } => None,
    }
}

fn of_spool(event: &Spool) -> Option<Seen<'static>> {
    match event {
        Spool::Full { error, .. } => Some(begins(OwnTrouble::SpoolFull, error)),
        Spool::Accepting { .. } => Some(Seen::Ends(&[OwnTrouble::SpoolFull], ONLY)),
        Spool::Failed { .. }
        | Spool::Message { .. }
        | Spool::Unread(_)
        | Spool::Incidents(_)
        | Spool::TlsReports(_)
        | Spool::Unreadable { .. } => None,
    }
}

fn of_store(event: &Store) -> Option<Seen<'static>> {
    match event {
        Store::Failed(Failed::Write, error) => Some(begins(OwnTrouble::SpoolFails, error)),
        Store::Writable => Some(Seen::Ends(&[OwnTrouble::SpoolFails], ONLY)),
        Store::Failed(..)
        | Store::NotRemoved { .. }
        | Store::LogKept
        | Store::LogCarriedOver
        | Store::DurableUnclear
        | Store::Vanished { .. }
        | Store::CaretakerGone(_)
        | Store::Swept(_)
        | Store::LedgerFull(_)
        | Store::LedgerHasRoom => None,
    }
}

fn of_refused(event: &Refused) -> Option<Seen<'static>> {
    match event.about {
        Subject::Policy => Some(begins(OwnTrouble::Policy, &event.reason)),
        // Both refuse a reload as a whole.
        Subject::Config | Subject::Resolver => Some(begins(OwnTrouble::Configuration, &event.reason)),
        Subject::Clients | Subject::Descriptors | Subject::Limits => None,
    }
}

fn of_mended(mended: Mended) -> Option<Seen<'static>> {
    match mended {
        Mended::Everything => Some(Seen::Ends(&[OwnTrouble::Policy, OwnTrouble::Configuration], ONLY)),
        Mended::Policy => Some(Seen::Ends(&[OwnTrouble::Policy], ONLY)),
        Mended::Nothing => None,
    }
}

fn list<'a>(url: &'a str, news: &ListState) -> Option<Seen<'a>> {
    match news {
        ListState::HeldBack(reason) => Some(Seen::Begins(OwnTrouble::ListHeldBack, url, reason.clone())),
        ListState::TooOld(reason) => Some(Seen::Begins(OwnTrouble::ListTooOld, url, reason.clone())),
        ListState::Fetched(_) | ListState::Recovered | ListState::NotNamed => Some(Seen::Ends(
            &[OwnTrouble::ListHeldBack, OwnTrouble::ListTooOld],
            url,
        )),
        // The copy holds until it is too old.
        ListState::NotFetched(_) => None,
    }
}

impl Own {
    /// Whether it goes on. Nobody says that a clock is right again: it is, if it has not gone back for an hour.
    fn lasts(&self, now: Timestamp) -> bool {
        self.trouble != OwnTrouble::Clock || now.duration_since(self.last) < CLOCK_RIGHT
    }

    /// What is wrong, when another reason comes: what is said at the same moment belongs together, as the faults of one file.
    fn with(&self, reason: &str, now: Timestamp) -> String {
        let is_same_moment = now.duration_since(self.last) < MOMENT;
        if !is_same_moment || self.reason == reason {
            return reason.to_owned();
        }
        if self.reason.len() > REASONS {
            return self.reason.clone();
        }
        format!("{}; {reason}", self.reason)
    }

    pub(super) fn incident(&self) -> Incident {
        let (word, name, sentence) = (
            self.trouble.as_str(),
            self.trouble.name(),
            self.trouble.sentence(),
        );
        let (id, name, summary) = if self.subject.is_empty() {
            (format!("our-{word}"), name.to_owned(), sentence.to_owned())
        } else {
            let url = &self.subject;
            let short = url.strip_prefix("https://").unwrap_or(url);
            (
                format!("our-{word}/{short}"),
                format!("{name} {url}"),
                format!("{name} {url}: {sentence}"),
            )
        };
        Incident {
            id,
            name,
            cause: Cause::Own(self.trouble),
            summary,
            first_seen: self.since,
            last_seen: self.last,
            finding: Finding::ours(&self.reason),
            ..Incident::nothing(self.since)
        }
    }
}
