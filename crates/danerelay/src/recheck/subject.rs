//! What is tested.

use std::sync::Arc;

use jiff::civil::Date;
use mail::Domain;
use policy::pattern::Pattern;
use policy::schema::ListKind;
use policy::{ExceptedKind, ListedException, LoadedList, Meaning, Policy};

/// Something for which DANE or DNSSEC is weakened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) tested: Tested,
    /// The file or list.
    pub(crate) source: Arc<str>,
    /// The line there, from 1.
    pub(crate) line: usize,
    /// What weakens it.
    pub(crate) meaning: Meaning,
    /// Where it is an exception.
    pub(crate) exception: Option<ListedException>,
}

impl Subject {
    /// File or list, and line.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.source, self.line)
    }

    /// The exception, if it may be removed once the test succeeds: of a zone that shows too little, because the names
    /// below it are not known.
    pub(crate) fn closable(&self) -> Option<&ListedException> {
        match self.tested {
            Tested::Domain(_) | Tested::Mx(_) => self.exception.as_ref(),
            Tested::Zone(_) | Tested::Many(..) => None,
        }
    }
}

/// What is looked up and connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tested {
    /// A destination.
    Domain(Domain),
    /// A receiving host.
    Mx(Domain),
    /// A name and all below it, whose signatures do not count.
    Zone(Domain),
    /// All names below this one, of which none is known.
    Many(ExceptedKind, Domain),
}

impl Tested {
    /// What the names are.
    pub(crate) fn kind(&self) -> ExceptedKind {
        match self {
            Self::Domain(_) | Self::Zone(_) => ExceptedKind::Domain,
            Self::Mx(_) => ExceptedKind::Mx,
            Self::Many(kind, _) => *kind,
        }
    }

    /// The names.
    pub(crate) fn names(&self) -> Pattern {
        match self {
            Self::Domain(name) | Self::Mx(name) | Self::Zone(name) => Pattern::Exactly(name.clone()),
            Self::Many(_, parent) => Pattern::Below(parent.clone()),
        }
    }
}

/// What a policy weakens today by exceptions.
pub(crate) fn excepted(policy: &Policy, today: Date) -> impl Iterator<Item = Subject> {
    let exceptions = policy.exceptions();
    let exceptions = exceptions.filter(move |exception| today <= exception.entry.until);
    exceptions.map(of_exception)
}

/// Everything that a policy weakens today by exceptions or danefail lists. A list may have a million entries: each is made
/// when it is its turn.
pub(crate) fn subjects(policy: &Policy, today: Date) -> impl Iterator<Item = Subject> {
    let entries = danefail_lists(policy).flat_map(|list| {
        let entries = list.names.iter();
        entries.filter_map(move |(name, line)| Some(listed(list, Domain::parse(name).ok()?, line)))
    });
    excepted(policy, today).chain(entries)
}

/// The lists of what is known to be broken.
pub(crate) fn danefail_lists(policy: &Policy) -> impl Iterator<Item = &LoadedList> {
    let lists = policy.lists().iter();
    lists.filter(|list| list.kind == ListKind::Danefail)
}

/// An entry of a danefail list.
pub(super) fn listed(list: &LoadedList, name: Domain, line: usize) -> Subject {
    Subject {
        tested: Tested::Domain(name),
        source: Arc::clone(list.names.source()),
        line,
        meaning: Meaning::Dane(list.dane),
        exception: None,
    }
}

fn of_exception(exception: &ListedException) -> Subject {
    let tested = match (&exception.names, exception.kind) {
        (Pattern::Exactly(name), _) if exception.without_dnssec => Tested::Zone(name.clone()),
        (Pattern::Exactly(name), ExceptedKind::Domain) => Tested::Domain(name.clone()),
        (Pattern::Exactly(name), ExceptedKind::Mx) => Tested::Mx(name.clone()),
        (Pattern::Below(parent), kind) => Tested::Many(kind, parent.clone()),
    };
    Subject {
        tested,
        source: Arc::clone(&exception.entry.file),
        line: exception.entry.line,
        meaning: exception.meaning(),
        exception: Some(exception.clone()),
    }
}
