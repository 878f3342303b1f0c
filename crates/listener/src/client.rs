//! Who a client is, and whether it may relay.

use std::net::IpAddr;

use crate::config::ListenerConfig;

/// What is known of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    /// Where it connects from.
    pub(crate) address: IpAddr,
}

impl Client {
    /// A client of which nothing but the address is known.
    pub(crate) fn at(address: IpAddr) -> Self {
        Self { address }
    }

    /// Whether it may relay.
    pub(crate) fn may_relay(&self, config: &ListenerConfig) -> bool {
        config
            .networks
            .iter()
            .any(|network| network.contains(&self.address))
    }
}
