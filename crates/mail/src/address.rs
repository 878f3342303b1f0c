//! Addresses of RFC 5321 §4.1.2 and §4.1.3, parsed strictly and kept as they were received.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::domain::{Domain, DomainError};

/// The longest path without its angle brackets, in octets: what fits into `MAIL FROM:<>` in the longest command line that
/// every server accepts (RFC 5321 §4.5.3.1.4). The section requires only 254, and 64 for local parts, and would rather have
/// no limits; VERP and tokens make longer ones.
pub const PATH_LENGTH: usize = 512 - "MAIL FROM:<>\r\n".len();

/// What follows the `@`: a name, or an address literal (RFC 5321 §4.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DomainPart {
    /// A domain name.
    Name(Domain),
    /// `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
    Literal(IpAddr),
}

impl DomainPart {
    /// Parses a domain name or an address literal with its brackets.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let Some(inner) = text.strip_prefix('[') else {
            return Ok(Self::Name(Domain::parse(text)?));
        };
        let inner = inner.strip_suffix(']').ok_or(AddressError::Literal)?;
        let tagged = inner
            .get(..5)
            .is_some_and(|tag| tag.eq_ignore_ascii_case("IPv6:"));
        let address = if tagged {
            inner
                .get(5..)
                .and_then(|v6| v6.parse::<Ipv6Addr>().ok())
                .map(IpAddr::V6)
        } else {
            inner.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
        };
        address.map(Self::Literal).ok_or(AddressError::Literal)
    }
}

impl DomainPart {
    /// Whether it is an address without its brackets; see [`Domain::is_bare_address`].
    pub fn is_bare_address(&self) -> bool {
        match self {
            Self::Name(domain) => domain.is_bare_address(),
            Self::Literal(_) => false,
        }
    }
}

impl TryFrom<String> for DomainPart {
    type Error = AddressError;
    fn try_from(text: String) -> Result<Self, AddressError> {
        Self::parse(&text)
    }
}

impl From<DomainPart> for String {
    fn from(part: DomainPart) -> Self {
        part.to_string()
    }
}

impl fmt::Display for DomainPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(domain) => domain.fmt(f),
            Self::Literal(IpAddr::V4(v4)) => write!(f, "[{v4}]"),
            Self::Literal(IpAddr::V6(v6)) => write!(f, "[IPv6:{v6}]"),
        }
    }
}

/// Why a text is not a mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AddressError {
    /// No `@` outside a quoted string.
    #[error("no domain: a mailbox is local-part@domain")]
    NoDomain,
    /// Neither a dot-string nor a quoted string (RFC 5321 §4.1.2).
    #[error("the local part is neither a dot-string nor a quoted string")]
    LocalPart,
    /// The domain is wrong.
    #[error("the domain is wrong: {0}")]
    Domain(#[from] DomainError),
    /// The address literal is neither `[IPv4]` nor `[IPv6:…]`.
    #[error("an address literal is [IPv4] or [IPv6:address]")]
    Literal,
    /// Longer than a path may be.
    #[error("longer than {PATH_LENGTH} octets")]
    TooLong,
}

/// A mailbox, `local-part@domain`: kept octet for octet as received, together with its parsed domain. Only a dot at the end of
/// the domain is taken off: RFC 5321 §4.1.2 has none there, and some servers refuse it.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mailbox {
    text: Arc<str>,
    at: usize,
    domain: DomainPart,
}

impl Mailbox {
    /// Parses a mailbox without angle brackets. Octets above 127 (RFC 6531) are accepted here; the session checks whether
    /// the transaction allows them ([`Mailbox::is_ascii`]).
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.len() > PATH_LENGTH {
            return Err(AddressError::TooLong);
        }
        let at = local_part_end(text)?;
        let (local, rest) = text.split_at_checked(at).ok_or(AddressError::LocalPart)?;
        let domain = rest.strip_prefix('@').ok_or(AddressError::NoDomain)?;
        if local.is_empty() {
            return Err(AddressError::LocalPart);
        }
        let domain = DomainPart::parse(domain)?;
        Ok(Self {
            text: text.strip_suffix('.').unwrap_or(text).into(),
            at,
            domain,
        })
    }

    /// The same for what a client wrote: misplaced dots, as in `a..b@example.org`, are accepted, and the local part is put
    /// in quotes (RFC 5321 §4.1.2 allows such a local part only there). Japanese carriers gave out such addresses by the
    /// thousand.
    pub fn from_client(text: &str) -> Result<Self, AddressError> {
        let local = text.split_once('@').map(|(local, _)| local);
        match local {
            Some(local) if has_stray_dots(local) => {
                let (_, domain) = text.split_at_checked(local.len()).ok_or(AddressError::NoDomain)?;
                Self::parse(&format!("\"{local}\"{domain}"))
            }
            Some(_) | None => Self::parse(text),
        }
    }

    /// The same mailbox with its domain in A-labels, for transactions without SMTPUTF8; `None` if the local part is not
    /// ASCII, or if the result is too long.
    pub fn to_ascii(&self) -> Option<Self> {
        if self.is_ascii() {
            return Some(self.clone());
        }
        let text = format!("{}@{}", self.local_part(), self.domain);
        text.is_ascii().then(|| Self::parse(&text).ok()).flatten()
    }

    /// The whole address as received.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The local part as received, quotes included; it belongs to the destination (RFC 5321 §2.3.11).
    pub fn local_part(&self) -> &str {
        self.text.get(..self.at).unwrap_or_default()
    }

    /// The domain, normalised.
    pub fn domain(&self) -> &DomainPart {
        &self.domain
    }

    /// Whether it can be sent without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.text.is_ascii()
    }
}

/// The octet offset of the `@` that ends the local part.
fn local_part_end(text: &str) -> Result<usize, AddressError> {
    if text.starts_with('"') {
        return quoted_string_end(text);
    }
    let at = text.find('@').ok_or(AddressError::NoDomain)?;
    let local = text.get(..at).unwrap_or_default();
    if local
        .split('.')
        .all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
    {
        Ok(at)
    } else {
        Err(AddressError::LocalPart)
    }
}

/// Whether it consists of atoms and dots, but is not a dot-string.
fn has_stray_dots(local: &str) -> bool {
    !local.is_empty() && local.chars().all(|c| c == '.' || is_atext(c)) && local.split('.').any(str::is_empty)
}

fn quoted_string_end(text: &str) -> Result<usize, AddressError> {
    let mut characters = text.char_indices().skip(1);
    while let Some((offset, c)) = characters.next() {
        match c {
            '"' => return Ok(offset + 1),
            '\\' => match characters.next() {
                Some((_, ' '..='~')) => {}
                _ => return Err(AddressError::LocalPart),
            },
            ' '..='~' => {}
            c if !c.is_ascii() && !c.is_control() => {}
            _ => return Err(AddressError::LocalPart),
        }
    }
    Err(AddressError::LocalPart)
}

/// `atext` of RFC 5322 §3.2.3, extended by RFC 6531 §3.3.
pub fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || (!c.is_ascii() && !c.is_control())
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Mailbox {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Mailbox {
    type Error = AddressError;
    fn try_from(text: String) -> Result<Self, AddressError> {
        Self::parse(&text)
    }
}

impl From<Mailbox> for String {
    fn from(mailbox: Mailbox) -> Self {
        mailbox.text.to_string()
    }
}

/// The reverse-path of an envelope: where reports go, or nowhere (RFC 5321 §4.5.5).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ReversePath {
    /// `<>`: no report may ever be sent to it.
    Null,
    /// A mailbox.
    Mailbox(Mailbox),
}

impl ReversePath {
    /// The text between the angle brackets; empty for the null reverse-path.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Null => "",
            Self::Mailbox(mailbox) => mailbox.as_str(),
        }
    }

    /// Parses the text between the angle brackets; empty is the null reverse-path.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.is_empty() {
            Ok(Self::Null)
        } else {
            Mailbox::parse(text).map(Self::Mailbox)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn mailboxes_keep_their_text() {
        let mailbox = Mailbox::parse("\"A b+C\\\"@x\"@Example.ORG").unwrap();
        assert_eq!(mailbox.as_str(), "\"A b+C\\\"@x\"@Example.ORG");
        assert_eq!(mailbox.local_part(), "\"A b+C\\\"@x\"");
        assert_eq!(mailbox.domain().to_string(), "example.org");
    }

    #[test]
    fn a_dot_at_the_end_of_the_domain_is_taken_off() {
        let dotted = Mailbox::parse("A@Example.ORG.").unwrap();
        assert_eq!(dotted.as_str(), "A@Example.ORG");
        assert_eq!(dotted, Mailbox::from_client("A@Example.ORG").unwrap());
        assert_eq!(Mailbox::from_client("a..b@c.").unwrap().as_str(), "\"a..b\"@c");
        for text in ["a@.", "a@b..", "a@[192.0.2.1].", "a."] {
            assert!(Mailbox::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn address_literals() {
        let v6 = Mailbox::parse("a@[IPv6:2001:db8::1]").unwrap();
        assert_eq!(v6.domain(), &DomainPart::Literal("2001:db8::1".parse().unwrap()));
        assert_eq!(Mailbox::parse("a@[2001:db8::1]"), Err(AddressError::Literal));
        assert!(Mailbox::parse("a@[192.0.2.1]").is_ok());
    }

    #[test]
    fn wrong_mailboxes_are_refused() {
        for text in [
            "",
            "a",
            "@b",
            "a..b@c",
            ".a@c",
            "a@",
            "a b@c",
            "\"a@c",
            "\"a\"b@c",
            "a\u{7}@c",
            "\"a\r\"@c",
        ] {
            assert!(Mailbox::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_local_part_may_take_what_a_command_line_holds() {
        let of = |octets: usize| Mailbox::parse(&format!("{}@c.d", "a".repeat(octets)));
        assert!(of(PATH_LENGTH - "@c.d".len()).is_ok());
        assert_eq!(of(PATH_LENGTH), Err(AddressError::TooLong));
    }

    #[test]
    fn stray_dots_of_clients_are_quoted() {
        for (text, quoted) in [
            ("a..b@c.example", "\"a..b\"@c.example"),
            ("a.@c.example", "\"a.\"@c.example"),
            (".a@c.example", "\".a\"@c.example"),
            ("..@c.example", "\"..\"@c.example"),
            ("\u{e9}..b@c.example", "\"\u{e9}..b\"@c.example"),
            ("a.b@c.example", "a.b@c.example"),
            ("\"a..b\"@c.example", "\"a..b\"@c.example"),
        ] {
            let taken = Mailbox::from_client(text).unwrap();
            assert_eq!(taken.as_str(), quoted);
            assert_eq!(Mailbox::parse(quoted), Ok(taken));
        }
        for text in ["@c", "a b.@c", "a..b", "\"a\"..b@c", "a..b@c..d", "a,.@c"] {
            assert!(Mailbox::from_client(text).is_err(), "{text}");
            assert!(Mailbox::parse("a..b@c").is_err());
        }
    }

    #[test]
    fn domains_become_a_labels_and_local_parts_do_not() {
        let ascii = |text: &str| {
            let ascii = Mailbox::parse(text).unwrap().to_ascii();
            ascii.map(|mailbox| mailbox.as_str().to_owned())
        };
        assert_eq!(
            ascii("A@b\u{fc}cher.example").as_deref(),
            Some("A@xn--bcher-kva.example")
        );
        assert_eq!(ascii("a@B.example").as_deref(), Some("a@B.example"));
        assert_eq!(ascii("\u{e9}@b\u{fc}cher.example"), None);
    }
}
