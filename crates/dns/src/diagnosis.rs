//! What failed in a look-up, and where: for people to read. No decision depends on it.

use std::fmt;

use crate::Alias;
use crate::context::Context;
use crate::extended::ExtendedError;
use crate::flaw::Flaw;
use crate::outage::Outage;

/// What failed, for which question, in which zone, at which server, as far as each is known. The text is printable ASCII and
/// at most a few hundred octets long.
#[derive(Debug, Clone, Default)]
pub struct Diagnosis {
    pub(crate) problem: Option<Problem>,
    pub(crate) context: Context,
    /// What that server said.
    pub(crate) extended: Option<ExtendedError>,
    /// Whether the fault is ours.
    pub(crate) is_ours: bool,
    /// The aliases followed until then.
    pub(crate) aliases: Vec<Alias>,
}

/// What failed.
#[derive(Debug, Clone)]
pub(crate) enum Problem {
    /// Signatures or proofs do not hold.
    Flaw(Flaw),
    /// There is nothing to validate.
    Outage(Outage),
}

impl From<Flaw> for Problem {
    fn from(flaw: Flaw) -> Self {
        Self::Flaw(flaw)
    }
}

impl From<Outage> for Problem {
    fn from(outage: Outage) -> Self {
        Self::Outage(outage)
    }
}

impl Diagnosis {
    pub(crate) fn of(problem: Problem) -> Self {
        Self {
            problem: Some(problem),
            ..Self::default()
        }
    }

    pub(crate) fn says_something(&self) -> bool {
        self.problem.is_some() || self.is_ours
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.is_ours, &self.problem) {
            (true, None) => return f.write_str("our own resolver fails"),
            (true, Some(_)) => f.write_str("our own resolver fails: ")?,
            (false, _) => {}
        }
        match &self.problem {
            Some(Problem::Flaw(flaw)) => flaw.write(&self.context, f),
            Some(Problem::Outage(outage)) => outage.write(&self.context, f),
            None => Ok(()),
        }
    }
}
