//! What the administrator should know about a policy that is in force all the same.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::civil::Date;
use mail::{DomainError, NextHop, count};
use thiserror::Error;

use crate::list::NoList;
use crate::schema::ListKind;
use crate::settings::{DaneMode, ExceptionEntry, ModeSource};

/// One warning, with its place.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file}:{line}: {remark}")]
pub struct Warning {
    /// The policy file, or the list.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What it says.
    pub remark: Remark,
}

/// The content of a warning.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Remark {
    /// A line of a list that is not a domain.
    #[error("skipped: {0}")]
    BadLine(DomainError),
    /// More such lines than are shown.
    #[error("{0} further bad lines were skipped")]
    BadLines(usize),
    /// A list would weaken what another list makes strict.
    #[error("{name:?} is also on the {kind} list {list} (line {line}); it stays strict")]
    StaysStrict {
        /// The name.
        name: String,
        /// The kind of the other list.
        kind: ListKind,
        /// The other list.
        list: Arc<str>,
        /// The line there.
        line: usize,
    },
    /// More such names than are shown.
    #[error("{count} further names are also on the {kind} list {list}; they stay strict")]
    StayStrict {
        /// How many.
        count: usize,
        /// The kind of the other list.
        kind: ListKind,
        /// The other list.
        list: Arc<str>,
    },
    /// A rule is weaker than a strict list requires.
    #[error(
        "dane = \"{mode}\" has no effect on {name:?}, which is on the strict list {list} (line {line}); only an \
         exception with override_strict = true has"
    )]
    RuleUnderStrict {
        /// The name.
        name: String,
        /// What the rule says.
        mode: DaneMode,
        /// The list.
        list: Arc<str>,
        /// The line there.
        line: usize,
    },
    /// More such names than are shown.
    #[error("dane = \"{mode}\" has no effect on {count} further names, which are on the strict list {list}")]
    RuleUnderStrictOnMore {
        /// How many.
        count: usize,
        /// What the rule says.
        mode: DaneMode,
        /// The list.
        list: Arc<str>,
    },
    /// A name that hardly anybody has mail at.
    #[error(
        "{name:?} is this name alone, at which hardly anybody has mail; all names below it are written \".{name}\""
    )]
    SuffixAlone {
        /// The name.
        name: String,
    },
    /// The default is strict, and no list can weaken it.
    #[error("a {0} list has no effect while the default is strict")]
    UnderStrictDefault(ListKind),
    /// An exception that has expired.
    #[error("this exception has expired on {0} and has no effect: take it out, or give it another date")]
    Expired(Date),
    /// An exception to what is strict, without `override_strict`.
    #[error(
        "this exception has no effect: {name:?} is strict ({by}), which only override_strict = true takes back"
    )]
    StrictStands {
        /// The name it applies to.
        name: String,
        /// What makes it strict.
        by: ModeSource,
    },
    /// An exception that says what applies without it anyway.
    #[error("this exception has no effect: dane = \"{mode}\" holds for {name:?} without it ({by})")]
    NothingExcepted {
        /// The name it applies to.
        name: String,
        /// The mode.
        mode: DaneMode,
        /// What sets it.
        by: ModeSource,
    },
    /// An exception after another one for the same names.
    #[error("this exception has no effect while that at {}:{} holds, which is about the same names", .0.file, .0.line)]
    Shadowed(ExceptionEntry),
    /// A rule that sets no key.
    #[error("this rule sets nothing for what it matches")]
    SetsNothing,
    /// A login at a server that may have no TLSA records.
    #[error(
        "a password is sent to an authenticated server only: if {0} has no secure TLSA records, mail will wait; with \
         tls = \"verify\" a certificate for its name is enough, and with dane = \"strict\" this warning ends"
    )]
    LoginByDaneOnly(NextHop),
    /// A route that no mail can take.
    #[error("no mail takes this route: dane = \"strict\" demands DANE, and an address has none")]
    StrictAtAddress,
    /// A fallback that is never used.
    #[error("this fallback has no effect: mail under dane = \"strict\" goes to its own destination or waits")]
    StrictFallback,
    /// A rule about the name of a route's server.
    #[error(
        "this rule is about mail whose recipients are at {name:?}; mail that is routed there has the rules of its recipients' own \
         domains"
    )]
    RuleForRoute {
        /// The name.
        name: String,
    },
    /// A list without entries.
    #[error("there is no domain on the {kind} list {}", path.display())]
    EmptyList {
        /// Its kind.
        kind: ListKind,
        /// Its file.
        path: PathBuf,
    },
    /// A list that cannot be read; security is not lower without it.
    #[error("the {kind} list cannot be read, and nobody counts as being on it: {}: {error}", path.display())]
    Unreadable {
        /// Its kind.
        kind: ListKind,
        /// Its file.
        path: PathBuf,
        /// What the system says.
        error: String,
    },
    /// A file that is not a list; security is not lower without it.
    #[error("{}{}; nobody counts as being on this {kind} list; allowed: one domain a line", path.display(), found.words())]
    NoList {
        /// Its kind.
        kind: ListKind,
        /// The file.
        path: PathBuf,
        /// What the file is instead.
        found: NoList,
    },
    /// The exceptions that were added by commands cannot be read by who asks.
    #[error("the exceptions that were added by commands cannot be read, and do not count here: {0}")]
    AddedUnreadable(String),
    /// A list with a URL of which there is no copy yet.
    #[error("the {0} list {1} has not been fetched yet, and nobody counts as being on it")]
    NeverFetched(ListKind, String),
    /// A list that is fetched more often than it says.
    #[error(
        "max_age is shorter than refresh: the list is fetched as often as max_age says, so that a copy holds at all"
    )]
    ShortMaxAge,
    /// A copy that was not refreshed for too long; security is not lower without it.
    #[error(
        "the copy of the {kind} list {url} was last known to be current {} ago, which is longer than its max_age: it is ignored",
        count(*days, "day")
    )]
    TooOld {
        /// Its kind.
        kind: ListKind,
        /// Its URL.
        url: String,
        /// The age in days.
        days: u64,
    },
    /// The same of a strict list, without which security would be lower.
    #[error(
        "the copy of the strict list {url} was last known to be current {} ago, which is longer than its max_age; it still \
         holds, because without it security would be lower",
        count(*days, "day")
    )]
    OldButStrict {
        /// Its URL.
        url: String,
        /// The age in days.
        days: u64,
    },
    /// A key that has no effect without `url`.
    #[error("{0} has no effect here: it is for lists with a url")]
    OnlyWithUrl(&'static str),
}

impl Remark {
    /// Whether a list, or the exceptions added by commands, are missing from the policy. A daemon that still has them
    /// should keep them.
    pub fn loses_a_list(&self) -> bool {
        match self {
            Self::Unreadable { .. } | Self::NoList { .. } | Self::AddedUnreadable(_) => true,
            Self::BadLine(_)
            | Self::BadLines(_)
            | Self::StaysStrict { .. }
            | Self::StayStrict { .. }
            | Self::RuleUnderStrict { .. }
            | Self::RuleUnderStrictOnMore { .. }
            | Self::SuffixAlone { .. }
            | Self::UnderStrictDefault(_)
            | Self::Expired(_)
            | Self::StrictStands { .. }
            | Self::NothingExcepted { .. }
            | Self::Shadowed(_)
            | Self::SetsNothing
            | Self::LoginByDaneOnly(_)
            | Self::StrictAtAddress
            | Self::StrictFallback
            | Self::RuleForRoute { .. }
            | Self::EmptyList { .. }
            | Self::NeverFetched(..)
            | Self::ShortMaxAge
            | Self::TooOld { .. }
            | Self::OldButStrict { .. }
            | Self::OnlyWithUrl(_) => false,
        }
    }
}
