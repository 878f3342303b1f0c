//! What is tested.

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
    pub(crate) source: String,
    /// The same with the line.
    pub(crate) place: String,
    /// What weakens it.
    pub(crate) meaning: Meaning,
    /// Where it is an exception.
    pub(crate) exception: Option<ListedException>,
}

impl Subject {
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
pub(crate) fn excepted(policy: &Policy, today: Date) -> Vec<Subject> {
    let exceptions = policy.exceptions();
    let exceptions = exceptions.filter(|exception| today <= exception.entry.until);
    exceptions.map(of_exception).collect()
}

/// Everything that a policy weakens today by exceptions or danefail lists.
pub(crate) fn subjects(policy: &Policy, today: Date) -> Vec<Subject> {
    let mut subjects = excepted(policy, today);
    let lists = policy.lists().iter();
    for list in lists.filter(|list| list.kind == ListKind::Danefail) {
        for (name, line) in list.names.iter() {
            let Ok(name) = Domain::parse(name) else { continue };
            subjects.push(listed(list, name, line));
        }
    }
    subjects
}

/// An entry of a danefail list.
pub(super) fn listed(list: &LoadedList, name: Domain, line: usize) -> Subject {
    Subject {
        tested: Tested::Domain(name),
        source: list.names.source().to_string(),
        place: format!("{}:{line}", list.names.source()),
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
        source: exception.entry.file.to_string(),
        place: format!("{}:{}", exception.entry.file, exception.entry.line),
        meaning: exception.meaning(),
        exception: Some(exception.clone()),
    }
}
