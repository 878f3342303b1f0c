//! Which of IPv4 and IPv6 leads outward, and from which address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use ipnet::IpNet;

use super::finding::{Finding, Level, Subject};
use crate::access::words;
use crate::config::Config;
use crate::config::schema::AddressFamily;

/// Addresses for documentation (RFC 5737, RFC 3849) and beyond them nothing: only the route there is looked up, and nothing is sent.
const FAR_IPV4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const FAR_IPV6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0x0db8, 0, 0, 0, 0, 0, 1));
/// Not a service that would be reached: the kernel only wants a number.
const ANY_PORT: u16 = 9;

/// The addresses from which mail goes out.
pub(super) struct Sources {
    /// The configured ones, or those that the system chooses.
    pub(super) addresses: Vec<IpAddr>,
    is_configured: bool,
    wanted: AddressFamily,
    ipv4: Result<IpAddr, String>,
    ipv6: Result<IpAddr, String>,
}

impl Sources {
    pub(super) fn of(config: &Config) -> Self {
        let delivery = &config.delivery;
        let (ipv4, ipv6) = (source(FAR_IPV4), source(FAR_IPV6));
        let is_configured = !delivery.source_addresses.is_empty();
        let wanted = delivery.address_family;
        let chosen = ipv4.iter().chain(&ipv6).copied();
        let addresses = if is_configured {
            delivery.source_addresses.clone()
        } else {
            chosen
                .filter(|address| match wanted {
                    AddressFamily::Any => true,
                    AddressFamily::Ipv4 => address.is_ipv4(),
                    AddressFamily::Ipv6 => address.is_ipv6(),
                })
                .collect()
        };
        Self {
            addresses,
            is_configured,
            wanted,
            ipv4,
            ipv6,
        }
    }

    pub(super) fn findings(&self) -> Vec<Finding> {
        let is_alone = |other: &Result<IpAddr, String>| other.is_err();
        let mut findings = Vec::new();
        if self.wanted != AddressFamily::Ipv6 {
            let level = if is_alone(&self.ipv6) || self.wanted == AddressFamily::Ipv4 {
                Level::Bad
            } else {
                Level::Warn
            };
            findings.push(self.finding(Subject::Ipv4, &self.ipv4, level));
        }
        if self.wanted != AddressFamily::Ipv4 {
            let level = if self.wanted == AddressFamily::Ipv6 {
                Level::Bad
            } else {
                Level::Warn
            };
            findings.push(self.finding(Subject::Ipv6, &self.ipv6, level));
        }
        findings
    }

    fn finding(&self, subject: Subject, source: &Result<IpAddr, String>, missing: Level) -> Finding {
        match source {
            Ok(address) if self.is_configured => Finding::ok(
                subject,
                format!("there is a route outward; the system would use {address}"),
            ),
            Ok(address) => Finding::ok(subject, format!("there is a route outward, from {address}")),
            Err(reason) => Finding::new(
                subject,
                missing,
                format!("there is no route outward: {reason}"),
                match subject {
                    Subject::Ipv6 => {
                        "receivers with IPv6 alone are out of reach; if that is meant, delivery.address_family = \"ipv4\" says so"
                    }
                    _ => {
                        "without it most receivers are out of reach: give this machine an address and a default route"
                    }
                },
            ),
        }
    }
}

/// The address that the system would use for a connection to such an address. Nothing is sent.
fn source(far: IpAddr) -> Result<IpAddr, String> {
    let any: IpAddr = match far {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).map_err(|error| words(&error))?;
    socket
        .connect((far, ANY_PORT))
        .and_then(|()| socket.local_addr())
        .map(|address| address.ip())
        .map_err(|error| words(&error))
}

/// Why others see another address than this one, if they do.
pub(super) fn hidden(address: IpAddr) -> Option<&'static str> {
    const PRIVATE: [&str; 6] = [
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "fc00::/7",
    ];
    let is_in = |network: &str| {
        network
            .parse::<IpNet>()
            .is_ok_and(|network| network.contains(&address))
    };
    if address.is_loopback() {
        Some("an address of this machine alone")
    } else if PRIVATE.into_iter().any(is_in) {
        Some("a private address, which others do not see")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn private_addresses_are_not_seen_by_others() {
        for (address, is_hidden) in [
            ("127.0.0.1", true),
            ("172.31.255.1", true),
            ("172.32.0.1", false),
            ("100.64.0.1", true),
            ("fd00::1", true),
            ("2a00::1", false),
            ("9.9.9.9", false),
        ] {
            assert_eq!(hidden(address.parse().unwrap()).is_some(), is_hidden, "{address}");
        }
    }
}
