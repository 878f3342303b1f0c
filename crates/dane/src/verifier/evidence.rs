//! What a handshake has shown so far, and when that amounts to a proof.
#![allow(
    clippy::disallowed_types,
    reason = "a crate for locks is not worth a dependency of this one"
)]

use std::sync::{Mutex, MutexGuard, PoisonError};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::CertificateDer;
use rustls::{
    CertificateError, ClientConnection, DigitallySignedStruct, Error, HandshakeKind, OtherError,
    SignatureScheme,
};

use super::refusal::Refusal;
use crate::handshake;

/// The states of a handshake: `Nothing` → `Chain` → `Signed` → `Given`, or `Refused` from any of the first
/// two.
#[derive(Debug)]
enum State<T> {
    Nothing,
    /// The chain was accepted; the server has not yet shown that the key is its own.
    Chain(CertificateDer<'static>, T),
    /// The handshake's signature was verified as well.
    Signed(CertificateDer<'static>, T),
    /// The proof was handed out.
    Given,
    /// With what the server showed.
    Refused(Refusal, Vec<CertificateDer<'static>>),
}

/// Collects the two checks of a handshake. Shared between rustls, which reports them, and the caller, who
/// takes the result.
#[derive(Debug)]
pub(super) struct Evidence<T> {
    algorithms: WebPkiSupportedAlgorithms,
    state: Mutex<State<T>>,
}

impl<T> Evidence<T> {
    /// Signatures are checked by these algorithms.
    pub(super) fn new(algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self {
            algorithms,
            state: Mutex::new(State::Nothing),
        }
    }

    /// What is offered to servers.
    pub(super) fn schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }

    /// The signature of a TLS 1.2 handshake.
    pub(super) fn tls12(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verdict = handshake::verify_tls12(message, leaf, signed, &self.algorithms);
        self.signature(leaf, verdict)
    }

    /// The signature of a TLS 1.3 handshake.
    pub(super) fn tls13(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verdict = handshake::verify_tls13(message, leaf, signed, &self.algorithms);
        self.signature(leaf, verdict)
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The verdict on the chain. Only the first one counts: a verifier is for a single connection.
    pub(super) fn chain(
        &self,
        chain: &[CertificateDer<'_>],
        verdict: Result<T, Refusal>,
    ) -> Result<(), Error> {
        let mut state = self.state();
        let State::Nothing = *state else {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        };
        match (verdict, chain.first()) {
            (Ok(finding), Some(leaf)) => {
                *state = State::Chain(leaf.clone().into_owned(), finding);
                Ok(())
            }
            // A chain without a certificate is never accepted.
            (Ok(_), None) => Err(CertificateError::ApplicationVerificationFailure.into()),
            (Err(refusal), _) => {
                let shown = chain.iter().map(|certificate| certificate.clone().into_owned());
                *state = State::Refused(refusal, shown.collect());
                Err(CertificateError::Other(OtherError(std::sync::Arc::new(refusal))).into())
            }
        }
    }

    /// The verdict on the handshake's signature by `leaf`, which must be the certificate that was accepted.
    fn signature(
        &self,
        leaf: &CertificateDer<'_>,
        verdict: Result<HandshakeSignatureValid, Error>,
    ) -> Result<HandshakeSignatureValid, Error> {
        let mut state = self.state();
        let own = || vec![leaf.clone().into_owned()];
        let valid = verdict.inspect_err(|_| *state = State::Refused(Refusal::Signature, own()))?;
        *state = match std::mem::replace(&mut *state, State::Given) {
            State::Chain(accepted, finding) if accepted == *leaf => State::Signed(accepted, finding),
            State::Chain(..) | State::Nothing | State::Signed(..) | State::Given => {
                *state = State::Refused(Refusal::Signature, own());
                return Err(CertificateError::ApplicationVerificationFailure.into());
            }
            State::Refused(refusal, shown) => {
                *state = State::Refused(refusal, shown);
                return Err(CertificateError::ApplicationVerificationFailure.into());
            }
        };
        Ok(valid)
    }

    /// Takes the finding, once, if both checks passed and `connection` is a completed full handshake with the certificate
    /// that was checked. A resumed session was not checked, whatever it resumes.
    pub(super) fn take(&self, connection: &ClientConnection) -> Option<T> {
        let full = match connection.handshake_kind()? {
            HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest => true,
            HandshakeKind::Resumed => false,
        };
        let peer = connection.peer_certificates()?.first()?;
        let mut state = self.state();
        match std::mem::replace(&mut *state, State::Given) {
            State::Signed(leaf, finding) if full && !connection.is_handshaking() && leaf == *peer => {
                Some(finding)
            }
            other => {
                *state = other;
                None
            }
        }
    }

    pub(super) fn refusal(&self) -> Option<Refusal> {
        match *self.state() {
            State::Refused(refusal, _) => Some(refusal),
            State::Nothing | State::Chain(..) | State::Signed(..) | State::Given => None,
        }
    }

    /// The certificates of a refused server.
    pub(super) fn refused(&self) -> Vec<CertificateDer<'static>> {
        match &*self.state() {
            State::Refused(_, shown) => shown.clone(),
            State::Nothing | State::Chain(..) | State::Signed(..) | State::Given => Vec::new(),
        }
    }
}
