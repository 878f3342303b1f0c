//! How many connections there are, in all and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::Limits;

/// Counts open connections.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_client: HashMap<IpAddr, usize>,
}

/// One counted connection; dropping it ends the count.
#[derive(Debug)]
pub(crate) struct Counted {
    connections: Arc<Connections>,
    client: IpAddr,
}

/// Which limit a connection would exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Excess {
    All,
    Client,
}

impl Connections {
    pub(crate) fn all(&self) -> usize {
        self.locked(|counts| counts.all)
    }

    /// Counts one more connection from `client`, unless that would be too many.
    pub(crate) fn admit(self: &Arc<Self>, client: IpAddr, limits: &Limits) -> Result<Counted, Excess> {
        self.locked(|counts| {
            if counts.all >= limits.connections {
                return Err(Excess::All);
            }
            let here = counts.by_client.entry(client).or_default();
            if *here >= limits.connections_per_client {
                if *here == 0 {
                    counts.by_client.remove(&client);
                }
                return Err(Excess::Client);
            }
            *here += 1;
            counts.all += 1;
            Ok(())
        })?;
        Ok(Counted {
            connections: Arc::clone(self),
            client,
        })
    }

    /// Nothing in here can leave the counts half changed, so that poison means nothing.
    fn locked<T>(&self, action: impl FnOnce(&mut Counts) -> T) -> T {
        action(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.connections.locked(|counts| {
            counts.all = counts.all.saturating_sub(1);
            if let Some(here) = counts.by_client.get_mut(&self.client) {
                *here = here.saturating_sub(1);
                if *here == 0 {
                    counts.by_client.remove(&self.client);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn both_limits_hold_and_places_come_back() {
        let connections = Arc::new(Connections::default());
        let limits = Limits {
            connections: 3,
            connections_per_client: 2,
            ..Limits::default()
        };
        let [a, b, c] = ["192.0.2.1", "192.0.2.2", "2001:db8::1"].map(|ip| ip.parse().unwrap());
        let first = connections.admit(a, &limits).unwrap();
        let _second = connections.admit(a, &limits).unwrap();
        assert_eq!(connections.admit(a, &limits).unwrap_err(), Excess::Client);
        let _third = connections.admit(b, &limits).unwrap();
        assert_eq!(connections.admit(c, &limits).unwrap_err(), Excess::All);
        drop(first);
        assert_eq!(connections.all(), 2);
        let last = connections.admit(c, &limits).unwrap();
        drop(last);
        assert!(connections.locked(|counts| !counts.by_client.contains_key(&c)));
    }
}
