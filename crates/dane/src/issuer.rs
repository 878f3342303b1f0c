//! Who issued a certificate; for tools that make records, and for those that say which records fit.

use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use webpki::{ALL_VERIFICATION_ALGS, RawPublicKeyEntity};

use crate::chain::{MAX_CHAIN, parse};
use crate::der::Fields;
use crate::key::{UnsupportedKey, supported};
use crate::tlsa::{MatchingType, Selector, TlsaRecord, Usage};

/// Whether `issuer` is named as the issuer of `certificate` and signed it (RFC 5280 §6.1.3 (a) (1) and (4)). Dates and
/// constraints are not checked.
///
/// Fails if the named issuer's signatures cannot be verified.
pub fn is_issued_by(
    certificate: &CertificateDer<'_>,
    issuer: &CertificateDer<'_>,
) -> Result<bool, UnsupportedKey> {
    let (Some(fields), Some(by)) = (Fields::read(certificate.as_ref()), Fields::read(issuer.as_ref())) else {
        return Ok(false);
    };
    if fields.issuer != by.subject {
        return Ok(false);
    }
    supported(Some(&by))?;
    Ok(is_signed_with(certificate, by.spki))
}

/// The first certificate of a chain and its issuers among the others, nearest first; of at most 16 certificates. Where a
/// named issuer's signatures cannot be verified, the name is trusted.
pub fn path_of<'a, 'b>(chain: &'a [CertificateDer<'b>]) -> Vec<&'a CertificateDer<'b>> {
    let chain = chain.get(..MAX_CHAIN).unwrap_or(chain);
    let mut path: Vec<&CertificateDer<'_>> = chain.first().into_iter().collect();
    while let Some(&last) = path.last() {
        let issuer = chain
            .iter()
            .find(|other| !path.contains(other) && is_issued_by(last, other).unwrap_or(true));
        match issuer {
            Some(issuer) => path.push(issuer),
            None => break,
        }
    }
    path
}

impl TlsaRecord {
    /// How far above a server's certificate the issuer stands that this record holds whole (`2 0 0`, `2 1 0`): 1 if it issued
    /// the server's own, the first of `path`, and so on. Such an issuer need not be sent (RFC 7671 §5.2.2, §5.2.3). `None` for
    /// any other record, and for the issuer of somebody else.
    pub fn depth_above(&self, path: &[&CertificateDer<'_>]) -> Option<usize> {
        if (self.usage, self.matching) != (Usage::DaneTa, MatchingType::Full) {
            return None;
        }
        let certificate = CertificateDer::from(self.data.as_slice());
        let is_below = |below: &CertificateDer<'_>| match self.selector {
            Selector::Cert => is_issued_by(below, &certificate).unwrap_or(false),
            Selector::Spki => is_signed_with(below, &self.data),
            Selector::Other(_) => false,
        };
        Some(path.iter().position(|below| is_below(below))? + 1)
    }
}

fn is_signed_with(certificate: &CertificateDer<'_>, spki: &[u8]) -> bool {
    let spki = SubjectPublicKeyInfoDer::from(spki);
    let (Ok(key), Ok(parsed)) = (RawPublicKeyEntity::try_from(&spki), parse(certificate)) else {
        return false;
    };
    let signed = parsed.tbs_certificate.as_ref();
    ALL_VERIFICATION_ALGS.iter().any(|algorithm| {
        key.verify_signature(*algorithm, signed, &parsed.signature_value.data)
            .is_ok()
    })
}
