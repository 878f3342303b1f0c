//! A TLSA record set for people and for programs: each record, whether it is usable, and how long a change takes.

use std::fmt;

use dane::TlsaSet;
use serde::{Deserialize, Serialize};

/// How long after a change of the records others may still use what was there before, in seconds: two TTLs (RFC 7671 §8.1).
/// After one no cache has an old answer; the second is for name servers that are slow to take over the zone.
pub(crate) fn wait(ttl: u32) -> u32 {
    ttl.saturating_mul(2)
}

/// That a trust anchor published as a digest matches nothing, and the server's chain ends below `issuer`.
pub(crate) fn issuer_not_sent(record: &str, issuer: &str) -> String {
    format!(
        "none of the certificates sent matches the trust anchor {record}, and the certificate of their issuer, {issuer}, is \
         not sent: a digest proves nothing without it"
    )
}

/// One TLSA record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RecordReport {
    /// In zone-file form.
    pub(crate) record: String,
    /// Whether it is usable, so that it counts among those of which one must match.
    pub(crate) usable: bool,
    /// Why it is not usable.
    pub(crate) reason: Option<String>,
}

impl fmt::Display for RecordReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let standing = self.reason.as_deref().unwrap_or("usable");
        write!(f, "{}  ({standing})", self.record)
    }
}

/// All records of a set, the usable ones first.
pub(crate) fn reports(set: &TlsaSet) -> Vec<RecordReport> {
    let usable = set.usable().iter().map(|record| (record, None));
    let outranked = set.outranked().iter().map(|record| {
        let reason = "passed over for a record with a stronger digest (RFC 7671 section 9)";
        (record, Some(reason.to_owned()))
    });
    let unusable = set
        .unusable()
        .iter()
        .map(|(record, reason)| (record, Some(format!("unusable: {reason}"))));
    usable
        .chain(outranked)
        .chain(unusable)
        .map(|(record, reason)| RecordReport {
            record: record.to_string(),
            usable: reason.is_none(),
            reason,
        })
        .collect()
}
