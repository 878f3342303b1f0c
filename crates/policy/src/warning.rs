//! What the administrator should know about a policy that is nevertheless in force.

use std::sync::Arc;

use mail::DomainError;
use thiserror::Error;

use crate::schema::ListKind;
use crate::settings::DaneMode;

/// One remark, with its place.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file}:{line}: {remark}")]
pub struct Warning {
    /// The policy file, or the list.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What about it.
    pub remark: Remark,
}

/// What to know.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Remark {
    /// A key whose function does not exist yet.
    #[error("{0}: not available in this version")]
    NotAvailable(&'static str),
    /// A line of a list that is no domain.
    #[error("skipped: {0}")]
    BadLine(DomainError),
    /// More such lines than are shown.
    #[error("{0} further bad lines were skipped")]
    BadLines(usize),
    /// A list takes back what another demands.
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
    /// A rule names less than a strict list demands.
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
    /// The default is strict, which no list takes back.
    #[error("a {0} list has no effect while the default is strict")]
    UnderStrictDefault(ListKind),
    /// A key that means nothing beside the others.
    #[error("{0} has no effect here: it is for lists with a url")]
    OnlyWithUrl(&'static str),
}
