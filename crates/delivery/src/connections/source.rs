//! Local addresses to connect from.

use std::net::IpAddr;

use mail::NextHop;

/// The configured addresses. A destination always sees the same one of a family: a server that delays unknown clients
/// (greylisting) knows it by the retry, and destinations are spread over them all.
#[derive(Debug)]
pub(crate) struct SourceAddresses(Vec<IpAddr>);

impl SourceAddresses {
    pub(crate) fn new(addresses: &[IpAddr]) -> Self {
        Self(addresses.to_vec())
    }

    /// The address for this destination in the receiver's family; with `None` the system chooses.
    ///
    /// The highest of the hashes of destination and address decides (rendezvous hashing): if the list changes, only the
    /// destinations of an address that is gone, and the share of one that is new, see another one.
    pub(crate) fn of(&self, next_hop: &NextHop, receiver: IpAddr) -> Option<IpAddr> {
        if self.0.is_empty() {
            return None;
        }
        let family = self.0.iter().filter(|one| one.is_ipv4() == receiver.is_ipv4());
        let next_hop = next_hop.to_string();
        family
            .copied()
            .max_by_key(|address| (hash(&next_hop, *address), *address))
    }
}

/// FNV-1a with a final mix: the same after every restart and in every version.
fn hash(next_hop: &str, address: IpAddr) -> u64 {
    let address = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    let octets = next_hop.bytes().chain(address.octets());
    let hash = octets.fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^ (mixed >> 33)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn next_hop(number: usize) -> NextHop {
        format!("d{number}.example").parse().unwrap()
    }

    #[test]
    fn a_destination_keeps_its_address_and_destinations_are_spread() {
        let addresses: Vec<IpAddr> = (1..=4).map(|last| IpAddr::from([192, 0, 2, last])).collect();
        let sources = SourceAddresses::new(&addresses);
        let fewer = SourceAddresses::new(&addresses[..3]);
        let receiver = IpAddr::from([198, 51, 100, 1]);
        let mut counts = [0_usize; 4];
        for number in 0..4000 {
            let next_hop = next_hop(number);
            let source = sources.of(&next_hop, receiver).unwrap();
            assert_eq!(sources.of(&next_hop, receiver), Some(source));
            counts[addresses.iter().position(|one| *one == source).unwrap()] += 1;
            if source != addresses[3] {
                assert_eq!(fewer.of(&next_hop, receiver), Some(source));
            }
        }
        assert!(
            counts.iter().all(|count| (850..1150).contains(count)),
            "{counts:?}"
        );
        assert_eq!(
            sources.of(&next_hop(0), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])),
            None
        );
    }
}
