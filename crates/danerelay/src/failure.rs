//! Why a command failed, by who has to fix it, and the resulting exit status.

use std::fs;
use std::io;
use std::iter;
use std::path::{Path, PathBuf};

use dns::QuestionError;
use jiff::civil::Date;
use spool::SpoolError;
use tlsrpt::ReadFault;

use crate::access::{self, Use, is_lasting};
use crate::commands::client::AdminError;
use crate::commands::tlsa::InputError;
use crate::commands::user::UserError;
use crate::config::ConfigError;
use crate::demo::DemoError;
use crate::exceptions::ExceptionsError;
use crate::exit::{Verdict, of_spool};
use crate::serve::StartError;
use crate::wiring::WiringError;
use crate::wiring::policy::PolicyFileError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// For the administrator: the configuration file.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// For the administrator: the policy file.
    #[error(transparent)]
    Policy(#[from] PolicyFileError),
    /// Something that the settings ask for cannot be set up.
    #[error(transparent)]
    Wiring(#[from] WiringError),
    /// The daemon cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// For the user: a question that cannot be asked in the DNS.
    #[error(transparent)]
    Question(#[from] QuestionError),
    /// For the user: certificates, records or names.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The queue cannot be read.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The spool cannot be opened for reading.
    #[error("the spool {}: {}", path.display(), unopened(path, cause))]
    Unopened {
        /// Its directory.
        path: PathBuf,
        /// The spool's error.
        cause: SpoolError,
    },
    /// The demonstration failed.
    #[error(transparent)]
    Demo(#[from] DemoError),
    /// The daemon did not do what was asked.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The users could not be read or changed.
    #[error(transparent)]
    User(#[from] UserError),
    /// For the user: a period that ends before it begins.
    #[error("--from {from} is after --to {to}")]
    Period {
        /// Its first day.
        from: Date,
        /// Its last day.
        to: Date,
    },
    /// For the user: a period that is too long.
    #[error(
        "from {from} to {to} are too many days; allowed: {} (ten years)",
        report::summary::LONGEST_PERIOD
    )]
    LongPeriod {
        /// Its first day.
        from: Date,
        /// Its last day.
        to: Date,
    },
    /// Standard output cannot be written.
    #[error("standard output: {}", access::words(.0))]
    Output(io::Error),
    /// A file that was named cannot be read.
    #[error("{}: {}", path.display(), access::explain(path, Use::Read, cause))]
    Unread {
        /// The file.
        path: PathBuf,
        /// The system's error.
        cause: io::Error,
    },
    /// For the user: a file that is no TLS report.
    #[error("{}: {fault}", file.display())]
    Report {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        fault: ReadFault,
    },
    /// The exceptions that commands add could not be read or changed.
    #[error(transparent)]
    Exceptions(#[from] ExceptionsError),
    /// For the user: there is nothing to check.
    #[error("there is no domain to check")]
    NoDomains,
    /// A file that would be cut off is not the result of a check.
    #[error(
        "{}: its end is not a line that `danerelay check --resume` began: it is left as it is",
        .0.display()
    )]
    NotOurs(PathBuf),
    /// A line of a file is not the result of a check.
    #[error("{}:{line}: not a line that `danerelay check --json` printed: {cause}", path.display())]
    Earlier {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        cause: serde_json::Error,
    },
    /// An output file that was named cannot be written.
    #[error("{}: {}", path.display(), access::explain(path, Use::Write, cause))]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        cause: io::Error,
    },
}

impl Failure {
    /// The exit status for it.
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
            Self::Unread { .. }
            | Self::Earlier { .. }
            | Self::Report { .. }
            | Self::NoDomains
            | Self::NotOurs(_)
            | Self::Exceptions(_)
            | Self::Config(_)
            | Self::Policy(_)
            | Self::Question(_)
            | Self::Input(_)
            | Self::User(_)
            | Self::Period { .. }
            | Self::LongPeriod { .. } => Verdict::Unusable,
        }
    }
}

/// What prevents reading the spool.
fn unopened(path: &Path, cause: &SpoolError) -> String {
    match cause {
        SpoolError::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let files = fs::read_dir(path).into_iter().flatten().flatten();
            let paths = iter::once(path.to_owned()).chain(files.map(|entry| entry.path()));
            let denied = paths
                .into_iter()
                .find_map(|path| access::denied(&path, Use::Read));
            // Its modes are for the relay alone; others ask the relay.
            let why = denied.map_or_else(|| access::words(error), |denied| denied.without_advice());
            format!(
                "{why}; run this as its owner, or while the relay runs as a member of the group of `admin.socket`"
            )
        }
        SpoolError::Io(error) => access::words(error),
        other => other.to_string(),
    }
}
