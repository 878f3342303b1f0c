//! Authentication by TLSA records.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConnection, DigitallySignedStruct, Error, SignatureScheme};

use super::evidence::Evidence;
use super::pkix::{HostCheck, PkixProof, PkixVerifier, WebPki};
use super::refusal::Refusal;
use crate::chain::{Match, whole_chain};
use crate::names::ReferenceIdentifiers;
use crate::usability::TlsaSet;
use crate::verify::verify_chain;

/// Verifies one connection by DANE: the chain by the TLSA records, and the handshake's signature.
#[derive(Debug)]
pub struct DaneVerifier {
    set: Arc<TlsaSet>,
    references: ReferenceIdentifiers,
    webpki: Option<HostCheck>,
    evidence: Evidence<Match>,
}

/// Proof that a server was authenticated by DANE. Only [`DaneVerifier::proof`] makes it.
#[derive(Debug, PartialEq, Eq)]
pub struct DaneProof {
    matched: Match,
    pkix: Option<PkixProof>,
}

impl DaneProof {
    /// The record that matched, and its position.
    pub fn matched(&self) -> &Match {
        &self.matched
    }

    /// The WebPKI proof, if the verifier was made with [`DaneVerifier::and_webpki`].
    pub fn pkix(&self) -> Option<&PkixProof> {
        self.pkix.as_ref()
    }
}

impl DaneVerifier {
    /// A verifier for one connection. A set without usable records refuses every server.
    pub fn new(
        set: impl Into<Arc<TlsaSet>>,
        references: ReferenceIdentifiers,
        provider: &CryptoProvider,
    ) -> Arc<Self> {
        Arc::new(Self {
            set: set.into(),
            references,
            webpki: None,
            evidence: Evidence::new(provider.signature_verification_algorithms),
        })
    }

    /// A verifier that also demands the WebPKI for `host`, for an MTA-STS policy in force if the MX records are not secure
    /// (RFC 8461 §2). Both must pass.
    pub fn and_webpki(
        set: impl Into<Arc<TlsaSet>>,
        references: ReferenceIdentifiers,
        webpki: &WebPki,
        host: ServerName<'static>,
    ) -> Arc<Self> {
        Arc::new(Self {
            set: set.into(),
            references,
            evidence: Evidence::new(webpki.algorithms()),
            webpki: Some(webpki.for_host(host)),
        })
    }

    /// The proof, once, after the handshake of `connection` is complete. `None` before that, after a
    /// failure, for another connection and at the second call.
    pub fn proof(&self, connection: &ClientConnection) -> Option<DaneProof> {
        let matched = self.evidence.take(connection)?;
        Some(DaneProof {
            matched,
            pkix: self
                .webpki
                .as_ref()
                .map(|check| PkixVerifier::proven(check.host())),
        })
    }

    /// Why this verifier refused the server, if it did.
    pub fn refusal(&self) -> Option<Refusal> {
        self.evidence.refusal()
    }

    /// The certificates of a refused server, leaf first; only its own if its key did not sign the handshake.
    pub fn refused(&self) -> Vec<CertificateDer<'static>> {
        self.evidence.refused()
    }

    fn check(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<Match, Refusal> {
        let matched = verify_chain(&self.set, chain, &self.references, now)?;
        if let Some(check) = &self.webpki {
            check.verify(chain, now)?;
        }
        Ok(matched)
    }
}

impl ServerCertVerifier for DaneVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = whole_chain(end_entity, intermediates);
        self.evidence.chain(&chain, self.check(&chain, now))?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.evidence.tls12(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.evidence.tls13(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.evidence.schemes()
    }
}
