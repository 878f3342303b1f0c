//! Who is served at once: no address keeps the others out.

use std::net::IpAddr;

use tokio::task::AbortHandle;

/// The connections that are served.
#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    /// The oldest first.
    taken: Vec<(Client, AbortHandle)>,
}

/// An address; of IPv6 the network that one customer has (/64).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Client(IpAddr);

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::from([a, b, c, d, 0, 0, 0, 0])
            }
        })
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
    /// connection to one that has fewer.
    pub(super) fn make_room(&mut self, address: IpAddr) -> bool {
        self.taken.retain(|(_, connection)| !connection.is_finished());
        if self.taken.len() < self.most {
            return true;
        }
        let count = |client| self.taken.iter().filter(|(known, _)| *known == client).count();
        let Some(greedy) = self
            .taken
            .iter()
            .map(|(client, _)| *client)
            .max_by_key(|client| count(*client))
        else {
            return false;
        };
        // Else two would take it from each other by turns.
        if count(address.into()) + 1 >= count(greedy) {
            return false;
        }
        let oldest = self.taken.iter().position(|(client, _)| *client == greedy);
        if let Some(oldest) = oldest {
            self.taken.remove(oldest).1.abort();
        }
        true
    }

    /// A connection of this address is served.
    pub(super) fn take(&mut self, address: IpAddr, connection: AbortHandle) {
        self.taken.push((address.into(), connection));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Whether the address is served; the connection lasts.
    fn serve(places: &mut Places, address: &str) -> bool {
        let address = address.parse().unwrap();
        let has_room = places.make_room(address);
        if has_room {
            places.take(address, tokio::spawn(std::future::pending::<()>()).abort_handle());
        }
        has_room
    }

    #[tokio::test]
    async fn one_address_does_not_keep_the_others_out() {
        let mut places = Places::new(4);
        for _ in 0..4 {
            assert!(serve(&mut places, "192.0.2.1"));
        }
        assert!(!serve(&mut places, "192.0.2.1"));
        let oldest = places.taken.first().unwrap().1.clone();
        assert!(serve(&mut places, "192.0.2.2"));
        while !oldest.is_finished() {
            tokio::task::yield_now().await;
        }
        assert!(serve(&mut places, "192.0.2.2"), "two each");
        assert!(!serve(&mut places, "192.0.2.2"));
        assert!(!serve(&mut places, "192.0.2.1"));
        // The addresses of one network are one.
        let mut places = Places::new(3);
        for address in ["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"] {
            assert!(serve(&mut places, address), "{address}");
        }
        assert!(!serve(&mut places, "2001:db8::4"));
        assert!(serve(&mut places, "::ffff:192.0.2.1"));
        assert!(!serve(&mut places, "192.0.2.2"), "each has one");
    }

    #[tokio::test]
    async fn a_place_is_free_once_its_connection_has_ended() {
        let mut places = Places::new(1);
        assert!(serve(&mut places, "192.0.2.1"));
        let connection = places.taken.first().unwrap().1.clone();
        connection.abort();
        while !connection.is_finished() {
            tokio::task::yield_now().await;
        }
        assert!(serve(&mut places, "192.0.2.1"));
    }
}
