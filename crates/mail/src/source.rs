//! Who can cause log lines, so that nobody can flood the log.

use std::fmt;
use std::net::IpAddr;

use crate::Network;

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

impl Source {
    /// The client at this address.
    pub fn client(address: IpAddr) -> Self {
        Self::Client(Network::of(address))
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
