//! How a DNS look-up ended, in the terms of RFC 4035 §4.3 and RFC 7672 §2.1.1.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The security status of an answer, whether records or a proof that there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Security {
    /// Provably unsigned: an ordinary answer that proves nothing.
    Insecure,
    /// Validated up to a trust anchor.
    Secure,
}

impl Security {
    /// The status of a chain with the links `self` and `other`: the weaker of the two (RFC 7672 §2.1.3).
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

/// Why a look-up gave no answer. Never to be taken as "there is no such record" (RFC 7672 §2.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LookupFailure {
    /// Signatures or proofs that are required are invalid (RFC 4035 §4.3).
    Bogus,
    /// Something needed for the decision could not be fetched (as in RFC 4035 §4.3, not RFC 4033).
    Indeterminate,
    /// SERVFAIL with no sign of a validation failure.
    Servfail,
    /// Any other RCODE that is not an answer, by its mnemonic, for example `REFUSED`.
    Rcode(String),
    /// No answer in time.
    Timeout,
    /// An answer that cannot be parsed or does not match the question.
    Malformed,
    /// A loop of aliases, or too many of them.
    AliasLoop,
}

impl LookupFailure {
    /// Whether validation failed, as opposed to an outage.
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

/// A failed look-up, as it is reported. Decisions depend on the cause alone, and two failures with the same cause are equal:
/// the rest is for people.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FailedLookup {
    /// The cause.
    pub cause: LookupFailure,
    /// Whose fault it is.
    pub culprit: Culprit,
    /// The cause in words, with what failed and where; shared, because it is copied with the facts. Not stored: whoever
    /// keeps the failure keeps the reason beside it.
    #[serde(skip)]
    words: Option<Arc<str>>,
}

/// Whose fault a failed look-up is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Culprit {
    /// Of the domain that was asked about, or of something between it and us.
    #[default]
    Elsewhere,
    /// Of our own resolver: it could not have looked up anything.
    OurResolver,
}

impl Culprit {
    /// Whether only our own resolver is at fault.
    pub fn is_ours(&self) -> bool {
        *self == Self::OurResolver
    }
}

impl FailedLookup {
    /// A failure with all that is known about it in words, which begin with the cause.
    pub fn new(cause: LookupFailure, culprit: Culprit, words: &str) -> Self {
        Self {
            cause,
            culprit,
            words: Some(words.into()),
        }
    }

    /// Whether validation failed, as opposed to an outage.
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

/// How a look-up ended (RFC 4035 §4.3), with outages apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LookupStatus {
    /// Validated, records or their absence.
    Secure,
    /// Provably unsigned.
    Insecure,
    /// Signatures or proofs are invalid.
    Bogus,
    /// What is needed to decide could not be had.
    Indeterminate,
    /// No answer.
    Failed,
}

impl LookupStatus {
    /// Each of them.
    pub const ALL: [Self; 5] = [
        Self::Secure,
        Self::Insecure,
        Self::Bogus,
        Self::Indeterminate,
        Self::Failed,
    ];

    /// The word used in tables, JSON and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Secure => "secure",
            Self::Insecure => "insecure",
            Self::Bogus => "bogus",
            Self::Indeterminate => "indeterminate",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing is known about the name: the look-up failed, or its security could not be determined.
    pub fn is_undecided(self) -> bool {
        match self {
            Self::Secure | Self::Insecure | Self::Bogus => false,
            Self::Indeterminate | Self::Failed => true,
        }
    }
}

impl From<Security> for LookupStatus {
    fn from(security: Security) -> Self {
        match security {
            Security::Secure => Self::Secure,
            Security::Insecure => Self::Insecure,
        }
    }
}

impl From<&LookupFailure> for LookupStatus {
    fn from(failure: &LookupFailure) -> Self {
        match failure {
            LookupFailure::Bogus => Self::Bogus,
            LookupFailure::Indeterminate => Self::Indeterminate,
            LookupFailure::Servfail
            | LookupFailure::Rcode(_)
            | LookupFailure::Timeout
            | LookupFailure::Malformed
            | LookupFailure::AliasLoop => Self::Failed,
        }
    }
}
