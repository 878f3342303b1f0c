//! Values of the configuration that have a form of their own: durations, sizes, networks, name servers.
//!
//! Each is parsed when the file is read, so that an error names the line, and is written back in the form in which an
//! administrator would have written it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use policy::duration::DurationError;
use policy::toml_file::forms::{self, Form, Unfit};
use rustls::pki_types::DnsName;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::networks::canonical;

/// A length of time, `"30s"`, `"5m"`, `"4h"`, `"5d"`, or `"0"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Interval(pub(crate) Duration);

/// A number of octets, `"50 MiB"`, or a bare number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Size(pub(crate) u64);

/// A network or a single address, `"192.0.2.0/24"`, `"::1"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network(pub(crate) IpNet);

/// A name server, `"192.0.2.1"`, `"[2001:db8::1]:5353"`, `"tls://dns.example@192.0.2.1:8853"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Server {
    /// In clear, on port 53 unless another is given.
    Plain(SocketAddr),
    /// Over TLS, on port 853 unless another is given (RFC 7858 §3.1).
    Tls {
        /// The name in its certificate.
        name: DnsName<'static>,
        /// Where it listens.
        address: SocketAddr,
    },
}

const INTERVAL_UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
const SIZE_UNITS: [(&str, u64); 6] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
    ("", 1),
];

/// A text that is none of what is allowed here.
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

/// The number and the factor of its unit, multiplied; `None` where the text has another form or overflows.
fn parse_scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let unit = unit.trim_start();
    let factor = match units.iter().find(|(name, _)| *name == unit) {
        Some((_, factor)) => *factor,
        None if unit.is_empty() && number == 0 => 1,
        None => return None,
    };
    number.checked_mul(factor)
}

/// The largest unit that divides the number, and how often it does.
fn scale_of(number: u64, units: &[(&'static str, u64)]) -> (u64, &'static str) {
    units
        .iter()
        .find(|(_, factor)| number.is_multiple_of(*factor))
        .map_or((number, ""), |(unit, factor)| (number / factor, *unit))
}

impl FromStr for Interval {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        if text == "0" {
            return Ok(Self(Duration::ZERO));
        }
        policy::duration::parse(text).map(Self)
    }
}

impl Interval {
    /// An interval of so many seconds.
    pub(crate) const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// An interval of so many minutes.
    pub(crate) const fn minutes(minutes: u64) -> Self {
        Self::seconds(minutes * 60)
    }

    /// An interval of so many hours.
    pub(crate) const fn hours(hours: u64) -> Self {
        Self::minutes(hours * 60)
    }

    /// An interval of so many days.
    pub(crate) const fn days(days: u64) -> Self {
        Self::hours(days * 24)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            0 => f.write_str("0"),
            seconds => {
                let (number, unit) = scale_of(seconds, &INTERVAL_UNITS);
                write!(f, "{number}{unit}")
            }
        }
    }
}

impl FromStr for Size {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        parse_scaled(text, &SIZE_UNITS)
            .map(Self)
            .ok_or_else(|| UnitError::new::<Self>(text))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("0"),
            octets => {
                let (number, unit) = scale_of(octets, &SIZE_UNITS);
                write!(f, "{number} {unit}")
            }
        }
    }
}

/// Why a text is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NetworkError {
    /// It has another form.
    #[error("neither ADDRESS nor ADDRESS/BITS")]
    Form,
    /// An address within the network that is meant, or the address alone.
    #[error("bits are set behind the prefix: write \"{}\" for the network, or \"{}\" for the address", .0.trunc(), .0.addr())]
    HostBits(IpNet),
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
            let domain = mail::Domain::parse(name).map_err(|_| wrong())?;
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

impl Form for Interval {
    const ALLOWED: &'static str =
        "a whole number and one of s, m, h, d in quotes, like \"30s\" or \"5d\", or 0";

    fn read(text: &str) -> Result<Self, Unfit> {
        text.parse().map_err(|_: DurationError| Unfit::Form)
    }

    fn read_number(number: i64) -> Option<Self> {
        (number == 0).then(Self::default)
    }
}

impl Form for Size {
    const ALLOWED: &'static str =
        "a whole number of octets, or one with B, KiB, MiB, GiB or TiB in quotes, like \"50 MiB\"";

    fn read(text: &str) -> Result<Self, Unfit> {
        text.parse().map_err(|_: UnitError| Unfit::Form)
    }

    fn read_number(number: i64) -> Option<Self> {
        number.try_into().ok().map(Self)
    }
}

impl Form for Network {
    const ALLOWED: &'static str =
        "\"ADDRESS\" or \"ADDRESS/BITS\", like \"192.0.2.0/24\" or \"2001:db8::/32\"";

    fn read(text: &str) -> Result<Self, Unfit> {
        text.parse().map_err(|error| match error {
            NetworkError::Form => Unfit::Form,
            NetworkError::HostBits(_) => Unfit::because(error),
        })
    }
}

impl Form for Server {
    const ALLOWED: &'static str = "\"ADDRESS\", \"ADDRESS:PORT\" or \"tls://NAME@ADDRESS\", like \"192.0.2.1\", \
                                   \"[2001:db8::1]:53\" or \"tls://dns.example@192.0.2.1\"";

    fn read(text: &str) -> Result<Self, Unfit> {
        text.parse().map_err(|_: UnitError| Unfit::Form)
    }
}

/// Reads each of these by its form.
macro_rules! by_form {
    ($($type:ty),*) => {
        $(impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                forms::one(deserializer)
            }
        })*
    };
}

by_form!(Interval, Size, Network, Server);

impl Serialize for Interval {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Network {
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
        for text in ["30s", "5m", "4h", "5d", "400d", "90s", "0"] {
            assert_eq!(text.parse::<Interval>().unwrap().to_string(), text);
        }
        for text in ["50 MiB", "512 MiB", "1 B", "1 TiB", "1000 B", "0"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
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
        assert_eq!("7d".parse::<Interval>().unwrap(), Interval::hours(168));
        assert_eq!("50MiB".parse::<Size>().unwrap(), Size(50 << 20));
        assert_eq!("4096".parse::<Size>().unwrap(), Size(4096));
        assert_eq!("::1".parse::<Network>().unwrap().to_string(), "::1/128");
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            "5",
            "s",
            "-5s",
            "5 parsecs",
            "1.5h",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert!(text.parse::<Interval>().is_err(), "{text:?}");
        }
        for text in ["", "MiB", "-1 B", "50 mib", "50 MB", "18446744073709551615 KiB"] {
            assert!(text.parse::<Size>().is_err(), "{text:?}");
        }
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
}
