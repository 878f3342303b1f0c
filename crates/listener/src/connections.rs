//! Limits on connections: in total, from one address, and of clients that may not relay.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::client::Client;
use crate::config::{Limits, ListenerConfig};

/// Clients that may not relay get at most this fraction of all connections: those that may relay have priority.
const STRANGERS_PART: usize = 8;

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
}

/// Whether a client may relay, as far as is known so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    MayRelay,
    Stranger,
}

impl Standing {
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
    identified: Option<(IpAddr, Standing)>,
}

/// Which limit a connection would exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Excess {
    All,
    Client,
    Strangers,
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
    /// Counts the connection as one of this client's, unless that would exceed a limit.
    pub(crate) fn identify(
        &mut self,
        client: IpAddr,
        standing: Standing,
        limits: &Limits,
    ) -> Result<(), Excess> {
        self.connections.locked(|counts| {
            let here = counts.by_client.get(&client).copied().unwrap_or_default();
            if here >= limits.connections_per_client {
                return Err(Excess::Client);
            }
            if standing == Standing::Stranger {
                if counts.strangers >= (limits.connections / STRANGERS_PART).max(1) {
                    return Err(Excess::Strangers);
                }
                counts.strangers += 1;
            }
            counts.by_client.insert(client, here + 1);
            Ok(())
        })?;
        self.identified = Some((client, standing));
        Ok(())
    }

    /// The client has proved that it may relay.
    pub(crate) fn permit(&mut self) {
        if let Some((_, standing @ Standing::Stranger)) = &mut self.identified {
            *standing = Standing::MayRelay;
            self.connections
                .locked(|counts| counts.strangers = counts.strangers.saturating_sub(1));
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.connections.locked(|counts| {
            counts.all = counts.all.saturating_sub(1);
            let Some((client, standing)) = self.identified else {
                return;
            };
            if standing == Standing::Stranger {
                counts.strangers = counts.strangers.saturating_sub(1);
            }
            if let Some(here) = counts.by_client.get_mut(&client) {
                *here = here.saturating_sub(1);
                if *here == 0 {
                    counts.by_client.remove(&client);
                }
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
        standing: Standing,
        limits: &Limits,
    ) -> Result<Counted, Excess> {
        let mut counted = connections.admit(limits)?;
        counted.identify(client.parse().unwrap(), standing, limits)?;
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
        let count = |client| count(&connections, client, Standing::MayRelay, &limits);
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
        let stranger = || count(&connections, "192.0.2.1", Standing::Stranger, &limits);
        let mut first = stranger().unwrap();
        let second = stranger().unwrap();
        assert_eq!(stranger().unwrap_err(), Excess::Strangers);
        let _known = count(&connections, "192.0.2.1", Standing::MayRelay, &limits).unwrap();
        // A client that proves that it may relay frees its place, once.
        first.permit();
        first.permit();
        let third = stranger().unwrap();
        assert_eq!(stranger().unwrap_err(), Excess::Strangers);
        drop((first, second, third));
        assert_eq!(
            connections.locked(|counts| (counts.all, counts.strangers)),
            (1, 0)
        );
    }
}
