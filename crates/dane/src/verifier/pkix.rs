//! Authentication by the WebPKI for a host name, as MTA-STS demands it (RFC 8461 §4.1).

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use super::refusal::Refusal;
use super::shell::{Check, Verifier};
use crate::chain::MAX_CHAIN;
use crate::der::Fields;
use crate::failure::{PkixFailure, Untrusted, path_failure};
use crate::key::supported_key;

/// The trusted roots. Made once per root store, cheap to clone.
#[derive(Clone, Debug)]
pub struct WebPki {
    roots: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// There is nothing to trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebPkiSetupError {
    /// The root store is empty.
    #[error("no WebPKI root certificates")]
    NoRoots,
}

/// Verifies one connection by the WebPKI: the chain up to a trusted root, the host name, and the
/// handshake's signature.
pub type PkixVerifier = Verifier<HostCheck>;

/// Proof that a server was authenticated by the WebPKI. Only this crate makes it.
#[derive(Debug, PartialEq, Eq)]
pub struct PkixProof {
    host: ServerName<'static>,
}

impl PkixProof {
    /// The name that the certificate was verified for.
    pub fn host(&self) -> &ServerName<'static> {
        &self.host
    }
}

/// One host name to be checked under the trusted roots.
#[derive(Debug)]
pub struct HostCheck {
    webpki: WebPki,
    host: ServerName<'static>,
}

impl WebPki {
    /// Trusts these roots, with the signature algorithms of `provider`.
    pub fn new(roots: Arc<RootCertStore>, provider: &CryptoProvider) -> Result<Self, WebPkiSetupError> {
        if roots.is_empty() {
            return Err(WebPkiSetupError::NoRoots);
        }
        Ok(Self {
            roots,
            algorithms: provider.signature_verification_algorithms,
        })
    }

    /// Checks a chain, leaf first, for a host name at the time `now` (RFC 5280 §6, RFC 6125). Revocation is
    /// not checked.
    pub fn verify_chain(
        &self,
        chain: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), PkixFailure> {
        let Some((leaf, intermediates)) = chain.split_first() else {
            return Err(PkixFailure::Untrusted(Untrusted::Malformed));
        };
        if chain.len() > MAX_CHAIN {
            return Err(PkixFailure::Untrusted(Untrusted::TooLong));
        }
        let end_entity = EndEntityCert::try_from(leaf).map_err(|e| self_signed_or(&e, chain))?;
        let path = end_entity.verify_for_usage(
            self.algorithms.all,
            &self.roots.roots,
            intermediates,
            now,
            KeyUsage::server_auth(),
            None,
            None,
        );
        let name = end_entity.verify_is_valid_for_subject_name(host);
        match (path, name) {
            (Ok(_), Err(error)) => Err(path_failure(&error)),
            (Ok(_), Ok(())) => supported_key(leaf).map_err(PkixFailure::UnsupportedKey),
            (Err(error), name) => Err(match self_signed_or(&error, chain) {
                // Renewing would not help against a wrong name.
                PkixFailure::Expired | PkixFailure::NotYetValid if name.is_err() => PkixFailure::NameMismatch,
                failure => failure,
            }),
        }
    }

    pub(super) fn algorithms(&self) -> WebPkiSupportedAlgorithms {
        self.algorithms
    }

    pub(super) fn for_host(&self, host: ServerName<'static>) -> HostCheck {
        HostCheck {
            webpki: self.clone(),
            host,
        }
    }
}

/// Distinguishes self-signed certificates from other untrusted ones, as OpenSSL's numbers do.
fn self_signed_or(error: &webpki::Error, chain: &[CertificateDer<'_>]) -> PkixFailure {
    let self_issued = |certificate: &CertificateDer<'_>| {
        Fields::read(certificate.as_ref()).is_some_and(|fields| fields.issuer == fields.subject)
    };
    if chain.first().is_some_and(self_issued) {
        return PkixFailure::Untrusted(Untrusted::SelfSigned);
    }
    match path_failure(error) {
        PkixFailure::Untrusted(Untrusted::UnknownIssuer) if chain.last().is_some_and(self_issued) => {
            PkixFailure::Untrusted(Untrusted::SelfSignedInChain)
        }
        failure => failure,
    }
}

impl HostCheck {
    pub(super) fn verify(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<(), PkixFailure> {
        self.webpki.verify_chain(chain, &self.host, now)
    }
}

impl Check for HostCheck {
    type Finding = ();
    type Proof = PkixProof;

    fn check(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<(), Refusal> {
        Ok(self.verify(chain, now)?)
    }

    fn proven(&self, (): ()) -> PkixProof {
        PkixProof {
            host: self.host.clone(),
        }
    }
}

impl PkixVerifier {
    /// A verifier for one connection to `host`.
    pub fn new(webpki: &WebPki, host: ServerName<'static>) -> Arc<Self> {
        Arc::new(Self::of(webpki.for_host(host), webpki.algorithms()))
    }
}
