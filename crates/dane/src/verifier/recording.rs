//! Encryption without authentication, with a record of what was seen.
#![allow(
    clippy::disallowed_types,
    reason = "a crate for locks is not worth a dependency of this one"
)]

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};

use super::pkix::{HostCheck, WebPki};
use crate::chain::whole_chain;
use crate::code::VerifyCode;
use crate::failure::PkixFailure;

/// Accepts any server: for opportunistic TLS (RFC 7435) and for TLSA RRsets without usable records (RFC 7672 §2.2). It never
/// gives a proof.
///
/// Handshake signatures are not verified, and SHA-1 schemes are offered after all others: an attacker in the middle could
/// present a certificate of their own anyway, and refusing a handshake here would mean clear text, not more security.
#[derive(Debug)]
pub struct RecordingVerifier {
    schemes: Vec<SignatureScheme>,
    webpki: Option<HostCheck>,
    observed: Mutex<Option<Observed>>,
}

/// What an unauthenticated handshake showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The certificates, leaf first, as sent; nothing was required of them.
    pub chain: Vec<CertificateDer<'static>>,
    /// What the WebPKI would have said about the chain and the host name.
    pub webpki: WebPkiVerdict,
}

/// What the WebPKI says about a chain and a host name that nothing depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebPkiVerdict {
    /// It was not asked: no roots are trusted, or no certificate can have the name.
    NotAsked,
    /// The chain is valid for the name.
    Valid,
    /// It is not.
    Invalid(PkixFailure),
}

impl WebPkiVerdict {
    /// As OpenSSL's number and text, if it was asked.
    pub fn code(self) -> Option<VerifyCode> {
        match self {
            Self::NotAsked => None,
            Self::Valid => Some(VerifyCode::OK),
            Self::Invalid(failure) => Some(failure.code()),
        }
    }
}

impl From<Result<(), PkixFailure>> for WebPkiVerdict {
    fn from(checked: Result<(), PkixFailure>) -> Self {
        match checked {
            Ok(()) => Self::Valid,
            Err(failure) => Self::Invalid(failure),
        }
    }
}

impl RecordingVerifier {
    /// A verifier for one connection that records the chain.
    pub fn new(provider: &CryptoProvider) -> Arc<Self> {
        Self::build(provider, None)
    }

    /// Like [`RecordingVerifier::new`], but also notes what the WebPKI would have said for `host`.
    pub fn with_webpki(provider: &CryptoProvider, webpki: &WebPki, host: ServerName<'static>) -> Arc<Self> {
        Self::build(provider, Some(webpki.for_host(host)))
    }

    fn build(provider: &CryptoProvider, webpki: Option<HostCheck>) -> Arc<Self> {
        let mut schemes = provider.signature_verification_algorithms.supported_schemes();
        schemes.extend([
            SignatureScheme::RSA_PKCS1_SHA1,
            SignatureScheme::ECDSA_SHA1_Legacy,
        ]);
        Arc::new(Self {
            schemes,
            webpki,
            observed: Mutex::new(None),
        })
    }

    /// What was seen; `None` if the handshake did not get as far as the certificates.
    pub fn observed(&self) -> Option<Observed> {
        self.observed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl ServerCertVerifier for RecordingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = whole_chain(end_entity, intermediates);
        let seen = Observed {
            webpki: match &self.webpki {
                Some(check) => check.verify(&chain, now).into(),
                None => WebPkiVerdict::NotAsked,
            },
            chain: chain.into_iter().map(CertificateDer::into_owned).collect(),
        };
        *self.observed.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}
