//! Handshakes that offer little, each of which shows one thing that a server can do: a version of TLS, a kind of key.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};

use crate::version::TlsVersion;

/// What is offered, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// One version.
    pub version: TlsVersion,
    /// Signatures by keys of one kind; `None` for all.
    pub keys: Option<KeyKind>,
}

/// A kind of key that a server signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA.
    Rsa,
    /// ECDSA.
    Ecdsa,
}

impl KeyKind {
    fn signs(self, scheme: SignatureScheme) -> bool {
        match self {
            Self::Rsa => matches!(
                scheme,
                SignatureScheme::RSA_PSS_SHA256
                    | SignatureScheme::RSA_PSS_SHA384
                    | SignatureScheme::RSA_PSS_SHA512
                    | SignatureScheme::RSA_PKCS1_SHA256
                    | SignatureScheme::RSA_PKCS1_SHA384
                    | SignatureScheme::RSA_PKCS1_SHA512
                    | SignatureScheme::RSA_PKCS1_SHA1
            ),
            Self::Ecdsa => matches!(
                scheme,
                SignatureScheme::ECDSA_NISTP256_SHA256
                    | SignatureScheme::ECDSA_NISTP384_SHA384
                    | SignatureScheme::ECDSA_NISTP521_SHA512
                    | SignatureScheme::ECDSA_SHA1_Legacy
            ),
        }
    }
}

impl Offer {
    /// The verifier, which accepts no more than it did, but offers fewer schemes.
    pub(crate) fn verifier(self, verifier: Arc<dyn ServerCertVerifier>) -> Arc<dyn ServerCertVerifier> {
        match self.keys {
            None => verifier,
            Some(keys) => Arc::new(Narrowed { verifier, keys }),
        }
    }
}

/// A verifier that takes signatures by one kind of key.
#[derive(Debug)]
struct Narrowed {
    verifier: Arc<dyn ServerCertVerifier>,
    keys: KeyKind,
}

impl ServerCertVerifier for Narrowed {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verifier
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let all = self.verifier.supported_verify_schemes();
        all.into_iter()
            .filter(|scheme| self.keys.signs(*scheme))
            .collect()
    }
}
