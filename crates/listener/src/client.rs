//! Who a client is, and whether it may relay.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::config::ListenerConfig;
use crate::key_digest::KeyDigest;
use crate::tls::TlsFacts;

/// What is known of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    /// The other end of the connection, or whom a proxy's header names: who may say more by XCLIENT.
    pub(crate) peer: IpAddr,
    /// Where the client is: the same, or what was said by XCLIENT.
    pub(crate) address: IpAddr,
    /// Its name, as somebody said who may use XCLIENT; we make no reverse look-ups.
    pub(crate) name: Option<String>,
    /// What is known of the connection, if it is under TLS.
    pub(crate) tls: Option<TlsFacts>,
    /// The user that it has proved to be.
    pub(crate) user: Option<Arc<str>>,
}

/// By what a client may relay, beside its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// A user.
    User(Arc<str>),
    /// The key of a client certificate.
    Key(KeyDigest),
}

impl Client {
    /// A client of which nothing but the address is known.
    pub(crate) fn at(address: IpAddr) -> Self {
        Self {
            peer: address,
            address,
            name: None,
            tls: None,
            user: None,
        }
    }

    /// Whether it may relay.
    pub(crate) fn may_relay(&self, config: &ListenerConfig) -> bool {
        let mut networks = config.networks.iter();
        networks.any(|network| network.contains(&self.address)) || self.identity(config).is_some()
    }

    /// By whose right it may relay, whatever its address.
    pub(crate) fn identity(&self, config: &ListenerConfig) -> Option<Identity> {
        if let Some(user) = &self.user {
            return Some(Identity::User(Arc::clone(user)));
        }
        let key = self.tls.as_ref()?.client_key?;
        config.client_keys.contains(&key).then_some(Identity::Key(key))
    }

    /// Whether nobody on the way can read what it says.
    pub(crate) fn is_private(&self) -> bool {
        self.tls.is_some() || self.address.is_loopback()
    }
}

impl fmt::Display for Identity {
    /// `name`, or `key:DIGEST`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => f.write_str(name),
            Self::Key(key) => write!(f, "key:{key}"),
        }
    }
}
