//! The network of an address: whoever has one of its addresses may have all of them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network, by its first address and the length of its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    first: IpAddr,
    bits: u8,
}

impl Network {
    /// The addresses that one stranger is sure to have beside this one: none of IPv4, the /64 of IPv6 (RFC 6177).
    pub fn of(address: IpAddr) -> Self {
        Self::prefix(address, 32, 64)
    }

    /// The network of this address with a prefix of so many bits; an IPv4 address in IPv6 form counts as IPv4.
    pub fn prefix(address: IpAddr, v4_bits: u8, v6_bits: u8) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self {
                first: Ipv4Addr::from_bits(address.to_bits() & leading_v4(v4_bits)).into(),
                bits: v4_bits,
            },
            IpAddr::V6(address) => Self {
                first: Ipv6Addr::from_bits(address.to_bits() & leading_v6(v6_bits)).into(),
                bits: v6_bits,
            },
        }
    }
}

fn leading_v4(bits: u8) -> u32 {
    !u32::MAX.checked_shr(bits.into()).unwrap_or(0)
}

fn leading_v6(bits: u8) -> u128 {
    !u128::MAX.checked_shr(bits.into()).unwrap_or(0)
}

impl fmt::Display for Network {
    /// A network of a single address is written as the address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_single = self.bits == if self.first.is_ipv4() { 32 } else { 128 };
        if is_single {
            self.first.fmt(f)
        } else {
            write!(f, "{}/{}", self.first, self.bits)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(text: &str) -> Network {
        Network::of(text.parse().unwrap())
    }

    #[test]
    fn what_one_stranger_has_is_one_network() {
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:0:0:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    #[test]
    fn a_network_is_written_with_its_prefix() {
        let prefix = |text: &str, v4, v6| Network::prefix(text.parse().unwrap(), v4, v6).to_string();
        assert_eq!(prefix("192.0.2.1", 32, 64), "192.0.2.1");
        assert_eq!(prefix("192.0.2.1", 24, 64), "192.0.2.0/24");
        assert_eq!(prefix("2001:db8:1:2::3", 32, 64), "2001:db8:1:2::/64");
        assert_eq!(prefix("2001:db8:1:2::3", 24, 48), "2001:db8:1::/48");
        assert_eq!(prefix("2001:db8::3", 24, 128), "2001:db8::3");
        assert_eq!(prefix("2001:db8::3", 0, 0), "::/0");
    }
}
