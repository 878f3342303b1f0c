//! A report handed to a web server by POST (RFC 8460 §5.4).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use bytes::Bytes;
use https::{Bounds, Client, Failure, Target, Url};

use crate::report::Packed;

/// What one hand-over may cost. Nothing of what the server answers is kept but its status.
const BOUNDS: Bounds = Bounds {
    time: Duration::from_mins(1),
    octets: 0,
};

/// Where HTTPS is spoken.
const PORT: u16 = 443;
/// Ports below are those of other services of a system, which nobody should be able to have us talk to.
const UNPRIVILEGED: u16 = 1024;

/// Whether reports may be handed to servers of our own network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Only to public addresses: where reports go is chosen by strangers, who could have us talk to what only we can reach.
    Public,
    /// To any, for networks of their own.
    Anywhere,
}

/// Why a report was not handed over.
#[derive(Debug, thiserror::Error)]
pub enum PostFailure {
    /// For good: all addresses are internal ones.
    #[error("its server has only addresses that are not public ({0} is one): nothing is sent there")]
    Internal(IpAddr),
    /// The same: another service may listen there.
    #[error("nothing is sent to port {0}; allowed: 443, and 1024 or above")]
    Port(u16),
    /// The exchange failed; another try may succeed.
    #[error(transparent)]
    Exchange(#[from] Failure),
}

impl PostFailure {
    /// Whether another try may succeed.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Exchange(_))
    }
}

/// Hands a report over. Any status of the class of success means that it was taken; redirects are not followed.
///
/// `client` should be one that [accepts any certificate](Client::of_any_server), as RFC 8460 §3 allows: a report has no
/// secrets, and may be about just that certificate.
pub async fn hand_over(
    client: &Client,
    url: &Url,
    addresses: &[IpAddr],
    packed: &Packed,
    reach: Reach,
) -> Result<(), PostFailure> {
    let allowed = allowed(url, addresses, reach)?;
    let target = Target {
        url,
        addresses: &allowed,
        bounds: BOUNDS,
    };
    let octets = Bytes::copy_from_slice(&packed.octets);
    Ok(client.post(&target, Packed::MEDIA_TYPE, octets).await?)
}

/// The addresses to which something may be sent. A server without any is asked for by nobody, the proxy included, to whom its
/// name may mean something else.
fn allowed(url: &Url, addresses: &[IpAddr], reach: Reach) -> Result<Vec<IpAddr>, PostFailure> {
    if addresses.is_empty() {
        return Err(Failure::NoAddress.into());
    }
    if reach == Reach::Anywhere {
        return Ok(addresses.to_vec());
    }
    if url.port() != PORT && url.port() < UNPRIVILEGED {
        return Err(PostFailure::Port(url.port()));
    }
    let allowed: Vec<IpAddr> = addresses
        .iter()
        .copied()
        .filter(|address| is_public(*address))
        .collect();
    match addresses.first() {
        Some(internal) if allowed.is_empty() => Err(PostFailure::Internal(*internal)),
        Some(_) | None => Ok(allowed),
    }
}

/// Whether it is an address of the Internet (the special-purpose registries of IANA, RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => is_public_v4(four),
        IpAddr::V6(six) => match embedded(six) {
            Some(four) => is_public_v4(four),
            None => is_public_v6(six),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let is_special = match first {
        // "This network"; private; loopback; multicast, reserved and broadcast.
        0 | 10 | 127 | 224.. => true,
        // Shared by carriers (RFC 6598).
        100 => (64..128).contains(&second),
        // Link-local.
        169 => second == 254,
        172 => (16..32).contains(&second),
        // Protocol assignments and documentation; private.
        192 => matches!((second, third), (0, 0 | 2) | (168, _)),
        // Benchmarks; documentation.
        198 => matches!((second, third), (18 | 19, _) | (51, 100)),
        203 => (second, third) == (0, 113),
        _ => false,
    };
    !is_special
}

/// Only `2000::/3` is given out.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let is_documentation = (first, second) == (0x2001, 0xDB8) || (first, second & 0xF000) == (0x3FFF, 0);
    // Protocol assignments, Teredo among them (RFC 2928).
    let is_assignment = first == 0x2001 && second < 0x200;
    first & 0xE000 == 0x2000 && !is_documentation && !is_assignment
}

/// The IPv4 address to which traffic for this one goes in the end: mapped (RFC 4291 §2.5.5.2), translated (RFC 6052 §2.1) or
/// 6to4 (RFC 3056 §2).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [first, second, third, .., seventh, eighth] = address.segments();
    let pair = |high: u16, low: u16| Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xFFFF, ..] | [0x64, 0xFF9B, 0, 0, 0, 0, ..] => pair(seventh, eighth),
        _ if first == 0x2002 => pair(second, third),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn only_what_is_public_may_be_reached() {
        for address in [
            "192.0.1.1",
            "8.8.8.8",
            "100.128.0.1",
            "172.32.0.1",
            "2606:4700::1",
            "2002:808:808::1",
            "::ffff:8.8.8.8",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "3fff::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::1",
            "64:ff9b:1::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn internal_servers_and_other_services_are_left_alone() {
        let inside: IpAddr = "127.0.0.1".parse().unwrap();
        let outside: IpAddr = "8.8.8.8".parse().unwrap();
        let place = url("https://reports.example/");
        let refused = allowed(&place, &[inside], Reach::Public);
        assert!(matches!(refused, Err(PostFailure::Internal(address)) if address == inside));
        assert_eq!(
            allowed(&place, &[inside, outside], Reach::Public).unwrap(),
            [outside]
        );
        assert_eq!(allowed(&place, &[inside], Reach::Anywhere).unwrap(), [inside]);
        for reach in [Reach::Public, Reach::Anywhere] {
            let nowhere = allowed(&place, &[], reach).unwrap_err();
            assert!(matches!(nowhere, PostFailure::Exchange(Failure::NoAddress)) && nowhere.is_passing());
        }
        let smtp = url("https://reports.example:25/");
        assert!(matches!(
            allowed(&smtp, &[outside], Reach::Public),
            Err(PostFailure::Port(25))
        ));
        assert!(allowed(&url("https://reports.example:8443/"), &[outside], Reach::Public).is_ok());
    }
}
