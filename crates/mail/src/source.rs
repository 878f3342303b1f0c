//! Who can cause log lines, so that nobody can flood the log.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// Who or what can cause an event any number of times. The log counts events by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// A client that may not relay.
    Client(Network),
    /// A client that may relay, so that somebody will ask what happened to its mail.
    Known(Network),
    /// A library, by the name of its crate: its reports may be about anybody.
    Library(&'static str),
    /// Trouble of our own, by its name, which recurs with each message or connection while it lasts.
    Trouble(&'static str),
}

/// The part of an address that one stranger is sure to have: an IPv4 address, or the /64 of an IPv6 address (RFC 6177).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl Source {
    /// The client at this address.
    pub fn client(address: IpAddr) -> Self {
        Self::Client(Network::of(address))
    }
}

impl Network {
    /// The network of this address; an IPv4 address in IPv6 form counts as IPv4.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(network) => write!(f, "{network}/64"),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(network) | Self::Known(network) => write!(f, "client {network}"),
            Self::Library(name) => write!(f, "library {name}"),
            Self::Trouble(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_client_is_its_network() {
        let source = |text: &str| Source::client(text.parse().unwrap());
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:0:0:2"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
        assert_eq!(source("2001:db8::1").to_string(), "client 2001:db8::/64");
        assert_eq!(source("192.0.2.1").to_string(), "client 192.0.2.1");
    }
}
