//! What DNS says about a host: its addresses and its TLSA records.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::sessions::AddressSeen;
use super::zones::{FailureSeen, SignatureSeen, ZoneSeen};
use crate::explain::{AddressStatus, Step, TlsaStatus};
use crate::lookup_report::LookupReport;

/// One host of the domain.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct HostSeen {
    /// Its name; if it has none, what stands in its place.
    pub(crate) name: String,
    pub(crate) kind: HostKind,
    /// `None` where no MX record names it.
    pub(crate) preference: Option<u16>,
    /// Who runs it: the registrable part of its name.
    pub(crate) provider: Option<String>,
    pub(crate) address_status: AddressStatus,
    /// Why nothing is known of its addresses.
    pub(crate) address_reason: Option<String>,
    /// Addresses that nobody else can connect to.
    pub(crate) ignored: Vec<IpAddr>,
    pub(crate) lookups: Vec<Step>,
    pub(crate) tlsa: TlsaSeen,
    pub(crate) addresses: Vec<AddressSeen>,
    /// The zone of the TLSA base domain; `None` if it was not asked for.
    pub(crate) zone: Option<ZoneSeen>,
    /// The closest CAA records at or above the name (RFC 8659 §3); `None` if they were not asked for.
    pub(crate) caa: Option<LookupReport>,
}

/// What an MX record names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum HostKind {
    Name,
    /// An address in place of a name (RFC 5321 §5.1 allows none).
    Address,
    /// Something else.
    Invalid,
}

/// The TLSA records of a host.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TlsaSeen {
    pub(crate) status: TlsaStatus,
    /// The TLSA base domain; before any was found, the host.
    pub(crate) base: Option<String>,
    /// Where the records stand, or would stand: an alias of it is followed.
    pub(crate) owner: Option<String>,
    /// How the look-up failed.
    pub(crate) failure: Option<FailureSeen>,
    pub(crate) records: Vec<RecordSeen>,
    pub(crate) signatures: Vec<SignatureSeen>,
    /// The zone that they stand in, or would stand in, if that is known: the one that signs there.
    pub(crate) zone: Option<String>,
    /// The name above them, `_tcp.…`.
    pub(crate) parent: ParentSeen,
}

/// One TLSA record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecordSeen {
    /// In zone-file form.
    pub(crate) record: String,
    pub(crate) usage: u8,
    pub(crate) selector: u8,
    pub(crate) matching_type: u8,
    pub(crate) usable: bool,
    /// Why it is not usable.
    pub(crate) reason: Option<String>,
    /// Whether it is the digest of no octets at all.
    pub(crate) of_nothing: bool,
}

/// The empty non-terminal above the TLSA records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ParentSeen {
    NotAsked,
    /// It exists, as a name with names below it does (RFC 8020 §2).
    Exists,
    /// The servers deny it.
    Denied,
    /// The servers refuse to answer.
    Failed,
    /// The look-up gave no answer.
    Undecided,
}
