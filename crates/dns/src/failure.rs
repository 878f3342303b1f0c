//! Why a look-up gave no answer: the cause, and in detail what failed and where.

use std::fmt;
use std::sync::Arc;

use hickory_proto::rr::{Name, RecordType};
use mail::{Culprit, FailedLookup, LookupFailure};

use crate::Alias;
use crate::diagnosis::{Diagnosis, Problem};
use crate::extended::ExtendedError;
use crate::flaw::Flaw;

/// Why a look-up gave no answer. Decisions depend on the cause alone, and two failures with the same cause are equal: the
/// rest is for people.
#[derive(Debug, Clone)]
pub struct NoAnswer {
    /// The cause.
    pub cause: LookupFailure,
    /// What failed, as far as it is known. Shared, because failures are cached and copied.
    diagnosis: Option<Arc<Diagnosis>>,
}

impl NoAnswer {
    /// A failure and what it was.
    pub(crate) fn new(cause: LookupFailure, problem: impl Into<Problem>) -> Self {
        Self {
            cause,
            diagnosis: Some(Arc::new(Diagnosis::of(problem.into()))),
        }
    }

    /// A failed validation with what was wrong.
    pub(crate) fn bogus(flaw: Flaw) -> Self {
        Self::new(LookupFailure::Bogus, flaw)
    }

    /// The same problem with another cause.
    pub(crate) fn called(self, cause: LookupFailure) -> Self {
        Self { cause, ..self }
    }

    /// Another cause and problem at the same place.
    pub(crate) fn because(self, cause: LookupFailure, problem: impl Into<Problem>) -> Self {
        let problem = problem.into();
        self.with(|diagnosis| diagnosis.problem = Some(problem))
            .called(cause)
    }

    /// Adds which question it was. If code closer to the problem has already said so, that is kept.
    pub(crate) fn about(self, name: &Name, record_type: RecordType) -> Self {
        self.with(|diagnosis| {
            diagnosis
                .context
                .question
                .get_or_insert_with(|| (name.clone(), record_type));
        })
    }

    /// Adds which zone it was; likewise.
    pub(crate) fn in_zone(self, zone: &Name) -> Self {
        self.with(|diagnosis| {
            diagnosis.context.zone.get_or_insert_with(|| zone.clone());
        })
    }

    /// Adds which server it was; likewise.
    pub(crate) fn at_server(self, server: &Arc<str>) -> Self {
        self.with(|diagnosis| {
            let known = &mut diagnosis.context.server;
            known.get_or_insert_with(|| Arc::clone(server));
        })
    }

    /// Adds the server's own words; likewise.
    pub(crate) fn said(self, extended: Option<ExtendedError>) -> Self {
        self.with(|diagnosis| diagnosis.extended = diagnosis.extended.take().or(extended))
    }

    /// The fault is ours: the name that was asked about is not to blame.
    pub(crate) fn ours(self) -> Self {
        self.with(|diagnosis| diagnosis.is_ours = true)
    }

    /// It happened after these aliases.
    pub(crate) fn behind(self, aliases: Vec<Alias>) -> Self {
        if aliases.is_empty() {
            return self;
        }
        self.with(|diagnosis| diagnosis.aliases = aliases)
    }

    fn with(self, change: impl FnOnce(&mut Diagnosis)) -> Self {
        let mut diagnosis = self.diagnosis.unwrap_or_default();
        change(Arc::make_mut(&mut diagnosis));
        Self {
            cause: self.cause,
            diagnosis: Some(diagnosis),
        }
    }

    /// What failed and where: a short text in printable ASCII. `None` if the cause says it all.
    pub fn reason(&self) -> Option<&Diagnosis> {
        self.diagnosis
            .as_deref()
            .filter(|diagnosis| diagnosis.says_something())
    }

    /// What the refusing server said about it, if it did.
    pub fn extended(&self) -> Option<&ExtendedError> {
        self.diagnosis.as_ref()?.extended.as_ref()
    }

    /// The aliases that were followed before it failed, in order.
    pub fn aliases(&self) -> &[Alias] {
        self.diagnosis
            .as_ref()
            .map_or(&[], |diagnosis| diagnosis.aliases.as_slice())
    }

    /// Whether our own resolver is at fault rather than the name that was asked about.
    pub fn is_ours(&self) -> bool {
        self.diagnosis.as_ref().is_some_and(|diagnosis| diagnosis.is_ours)
    }
}

impl From<LookupFailure> for NoAnswer {
    fn from(cause: LookupFailure) -> Self {
        Self {
            cause,
            diagnosis: None,
        }
    }
}

/// As the floors above tell it.
impl From<NoAnswer> for FailedLookup {
    fn from(failure: NoAnswer) -> Self {
        let culprit = if failure.is_ours() {
            Culprit::OurResolver
        } else {
            Culprit::Elsewhere
        };
        Self::new(failure.cause.clone(), culprit, &failure.to_string())
    }
}

impl PartialEq for NoAnswer {
    fn eq(&self, other: &Self) -> bool {
        self.cause == other.cause
    }
}

impl Eq for NoAnswer {}

/// All that is known in one line: the cause, what failed, and the server's words.
impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)?;
        if let Some(reason) = self.reason() {
            write!(f, ": {reason}")?;
        }
        match self.extended() {
            Some(extended) => write!(f, ", {extended}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    #[test]
    fn what_is_nearest_to_the_problem_is_what_is_said() {
        let inner = NoAnswer::bogus(Flaw::NoSignature)
            .about(&name("nl."), RecordType::DNSKEY)
            .in_zone(&name("nl."));
        let outer = inner
            .about(&name("mx.example.nl."), RecordType::A)
            .in_zone(&name("example.nl."))
            .called(LookupFailure::Indeterminate);
        assert_eq!(
            outer.to_string(),
            "indeterminate: nl DNSKEY has no signature, and the zone is signed"
        );
    }

    #[test]
    fn nothing_is_decided_by_what_is_only_said() {
        let plain = NoAnswer::from(LookupFailure::Bogus);
        assert_eq!(plain.to_string(), "bogus");
        assert_eq!(plain, NoAnswer::bogus(Flaw::NoSignature).ours());
        assert_ne!(plain, NoAnswer::new(LookupFailure::Timeout, Flaw::NoSignature));
    }

    #[test]
    fn our_own_fault_is_called_so() {
        let ours = NoAnswer::bogus(Flaw::NoKeyMatchesAnchor)
            .in_zone(&Name::root())
            .ours();
        assert_eq!(
            ours.to_string(),
            "bogus: our own resolver fails: none of the keys of the root zone matches the trust anchor"
        );
        assert!(ours.is_ours());
    }
}
