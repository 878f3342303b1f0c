//! What look-ups showed: MX records, zones, name servers and signatures.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::lookup_report::LookupReport;

/// The MX records.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MxSeen {
    pub(crate) kind: MxKind,
    pub(crate) lookup: LookupReport,
    /// The zone of the domain and its name servers; `None` if it was not asked for.
    pub(crate) zone: Option<ZoneSeen>,
    pub(crate) signatures: Vec<SignatureSeen>,
}

/// What the MX records say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MxKind {
    /// There are hosts.
    Hosts,
    /// There are none: the domain itself is the host (RFC 5321 §5.1).
    Implicit,
    /// There is no mail service (RFC 7505).
    NullMx,
    /// The domain does not exist.
    NoSuchDomain,
    /// The look-up gave no answer.
    Failed,
}

/// A zone and its name servers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ZoneSeen {
    pub(crate) name: String,
    pub(crate) servers: Vec<ServerSeen>,
}

/// A name server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ServerSeen {
    pub(crate) name: String,
    pub(crate) addresses: Vec<IpAddr>,
    /// What each address said of the TLSA records, if it was asked.
    pub(crate) answers: Vec<ServerAnswer>,
}

/// What a name server said of the TLSA records, asked directly.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ServerAnswer {
    pub(crate) address: IpAddr,
    pub(crate) said: ServerSaid,
    /// The records, sorted.
    pub(crate) records: Vec<String>,
    /// The name above, `_tcp.…`.
    pub(crate) parent: ServerSaid,
    /// Whether signatures came with the records.
    pub(crate) is_signed: bool,
    /// Whether it speaks for the zone (RFC 1035 §4.1.1).
    #[serde(default = "yes")]
    pub(crate) is_authoritative: bool,
    /// Why there is no answer.
    pub(crate) reason: Option<String>,
}

/// What earlier versions did not look at was as it should be.
fn yes() -> bool {
    true
}

/// The kinds of answers of a name server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ServerSaid {
    Records,
    Alias,
    Nodata,
    Nxdomain,
    Refused,
    Silence,
}

/// A signature over records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SignatureSeen {
    /// The zone that signed.
    pub(crate) zone: String,
    /// The TTL in the zone, in seconds.
    pub(crate) ttl: u32,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
}

/// How a look-up failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FailureSeen {
    pub(crate) kind: FailureKind,
    /// What failed and where, in words.
    pub(crate) words: String,
}

/// The kinds of failures of a look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FailureKind {
    /// Signatures or proofs are invalid.
    Bogus,
    /// SERVFAIL or another refusal.
    Refused,
    /// It cannot be decided now: no answer, or keys on the way are missing.
    Undecided,
}
