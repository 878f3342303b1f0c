//! What was found, and what to do about it.

use serde::Serialize;

use crate::exit::Verdict;

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Subject {
    Configuration,
    Resolver,
    Ipv4,
    Ipv6,
    Port25,
    Name,
    Reverse,
    Clock,
    Spool,
    Limits,
    Permissions,
    Trial,
}

impl Subject {
    /// For people.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Resolver => "resolver",
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
            Self::Port25 => "port 25",
            Self::Name => "name",
            Self::Reverse => "reverse name",
            Self::Clock => "clock",
            Self::Spool => "spool",
            Self::Limits => "limits",
            Self::Permissions => "permissions",
            Self::Trial => "trial",
        }
    }
}

/// How bad it is. Ordered: later counts more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Level {
    /// As it should be.
    Ok,
    /// It works, and could be better.
    Warn,
    /// It could not be found out now.
    Unknown,
    /// Mail is refused, held up, lost or less secure because of it.
    Bad,
}

impl Level {
    /// For people.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Unknown => "unknown",
            Self::Bad => "BAD",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Finding {
    pub(crate) check: Subject,
    pub(crate) result: Level,
    pub(crate) found: String,
    /// What to do about it.
    pub(crate) mend: Option<String>,
}

impl Finding {
    pub(crate) fn ok(check: Subject, found: impl Into<String>) -> Self {
        Self {
            check,
            result: Level::Ok,
            found: found.into(),
            mend: None,
        }
    }

    pub(crate) fn new(
        check: Subject,
        result: Level,
        found: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            mend: Some(mend.into()),
            result,
            ..Self::ok(check, found)
        }
    }
}

/// The exit status: what is bad outweighs what is not known; a warning is no fault.
pub(crate) fn verdict(findings: &[Finding]) -> Verdict {
    match findings.iter().map(|finding| finding.result).max() {
        Some(Level::Bad) => Verdict::Bad,
        Some(Level::Unknown) => Verdict::Undecided,
        Some(Level::Ok | Level::Warn) | None => Verdict::Good,
    }
}
