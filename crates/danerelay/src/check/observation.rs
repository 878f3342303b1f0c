//! What was seen of a domain: plain data, from which everything else follows without any look-up.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::outcome::Outcome;
use crate::explain::{AddressStatus, CertificateReport, PublishedRecord, Step, TlsaStatus};
use crate::lookup_report::LookupReport;

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

/// One address of a host.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AddressSeen {
    pub(crate) address: IpAddr,
    pub(crate) outcome: Outcome,
    /// Why not, in words.
    pub(crate) reason: Option<String>,
    /// What a delivery's log would say.
    pub(crate) dane: Option<String>,
    /// Version and cipher suite.
    pub(crate) tls: Option<String>,
    /// The group of the key exchange.
    pub(crate) group: Option<String>,
    /// OpenSSL's number and words for the check that was made.
    pub(crate) tlsvalid: Option<String>,
    pub(crate) webpki: WebPkiSeen,
    /// What the WebPKI finds wrong, in words.
    pub(crate) webpki_reason: Option<String>,
    /// The certificates, the server's own first.
    pub(crate) presented: Vec<CertificateReport>,
    /// Each published record, and the certificate that it matches.
    pub(crate) published: Vec<PublishedRecord>,
    /// Whether the trust anchors among the records would verify the chain by themselves.
    pub(crate) issuer: IssuerSeen,
    /// Why not, in words.
    pub(crate) issuer_reason: Option<String>,
    /// Further handshakes, each of which offered little.
    pub(crate) offers: Vec<OfferSeen>,
    /// The cipher suites that it takes, by their names in OpenSSL; none if it was not asked about each.
    #[serde(default)]
    pub(crate) suites: Vec<String>,
    /// Whether it takes no others of those that can be offered.
    #[serde(default)]
    pub(crate) suites_complete: bool,
}

impl AddressSeen {
    /// Whether there was no time for some of the further handshakes.
    pub(crate) fn has_unexamined_offers(&self) -> bool {
        self.offers
            .iter()
            .any(|offer| offer.result == OfferResult::NotExamined)
    }
}

/// What trust anchors (usage 2) say about a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum IssuerSeen {
    /// None are published, or no chain was shown.
    NotAsked,
    Valid,
    Invalid,
}

/// What the WebPKI says about a chain, for information: DANE does not ask it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WebPkiSeen {
    NotAsked,
    Valid,
    NameMismatch,
    Expired,
    Untrusted,
}

/// A handshake that offered one version, and perhaps one kind of key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct OfferSeen {
    pub(crate) version: VersionSeen,
    /// `None` for all.
    pub(crate) keys: Option<KeySeen>,
    pub(crate) result: OfferResult,
    /// The server's own certificate.
    pub(crate) certificate: Option<CertificateReport>,
    /// Whether the TLSA records, if there are usable ones, verify this certificate as well.
    pub(crate) verified: Option<bool>,
    /// Each published record, and the certificate of this handshake that it matches.
    #[serde(default)]
    pub(crate) published: Vec<PublishedRecord>,
}

impl OfferSeen {
    /// Nothing came of it.
    pub(crate) fn without(version: VersionSeen, keys: Option<KeySeen>, result: OfferResult) -> Self {
        Self {
            version,
            keys,
            result,
            certificate: None,
            verified: None,
            published: Vec::new(),
        }
    }
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum VersionSeen {
    #[serde(rename = "TLSv1.2")]
    Tls12,
    #[serde(rename = "TLSv1.3")]
    Tls13,
}

/// A kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum KeySeen {
    #[serde(rename = "RSA")]
    Rsa,
    #[serde(rename = "ECDSA")]
    Ecdsa,
}

/// What became of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OfferResult {
    /// The server took it.
    Taken,
    /// The server has nothing of the kind.
    Declined,
    /// Nothing is known: the connection failed otherwise.
    Unknown,
    /// The time for the domain was over first.
    NotExamined,
}

/// The MTA-STS policy (RFC 8461).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StsSeen {
    pub(crate) status: StsKind,
    pub(crate) id: Option<String>,
    /// In seconds.
    pub(crate) max_age: Option<u64>,
    /// The hosts that it allows.
    pub(crate) mx: Vec<String>,
    /// MX hosts that it does not allow.
    pub(crate) not_allowed: Vec<String>,
    /// Why the policy is not known.
    pub(crate) reason: Option<String>,
}

impl StsSeen {
    /// Nobody asked.
    pub(crate) fn not_asked() -> Self {
        Self {
            status: StsKind::NotAsked,
            id: None,
            max_age: None,
            mx: Vec::new(),
            not_allowed: Vec::new(),
            reason: None,
        }
    }

    /// Whether certificates are looked at because of it.
    pub(crate) fn is_a_policy(&self) -> bool {
        matches!(self.status, StsKind::Enforce | StsKind::Testing)
    }
}

/// The kinds of MTA-STS policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StsKind {
    NotAsked,
    Absent,
    /// The policy says that there is none any more.
    None,
    Testing,
    Enforce,
    /// The record cannot be looked up.
    LookupFailed,
    /// The record is invalid.
    RecordInvalid,
    /// The policy cannot be fetched, or is none.
    PolicyFailed,
}

/// The TLSRPT record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TlsrptSeen {
    pub(crate) status: TlsrptKind,
    /// The records that begin as one, as they are published.
    pub(crate) records: Vec<String>,
    /// What is wrong with them, or with a place that they name.
    #[serde(default)]
    pub(crate) reason: Option<String>,
}

impl TlsrptSeen {
    /// Nobody asked.
    pub(crate) fn not_asked() -> Self {
        Self {
            status: TlsrptKind::NotAsked,
            records: Vec::new(),
            reason: None,
        }
    }
}

/// The kinds of TLSRPT records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TlsrptKind {
    NotAsked,
    Absent,
    Present,
    /// More than one, which counts as none (RFC 8460 §3).
    Several,
    /// It names no place that a report could be sent to.
    Invalid,
    Failed,
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
        let document = include_str!("../../../../docs/check.md");
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
