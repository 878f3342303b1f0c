//! What is tested.

use jiff::civil::Date;
use mail::Domain;
use policy::schema::ListKind;
use policy::{ExceptedKind, ListedException, LoadedList, Policy};

/// Something for which DANE or DNSSEC is weakened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) tested: Tested,
    /// The file or list.
    pub(crate) source: String,
    /// The same with the line.
    pub(crate) place: String,
    /// What weakens it: a mode, or `dnssec off`.
    pub(crate) meaning: String,
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
    /// Many names, of which none is known.
    Many(ExceptedKind, String),
}

impl Tested {
    /// The key in the policy file.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Domain(_) | Self::Zone(_) => ExceptedKind::Domain.as_str(),
            Self::Mx(_) => ExceptedKind::Mx.as_str(),
            Self::Many(kind, _) => kind.as_str(),
        }
    }

    /// The name or pattern.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Domain(name) | Self::Mx(name) | Self::Zone(name) => name.to_string(),
            Self::Many(_, names) => names.clone(),
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
        meaning: list.dane.to_string(),
        exception: None,
    }
}

fn of_exception(exception: &ListedException) -> Subject {
    use policy::pattern::Pattern;
    let tested = match (&exception.names, exception.kind) {
        (Pattern::Exactly(name), _) if exception.without_dnssec => Tested::Zone(name.clone()),
        (Pattern::Exactly(name), ExceptedKind::Domain) => Tested::Domain(name.clone()),
        (Pattern::Exactly(name), ExceptedKind::Mx) => Tested::Mx(name.clone()),
        (names @ Pattern::Below(_), kind) => Tested::Many(kind, names.to_string()),
    };
    let dane = exception.dane.map(|mode| mode.to_string());
    Subject {
        tested,
        source: exception.entry.file.to_string(),
        place: format!("{}:{}", exception.entry.file, exception.entry.line),
        meaning: dane.unwrap_or_else(|| "dnssec off".to_owned()),
        exception: Some(exception.clone()),
    }
}
