//! Why a command came to no end, by culprit, and the exit status that follows.

use std::io;
use std::path::{Path, PathBuf};

use spool::SpoolError;

use crate::cli::Verdict;
use crate::config::ConfigError;
use crate::policy_file::PolicyFileError;
use crate::serve::StartError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The administrator's: the configuration file.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The administrator's: the policy file.
    #[error(transparent)]
    Policy(#[from] PolicyFileError),
    /// The administrator's: a file that the configuration names.
    #[error("{}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The daemon cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The queue cannot be read.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// Standard output cannot be written.
    #[error("standard output: {0}")]
    Output(io::Error),
}

impl Failure {
    /// A file that cannot be read.
    pub(crate) fn unreadable(path: &Path, cause: io::Error) -> Self {
        Self::Unreadable {
            path: path.to_owned(),
            cause,
        }
    }

    /// What the exit status says of it.
    pub(crate) fn verdict(&self) -> Verdict {
        match self {
            Self::Config(_) | Self::Policy(_) | Self::Unreadable { .. } | Self::Start(_) => Verdict::Unusable,
            Self::Spool(error) => of_spool(error),
            Self::Output(_) => Verdict::Bad,
        }
    }
}

/// Damage and failing disks are findings; the rest is the administrator's to set right.
fn of_spool(error: &SpoolError) -> Verdict {
    match error {
        SpoolError::Full | SpoolError::Io(_) | SpoolError::Corrupt { .. } => Verdict::Bad,
        SpoolError::NewerVersion { .. }
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
