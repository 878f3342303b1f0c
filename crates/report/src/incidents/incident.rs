//! What an incident is.

use jiff::Timestamp;
use mail::sighting::{Ending, Trouble};
use mail::{Domain, count};
use serde::{Deserialize, Serialize};

use super::change::{Finding, Member};

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

/// What kind of thing fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// One MX host.
    Host,
    /// Several MX hosts of one provider.
    Provider,
    /// One domain.
    Domain,
    /// Something of our own.
    Ours,
}

/// What fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Cause {
    /// A security failure, or one of our own that holds up mail.
    Mail(Trouble),
    /// Something else of our own.
    Own(OwnTrouble),
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

impl Kind {
    /// The word of the log and of `--json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Provider => "provider",
            Self::Domain => "domain",
            Self::Ours => "ours",
        }
    }
}

impl Cause {
    /// The word of the log and of `--json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mail(trouble) => trouble.as_str(),
            Self::Own(trouble) => trouble.as_str(),
        }
    }
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

    /// The MX hosts or the domain that it is about.
    pub fn names(&self) -> impl Iterator<Item = &Domain> {
        self.members.iter().filter_map(|member| member.place.domain())
    }
}

/// What is wrong on our own side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OwnTrouble {
    /// The resolver fails its test.
    Resolver,
    /// The spool has no room.
    SpoolFull,
    /// The spool cannot be written.
    SpoolFails,
    /// The policy file is wrong, and the earlier one stays in force.
    Policy,
    /// The configuration is wrong, and the earlier one stays in force.
    Configuration,
    /// What the server of a list gave is not believed, and the last good copy stays in force.
    ListHeldBack,
    /// The copy of a list is older than it may become.
    ListTooOld,
    /// The clock went back.
    Clock,
    /// TLS reports cannot be sent.
    TlsReports,
}

impl OwnTrouble {
    /// The word of the log and of `--json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resolver => "resolver",
            Self::SpoolFull => "spool-full",
            Self::SpoolFails => "spool-fails",
            Self::Policy => "policy",
            Self::Configuration => "configuration",
            Self::ListHeldBack => "list-held-back",
            Self::ListTooOld => "list-too-old",
            Self::Clock => "clock",
            Self::TlsReports => "tls-reports",
        }
    }

    /// What fails, in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Resolver => "our resolver",
            Self::SpoolFull | Self::SpoolFails => "our spool",
            Self::Policy => "our policy file",
            Self::Configuration => "our configuration",
            Self::ListHeldBack | Self::ListTooOld => "our copy of the list",
            Self::Clock => "our clock",
            Self::TlsReports => "our TLS reports",
        }
    }

    pub(super) const fn sentence(self) -> &'static str {
        match self {
            Self::Resolver => "our resolver fails its test: mail waits, whatever its destination",
            Self::SpoolFull => "our spool has no room: clients are told to try again later",
            Self::SpoolFails => "our spool cannot be written: nothing is accepted or recorded",
            Self::Policy => "our policy file is wrong: the earlier policy stays in force",
            Self::Configuration => "our configuration is wrong: the earlier one stays in force",
            Self::Clock => {
                "our clock went back: waiting mail is tried again within the longest retry interval; signatures may not count"
            }
            Self::TlsReports => {
                "our TLS reports cannot be sent: they wait, for 24 hours each; mail is not affected"
            }
            Self::ListHeldBack => {
                "what its server gives now is not believed: the last good copy stays in force"
            }
            Self::ListTooOld => {
                "it could not be refreshed for its max_age: without a new one the list is ignored, unless it is a strict one"
            }
        }
    }
}
