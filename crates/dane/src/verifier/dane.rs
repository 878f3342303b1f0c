//! Authentication by TLSA records.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

use super::pkix::{HostCheck, PkixProof, WebPki};
use super::refusal::Refusal;
use super::shell::{Check, Verifier};
use crate::chain::Match;
use crate::names::ReferenceIdentifiers;
use crate::usability::TlsaSet;
use crate::verify::verify_chain;

/// Verifies one connection by DANE: the chain by the TLSA records, and the handshake's signature.
pub type DaneVerifier = Verifier<DaneCheck>;

/// The TLSA records of a host, the names that count, and the WebPKI where it counts too.
#[derive(Debug)]
pub struct DaneCheck {
    set: Arc<TlsaSet>,
    references: ReferenceIdentifiers,
    webpki: Option<HostCheck>,
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
        let check = DaneCheck {
            set: set.into(),
            references,
            webpki: None,
        };
        Arc::new(Self::of(check, provider.signature_verification_algorithms))
    }

    /// A verifier that also demands the WebPKI for `host`, for an MTA-STS policy in force if the MX records are not secure
    /// (RFC 8461 §2). Both must pass.
    pub fn and_webpki(
        set: impl Into<Arc<TlsaSet>>,
        references: ReferenceIdentifiers,
        webpki: &WebPki,
        host: ServerName<'static>,
    ) -> Arc<Self> {
        let check = DaneCheck {
            set: set.into(),
            references,
            webpki: Some(webpki.for_host(host)),
        };
        Arc::new(Self::of(check, webpki.algorithms()))
    }
}

impl Check for DaneCheck {
    type Finding = Match;
    type Proof = DaneProof;

    fn check(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<Match, Refusal> {
        let matched = verify_chain(&self.set, chain, &self.references, now)?;
        if let Some(webpki) = &self.webpki {
            webpki.verify(chain, now)?;
        }
        Ok(matched)
    }

    fn proven(&self, matched: Match) -> DaneProof {
        DaneProof {
            matched,
            pkix: self.webpki.as_ref().map(|webpki| webpki.proven(())),
        }
    }
}
