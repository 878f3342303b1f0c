//! What an incident is.

use jiff::Timestamp;
use mail::incident::{Cause, Kind, OwnTrouble};
use mail::sighting::Ending;
use mail::{Domain, count};
use serde::{Deserialize, Serialize};

use super::change::{Finding, Member};
use super::words::TlsBy;

/// An incident. Serialised, it is one of `danerelay incidents --json`; times are RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// By which `incidents show` knows it: a number, or a word for what is ours.
    pub id: String,
    /// What kind of thing fails.
    pub kind: Kind,
    /// Which: the MX host, the provider's domain, the domain, or what is ours.
    pub name: String,
    /// What fails.
    pub cause: Cause,
    /// The same in one sentence.
    pub summary: String,
    /// Whether it goes on.
    pub status: Status,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
    /// When it ended; `None` while it goes on.
    pub ended: Option<Timestamp>,
    /// How it ended.
    pub ending: Option<Ending>,
    /// When the mail was last delivered there and verified, if that is known.
    pub last_worked: Option<Timestamp>,
    /// How many hosts or domains fail still, those that are not among the members included.
    #[serde(default)]
    pub failing: u64,
    /// How many domains it concerns.
    pub domains: u64,
    /// Whether these are the least: it stands for others, too, for which there is no room.
    #[serde(default)]
    pub domains_at_least: bool,
    /// The first of them.
    pub some_domains: Vec<Domain>,
    /// How many messages wait because of it.
    pub messages: u64,
    /// How many recipients they have that wait for it.
    pub recipients: u64,
    /// When the oldest of those messages was accepted.
    pub oldest: Option<Timestamp>,
    /// Its age in seconds.
    pub oldest_age: Option<u64>,
    /// When the first message will be returned to its sender.
    pub first_return: Option<Timestamp>,
    /// What has changed, and what that speaks for.
    pub finding: Finding,
    /// The hosts, each with what was seen there and when it last worked.
    pub members: Vec<Member>,
}

/// Whether an incident goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It goes on.
    Open,
    /// It is over.
    Ended,
}

impl Incident {
    /// An incident without content.
    pub(super) fn nothing(now: Timestamp) -> Self {
        Self {
            id: String::new(),
            kind: Kind::Ours,
            name: String::new(),
            cause: Cause::Own(OwnTrouble::Resolver),
            summary: String::new(),
            status: Status::Open,
            first_seen: now,
            last_seen: now,
            ended: None,
            ending: None,
            last_worked: None,
            failing: 0,
            domains: 0,
            domains_at_least: false,
            some_domains: Vec::new(),
            messages: 0,
            recipients: 0,
            oldest: None,
            oldest_age: None,
            first_return: None,
            finding: Finding::ours(""),
            members: Vec::new(),
        }
    }

    /// Whether it goes on.
    pub fn is_open(&self) -> bool {
        self.status == Status::Open
    }

    /// Whether `incidents show` means it by this: its id, or the number of one of its hosts.
    pub fn is_known_as(&self, id: &str) -> bool {
        self.id == id || self.members.iter().any(|member| member.number.to_string() == id)
    }

    /// Whether it is on our own side.
    pub fn is_ours(&self) -> bool {
        self.kind == Kind::Ours
    }

    /// How many domains it concerns: `1 domain`, `at least 1024 domains`.
    pub fn domains_in_words(&self) -> String {
        let domains = count(self.domains, "domain");
        if self.domains_at_least {
            format!("at least {domains}")
        } else {
            domains
        }
    }

    /// What demands TLS there.
    pub(super) fn tls_by(&self) -> TlsBy {
        TlsBy::of(self.members.iter().map(|member| &member.now))
    }

    /// The MX hosts or the domain that it is about.
    pub fn names(&self) -> impl Iterator<Item = &Domain> {
        self.members.iter().filter_map(|member| member.place.domain())
    }
}
