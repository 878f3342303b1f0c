//! One look-up for people and for programs: its status, what was found, and if there is no answer, why.

use std::fmt;

use dns::{Alias, Answer, Data, Lookup};
use mail::LookupStatus;
use serde::{Deserialize, Serialize};

/// What exists at the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Found {
    Records,
    Nodata,
    Nxdomain,
}

impl Found {
    /// The word used in the table and in JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Nodata => "nodata",
            Self::Nxdomain => "nxdomain",
        }
    }
}

/// The result of a look-up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LookupReport {
    pub(crate) status: LookupStatus,
    /// `None` if the look-up failed.
    pub(crate) answer: Option<Found>,
    pub(crate) records: Vec<String>,
    pub(crate) aliases: Vec<AliasHop>,
    /// In seconds.
    pub(crate) ttl: Option<u32>,
    /// `bogus`, `indeterminate`, `servfail`, `rcode NAME`, `timeout`, `malformed` or `alias loop`.
    pub(crate) cause: Option<String>,
    /// What failed and where, in plain words.
    pub(crate) reason: Option<String>,
    /// What the refusing server said about it (RFC 8914).
    pub(crate) extended_error: Option<String>,
}

/// One alias followed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AliasHop {
    from: String,
    to: String,
    status: LookupStatus,
}

impl From<&Alias> for AliasHop {
    fn from(alias: &Alias) -> Self {
        Self {
            from: alias.from.to_string(),
            to: alias.to.to_string(),
            status: alias.security.into(),
        }
    }
}

impl fmt::Display for AliasHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {} ({})", self.from, self.to, self.status.as_str())
    }
}

impl LookupReport {
    /// `words` formats a record.
    pub(crate) fn new<T>(lookup: &Lookup<T>, words: impl Fn(&T) -> String) -> Self {
        match lookup {
            Ok(answer) => Self::of_answer(answer, words),
            Err(failure) => Self {
                status: (&failure.cause).into(),
                answer: None,
                records: Vec::new(),
                aliases: failure.aliases().iter().map(AliasHop::from).collect(),
                ttl: None,
                cause: Some(failure.cause.to_string()),
                reason: failure.reason().map(ToString::to_string),
                extended_error: failure.extended().map(ToString::to_string),
            },
        }
    }

    /// The name at which it ended: the one asked for, or where the last alias led.
    pub(crate) fn reached<'a>(&'a self, asked: &'a str) -> &'a str {
        self.aliases.last().map_or(asked, |alias| &alias.to)
    }

    fn of_answer<T>(answer: &Answer<T>, words: impl Fn(&T) -> String) -> Self {
        Self {
            status: answer.security.into(),
            answer: Some(match &answer.data {
                Data::Records(_) => Found::Records,
                Data::NoData => Found::Nodata,
                Data::NxDomain => Found::Nxdomain,
            }),
            records: answer.records().iter().map(words).collect(),
            aliases: answer.aliases.iter().map(AliasHop::from).collect(),
            ttl: Some(answer.ttl),
            cause: None,
            reason: None,
            extended_error: None,
        }
    }
}

impl AliasHop {
    /// Whether the alias is signed.
    pub(crate) fn is_secure(&self) -> bool {
        self.status == LookupStatus::Secure
    }
}
