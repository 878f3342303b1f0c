//! Who a client is, and whether it may relay.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;

use crate::config::ListenerConfig;
use crate::key_digest::KeyDigest;
use crate::tls::TlsFacts;

/// Stands for an address that is not known: `::` indicates the absence of an address (RFC 4291 §2.5.2).
pub(crate) const UNKNOWN: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// What is known about a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    /// The client's address: the other end of the connection, or the one given by a proxy's header or by XCLIENT. It
    /// decides what the client may do, XCLIENT included: whoever is behind a proxy has none of its rights. [`UNKNOWN`] if a
    /// proxy does not know it.
    pub(crate) address: IpAddr,
    /// Its name, if given by XCLIENT; we make no reverse look-ups.
    pub(crate) name: Option<String>,
    /// The facts of TLS, if the connection uses it.
    pub(crate) tls: Option<TlsFacts>,
    /// The user that it is.
    pub(crate) user: Option<User>,
}

/// A user, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum User {
    /// The client knew the password. It may relay as long as the user exists.
    Authenticated(Arc<str>),
    /// A proxy has named the user (XCLIENT LOGIN); its users are its own affair.
    Named(Arc<str>),
}

/// What a client may relay by, other than its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// A user.
    User(Arc<str>),
    /// The key of a client certificate.
    Key(KeyDigest),
}

impl Client {
    /// A client of which only the address is known.
    pub(crate) fn at(address: IpAddr) -> Self {
        Self {
            address,
            name: None,
            tls: None,
            user: None,
        }
    }

    /// Whether it may relay.
    pub(crate) fn may_relay(&self, config: &ListenerConfig) -> bool {
        self.is_within(&config.networks) || self.identity(config).is_some()
    }

    /// Whether its address is in one of these networks; an unknown one is in none.
    pub(crate) fn is_within(&self, networks: &[IpNet]) -> bool {
        let mut networks = networks.iter();
        self.address != UNKNOWN && networks.any(|network| network.contains(&self.address))
    }

    /// The identity that lets it relay, regardless of its address.
    pub(crate) fn identity(&self, config: &ListenerConfig) -> Option<Identity> {
        let exists = |name: &str| config.users.as_ref().is_some_and(|users| users.contains(name));
        match &self.user {
            Some(User::Named(name)) => return Some(Identity::User(Arc::clone(name))),
            Some(User::Authenticated(name)) if exists(name) => {
                return Some(Identity::User(Arc::clone(name)));
            }
            Some(User::Authenticated(_)) | None => {}
        }
        let key = self.tls.as_ref()?.client_key?;
        config.client_keys.contains(&key).then_some(Identity::Key(key))
    }

    /// Whether nobody on the network path can read what it sends.
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
