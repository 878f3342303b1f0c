//! The `mx` patterns of a policy (RFC 8461 §3.2, §4.1).

use std::fmt;

use mail::Domain;
use serde::{Deserialize, Serialize};

/// Which MX hosts a policy allows: one, or all that are one label below a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum MxPattern {
    /// `mail.example.com`.
    Host(Domain),
    /// `*.example.com`: the star is exactly one label (RFC 8461 §4.1).
    OneBelow(Domain),
}

/// A text that is neither a host name in A-labels nor `*.` and one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an mx pattern is a host name in A-labels, or *. and such a name")]
pub struct MxPatternError;

impl MxPattern {
    /// Parses a pattern. Names are those of RFC 5321 §4.1.2 in A-labels, without a trailing dot; underscores are accepted
    /// as in all names of hosts.
    pub fn parse(text: &str) -> Result<Self, MxPatternError> {
        if !text.is_ascii() || text.ends_with('.') {
            return Err(MxPatternError);
        }
        match text.strip_prefix("*.") {
            Some(parent) => Domain::parse(parent).map(Self::OneBelow),
            None => Domain::parse(text).map(Self::Host),
        }
        .map_err(|_| MxPatternError)
    }

    /// Whether the name in an MX record, unexpanded, matches.
    pub fn matches(&self, host: &Domain) -> bool {
        match self {
            Self::Host(name) => name == host,
            Self::OneBelow(parent) => {
                let below = host.as_str().split_once('.');
                below.is_some_and(|(_, rest)| rest == parent.as_str())
            }
        }
    }

    /// Its octets in memory, roughly.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Host(name) | Self::OneBelow(name) => size_of::<Self>() + name.as_str().len(),
        }
    }
}

impl fmt::Display for MxPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(name) => name.fmt(f),
            Self::OneBelow(parent) => write!(f, "*.{parent}"),
        }
    }
}

impl TryFrom<String> for MxPattern {
    type Error = MxPatternError;
    fn try_from(text: String) -> Result<Self, MxPatternError> {
        Self::parse(&text)
    }
}

impl From<MxPattern> for String {
    fn from(pattern: MxPattern) -> Self {
        pattern.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_star_is_exactly_one_label() {
        for (pattern, host, expected) in [
            ("mail.example.com", "mail.example.com", true),
            ("MAIL.Example.COM", "mail.example.com", true),
            ("mail.example.com", "mail.example.com.", true),
            ("mail.example.com", "mail2.example.com", false),
            ("mail.example.com", "a.mail.example.com", false),
            ("*.example.com", "mail.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "foo.bar.example.com", false),
            ("*.example.com", "mail.example.com.evil.org", false),
            ("*.example.com", "mail.notexample.com", false),
            ("*.com", "example.com", true),
            ("xn--bcher-kva.example", "bücher.example", true),
            ("*.xn--bcher-kva.example", "mx.bücher.example", true),
        ] {
            let pattern = MxPattern::parse(pattern).unwrap();
            assert_eq!(
                pattern.matches(&Domain::parse(host).unwrap()),
                expected,
                "{pattern} {host}"
            );
        }
    }

    #[test]
    fn what_is_no_pattern() {
        for text in [
            "",
            ".",
            "*",
            "*.",
            "*example.com",
            "m*.example.com",
            "mail.*.com",
            "*.*.example.com",
            "bücher.example",
            "*.bücher.example",
            "mail.example.com.",
            "mail..example.com",
            "[192.0.2.1]",
            "a b.example",
            ".example.com",
        ] {
            assert_eq!(MxPattern::parse(text), Err(MxPatternError), "{text}");
        }
    }
}
