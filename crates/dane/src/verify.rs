//! The verdict: does a chain satisfy a TLSA RRset?

use rustls::pki_types::{CertificateDer, UnixTime};

use crate::chain::Match;
use crate::failure::VerifyFailure;
use crate::key;
use crate::names::ReferenceIdentifiers;
use crate::presented::Presented;
use crate::tlsa::Usage;
use crate::trust_anchor;
use crate::usability::TlsaSet;

/// Checks a server's certificate chain, leaf first, against the usable records of `set` at the time `now`.
///
/// DANE-EE(3) records are tried first, against the leaf alone: names, dates, extensions and issuers do not matter (RFC 7672
/// §3.1.1). Failing that, DANE-TA(2) records provide the trust anchors of an otherwise normal path validation, names
/// included (RFC 7672 §3.1.2, §3.2.2). One matching record is enough.
///
/// The leaf's key must be one that a handshake can be signed with ([`crate::supported_key`]), under DANE-EE(3) too; a server
/// with any other key is never authenticated.
///
/// This says nothing about who holds the private key: the handshake's signature shows that, and
/// [`crate::DaneVerifier`] checks both.
pub fn verify_chain(
    set: &TlsaSet,
    chain: &[CertificateDer<'_>],
    references: &ReferenceIdentifiers,
    now: UnixTime,
) -> Result<Match, VerifyFailure> {
    let Some((leaf, others)) = chain.split_first() else {
        return Err(VerifyFailure::BadCertificate);
    };
    // Even if sent a second time, the leaf is not its own issuer.
    let issuers: Vec<_> = others
        .iter()
        .filter(|certificate| *certificate != leaf)
        .map(Presented::new)
        .collect();
    let leaf = Presented::new(leaf);
    let own = set
        .usable()
        .iter()
        .filter(|record| record.usage == Usage::DaneEe)
        .find(|record| leaf.matches(record));
    let found = match own {
        Some(record) => Match {
            record: record.clone(),
            depth: 0,
            name: None,
        },
        None if leaf.fields.is_none() => return Err(VerifyFailure::BadCertificate),
        None => {
            let terms = trust_anchor::Terms { references, now };
            trust_anchor::verify(set.usable(), &leaf, &issuers, &terms)?
        }
    };
    key::supported(leaf.fields.as_ref()).map_err(VerifyFailure::UnsupportedKey)?;
    Ok(found)
}
