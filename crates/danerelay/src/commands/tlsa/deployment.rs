//! Whether a new certificate can be installed: from what is published and its chain alone.

use std::collections::BTreeMap;

use dane::{
    Match, MatchingType, ReferenceIdentifiers, Selector, TlsaRecord, TlsaSet, Usage, VerifyFailure, path_of,
    supported_key, verify_chain,
};
use mail::Domain;
use rustls::pki_types::{CertificateDer, UnixTime};

use super::InputError;

/// What installing a chain would mean for senders that verify it.
#[derive(Debug)]
pub(super) enum Advice {
    /// A published record matches.
    Fits(Match),
    /// No record can be used: any certificate will do.
    Free,
    /// Senders would refuse the server.
    PublishFirst {
        /// Why.
        reason: VerifyFailure,
        /// What has to be published before, beside what is there.
        records: Vec<TlsaRecord>,
    },
    /// Senders would refuse the server whatever is published: the reason.
    Unfit(String),
}

/// The names and the time with which a chain is checked.
pub(super) struct Terms<'a> {
    pub(super) references: &'a ReferenceIdentifiers,
    pub(super) now: UnixTime,
}

impl Terms<'_> {
    /// The record that authenticates the chain.
    pub(super) fn check(&self, set: &TlsaSet, chain: &[CertificateDer<'_>]) -> Result<Match, VerifyFailure> {
        verify_chain(set, chain, self.references, self.now)
    }
}

/// The names that a certificate may bear under a trust anchor: the TLSA base domain, and others.
pub(super) fn references(base: &Domain, others: &[Domain]) -> Result<ReferenceIdentifiers, InputError> {
    let mut references = ReferenceIdentifiers::new(base.as_str())?;
    for name in others {
        references = references.and(name.as_str())?;
    }
    Ok(references)
}

/// What the published records mean for a new chain.
pub(super) fn advise(set: &TlsaSet, chain: &[CertificateDer<'_>], terms: &Terms<'_>) -> Advice {
    let own_key = chain.first().map(supported_key);
    if let Some(Err(reason)) = own_key {
        return Advice::Unfit(reason.to_string());
    }
    if !set.is_usable() {
        return Advice::Free;
    }
    match terms.check(set, chain) {
        Ok(found) => Advice::Fits(found),
        Err(reason) => Advice::PublishFirst {
            records: proposed(set, chain, terms),
            reason,
        },
    }
}

/// The records with which the chain would be verified, in the forms that are in use; others would be passed over for a
/// stronger digest (RFC 7671 §9).
fn proposed(set: &TlsaSet, chain: &[CertificateDer<'_>], terms: &Terms<'_>) -> Vec<TlsaRecord> {
    let Some(own) = chain.first() else {
        return Vec::new();
    };
    let mut records = made(&forms(set, Usage::DaneEe), Usage::DaneEe, own);
    if let [_, .., issuer] = path_of(chain).as_slice() {
        let of_issuer = made(&forms(set, Usage::DaneTa), Usage::DaneTa, issuer);
        // Its certificate must also bear the name, and be in date.
        if terms.check(&TlsaSet::new(of_issuer.clone()), chain).is_ok() {
            records.extend(of_issuer);
        }
    }
    if records.is_empty() {
        let usual = BTreeMap::from([(Selector::Spki, MatchingType::Sha256)]);
        records = made(&usual, Usage::DaneEe, own);
    }
    records.retain(|record| !set.usable().contains(record));
    records
}

/// The selectors in use for a usage, each with its strongest digest.
fn forms(set: &TlsaSet, usage: Usage) -> BTreeMap<Selector, MatchingType> {
    let mut forms = BTreeMap::new();
    for record in set.usable().iter().filter(|record| record.usage == usage) {
        // Whole certificates and keys are matched, too, beside any digest.
        let digest = record.matching.max(MatchingType::Sha256);
        let strongest = forms.entry(record.selector).or_insert(digest);
        *strongest = digest.max(*strongest);
    }
    forms
}

fn made(
    forms: &BTreeMap<Selector, MatchingType>,
    usage: Usage,
    certificate: &CertificateDer<'_>,
) -> Vec<TlsaRecord> {
    let records = forms
        .iter()
        .map(|(selector, digest)| TlsaRecord::for_certificate(usage, *selector, *digest, certificate));
    records.flatten().collect()
}
