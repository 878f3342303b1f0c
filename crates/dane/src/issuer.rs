//! Who issued a certificate; for tools that make records.

use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use webpki::{ALL_VERIFICATION_ALGS, RawPublicKeyEntity};

use crate::chain::parse;
use crate::der::Fields;
use crate::key::{UnsupportedKey, supported};

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
