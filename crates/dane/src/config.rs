//! Client configurations: one prepared base, and a cheap copy for each connection.
//!
//! A resumed session never calls a verifier, so resumption is off in every configuration made here; and since all
//! configurations come from here, no caller can forget to switch it off.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::pki_types::ServerName;
use rustls::{CipherSuite, ClientConfig, RootCertStore};

use crate::names::InvalidName;
use crate::narrow::Offer;
use crate::verifier::{DaneVerifier, PkixVerifier, RecordingVerifier};
use crate::version::TlsVersion;

/// A key exchange group to offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// X25519 with ML-KEM-768, hybrid post-quantum. Makes the `ClientHello` about 1.2 KB larger.
    X25519MlKem768,
    /// X25519.
    X25519,
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
}

/// A group name that is not one of `X25519MLKEM768`, `X25519`, `P-256`, `P-384`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown key exchange group {0:?}: X25519MLKEM768, X25519, P-256 and P-384 are known")]
pub struct UnknownGroup(pub String);

impl FromStr for Group {
    type Err = UnknownGroup;

    fn from_str(name: &str) -> Result<Self, UnknownGroup> {
        match name {
            "X25519MLKEM768" => Ok(Self::X25519MlKem768),
            "X25519" => Ok(Self::X25519),
            "P-256" => Ok(Self::P256),
            "P-384" => Ok(Self::P384),
            other => Err(UnknownGroup(other.to_owned())),
        }
    }
}

impl Group {
    /// Groups with a post-quantum part, whose share fills a segment of its own.
    fn is_large(group: &dyn SupportedKxGroup) -> bool {
        group.name() == rustls::NamedGroup::X25519MLKEM768
    }

    fn implementation(self) -> &'static dyn SupportedKxGroup {
        match self {
            Self::X25519MlKem768 => kx_group::X25519MLKEM768,
            Self::X25519 => kx_group::X25519,
            Self::P256 => kx_group::SECP256R1,
            Self::P384 => kx_group::SECP384R1,
        }
    }
}

/// No working client can be made from the settings.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SetupError {
    /// rustls refuses the combination, for example an empty list of groups.
    #[error("unusable TLS settings: {0}")]
    Settings(#[from] rustls::Error),
}

/// The aws-lc-rs provider with these groups, in order of preference.
///
/// In TLS 1.2 the list also tells the server which curves its certificate's key may be on (RFC 8422 §5.1),
/// so leaving out P-256 excludes many servers.
pub fn provider(groups: &[Group]) -> CryptoProvider {
    CryptoProvider {
        kx_groups: groups.iter().map(|group| group.implementation()).collect(),
        ..aws_lc_rs::default_provider()
    }
}

/// Makes the `ClientConfig` of each connection. Build it once, and again when settings change.
#[derive(Clone, Debug)]
pub struct ClientConfigs {
    base: ClientConfig,
    minimum: TlsVersion,
}

impl ClientConfigs {
    /// Prepares the part that all connections share. `minimum` is the lowest version to accept.
    pub fn new(provider: Arc<CryptoProvider>, minimum: TlsVersion) -> Result<Self, SetupError> {
        // Without roots the base itself trusts nobody.
        let mut base = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(minimum.and_later())?
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        base.resumption = Resumption::disabled();
        Ok(Self { base, minimum })
    }

    /// The same with a `ClientHello` that fits into one segment, for servers and middleboxes that fail on a second one: the
    /// classical groups alone. With no classical group nothing changes.
    pub fn with_small_hello(&self) -> Result<Self, SetupError> {
        let mut provider = CryptoProvider::clone(self.provider());
        let classical = provider
            .kx_groups
            .iter()
            .filter(|group| !Group::is_large(**group));
        let classical: Vec<_> = classical.copied().collect();
        if classical.is_empty() || classical.len() == provider.kx_groups.len() {
            return Ok(self.clone());
        }
        provider.kx_groups = classical;
        Self::new(Arc::new(provider), self.minimum)
    }

    /// The same without these cipher suites. Fails if nothing is left to offer.
    pub fn without_suites(&self, suites: &[CipherSuite]) -> Result<Self, SetupError> {
        let mut provider = CryptoProvider::clone(self.provider());
        provider
            .cipher_suites
            .retain(|suite| !suites.contains(&suite.suite()));
        Self::new(Arc::new(provider), self.minimum)
    }

    /// The crypto provider, for making verifiers.
    pub fn provider(&self) -> &Arc<CryptoProvider> {
        self.base.crypto_provider()
    }

    /// A configuration for one connection authenticated by DANE.
    pub fn dane(&self, verifier: &Arc<DaneVerifier>) -> Arc<ClientConfig> {
        self.with(Arc::<DaneVerifier>::clone(verifier))
    }

    /// A configuration for one connection authenticated by the WebPKI.
    pub fn pkix(&self, verifier: &Arc<PkixVerifier>) -> Arc<ClientConfig> {
        self.with(Arc::<PkixVerifier>::clone(verifier))
    }

    /// A configuration for one connection that is encrypted and not authenticated.
    pub fn recording(&self, verifier: &Arc<RecordingVerifier>) -> Arc<ClientConfig> {
        self.with(Arc::<RecordingVerifier>::clone(verifier))
    }

    /// A configuration for one connection that offers only this.
    pub fn narrow(
        &self,
        verifier: Arc<dyn ServerCertVerifier>,
        offer: Offer,
    ) -> Result<Arc<ClientConfig>, SetupError> {
        let mut config = ClientConfig::builder_with_provider(Arc::clone(self.provider()))
            .with_protocol_versions(&[offer.version.alone()])?
            .dangerous()
            .with_custom_certificate_verifier(offer.verifier(verifier))
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }

    fn with(&self, verifier: Arc<dyn ServerCertVerifier>) -> Arc<ClientConfig> {
        let mut config = self.base.clone();
        config.dangerous().set_certificate_verifier(verifier);
        Arc::new(config)
    }
}

/// The name to connect to where the WebPKI checks it, sent as SNI. Fails for names that cannot be used in SNI.
pub fn server_name(host: &str) -> Result<ServerName<'static>, InvalidName> {
    let plain = host.strip_suffix('.').unwrap_or(host);
    match ServerName::try_from(plain) {
        Ok(name @ ServerName::DnsName(_)) => Ok(name.to_owned()),
        Ok(_) | Err(_) => Err(InvalidName(host.to_owned())),
    }
}

/// The name to connect to where rustls itself checks none: under DANE, where it is the TLSA base domain and the verifier knows
/// which names count (RFC 7672 §3.1.1, §8.1), and if nothing is authenticated. A name that cannot be used in SNI, such as one
/// with a label that begins with a hyphen, is replaced by the peer's address, with which no SNI is sent (RFC 6066 §3): an odd
/// name is no reason for clear text, nor for a failure.
pub fn server_name_or_address(host: &str, peer: IpAddr) -> ServerName<'static> {
    server_name(host).unwrap_or_else(|_| ServerName::IpAddress(peer.into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_for_sni() {
        assert_eq!(
            server_name("MX.example.nl.").unwrap(),
            ServerName::try_from("mx.example.nl").unwrap()
        );
        for odd in [
            "192.0.2.1",
            "::1",
            "bücher.example",
            "a..b",
            "",
            "mx.1",
            "-mx.example",
            "mx-.example",
        ] {
            assert!(server_name(odd).is_err(), "{odd:?}");
            let peer = IpAddr::from([192, 0, 2, 1]);
            assert_eq!(
                server_name_or_address(odd, peer),
                ServerName::IpAddress(peer.into())
            );
        }
    }

    #[test]
    fn groups_by_name() {
        for name in ["X25519MLKEM768", "X25519", "P-256", "P-384"] {
            assert!(name.parse::<Group>().is_ok(), "{name}");
        }
        assert!("P-521".parse::<Group>().is_err());
    }

    #[test]
    fn a_small_hello_has_the_classical_groups() {
        let groups = |configs: &ClientConfigs| configs.provider().kx_groups.len();
        for (offered, expected) in [
            (&[Group::X25519MlKem768, Group::X25519, Group::P256][..], 2),
            (&[Group::X25519], 1),
            (&[Group::X25519MlKem768], 1),
        ] {
            let configs = ClientConfigs::new(Arc::new(provider(offered)), TlsVersion::Tls13).unwrap();
            assert_eq!(
                groups(&configs.with_small_hello().unwrap()),
                expected,
                "{offered:?}"
            );
        }
    }

    #[test]
    fn no_groups_no_client() {
        let empty = Arc::new(provider(&[]));
        assert!(ClientConfigs::new(empty, TlsVersion::Tls12).is_err());
        let one = Arc::new(provider(&[Group::X25519]));
        assert!(ClientConfigs::new(one, TlsVersion::Tls13).is_ok());
    }
}
