//! What the verifiers that give a proof have in common: everything but what they check a chain for.

use std::fmt::Debug;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConnection, DigitallySignedStruct, Error, SignatureScheme};

use super::evidence::Evidence;
use super::refusal::Refusal;
use crate::chain::whole_chain;

/// What a chain is checked for.
pub trait Check: Debug + Send + Sync {
    /// What it finds in a chain that passes.
    type Finding: Debug + Send;
    /// Proof that it passed, and that the server has the key.
    type Proof;

    /// Checks a chain, leaf first.
    fn check(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<Self::Finding, Refusal>;

    /// The proof of what was found.
    fn proven(&self, finding: Self::Finding) -> Self::Proof;
}

/// Verifies one connection: the chain by a check, and the handshake's signature.
#[derive(Debug)]
pub struct Verifier<C: Check> {
    check: C,
    evidence: Evidence<C::Finding>,
}

impl<C: Check> Verifier<C> {
    pub(super) fn of(check: C, algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self {
            check,
            evidence: Evidence::new(algorithms),
        }
    }

    /// The proof, once, after the handshake of `connection` is complete. `None` before that, after a
    /// failure, for another connection and at the second call.
    pub fn proof(&self, connection: &ClientConnection) -> Option<C::Proof> {
        let finding = self.evidence.take(connection)?;
        Some(self.check.proven(finding))
    }

    /// Why this verifier refused the server, if it did.
    pub fn refusal(&self) -> Option<Refusal> {
        self.evidence.refusal()
    }

    /// The certificates of a refused server, leaf first; only its own if its key did not sign the handshake.
    pub fn refused(&self) -> Vec<CertificateDer<'static>> {
        self.evidence.refused()
    }
}

impl<C: Check> ServerCertVerifier for Verifier<C> {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = whole_chain(end_entity, intermediates);
        self.evidence.chain(&chain, self.check.check(&chain, now))?;
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
