//! What a server presented in its handshake, compared with what is published for it.

use dane::{CertificateSummary, MatchingType, Selector, TlsaRecord, TlsaSet, Usage, path_of, supported_key};
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

/// The maximum number of certificates reported from a chain.
const CERTIFICATES: usize = 8;

/// One certificate of the chain, for people and for programs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CertificateReport {
    /// Empty if the certificate cannot be read or has no subject.
    pub(crate) subject: String,
    pub(crate) issuer: String,
    /// The DNS names in it.
    pub(crate) names: Vec<String>,
    /// `None` if the certificate cannot be read, or has an invalid date.
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) not_after: Option<Timestamp>,
    /// Its key, and how its issuer signed it; empty if the certificate cannot be read.
    #[serde(default)]
    pub(crate) key: String,
    #[serde(default)]
    pub(crate) signature: String,
    /// What is weak about them, in words.
    #[serde(default)]
    pub(crate) weak: Option<String>,
    /// Whether it names itself as its issuer.
    #[serde(default)]
    pub(crate) self_issued: bool,
    /// The TLSA record to publish for it, in zone-file form: `3 1 1` for the server's own, `2 0 1` for an issuer's.
    pub(crate) record: Option<String>,
}

/// A published record, and which certificate of the server it matches.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PublishedRecord {
    /// In zone-file form.
    pub(crate) record: String,
    pub(crate) usable: bool,
    /// The position in the chain of the matching certificate, from 0 for the server's own; of an issuer that is not sent, where
    /// it would be.
    pub(crate) matches: Option<usize>,
    /// The record holds that issuer whole (`2 0 0`, `2 1 0`), and the server does not send it (RFC 7671 §5.2.2, §5.2.3).
    #[serde(default)]
    pub(crate) is_from_dns: bool,
}

impl PublishedRecord {
    /// The certificate that it matches, of those that the server sent.
    pub(crate) fn among<'a>(&self, presented: &'a [CertificateReport]) -> Option<&'a CertificateReport> {
        presented.get(self.matches.filter(|_| !self.is_from_dns)?)
    }
}

/// The chain as it was sent, the server's own certificate first.
pub(crate) fn certificates(chain: &[CertificateDer<'_>]) -> Vec<CertificateReport> {
    let numbered = chain.iter().take(CERTIFICATES).enumerate();
    numbered
        .map(|(depth, certificate)| certificate_report(depth, certificate))
        .collect()
}

fn certificate_report(depth: usize, certificate: &CertificateDer<'_>) -> CertificateReport {
    let (usage, selector) = if depth == 0 {
        (Usage::DaneEe, Selector::Spki)
    } else {
        (Usage::DaneTa, Selector::Cert)
    };
    let record = TlsaRecord::for_certificate(usage, selector, MatchingType::Sha256, certificate);
    let summary = CertificateSummary::of(certificate);
    let date = |seconds: i64| Timestamp::from_second(seconds).ok();
    CertificateReport {
        not_before: summary.as_ref().and_then(|summary| date(summary.not_before)),
        not_after: summary.as_ref().and_then(|summary| date(summary.not_after)),
        names: summary
            .as_ref()
            .map_or_else(Vec::new, |summary| summary.names.clone()),
        key: summary
            .as_ref()
            .map_or_else(String::new, |summary| summary.key.clone()),
        signature: summary
            .as_ref()
            .map_or_else(String::new, |summary| summary.signature.clone()),
        weak: weakness(certificate, summary.as_ref()),
        self_issued: summary.as_ref().is_some_and(|summary| summary.is_self_issued),
        issuer: summary
            .as_ref()
            .map_or_else(String::new, |summary| summary.issuer.clone()),
        subject: summary.map_or_else(String::new, |summary| summary.subject),
        record: record.map(|record| record.to_string()),
    }
}

/// Nobody relies on the signature of a certificate by itself.
fn weakness(certificate: &CertificateDer<'_>, summary: Option<&CertificateSummary>) -> Option<String> {
    let signed = summary.filter(|summary| summary.is_weakly_signed && !summary.is_self_issued);
    match (supported_key(certificate), signed) {
        (Err(unsupported), _) => Some(unsupported.to_string()),
        (Ok(()), Some(summary)) => Some(format!("the certificate is signed by {}", summary.signature)),
        (Ok(()), None) => None,
    }
}

/// Each published record, usable or not, with the certificate that it matches.
pub(crate) fn published(set: &TlsaSet, chain: &[CertificateDer<'_>]) -> Vec<PublishedRecord> {
    let usable = set.usable().iter().map(|record| (record, true));
    let outranked = set.outranked().iter().map(|record| (record, false));
    let unusable = set.unusable().iter().map(|(record, _)| (record, false));
    let path = path_of(chain);
    usable
        .chain(outranked)
        .chain(unusable)
        .map(|(record, usable)| {
            let in_chain = record.place_in(chain);
            let from_dns = record.depth_above(&path).filter(|_| in_chain.is_none());
            PublishedRecord {
                record: record.to_string(),
                usable,
                matches: in_chain.or(from_dns),
                is_from_dns: from_dns.is_some(),
            }
        })
        .collect()
}
