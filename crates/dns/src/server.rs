//! The servers that can be asked, and how to reach each.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::DnsName;

/// A name server.
#[derive(Debug, Clone)]
pub enum Server {
    /// Over UDP and TCP, in clear.
    Plain(SocketAddr),
    /// Over TLS (RFC 7858).
    Tls(TlsServer),
}

/// A name server that is contacted over TLS only. Its certificate must be valid for its name; otherwise nothing is asked
/// there, not even in clear text (RFC 8310 §5, "strict").
#[derive(Debug, Clone)]
pub struct TlsServer {
    /// Where it listens. The address is in the configuration: no look-up is needed to reach it.
    pub address: SocketAddr,
    /// The name in its certificate (RFC 8310 §8.1).
    pub name: DnsName<'static>,
    /// What verifies the certificate.
    pub client: Arc<ClientConfig>,
}

impl Server {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Plain(address) => *address,
            Self::Tls(server) => server.address,
        }
    }

    /// Whether nobody else can forge its answers, which RFC 4035 §4.9.3 requires before an AD bit is believed.
    pub(crate) fn is_secure_channel(&self) -> bool {
        match self {
            Self::Plain(address) => address.ip().to_canonical().is_loopback(),
            Self::Tls(_) => true,
        }
    }
}

impl From<SocketAddr> for Server {
    fn from(address: SocketAddr) -> Self {
        Self::Plain(address)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(address) => address.fmt(f),
            Self::Tls(server) => write!(f, "tls://{}@{}", server.name.as_ref(), server.address),
        }
    }
}
