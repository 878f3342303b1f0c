//! What was seen of a domain: plain data, from which everything else follows without any look-up.
//!
//! [`zones`]: what look-ups showed; [`hosts`]: each host with its TLSA records; [`sessions`]: what its servers showed;
//! [`policies`]: MTA-STS and TLS reports.

mod hosts;
mod policies;
mod sessions;
mod zones;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub(crate) use hosts::{HostKind, HostSeen, ParentSeen, RecordSeen, TlsaSeen};
pub(crate) use policies::{StsKind, StsSeen, TlsrptKind, TlsrptSeen};
pub(crate) use sessions::{
    AddressSeen, IssuerSeen, KeySeen, OfferResult, OfferSeen, VersionSeen, WebPkiSeen,
};
pub(crate) use zones::{
    FailureKind, FailureSeen, MxKind, MxSeen, ServerAnswer, ServerSaid, ServerSeen, SignatureSeen, ZoneSeen,
};

/// Everything that was seen of a domain.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Observation {
    pub(crate) domain: String,
    /// When.
    pub(crate) checked: Timestamp,
    /// How.
    pub(crate) manner: Manner,
    pub(crate) mx: MxSeen,
    /// By preference.
    pub(crate) hosts: Vec<HostSeen>,
    pub(crate) mta_sts: StsSeen,
    /// The records at `_smtp._tls` (RFC 8460 §3).
    pub(crate) tlsrpt: TlsrptSeen,
    /// What there was no time for; `None` if everything was looked at.
    pub(crate) unexamined: Option<Unexamined>,
}

/// How a domain was looked at. What was seen in one manner says little about what is seen in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manner {
    /// The port of the MX hosts.
    pub(crate) port: u16,
    /// Whether hosts were connected to.
    pub(crate) connected: bool,
    pub(crate) depth: Depth,
    /// What expires within so many days is warned of.
    pub(crate) days: u16,
}

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Depth {
    /// What a verdict needs: one connection to each address.
    Verdict,
    /// Also the name servers one by one, and what else a server can do.
    Everything,
}

/// What there was no time for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Unexamined {
    /// How long the domain could be looked at, in seconds.
    pub(crate) within: u64,
    /// In words.
    pub(crate) what: Vec<String>,
}

/// A TLSA record in short: `3 1 1 29c8601c…`.
pub(crate) fn short(record: &str) -> String {
    match record.char_indices().nth(14) {
        Some((end, _)) => format!("{}…", record.get(..end).unwrap_or_default()),
        None => record.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn words<T: Serialize>(values: &[T]) -> Vec<String> {
        let values = values.iter().map(|value| serde_json::to_value(value).unwrap());
        values.map(|value| value.as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn what_programs_read_is_documented() {
        let document = include_str!("../../../../../docs/check.md");
        let all = [
            words(&[
                MxKind::Hosts,
                MxKind::Implicit,
                MxKind::NullMx,
                MxKind::NoSuchDomain,
                MxKind::Failed,
            ]),
            words(&[
                ServerSaid::Records,
                ServerSaid::Alias,
                ServerSaid::Nodata,
                ServerSaid::Nxdomain,
                ServerSaid::Refused,
                ServerSaid::Silence,
            ]),
            words(&[HostKind::Name, HostKind::Address, HostKind::Invalid]),
            words(&[FailureKind::Bogus, FailureKind::Refused, FailureKind::Undecided]),
            words(&[
                ParentSeen::NotAsked,
                ParentSeen::Exists,
                ParentSeen::Denied,
                ParentSeen::Failed,
                ParentSeen::Undecided,
            ]),
            words(&[IssuerSeen::NotAsked, IssuerSeen::Valid, IssuerSeen::Invalid]),
            words(&[
                WebPkiSeen::NotAsked,
                WebPkiSeen::Valid,
                WebPkiSeen::NameMismatch,
                WebPkiSeen::Expired,
                WebPkiSeen::Untrusted,
            ]),
            words(&[VersionSeen::Tls12, VersionSeen::Tls13]),
            words(&[KeySeen::Rsa, KeySeen::Ecdsa]),
            words(&[
                OfferResult::Taken,
                OfferResult::Declined,
                OfferResult::Unknown,
                OfferResult::NotExamined,
            ]),
            words(&[
                StsKind::NotAsked,
                StsKind::Absent,
                StsKind::None,
                StsKind::Testing,
                StsKind::Enforce,
                StsKind::LookupFailed,
                StsKind::RecordInvalid,
                StsKind::PolicyFailed,
            ]),
            words(&[
                TlsrptKind::NotAsked,
                TlsrptKind::Absent,
                TlsrptKind::Present,
                TlsrptKind::Several,
                TlsrptKind::Invalid,
                TlsrptKind::Failed,
            ]),
            words(&[Depth::Verdict, Depth::Everything]),
        ];
        for word in all.concat() {
            assert!(
                document.contains(&format!("`{word}`")),
                "docs/check.md has no `{word}`"
            );
        }
    }
}
