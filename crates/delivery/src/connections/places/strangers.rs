//! Connections to addresses that are not known to work, until they greet: servers that take connections and never say
//! anything must not keep mail from those that work.

use std::collections::HashMap;
use std::net::IpAddr;

use mail::Network;

/// Addresses that one operator is likely to have (RFC 6177).
pub(super) fn operator(address: IpAddr) -> Network {
    Network::prefix(address, 24, 48)
}

/// How many there are.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    all: usize,
    networks: HashMap<Network, usize>,
}

impl Strangers {
    /// Whether there may be one more where there are so many places for connections: together they have half of them,
    /// and those of one network a quarter of that.
    pub(super) fn has_room(&self, network: Network, connections: usize) -> bool {
        let half = (connections / 2).max(1);
        let here = self.networks.get(&network).copied().unwrap_or_default();
        self.all < half && here < (half / 4).max(1)
    }

    pub(super) fn enter(&mut self, network: Network) {
        self.all += 1;
        *self.networks.entry(network).or_default() += 1;
    }

    pub(super) fn leave(&mut self, network: Network) {
        self.all = self.all.saturating_sub(1);
        if let Some(here) = self.networks.get_mut(&network) {
            *here = here.saturating_sub(1);
            if *here == 0 {
                self.networks.remove(&network);
            }
        }
    }
}
