//! The exit status of a command.

use std::process::ExitCode;

use spool::SpoolError;

use crate::access::is_lasting;

/// The result of a command that has finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Done, or what was checked is good.
    Good,
    /// What was checked is bad.
    Bad,
    /// Wrong usage or configuration.
    Unusable,
    /// It could not be decided now, because DNS or the network failed.
    Undecided,
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        Self::from(match verdict {
            Verdict::Good => 0,
            Verdict::Bad => 1,
            Verdict::Unusable => 2,
            Verdict::Undecided => 3,
        })
    }
}

/// Damage and failing disks are findings; the rest is for the administrator to fix.
pub(crate) fn of_spool(error: &SpoolError) -> Verdict {
    match error {
        SpoolError::Io(error) if is_lasting(error) => Verdict::Unusable,
        SpoolError::Full
        | SpoolError::TooManyMessages
        | SpoolError::Io(_)
        | SpoolError::Corrupt { .. }
        | SpoolError::Damaged(_)
        | SpoolError::Defect(_) => Verdict::Bad,
        SpoolError::NewerVersion { .. }
        | SpoolError::OlderVersion { .. }
        | SpoolError::Foreign(_)
        | SpoolError::Locked { .. }
        | SpoolError::Missing(_)
        | SpoolError::Duplicate(_)
        | SpoolError::NoRecipients
        | SpoolError::Incomplete
        | SpoolError::WrongSettlement(_)
        | SpoolError::Closed => Verdict::Unusable,
    }
}
