//! Domain names, parsed strictly and in the form that is compared and looked up.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest domain name in its text form without the trailing dot, in octets (RFC 1035 §2.3.4).
pub const DOMAIN_LENGTH: usize = 253;

/// A domain name in lower-case A-labels without a trailing dot: the form that is compared and looked up.
///
/// Underscores are accepted, because host names and TLSA owners contain them in practice.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Domain(Arc<str>);

/// Why a text is not a domain name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DomainError {
    /// It is empty, or a label is.
    #[error("a label is empty")]
    EmptyLabel,
    /// Longer than [`DOMAIN_LENGTH`], or a label longer than 63 octets.
    #[error("longer than 253 octets, or a label longer than 63")]
    TooLong,
    /// A character that a host name cannot have, or a U-label that IDNA forbids.
    #[error("a character that a domain name cannot have")]
    Forbidden,
    /// The root itself (`.`), which receives no mail.
    #[error("the root is not a mail domain")]
    Root,
}

impl Domain {
    /// Parses a name given as A-labels or U-labels; case and one trailing dot do not matter.
    pub fn parse(text: &str) -> Result<Self, DomainError> {
        if text == "." {
            return Err(DomainError::Root);
        }
        let text = text.strip_suffix('.').unwrap_or(text);
        let ascii = if !text.is_ascii() || has_a_label(text) {
            Cow::Owned(idna::domain_to_ascii(text).map_err(|_| DomainError::Forbidden)?)
        } else if text.bytes().any(|octet| octet.is_ascii_uppercase()) {
            Cow::Owned(text.to_ascii_lowercase())
        } else {
            Cow::Borrowed(text)
        };
        check_labels(&ascii)?;
        Ok(Self(Arc::from(&*ascii)))
    }

    /// The name as text, for example `mx1.example.org`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is `other` or lies below it.
    pub fn is_within(&self, other: &Self) -> bool {
        self.0
            .strip_suffix(&*other.0)
            .is_some_and(|below| below.is_empty() || below.ends_with('.'))
    }

    /// Whether it is written like an IPv4 address, `192.0.2.1`. No DNS name looks like that: whoever writes it means the
    /// address.
    pub fn is_bare_address(&self) -> bool {
        self.0.parse::<Ipv4Addr>().is_ok()
    }

    /// The name one label shorter, or `None` for a top-level name.
    pub fn parent(&self) -> Option<Self> {
        let (_, parent) = self.0.split_once('.')?;
        Some(Self(parent.into()))
    }
}

/// Whether a label may be in the form for IDNA, which has to be checked.
fn has_a_label(text: &str) -> bool {
    let mut places = text.as_bytes().windows(4);
    places.any(|four| four.eq_ignore_ascii_case(b"xn--"))
}

fn check_labels(ascii: &str) -> Result<(), DomainError> {
    if ascii.len() > DOMAIN_LENGTH {
        return Err(DomainError::TooLong);
    }
    for label in ascii.split('.') {
        if label.is_empty() {
            return Err(DomainError::EmptyLabel);
        }
        if label.len() > 63 {
            return Err(DomainError::TooLong);
        }
        if !label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        {
            return Err(DomainError::Forbidden);
        }
    }
    Ok(())
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Domain {
    type Err = DomainError;
    fn from_str(text: &str) -> Result<Self, DomainError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Domain {
    type Error = DomainError;
    fn try_from(text: String) -> Result<Self, DomainError> {
        Self::parse(&text)
    }
}

impl From<Domain> for String {
    fn from(domain: Domain) -> Self {
        domain.0.to_string()
    }
}

impl From<Domain> for Arc<str> {
    fn from(domain: Domain) -> Self {
        domain.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn domains_are_normalised() {
        assert_eq!(
            Domain::parse("MX1.Example.ORG.").unwrap().as_str(),
            "mx1.example.org"
        );
        assert_eq!(
            Domain::parse("bücher.example").unwrap().as_str(),
            "xn--bcher-kva.example"
        );
        assert_eq!(
            Domain::parse("_25._tcp.mx.example").unwrap().as_str(),
            "_25._tcp.mx.example"
        );
    }

    #[test]
    fn wrong_domains_are_refused() {
        for text in ["", "a..b", ".a", "a b", "a\r\nb", "a/b", "a@b"] {
            assert!(Domain::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(Domain::parse("."), Err(DomainError::Root));
        assert_eq!(Domain::parse(&"a".repeat(64)), Err(DomainError::TooLong));
        assert_eq!(
            Domain::parse(&vec!["abcdefg"; 32].join(".")),
            Err(DomainError::TooLong)
        );
    }
}
