//! What an incident may be: its kinds, its causes, and what it most likely is.

use serde::{Deserialize, Serialize};

use crate::sighting::Trouble;

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

/// What it most likely is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Likely {
    /// The key was changed, and the TLSA records were not.
    ForgottenRollover,
    /// The TLSA records were changed, and the key was not; or they fit no key that is used.
    WrongRecords,
    /// A certificate has expired.
    ExpiredCertificate,
    /// The zone's signatures are wrong.
    BrokenDnssec,
    /// Somebody between us and them may interfere.
    PossibleAttack,
    /// Something near us interferes with TLS: it began at several unrelated providers at once.
    OurNetwork,
    /// Our policy demands what they have never offered.
    PolicyDemand,
    /// It is on our own side.
    Ours,
    /// What was seen does not say.
    Unknown,
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

    /// What fails and what follows, in words.
    pub const fn sentence(self) -> &'static str {
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

impl Likely {
    /// The word of the log and of `--json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ForgottenRollover => "forgotten-rollover",
            Self::WrongRecords => "wrong-records",
            Self::ExpiredCertificate => "expired-certificate",
            Self::BrokenDnssec => "broken-dnssec",
            Self::PossibleAttack => "possible-attack",
            Self::OurNetwork => "our-network",
            Self::PolicyDemand => "policy-demand",
            Self::Ours => "ours",
            Self::Unknown => "unknown",
        }
    }

    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::ForgottenRollover => {
                "a forgotten roll-over: the key was changed, the TLSA records were not"
            }
            Self::WrongRecords => "a mistake in the TLSA records",
            Self::ExpiredCertificate => "an expired certificate",
            Self::BrokenDnssec => "a mistake in the zone's DNSSEC",
            Self::PossibleAttack => "possibly an attack: somebody between us and them may interfere",
            Self::OurNetwork => {
                "something near us that interferes with TLS: it began at several unrelated providers at once"
            }
            Self::PolicyDemand => "a demand of our own policy that they do not meet",
            Self::Ours => "on our own side",
            Self::Unknown => "not clear from what was seen",
        }
    }
}
