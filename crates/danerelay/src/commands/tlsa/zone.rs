//! TLSA records as lines of a zone file.

use std::fmt;
use std::num::NonZeroU16;

use dane::TlsaRecord;
use mail::Domain;
use serde::Serialize;

/// One record at one owner name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct ZoneRecord {
    /// With a trailing dot; without a host name it is relative to the host's name.
    pub(super) owner: String,
    /// In seconds; `None`: the zone's default.
    pub(super) ttl: Option<u32>,
    pub(super) record: String,
}

impl ZoneRecord {
    /// All these records at one owner name.
    pub(super) fn all(owner: &str, ttl: Option<u32>, records: &[TlsaRecord]) -> Vec<Self> {
        let lines = records.iter().map(|record| Self {
            owner: owner.to_owned(),
            ttl,
            record: record.to_string(),
        });
        lines.collect()
    }
}

/// `_25._tcp.mx1.example.org. 3600 IN TLSA 3 1 1 …`
impl fmt::Display for ZoneRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { owner, ttl, record } = self;
        match ttl {
            Some(ttl) => write!(f, "{owner} {ttl} IN TLSA {record}"),
            None => write!(f, "{owner} IN TLSA {record}"),
        }
    }
}

/// Where the records of a port of a host are (RFC 6698 §3); without a host relative to its name.
pub(super) fn owner(port: NonZeroU16, host: Option<&Domain>) -> String {
    host.map_or_else(|| format!("_{port}._tcp"), |host| format!("_{port}._tcp.{host}."))
}
