//! How a DNS look-up ended, in the terms of RFC 4035 §4.3 and RFC 7672 §2.1.1.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The status of an answer, of records and of their absence alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Security {
    /// Provably unsigned; an ordinary answer that proves nothing.
    Insecure,
    /// Validated up to a trust anchor.
    Secure,
}

impl Security {
    /// The status of a chain of which `self` and `other` are links: the weaker of the two (RFC 7672 §2.1.3).
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.min(other)
    }

    /// The word of the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Insecure => "insecure",
            Self::Secure => "secure",
        }
    }
}

impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a look-up gave no answer. Never to be taken for "there is no such record" (RFC 7672 §2.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LookupFailure {
    /// Signatures or proofs do not hold where they must (RFC 4035 §4.3).
    Bogus,
    /// What is needed to decide could not be fetched (RFC 4035 §4.3, not the sense of RFC 4033).
    Indeterminate,
    /// SERVFAIL with no sign of a validation failure.
    Servfail,
    /// Any other RCODE that is no answer, by its mnemonic, for example `REFUSED`.
    Rcode(String),
    /// No answer in time.
    Timeout,
    /// An answer that cannot be parsed or does not fit the question.
    Malformed,
    /// Aliases that go round, or too many of them.
    AliasLoop,
}

impl LookupFailure {
    /// Whether it is a failed validation, as opposed to an outage.
    pub fn is_bogus(&self) -> bool {
        *self == Self::Bogus
    }
}

impl fmt::Display for LookupFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bogus => f.write_str("bogus"),
            Self::Indeterminate => f.write_str("indeterminate"),
            Self::Servfail => f.write_str("servfail"),
            Self::Rcode(name) => write!(f, "rcode {name}"),
            Self::Timeout => f.write_str("timeout"),
            Self::Malformed => f.write_str("malformed"),
            Self::AliasLoop => f.write_str("alias loop"),
        }
    }
}

/// A look-up that failed, as it is told. What is decided rests on the cause alone, and two of the same cause are equal: the
/// rest is for people.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FailedLookup {
    /// The cause.
    pub cause: LookupFailure,
    /// Whose fault it is.
    pub culprit: Culprit,
    /// The cause again with what failed, where; shared, for it is copied with the facts. Not stored: whoever keeps the
    /// failure keeps the reason beside it.
    #[serde(skip)]
    words: Option<Arc<str>>,
}

/// Whose fault a failed look-up is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Culprit {
    /// That of what was asked about, or of something between it and us.
    #[default]
    Elsewhere,
    /// That of our own resolver: it could not have looked up anything.
    OurResolver,
}

impl Culprit {
    /// Whether nothing is at fault but our own resolver.
    pub fn is_ours(&self) -> bool {
        *self == Self::OurResolver
    }
}

impl FailedLookup {
    /// A failure and all that is known of it in words, which begin with the cause.
    pub fn new(cause: LookupFailure, culprit: Culprit, words: &str) -> Self {
        Self {
            cause,
            culprit,
            words: Some(words.into()),
        }
    }

    /// Whether it is a failed validation, as opposed to an outage.
    pub fn is_bogus(&self) -> bool {
        self.cause.is_bogus()
    }
}

impl From<LookupFailure> for FailedLookup {
    fn from(cause: LookupFailure) -> Self {
        Self {
            cause,
            culprit: Culprit::Elsewhere,
            words: None,
        }
    }
}

impl PartialEq for FailedLookup {
    fn eq(&self, other: &Self) -> bool {
        self.cause == other.cause
    }
}

impl Eq for FailedLookup {}

impl fmt::Display for FailedLookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.words {
            Some(words) => f.write_str(words),
            None => self.cause.fmt(f),
        }
    }
}
