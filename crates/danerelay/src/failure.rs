//! Why a command came to no end, by culprit, and the exit status that follows.

use std::fs;
use std::io;
use std::iter;
use std::path::{Path, PathBuf};

use dns::QuestionError;
use spool::SpoolError;

use crate::access::{self, Use, is_lasting};
use crate::commands::client::AdminError;
use crate::commands::tlsa::InputError;
use crate::commands::user::UserError;
use crate::config::ConfigError;
use crate::demo::DemoError;
use crate::exit::{Verdict, of_spool};
use crate::serve::StartError;
use crate::wiring::WiringError;
use crate::wiring::policy::PolicyFileError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The administrator's: the configuration file.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The administrator's: the policy file.
    #[error(transparent)]
    Policy(#[from] PolicyFileError),
    /// What the settings name cannot be built.
    #[error(transparent)]
    Wiring(#[from] WiringError),
    /// The daemon cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The user's: a question that the DNS cannot be asked.
    #[error(transparent)]
    Question(#[from] QuestionError),
    /// The user's: certificates, records or names.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The queue cannot be read.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The spool cannot be opened to look at it.
    #[error("the spool {}: {}", path.display(), unopened(path, cause))]
    Unopened {
        /// Its directory.
        path: PathBuf,
        /// What it says.
        cause: SpoolError,
    },
    /// The demonstration came to no end.
    #[error(transparent)]
    Demo(#[from] DemoError),
    /// The daemon did not do it.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The users could not be read or changed.
    #[error(transparent)]
    User(#[from] UserError),
    /// Standard output cannot be written.
    #[error("standard output: {}", access::words(.0))]
    Output(io::Error),
    /// A file that was named for output cannot be written.
    #[error("{}: {}", path.display(), access::explain(path, Use::Write, cause))]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

impl Failure {
    /// What the exit status says of it.
    pub(crate) fn verdict(&self) -> Verdict {
        match self {
            Self::Output(_) | Self::File { .. } => Verdict::Bad,
            Self::Wiring(error) => error.verdict(),
            Self::Start(error) => error.verdict(),
            Self::Demo(error) => error.verdict(),
            Self::Admin(error) => error.verdict(),
            Self::Spool(cause) | Self::Unopened { cause, .. } => of_spool(cause),
            Self::Config(ConfigError::Unreadable { cause, .. })
            | Self::Policy(PolicyFileError::Unreadable { cause, .. })
                if !is_lasting(cause) =>
            {
                Verdict::Bad
            }
            Self::Config(_) | Self::Policy(_) | Self::Question(_) | Self::Input(_) | Self::User(_) => {
                Verdict::Unusable
            }
        }
    }
}

/// What stands in the way of looking.
fn unopened(path: &Path, cause: &SpoolError) -> String {
    match cause {
        SpoolError::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let files = fs::read_dir(path).into_iter().flatten().flatten();
            let paths = iter::once(path.to_owned()).chain(files.map(|entry| entry.path()));
            let denied = paths
                .into_iter()
                .find_map(|path| access::denied(&path, Use::Read));
            denied.map_or_else(|| access::words(error), |denied| denied.to_string())
        }
        SpoolError::Io(error) => access::words(error),
        other => other.to_string(),
    }
}
