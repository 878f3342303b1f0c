//! Configuration values that have a form of their own: networks, name servers, domains, mailboxes.
//!
//! Each is parsed when the file is read, so that an error names the line, and is written back as an administrator would
//! have written it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use listener::KeyDigest;
use listener::users::is_name;
use mail::{Domain, Mailbox};
use rustls::pki_types::DnsName;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use settings_file::forms::{self, Form, Unfit};

/// The beginnings of the networks of link-local (RFC 4291 §2.5.6) and multicast addresses (§2.7).
const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0);
const MULTICAST: Ipv6Addr = Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0);

/// A network or a single address, `"192.0.2.0/24"`, `"::1"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network(pub(crate) IpNet);

/// The networks with addresses that mean the machine itself, its own link, or many machines at once.
pub(super) fn nobodys() -> Vec<Network> {
    let four = [
        ([0, 0, 0, 0], 8),
        ([127, 0, 0, 0], 8),
        ([169, 254, 0, 0], 16),
        ([224, 0, 0, 0], 3),
    ];
    let six = [(Ipv6Addr::UNSPECIFIED, 127), (LINK_LOCAL, 10), (MULTICAST, 8)];
    let four = four.map(|(address, bits)| IpNet::from(Ipv4Net::new_assert(address.into(), bits)));
    let six = six.map(|(address, bits)| IpNet::from(Ipv6Net::new_assert(address, bits)));
    four.into_iter().chain(six).map(Network).collect()
}

/// The key of a client certificate, by its SHA-256 in hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClientKey(pub(crate) KeyDigest);

/// A domain that a user's senders may have, `"USER:DOMAIN"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserSender {
    pub(crate) user: String,
    pub(crate) domain: Domain,
}

/// A name server, `"192.0.2.1"`, `"[2001:db8::1]:5353"`, `"tls://dns.example@192.0.2.1:8853"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Server {
    /// In plain text, on port 53 unless another one is given.
    Plain(SocketAddr),
    /// Over TLS, on port 853 unless another one is given (RFC 7858 §3.1).
    Tls {
        /// The name in its certificate.
        name: DnsName<'static>,
        /// Where it listens.
        address: SocketAddr,
    },
}

/// A text that has none of the allowed forms.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} cannot be read; allowed: {allowed}")]
pub(crate) struct UnitError {
    text: String,
    allowed: &'static str,
}

impl UnitError {
    fn new<T: Form>(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            allowed: T::ALLOWED,
        }
    }
}

/// Why a text is not a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NetworkError {
    /// It does not have the right form.
    #[error("neither ADDRESS nor ADDRESS/BITS")]
    Form,
    /// Host bits are set: either the network is meant, or the single address.
    #[error("bits are set behind the prefix: write \"{}\" for the network, or \"{}\" for the address", .0.trunc(), .0.addr())]
    HostBits(IpNet),
}

/// IPv4 addresses in IPv6 form, `::ffff:192.0.2.0/120`, mean IPv4 clients: nobody else has such addresses.
fn canonical(network: IpNet) -> IpNet {
    const MAPPED: u8 = 96;
    match (network.addr().to_canonical(), network) {
        (IpAddr::V4(address), IpNet::V6(mapped)) if mapped.prefix_len() >= MAPPED => {
            Ipv4Net::new(address, mapped.prefix_len() - MAPPED).map_or(network, IpNet::V4)
        }
        (IpAddr::V4(_) | IpAddr::V6(_), _) => network,
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(canonical(address.into())));
        }
        let network: IpNet = text.parse().map_err(|_| NetworkError::Form)?;
        if network == network.trunc() {
            Ok(Self(canonical(network)))
        } else {
            Err(NetworkError::HostBits(network))
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Server {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError::new::<Self>(text);
        if let Some(secured) = text.strip_prefix("tls://") {
            let (name, address) = secured.split_once('@').ok_or_else(wrong)?;
            let domain = Domain::parse(name).map_err(|_| wrong())?;
            return Ok(Self::Tls {
                name: DnsName::try_from(domain.as_str().to_owned()).map_err(|_| wrong())?,
                address: parse_server_address(address, 853).ok_or_else(wrong)?,
            });
        }
        parse_server_address(text, 53).map(Self::Plain).ok_or_else(wrong)
    }
}

fn parse_server_address(text: &str, port: u16) -> Option<SocketAddr> {
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(inner) = bracketed {
        return Some(SocketAddr::new(inner.parse::<Ipv6Addr>().ok()?.into(), port));
    }
    let address = text
        .parse::<IpAddr>()
        .map(|address| SocketAddr::new(address, port));
    address
        .or_else(|_| text.parse::<SocketAddr>())
        .ok()
        .filter(|address| address.port() != 0)
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(address) if address.port() == 53 => address.ip().fmt(f),
            Self::Plain(address) => address.fmt(f),
            Self::Tls { name, address } if address.port() == 853 => {
                write!(f, "tls://{}@{}", name.as_ref(), address.ip())
            }
            Self::Tls { name, address } => write!(f, "tls://{}@{address}", name.as_ref()),
        }
    }
}

impl Form for Network {
    type Value = Self;

    const ALLOWED: &'static str =
        "\"ADDRESS\" or \"ADDRESS/BITS\", like \"192.0.2.0/24\" or \"2001:db8::/32\"";

    fn read(text: &str) -> Result<Self, Unfit> {
        text.parse().map_err(|error| match error {
            NetworkError::Form => Unfit::Form,
            NetworkError::HostBits(_) => Unfit::because(error),
        })
    }
}

impl Form for ClientKey {
    type Value = Self;

    const ALLOWED: &'static str =
        "the SHA-256 of a certificate's public key: 64 hexadecimal digits, with or without colons";

    fn read(text: &str) -> Result<Self, Unfit> {
        text.parse().map(Self).map_err(|_| Unfit::Form)
    }
}

impl Form for UserSender {
    type Value = Self;

    const ALLOWED: &'static str = "\"USER:DOMAIN\", like \"scanner:example.nl\"";

    fn read(text: &str) -> Result<Self, Unfit> {
        let (user, domain) = text.split_once(':').ok_or(Unfit::Form)?;
        if !is_name(user) {
            return Err(Unfit::Form);
        }
        Ok(Self {
            user: user.to_owned(),
            domain: Domain::parse(domain).map_err(Unfit::because)?,
        })
    }
}

impl fmt::Display for UserSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.user, self.domain)
    }
}

impl Form for Server {
    type Value = Self;

    const ALLOWED: &'static str = "\"ADDRESS\", \"ADDRESS:PORT\" or \"tls://NAME@ADDRESS\", like \"192.0.2.1\", \
                                   \"[2001:db8::1]:53\" or \"tls://dns.example@192.0.2.1\"";

    fn read(text: &str) -> Result<Self, Unfit> {
        text.parse().map_err(|_: UnitError| Unfit::Form)
    }
}

/// How a domain is written.
#[derive(Debug)]
pub(crate) enum DomainName {}

impl Form for DomainName {
    type Value = Domain;

    const ALLOWED: &'static str = "a domain name, like \"mail.example.nl\"";

    fn read(text: &str) -> Result<Domain, Unfit> {
        Domain::parse(text).map_err(Unfit::because)
    }
}

/// How a mailbox is written.
#[derive(Debug)]
pub(crate) enum MailAddress {}

impl Form for MailAddress {
    type Value = Mailbox;

    const ALLOWED: &'static str = "a mail address, like \"postmaster@example.nl\"";

    fn read(text: &str) -> Result<Mailbox, Unfit> {
        Mailbox::parse(text).map_err(Unfit::because)
    }
}

/// How a web address is written.
#[derive(Debug)]
pub(crate) enum WebAddress {}

impl Form for WebAddress {
    type Value = https::Url;

    const ALLOWED: &'static str = "a web address, like \"https://hooks.example.nl/danerelay\"";

    fn read(text: &str) -> Result<https::Url, Unfit> {
        text.parse::<https::Url>().map_err(Unfit::because)
    }
}

/// How a proxy is written.
#[derive(Debug)]
pub(crate) enum ProxyAddress {}

impl Form for ProxyAddress {
    type Value = https::Proxy;

    const ALLOWED: &'static str = "\"http://NAME:PORT\", like \"http://proxy.example.nl:3128\"";

    fn read(text: &str) -> Result<https::Proxy, Unfit> {
        text.parse::<https::Proxy>().map_err(Unfit::because)
    }
}

/// Reads each of these by its form.
macro_rules! by_form {
    ($($type:ty),*) => {
        $(impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                forms::one::<Self, D>(deserializer)
            }
        })*
    };
}

by_form!(ClientKey, Network, Server, UserSender);

impl Serialize for ClientKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for UserSender {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Server {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn forms_survive_a_round_trip() {
        for text in [
            "192.0.2.1",
            "192.0.2.1:5353",
            "2001:db8::1",
            "[2001:db8::1]:5353",
            "tls://a.example@192.0.2.1",
        ] {
            assert_eq!(text.parse::<Server>().unwrap().to_string(), text);
        }
        for text in ["127.0.0.0/8", "::1/128"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn meaning() {
        assert_eq!("::1".parse::<Network>().unwrap().to_string(), "::1/128");
    }

    #[test]
    fn other_forms_are_refused() {
        for text in ["", "10.0.0.0/33", "10.1.2.3/8", "example.org"] {
            assert!(text.parse::<Network>().is_err(), "{text:?}");
        }
        for text in [
            "",
            "dns.example",
            "192.0.2.1:0",
            "tls://192.0.2.1",
            "tls://a..b@192.0.2.1",
            "192.0.2.1:x",
        ] {
            assert!(text.parse::<Server>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn mapped_networks_are_those_of_ipv4() {
        let text = |network: &str| network.parse::<Network>().unwrap().to_string();
        assert_eq!(text("::ffff:192.0.2.0/120"), "192.0.2.0/24");
        assert_eq!(text("::ffff:192.0.2.1"), "192.0.2.1/32");
        assert_eq!(text("::/90"), "::/90");
    }
}
