//! Addresses that lead to others: the IPv4 address within an IPv6 address.

use std::iter::once;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address, and the IPv4 address that a connection to it ends at: mapped or compatible (RFC 4291 §2.5.5), or behind a
/// NAT64 with the well-known prefix (RFC 6052 §2.1) or a 6to4 router (RFC 3056 §2), wherever that may be.
pub(super) fn forms(address: IpAddr) -> impl Iterator<Item = IpAddr> {
    let within = match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => within(address),
    };
    once(address).chain(within.map(IpAddr::V4))
}

fn within(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let (high, low) = match address.segments() {
        // The unspecified and the loopback address.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => return None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => (high, low),
        _ => return None,
    };
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Some(Ipv4Addr::new(a, b, c, d))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_ipv4_address_is_seen_in_each_of_its_forms() {
        for (address, within) in [
            ("192.0.2.1", None),
            ("::ffff:192.0.2.1", Some("192.0.2.1")),
            ("::192.0.2.1", Some("192.0.2.1")),
            ("64:ff9b::127.0.0.1", Some("127.0.0.1")),
            ("2002:7f00:1::25", Some("127.0.0.1")),
            ("::", None),
            ("::1", None),
            ("64:ff9b:1::127.0.0.1", None),
            ("2001:db8::7f00:1", None),
        ] {
            let address: IpAddr = address.parse().unwrap();
            let within: Option<IpAddr> = within.map(|one| one.parse().unwrap());
            let expected: Vec<IpAddr> = once(address).chain(within).collect();
            assert_eq!(forms(address).collect::<Vec<_>>(), expected);
        }
    }
}
