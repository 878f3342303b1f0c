//! Limits on connections: in total, from one address, and of clients that may not relay.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;

use mail::Network;
use parking_lot::Mutex;

use crate::client::Client;
use crate::config::{Limits, ListenerConfig};

/// Clients that may not relay get at most this fraction of all connections: those that may relay have priority.
const STRANGERS_PART: usize = 8;

/// Of the strangers' share, one network gets at most this fraction, so that nobody can take all of it with the
/// addresses of one customer or one rack.
const NETWORK_PART: usize = 4;

/// Counts open connections.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    strangers: usize,
    by_client: HashMap<IpAddr, usize>,
    /// Clients that may not relay.
    by_network: HashMap<Network, usize>,
}

/// The addresses of one customer or one rack.
fn rack(address: IpAddr) -> Network {
    Network::prefix(address, 24, 64)
}

/// Whether a client may relay, as far as is known so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientClass {
    MayRelay,
    Stranger,
}

impl ClientClass {
    pub(crate) fn of(client: &Client, config: &ListenerConfig) -> Self {
        if client.may_relay(config) {
            Self::MayRelay
        } else {
            Self::Stranger
        }
    }
}

/// One counted connection; dropping it removes it from the count.
#[derive(Debug)]
pub(crate) struct Counted {
    connections: Arc<Connections>,
    identified: Option<(IpAddr, ClientClass)>,
}

/// Which limit a connection would exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Excess {
    All,
    Client,
    Strangers,
    Network,
}

impl Connections {
    pub(crate) fn all(&self) -> usize {
        self.locked(|counts| counts.all)
    }

    /// Counts one more connection, unless that would exceed a limit.
    pub(crate) fn admit(self: &Arc<Self>, limits: &Limits) -> Result<Counted, Excess> {
        self.locked(|counts| {
            if counts.all >= limits.connections {
                return Err(Excess::All);
            }
            counts.all += 1;
            Ok(())
        })?;
        Ok(Counted {
            connections: Arc::clone(self),
            identified: None,
        })
    }

    fn locked<T>(&self, action: impl FnOnce(&mut Counts) -> T) -> T {
        action(&mut self.counts.lock())
    }
}

impl Counted {
    /// Counts the connection as one of this client's and no longer as what it was counted before, unless that would
    /// exceed a limit.
    pub(crate) fn identify(
        &mut self,
        client: IpAddr,
        class: ClientClass,
        limits: &Limits,
    ) -> Result<(), Excess> {
        let before = self.identified.take();
        self.connections.locked(|counts| {
            if let Some((client, class)) = before {
                counts.remove(client, class);
            }
            counts.has_room(client, class, limits)?;
            counts.add(client, class);
            Ok(())
        })?;
        self.identified = Some((client, class));
        Ok(())
    }

    /// Counts the client by what is known about it now. Nobody loses its connection by that.
    pub(crate) fn settle(&mut self, now: ClientClass) {
        if let Some((client, class)) = &mut self.identified
            && *class != now
        {
            self.connections.locked(|counts| {
                counts.remove(*client, *class);
                counts.add(*client, now);
            });
            *class = now;
        }
    }
}

impl Counts {
    fn has_room(&self, client: IpAddr, class: ClientClass, limits: &Limits) -> Result<(), Excess> {
        let here = self.by_client.get(&client).copied().unwrap_or_default();
        if here >= limits.connections_per_client {
            return Err(Excess::Client);
        }
        match class {
            ClientClass::MayRelay => Ok(()),
            ClientClass::Stranger => {
                let share = (limits.connections / STRANGERS_PART).max(1);
                let network = self.by_network.get(&rack(client)).copied();
                if self.strangers >= share {
                    Err(Excess::Strangers)
                } else if network.unwrap_or_default() >= (share / NETWORK_PART).max(1) {
                    Err(Excess::Network)
                } else {
                    Ok(())
                }
            }
        }
    }

    fn add(&mut self, client: IpAddr, class: ClientClass) {
        *self.by_client.entry(client).or_default() += 1;
        match class {
            ClientClass::MayRelay => {}
            ClientClass::Stranger => {
                self.strangers += 1;
                *self.by_network.entry(rack(client)).or_default() += 1;
            }
        }
    }

    fn remove(&mut self, client: IpAddr, class: ClientClass) {
        one_less(&mut self.by_client, &client);
        match class {
            ClientClass::MayRelay => {}
            ClientClass::Stranger => {
                self.strangers = self.strangers.saturating_sub(1);
                one_less(&mut self.by_network, &rack(client));
            }
        }
    }
}

fn one_less<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(here) = counts.get_mut(key) {
        *here = here.saturating_sub(1);
        if *here == 0 {
            counts.remove(key);
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.connections.locked(|counts| {
            counts.all = counts.all.saturating_sub(1);
            if let Some((client, class)) = self.identified {
                counts.remove(client, class);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn count(
        connections: &Arc<Connections>,
        client: &str,
        class: ClientClass,
        limits: &Limits,
    ) -> Result<Counted, Excess> {
        let mut counted = connections.admit(limits)?;
        counted.identify(client.parse().unwrap(), class, limits)?;
        Ok(counted)
    }

    #[test]
    fn all_limits_hold_and_places_come_back() {
        let connections = Arc::new(Connections::default());
        let limits = Limits {
            connections: 3,
            connections_per_client: 2,
            ..Limits::default()
        };
        let count = |client| count(&connections, client, ClientClass::MayRelay, &limits);
        let first = count("192.0.2.1").unwrap();
        let _second = count("192.0.2.1").unwrap();
        assert_eq!(count("192.0.2.1").unwrap_err(), Excess::Client);
        let _third = count("192.0.2.2").unwrap();
        assert_eq!(count("2001:db8::1").unwrap_err(), Excess::All);
        drop(first);
        assert_eq!(connections.all(), 2);
        let last = count("2001:db8::1").unwrap();
        drop(last);
        let gone: IpAddr = "2001:db8::1".parse().unwrap();
        assert!(connections.locked(|counts| !counts.by_client.contains_key(&gone)));
    }

    #[test]
    fn strangers_leave_room_for_those_who_may_relay() {
        let connections = Arc::new(Connections::default());
        let limits = Limits {
            connections: 16,
            ..Limits::default()
        };
        let stranger = |client| count(&connections, client, ClientClass::Stranger, &limits);
        let mut first = stranger("192.0.2.1").unwrap();
        let second = stranger("198.51.100.1").unwrap();
        assert_eq!(stranger("203.0.113.1").unwrap_err(), Excess::Strangers);
        let _known = count(&connections, "192.0.2.1", ClientClass::MayRelay, &limits).unwrap();
        // A client that proves that it may relay frees its place, once.
        first.settle(ClientClass::MayRelay);
        first.settle(ClientClass::MayRelay);
        let third = stranger("203.0.113.1").unwrap();
        assert_eq!(stranger("203.0.113.1").unwrap_err(), Excess::Strangers);
        // One that may not relay any more keeps its connection, and takes a place again.
        drop(third);
        first.settle(ClientClass::Stranger);
        assert_eq!(stranger("203.0.113.1").unwrap_err(), Excess::Strangers);
        drop((first, second));
        connections.locked(|counts| {
            assert_eq!((counts.all, counts.strangers), (1, 0));
            assert!(counts.by_network.is_empty());
        });
    }

    #[test]
    fn one_network_gets_a_quarter_of_what_strangers_get() {
        let limits = Limits {
            connections: 64,
            ..Limits::default()
        };
        for (network, elsewhere) in [
            (["192.0.2.1", "192.0.2.2", "::ffff:192.0.2.255"], "192.0.3.1"),
            (
                ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:0:0:1"],
                "2001:db8:0:1::1",
            ),
        ] {
            let connections = Arc::new(Connections::default());
            let stranger = |client| count(&connections, client, ClientClass::Stranger, &limits);
            let [one, two, three] = network;
            let first = stranger(one).unwrap();
            let _second = stranger(two).unwrap();
            assert_eq!(stranger(three).unwrap_err(), Excess::Network);
            let _other = stranger(elsewhere).unwrap();
            let _known = count(&connections, three, ClientClass::MayRelay, &limits).unwrap();
            drop(first);
            let _third = stranger(three).unwrap();
        }
    }

    #[test]
    fn a_connection_can_become_that_of_another_client() {
        let connections = Arc::new(Connections::default());
        let limits = Limits {
            connections_per_client: 1,
            ..Limits::default()
        };
        let mut proxy = count(&connections, "192.0.2.1", ClientClass::MayRelay, &limits).unwrap();
        let address = "198.51.100.1".parse().unwrap();
        proxy.identify(address, ClientClass::Stranger, &limits).unwrap();
        let mut other = count(&connections, "192.0.2.1", ClientClass::MayRelay, &limits).unwrap();
        assert_eq!(
            other.identify(address, ClientClass::Stranger, &limits),
            Err(Excess::Client)
        );
        drop((proxy, other));
        connections.locked(|counts| {
            assert_eq!((counts.all, counts.strangers), (0, 0));
            assert!(counts.by_client.is_empty() && counts.by_network.is_empty());
        });
    }
}
