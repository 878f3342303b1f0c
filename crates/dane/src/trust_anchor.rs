//! DANE-TA(2): matching records become the trust anchors of a path validation (RFC 7671 §5.2).

use std::cell::Cell;
use std::ptr;

use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, VerifiedPath, anchor_from_trusted_cert};

use crate::chain::{MAX_CHAIN, Match, parse};
use crate::constraints;
use crate::der::spki_contents;
use crate::failure::{Untrusted, VerifyFailure, path_failure};
use crate::names::{CommonName, ReferenceIdentifiers, leaf_matches};
use crate::presented::Presented;
use crate::tlsa::{MatchingType, Selector, TlsaRecord, Usage};

/// What a chain is checked for, besides the records.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub(crate) references: &'a ReferenceIdentifiers,
    pub(crate) now: UnixTime,
}

/// Trust anchors and, at the same index, where each comes from.
#[derive(Default)]
struct Anchors<'a> {
    trusted: Vec<TrustAnchor<'a>>,
    origins: Vec<Origin<'a>>,
    /// A record matched a certificate that cannot be an anchor.
    malformed: bool,
}

#[derive(Clone, Copy)]
struct Origin<'a> {
    record: &'a TlsaRecord,
    source: Source<'a>,
}

/// Where an anchor was found, with its certificate where it has one.
#[derive(Clone, Copy)]
enum Source<'a> {
    /// Sent by the server, and matched by the record.
    Sent(&'a [u8]),
    /// `2 0 0`, in DNS alone.
    Published(&'a [u8]),
    /// `2 1 0`, in DNS alone.
    BareKey,
}

impl<'a> Origin<'a> {
    fn certificate(&self) -> Option<&'a [u8]> {
        match self.source {
            Source::Sent(der) | Source::Published(der) => Some(der),
            Source::BareKey => None,
        }
    }
}

/// Verifies the leaf by the DANE-TA(2) records among `records`. `issuers` are the other certificates sent: only they can
/// match, because usage 2 is about issuers, not about the server's own certificate (RFC 6698 §2.1.1).
pub(crate) fn verify<'a>(
    records: &'a [TlsaRecord],
    leaf: &Presented<'a>,
    issuers: &[Presented<'a>],
    terms: &Terms<'_>,
) -> Result<Match, VerifyFailure> {
    let records: Vec<_> = records
        .iter()
        .filter(|record| record.usage == Usage::DaneTa)
        .collect();
    if records.is_empty() {
        return Err(VerifyFailure::NoMatch);
    }
    if issuers.len() >= MAX_CHAIN {
        return Err(VerifyFailure::Untrusted(Untrusted::TooLong));
    }
    let in_dns: Vec<_> = records
        .iter()
        .filter(|record| is_full(record, Selector::Cert))
        .filter(|record| !issuers.iter().any(|issuer| issuer.matches(record)))
        .map(|record| (*record, CertificateDer::from(record.data.as_slice())))
        .collect();
    let mut anchors = Anchors::default();
    anchors.add_sent(&records, issuers);
    for (record, certificate) in &in_dns {
        anchors.add(record, certificate, Source::Published(certificate.as_ref()));
    }
    anchors.add_bare_keys(&records, leaf, issuers);
    if anchors.trusted.is_empty() {
        return Err(if anchors.malformed {
            VerifyFailure::Untrusted(Untrusted::Malformed)
        } else {
            VerifyFailure::NoMatch
        });
    }
    let sent: Vec<_> = issuers.iter().map(|issuer| issuer.der.clone()).collect();
    verify_path(&anchors, leaf, &sent, terms)
}

fn is_full(record: &TlsaRecord, selector: Selector) -> bool {
    record.matching == MatchingType::Full && record.selector == selector
}

impl<'a> Anchors<'a> {
    /// Certificates of the handshake that a record matches.
    fn add_sent(&mut self, records: &[&'a TlsaRecord], issuers: &[Presented<'a>]) {
        for issuer in issuers {
            if let Some(record) = records.iter().find(|record| issuer.matches(record)) {
                self.add(record, issuer.der, Source::Sent(issuer.der.as_ref()));
            }
        }
    }

    /// A certificate as an anchor, sent or published as `2 0 0` (RFC 7671 §5.2.2: the only kind that works without being
    /// sent).
    fn add(&mut self, record: &'a TlsaRecord, certificate: &'a CertificateDer<'a>, source: Source<'a>) {
        match anchor_from_trusted_cert(certificate) {
            Ok(anchor) => self.push(anchor, Origin { record, source }),
            Err(_) => self.malformed = true,
        }
    }

    /// `2 1 0` keys that no issuer in the chain has. A key has no name, so it is tried as the issuer of each certificate
    /// sent (RFC 7671 §5.2.3).
    fn add_bare_keys(&mut self, records: &[&'a TlsaRecord], leaf: &Presented<'a>, issuers: &[Presented<'a>]) {
        let mut names: Vec<&'a [u8]> = std::iter::once(leaf)
            .chain(issuers)
            .filter_map(|certificate| certificate.fields.map(|fields| fields.issuer))
            .collect();
        names.sort_unstable();
        names.dedup();
        for record in records {
            let sent = issuers.iter().any(|issuer| issuer.matches(record));
            if !is_full(record, Selector::Spki) || sent {
                continue;
            }
            let Some(key) = spki_contents(&record.data) else {
                continue;
            };
            for name in &names {
                let anchor = TrustAnchor {
                    subject: (*name).into(),
                    subject_public_key_info: key.into(),
                    name_constraints: None,
                };
                let source = Source::BareKey;
                self.push(anchor, Origin { record, source });
            }
        }
    }

    fn push(&mut self, anchor: TrustAnchor<'a>, origin: Origin<'a>) {
        self.trusted.push(anchor);
        self.origins.push(origin);
    }

    /// By identity: the path has a reference into our own list, and two anchors may be equal, such as a key alone and the
    /// certificate that has it.
    fn origin_of(&self, anchor: &TrustAnchor<'_>) -> Option<Origin<'a>> {
        self.trusted
            .iter()
            .zip(&self.origins)
            .find(|(trusted, _)| ptr::eq(ptr::from_ref(*trusted).cast(), ptr::from_ref(anchor)))
            .map(|(_, origin)| *origin)
    }

    fn some_sent(&self) -> bool {
        self.origins.iter().any(|origin| match origin.source {
            Source::Sent(_) => true,
            Source::Published(_) | Source::BareKey => false,
        })
    }
}

fn verify_path(
    anchors: &Anchors<'_>,
    leaf: &Presented<'_>,
    sent: &[CertificateDer<'_>],
    terms: &Terms<'_>,
) -> Result<Match, VerifyFailure> {
    let end_entity = EndEntityCert::try_from(leaf.der).map_err(|error| path_failure(&error))?;
    let refused = Cell::new(None);
    let accept = |path: &VerifiedPath<'_>| {
        let certificate = anchors
            .origin_of(path.anchor())
            .and_then(|origin| origin.certificate());
        constraints::check(path, certificate, terms.now).map_err(|failure| {
            refused.set(Some(failure));
            webpki::Error::UnknownIssuer
        })
    };
    let built = end_entity.verify_for_usage(
        ALL_VERIFICATION_ALGS,
        &anchors.trusted,
        sent,
        terms.now,
        KeyUsage::server_auth(),
        None,
        Some(&accept),
    );
    let path = match built {
        Ok(path) => path,
        Err(error) => {
            let failure = refused.get().unwrap_or_else(|| path_failure(&error).into());
            return Err(rank(failure, anchors, leaf, terms));
        }
    };
    let origin = anchors.origin_of(path.anchor()).ok_or(VerifyFailure::NoMatch)?;
    let common_name = if constraints::names_are_constrained(&path, origin.certificate())? {
        CommonName::Ignored
    } else {
        CommonName::Fallback
    };
    let leaf = parse(leaf.der)?;
    let name = leaf_matches(&leaf, terms.references, common_name).ok_or(VerifyFailure::NameMismatch)?;
    Ok(Match {
        record: origin.record.clone(),
        name: Some(name.to_owned()),
        depth: path.intermediate_certificates().count() + 1,
    })
}

/// Chooses the failure to report.
///
/// Anchors that are only in DNS are tried without evidence that they belong to this chain: if nothing links the two, the
/// result is that no record matched. A wrong name comes before a wrong date, because renewing the certificate would not help
/// against a wrong name.
fn rank(
    failure: VerifyFailure,
    anchors: &Anchors<'_>,
    leaf: &Presented<'_>,
    terms: &Terms<'_>,
) -> VerifyFailure {
    match failure {
        VerifyFailure::Untrusted(
            Untrusted::UnknownIssuer | Untrusted::Signature | Untrusted::Unsupported,
        ) if !anchors.some_sent() => VerifyFailure::NoMatch,
        VerifyFailure::Expired | VerifyFailure::NotYetValid => match parse(leaf.der) {
            Ok(parsed) if leaf_matches(&parsed, terms.references, CommonName::Fallback).is_none() => {
                VerifyFailure::NameMismatch
            }
            Ok(_) | Err(_) => failure,
        },
        VerifyFailure::NoMatch
        | VerifyFailure::BadCertificate
        | VerifyFailure::NameMismatch
        | VerifyFailure::Untrusted(_)
        | VerifyFailure::UnsupportedKey(_) => failure,
    }
}
