//! Which networks are so large that they include strangers.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::units::Network;

/// IPv4 networks that no stranger can connect from: those of the machine or the site itself (RFC 1918, RFC 6598,
/// loopback, link-local), and addresses that no host has (RFC 6890, RFC 5771).
const NOBODY_V4: [Ipv4Net; 8] = [
    Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 8),
    Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10),
    Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(224, 0, 0, 0), 3),
];
/// All addresses routed on the IPv6 internet (RFC 4291 §2.4).
const PUBLIC_V6: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// A public network with a shorter prefix is larger than almost any site.
const WIDE_V4: u8 = 16;
const WIDE_V6: u8 = 32;

/// The IP version of which every host is in one of the networks, if there is one.
pub(super) fn everybody(networks: &[Network]) -> Option<&'static str> {
    let mut four: Vec<Ipv4Net> = NOBODY_V4.to_vec();
    let mut six: Vec<Ipv6Net> = Vec::new();
    for network in networks {
        match network.0 {
            IpNet::V4(network) => four.push(network),
            IpNet::V6(network) => six.push(network),
        }
    }
    if Ipv4Net::aggregate(&four)
        .iter()
        .any(|network| network.prefix_len() == 0)
    {
        Some("IPv4")
    } else if Ipv6Net::aggregate(&six)
        .iter()
        .any(|network| network.contains(&PUBLIC_V6))
    {
        Some("IPv6")
    } else {
        None
    }
}

/// Whether a network has more public addresses than a site would.
pub(super) fn is_wide(network: &Network) -> bool {
    match network.0 {
        IpNet::V4(network) => {
            network.prefix_len() < WIDE_V4 && !NOBODY_V4.iter().any(|nobody| nobody.contains(&network))
        }
        IpNet::V6(network) => {
            let overlaps = PUBLIC_V6.contains(&network) || network.contains(&PUBLIC_V6);
            network.prefix_len() < WIDE_V6 && overlaps
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn networks(list: &[&str]) -> Vec<Network> {
        list.iter().map(|network| network.parse().unwrap()).collect()
    }

    #[test]
    fn everybody_may_be_written_in_many_ways() {
        for list in [
            &["0.0.0.0/0"][..],
            &["0.0.0.0/1", "128.0.0.0/1"],
            &["128.0.0.0/1", "64.0.0.0/2", "0.0.0.0/3", "32.0.0.0/3"],
            &["::ffff:0:0/96"],
            &["::ffff:0.0.0.0/97", "128.0.0.0/1"],
            // All except special-purpose addresses and those of the site itself.
            &["0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/3"],
        ] {
            assert_eq!(everybody(&networks(list)), Some("IPv4"), "{list:?}");
        }
        for list in [
            &["::/0"][..],
            &["::/1", "8000::/1"],
            &["2000::/3"],
            &["2000::/4", "3000::/4"],
        ] {
            assert_eq!(everybody(&networks(list)), Some("IPv6"), "{list:?}");
        }
        for list in [
            &[][..],
            &["127.0.0.0/8", "::1/128"],
            &["0.0.0.0/1"],
            &[
                "10.0.0.0/8",
                "172.16.0.0/12",
                "192.168.0.0/16",
                "fc00::/7",
                "fe80::/10",
            ],
            &["::ffff:192.0.2.0/120"],
            &["2001:db8::/32", "3000::/4"],
        ] {
            assert_eq!(everybody(&networks(list)), None, "{list:?}");
        }
    }

    #[test]
    fn wide_are_public_networks_only() {
        for (network, wide) in [
            ("192.0.0.0/15", true),
            ("8.0.0.0/8", true),
            ("0.0.0.0/1", true),
            ("2001:db8::/31", true),
            ("::/1", true),
            ("192.0.0.0/16", false),
            ("10.0.0.0/8", false),
            ("127.0.0.0/8", false),
            ("100.64.0.0/10", false),
            ("fc00::/7", false),
            ("fe80::/10", false),
            ("2001:db8::/32", false),
            ("::ffff:192.0.2.0/120", false),
        ] {
            assert!(
                networks(&[network]).iter().all(|one| is_wide(one) == wide),
                "{network}"
            );
        }
    }
}
