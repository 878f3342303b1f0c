//! Where mail goes next.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Domain, DomainError, DomainPart, Mailbox};

/// The destination of a delivery. Recipients with the same next hop share facts, decision and transaction.
///
/// The text form is that of Postfix's relayhost: `name`, `name:port` (with MX look-up), `[name]`, `[name]:port` (without),
/// `[192.0.2.1]`, `[2001:db8::1]:port` (an address).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum NextHop {
    /// The MX records of this domain decide.
    Domain {
        /// The next-hop domain.
        domain: Domain,
        /// A port other than the configured one.
        port: Option<u16>,
    },
    /// Exactly this host, without MX look-up.
    Host {
        /// The host.
        host: Domain,
        /// A port other than the configured one.
        port: Option<u16>,
    },
    /// This address; outside DANE (RFC 7672 §2.2).
    Address {
        /// The address.
        address: IpAddr,
        /// A port other than the configured one.
        port: Option<u16>,
    },
}

/// The text is not a next hop.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is no next hop: {problem}")]
pub struct NextHopError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub problem: NextHopProblem,
}

/// What may stand before an IPv6 address in brackets, as in an address literal of mail, in any case (RFC 5321 §4.1.3).
const TAG: &str = "IPv6:";

/// Why a text is not a next hop.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NextHopProblem {
    /// It has none of the forms.
    #[error("allowed are name, name:port, [name], [name]:port, [address], [address]:port")]
    Form,
    /// The name is not a domain name.
    #[error("{0}")]
    Name(DomainError),
    /// An address without brackets, which would be looked up as a name; this is the form with brackets.
    #[error("an address stands in brackets, \"{0}\", or it would be looked up as a name")]
    BareAddress(NextHop),
}

impl NextHop {
    /// The next hop of a recipient without a configured route.
    pub fn of(recipient: &Mailbox) -> Self {
        recipient.domain().clone().into()
    }

    /// Parses what an administrator has written. A bare address is refused here: the administrator means an address, but it
    /// would be looked up as a name.
    pub fn configured(text: &str) -> Result<Self, NextHopError> {
        match bare_address(text) {
            Some(address) => Err(NextHopError {
                text: text.to_owned(),
                problem: NextHopProblem::BareAddress(address),
            }),
            None => text.parse(),
        }
    }

    /// The port that was configured with it, if any.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Domain { port, .. } | Self::Host { port, .. } | Self::Address { port, .. } => *port,
        }
    }
}

impl From<DomainPart> for NextHop {
    fn from(domain: DomainPart) -> Self {
        match domain {
            DomainPart::Name(domain) => Self::Domain { domain, port: None },
            DomainPart::Literal(address) => Self::Address { address, port: None },
        }
    }
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain { domain, .. } => write!(f, "{domain}")?,
            Self::Host { host, .. } => write!(f, "[{host}]")?,
            Self::Address { address, .. } => write!(f, "[{address}]")?,
        }
        self.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl FromStr for NextHop {
    type Err = NextHopError;

    fn from_str(text: &str) -> Result<Self, NextHopError> {
        parse(text).map_err(|problem| NextHopError {
            text: text.to_owned(),
            problem,
        })
    }
}

/// An address without brackets, with or without a port, as the next hop that was meant.
fn bare_address(text: &str) -> Option<NextHop> {
    if text.starts_with('[') {
        return None;
    }
    let (address, port) = match text.parse::<SocketAddr>() {
        Ok(at) => (at.ip(), Some(at.port())),
        Err(_) => (text.parse().ok()?, None),
    };
    Some(NextHop::Address { address, port })
}

fn parse(text: &str) -> Result<NextHop, NextHopProblem> {
    let Some(bracketed) = text.strip_prefix('[') else {
        let (name, port) = match text.split_once(':') {
            Some((name, port)) => (name, Some(parse_port(port)?)),
            None => (text, None),
        };
        let domain = Domain::parse(name).map_err(NextHopProblem::Name)?;
        return Ok(NextHop::Domain { domain, port });
    };
    let (inner, rest) = bracketed.split_once(']').ok_or(NextHopProblem::Form)?;
    let port = match rest.strip_prefix(':') {
        Some(port) => Some(parse_port(port)?),
        None if rest.is_empty() => None,
        None => return Err(NextHopProblem::Form),
    };
    let address = match inner.split_at_checked(TAG.len()) {
        Some((tag, v6)) if tag.eq_ignore_ascii_case(TAG) => v6.parse().ok().map(IpAddr::V6),
        _ => inner.parse().ok(),
    };
    if let Some(address) = address {
        return Ok(NextHop::Address { address, port });
    }
    // "192.0.2.1." would become a name written like an address, and would be read as an address the next time.
    let host = Domain::parse(inner).map_err(NextHopProblem::Name)?;
    match host.as_str().parse::<IpAddr>() {
        Ok(_) => Err(NextHopProblem::Form),
        Err(_) => Ok(NextHop::Host { host, port }),
    }
}

fn parse_port(text: &str) -> Result<u16, NextHopProblem> {
    let all_digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let port = text.parse().ok().filter(|port| all_digits && *port != 0);
    port.ok_or(NextHopProblem::Form)
}

impl TryFrom<String> for NextHop {
    type Error = NextHopError;
    fn try_from(text: String) -> Result<Self, NextHopError> {
        text.parse()
    }
}

impl From<NextHop> for String {
    fn from(next_hop: NextHop) -> Self {
        next_hop.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn text_forms_survive_a_round_trip() {
        for text in [
            "a.example",
            "a.example:587",
            "[mx.a.example]",
            "[mx.a.example]:587",
            "[192.0.2.1]",
            "[2001:db8::1]:26",
        ] {
            assert_eq!(text.parse::<NextHop>().unwrap().to_string(), text);
            assert_eq!(NextHop::configured(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn an_ipv6_address_may_have_the_tag_of_literals() {
        for text in ["[IPv6:2001:db8::1]:26", "[ipv6:2001:DB8::1]:26"] {
            assert_eq!(NextHop::configured(text).unwrap().to_string(), "[2001:db8::1]:26");
        }
        assert!(NextHop::configured("[IPv6:192.0.2.1]").is_err());
    }

    #[test]
    fn wrong_forms_are_refused() {
        for text in [
            "",
            "a:",
            "a:0",
            "a:99999",
            "[a",
            "[a]x",
            "[a]:",
            "a b",
            "a:+5",
            "[192.0.2.1.]",
        ] {
            assert!(text.parse::<NextHop>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_bare_address_is_told_how_to_stand_in_brackets() {
        for (bare, bracketed) in [
            ("192.0.2.1", "[192.0.2.1]"),
            ("192.0.2.1:587", "[192.0.2.1]:587"),
            ("2001:db8::1", "[2001:db8::1]"),
        ] {
            let error = NextHop::configured(bare).unwrap_err();
            assert!(error.to_string().contains(&format!("\"{bracketed}\"")), "{error}");
            assert!(NextHop::configured(bracketed).is_ok());
        }
        assert!(NextHop::configured("192.0.2.1.example").is_ok());
    }
}
