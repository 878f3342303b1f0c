//! How a server behaves: its name, what it offers and what it does wrong.

use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};

use super::fault::MailFault;
use super::identity::Identity;
use crate::WorldError;

/// When TLS begins, where there is any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TlsBegins {
    /// With STARTTLS.
    WhenAsked,
    /// With the first octet (RFC 8314 §3.3).
    AtOnce,
}

/// How a server behaves towards connections from now on.
#[derive(Clone)]
pub(super) struct Behaviour {
    pub(super) hostname: String,
    pub(super) extensions: Vec<String>,
    /// Name and password of the user that may log in.
    pub(super) user: Option<(String, String)>,
    pub(super) identity: Option<Identity>,
    /// For clients that cannot use the first.
    pub(super) other_identity: Option<Identity>,
    pub(super) tls: TlsBegins,
    pub(super) faults: Vec<MailFault>,
}

impl Behaviour {
    /// The TLS side; `None` without an identity. The key is not compared with the certificate, because some faults need a
    /// mismatch.
    pub(super) fn tls_config(&self) -> Result<Option<Arc<ServerConfig>>, WorldError> {
        let Some(identity) = &self.identity else {
            return Ok(None);
        };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut keys = Vec::new();
        for identity in [identity].into_iter().chain(&self.other_identity) {
            let key = provider.key_provider.load_private_key(identity.private_key())?;
            keys.push(Arc::new(CertifiedKey::new(identity.chain().to_vec(), key)));
        }
        let resolver: Arc<dyn ResolvesServerCert> = Arc::new(ByScheme(keys));
        let versions = if self.faults.contains(&MailFault::Tls12Only) {
            vec![&TLS12]
        } else if self.faults.contains(&MailFault::Tls13Only) {
            vec![&TLS13]
        } else {
            vec![&TLS13, &TLS12]
        };
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        Ok(Some(Arc::new(config)))
    }
}

/// The first key that can sign for the client; if none can, the first, and the handshake fails.
#[derive(Debug)]
struct ByScheme(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for ByScheme {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        let mut keys = self.0.iter();
        let fitting = keys.find(|certified| certified.key.choose_scheme(schemes).is_some());
        fitting.or(self.0.first()).cloned()
    }
}
