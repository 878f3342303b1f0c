//! Who is served at once: no address keeps the others out.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mail::Network;
use tokio::task::AbortHandle;

/// The connections that are served.
#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    /// The oldest first.
    taken: Vec<Place>,
}

/// A connection that is served.
#[derive(Debug)]
struct Place {
    client: Network,
    connection: AbortHandle,
    asked: Asked,
}

/// Whether a client has sent a request yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked(Arc<AtomicBool>);

impl Asked {
    /// It has.
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Places {
    pub(super) const fn new(most: usize) -> Self {
        Self {
            most,
            taken: Vec::new(),
        }
    }

    /// Whether there is a place for this address. If all are taken, the address that has most of them loses its oldest
    /// connection to one that has fewer; otherwise an address gets the place of its own oldest connection that has not asked
    /// for anything.
    pub(super) fn make_room(&mut self, address: IpAddr) -> bool {
        self.taken.retain(|place| !place.connection.is_finished());
        if self.taken.len() < self.most {
            return true;
        }
        let client = Network::of(address);
        let count = |client| self.taken.iter().filter(|place| place.client == client).count();
        let greedy = self
            .taken
            .iter()
            .map(|place| place.client)
            .max_by_key(|client| count(*client));
        // One more at most would let two take it from each other by turns.
        let greedy = greedy.filter(|greedy| count(client) + 1 < count(*greedy));
        let left = self.taken.iter().position(|place| match greedy {
            Some(greedy) => place.client == greedy,
            None => place.client == client && !place.asked.is_set(),
        });
        if let Some(left) = left {
            self.taken.remove(left).connection.abort();
        }
        left.is_some()
    }

    /// A connection of this address is served.
    pub(super) fn take(&mut self, address: IpAddr, connection: AbortHandle, asked: Asked) {
        self.taken.push(Place {
            client: Network::of(address),
            connection,
            asked,
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Whether the address is served; the connection lasts.
    fn serve(places: &mut Places, address: &str, has_asked: bool) -> bool {
        let address = address.parse().unwrap();
        let has_room = places.make_room(address);
        if has_room {
            let asked = Asked::default();
            if has_asked {
                asked.set();
            }
            let connection = tokio::spawn(std::future::pending::<()>()).abort_handle();
            places.take(address, connection, asked);
        }
        has_room
    }

    async fn ended(connection: &AbortHandle) {
        while !connection.is_finished() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn one_address_does_not_keep_the_others_out() {
        let mut places = Places::new(4);
        for _ in 0..4 {
            assert!(serve(&mut places, "192.0.2.1", true));
        }
        assert!(!serve(&mut places, "192.0.2.1", true));
        let oldest = places.taken.first().unwrap().connection.clone();
        assert!(serve(&mut places, "192.0.2.2", true));
        ended(&oldest).await;
        assert!(serve(&mut places, "192.0.2.2", true), "two each");
        assert!(!serve(&mut places, "192.0.2.2", true));
        assert!(!serve(&mut places, "192.0.2.1", true));
        // The addresses of one network are one.
        let mut places = Places::new(3);
        for address in ["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"] {
            assert!(serve(&mut places, address, true), "{address}");
        }
        assert!(!serve(&mut places, "2001:db8::4", true));
        assert!(serve(&mut places, "::ffff:192.0.2.1", true));
        assert!(!serve(&mut places, "192.0.2.2", true), "each has one");
    }

    /// Whoever probes from loopback shares its address with every user of the machine.
    #[tokio::test]
    async fn connections_without_a_request_give_way_to_newer_ones_of_their_address() {
        let mut places = Places::new(3);
        for has_asked in [true, false, false] {
            assert!(serve(&mut places, "127.0.0.1", has_asked));
        }
        let silent = places.taken.get(1).unwrap().connection.clone();
        assert!(serve(&mut places, "127.0.0.1", true));
        ended(&silent).await;
        assert!(serve(&mut places, "127.0.0.1", true));
        assert!(!serve(&mut places, "127.0.0.1", true), "all have asked");
        assert_eq!(places.taken.len(), 3);
    }

    #[tokio::test]
    async fn a_place_is_free_once_its_connection_has_ended() {
        let mut places = Places::new(1);
        assert!(serve(&mut places, "192.0.2.1", true));
        let connection = places.taken.first().unwrap().connection.clone();
        connection.abort();
        ended(&connection).await;
        assert!(serve(&mut places, "192.0.2.1", true));
    }
}
