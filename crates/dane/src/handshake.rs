//! The handshake's signature, checked with the bare key of the server's certificate.
//!
//! The rest of the certificate is not checked again: under DANE-EE(3) it may be of a kind that a certificate parser refuses
//! (RFC 7671 §5.1). A correct chain with the wrong private key fails here.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use rustls::{CertificateError, DigitallySignedStruct, Error, PeerMisbehaved};
use webpki::RawPublicKeyEntity;

use crate::der::Fields;

/// Verifies the TLS 1.3 `CertificateVerify` signature.
pub(crate) fn verify_tls13(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let key = key_of(certificate)?;
    verify_tls13_signature_with_raw_key(message, &key, signed, algorithms)
}

/// Verifies the TLS 1.2 `ServerKeyExchange` signature.
///
/// In TLS 1.2 an ECDSA scheme does not name the curve (RFC 8446 §4.2.3), so each algorithm that the provider has for the
/// scheme is tried until one fits the key.
pub(crate) fn verify_tls12(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let key = key_of(certificate)?;
    let entity = RawPublicKeyEntity::try_from(&key).map_err(|_| bad_encoding())?;
    let (_, candidates) = algorithms
        .mapping
        .iter()
        .find(|(scheme, _)| *scheme == signed.scheme)
        .ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
    for algorithm in *candidates {
        match entity.verify_signature(*algorithm, message, signed.signature()) {
            Ok(()) => return Ok(HandshakeSignatureValid::assertion()),
            Err(webpki::Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_)) => {}
            Err(_) => break,
        }
    }
    Err(CertificateError::BadSignature.into())
}

fn key_of<'a>(certificate: &'a CertificateDer<'_>) -> Result<SubjectPublicKeyInfoDer<'a>, Error> {
    let fields = Fields::read(certificate.as_ref()).ok_or_else(bad_encoding)?;
    Ok(SubjectPublicKeyInfoDer::from(fields.spki))
}

fn bad_encoding() -> Error {
    CertificateError::BadEncoding.into()
}
