//! Certificates from PEM files.

use std::path::Path;

use dane::{MatchingType, Selector, TlsaRecord, Usage};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};

use super::InputError;

/// What some editors put in front of a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// The first octet of a certificate in DER: a SEQUENCE.
const DER: u8 = 0x30;
/// OpenSSL's format for a certificate with the purposes for which it is trusted.
const TRUSTED: &[u8] = b"-----BEGIN TRUSTED CERTIFICATE-----";
/// The label of RFC 7468 §5.1, and an older one for the same contents.
const LABELS: [(&[u8], &[u8]); 2] = [
    (
        b"-----BEGIN X509 CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----",
    ),
    (b"-----END X509 CERTIFICATE-----", b"-----END CERTIFICATE-----"),
];

/// The certificates of a PEM file, in its order; at least one. Other blocks, such as private keys, are skipped.
pub(super) fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, InputError> {
    let broken = |cause| InputError::Pem {
        path: path.to_owned(),
        cause,
    };
    let octets = std::fs::read(path).map_err(|error| broken(pem::Error::Io(error)))?;
    let text = plain(&octets);
    if text.windows(TRUSTED.len()).any(|window| window == TRUSTED) {
        return Err(InputError::Trusted {
            path: path.to_owned(),
        });
    }
    let blocks = CertificateDer::pem_slice_iter(&text);
    let certificates = blocks.collect::<Result<Vec<_>, _>>().map_err(broken)?;
    if let Some(at) = certificates.iter().position(|certificate| !has_key(certificate)) {
        return Err(InputError::Certificate {
            path: path.to_owned(),
            number: at.saturating_add(1),
        });
    }
    match (certificates.is_empty(), octets.first()) {
        (false, _) => Ok(certificates),
        (true, Some(&DER)) => Err(InputError::Der {
            path: path.to_owned(),
        }),
        (true, _) => Err(InputError::NoCertificate {
            path: path.to_owned(),
        }),
    }
}

/// The text without a byte order mark and with the usual label for each certificate.
fn plain(octets: &[u8]) -> Vec<u8> {
    let octets = octets.strip_prefix(BYTE_ORDER_MARK).unwrap_or(octets);
    let lines = octets.split_inclusive(|octet| *octet == b'\n').map(|line| {
        let older = LABELS.iter().find(|(older, _)| line.starts_with(older));
        older.map_or_else(
            || line.to_vec(),
            |(older, usual)| [usual, line.get(older.len()..).unwrap_or_default()].concat(),
        )
    });
    lines.collect::<Vec<_>>().concat()
}

/// Whether it is structured like a certificate: any octets have a digest, but only a certificate has a key.
fn has_key(certificate: &CertificateDer<'_>) -> bool {
    TlsaRecord::for_certificate(Usage::DaneEe, Selector::Spki, MatchingType::Sha256, certificate).is_some()
}
