//! What a server showed at one address.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::check::outcome::Outcome;
use crate::explain::{CertificateReport, PublishedRecord};

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
