//! Why a command about users failed.

use std::io;
use std::path::PathBuf;

use listener::users::{HashError, UsersError};

use crate::access::{self, Use};

/// Why nothing was done; the administrator's to mend.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UserError {
    /// No file is named.
    #[error("`access.users_file` is not set: name the file there in which users are to stand")]
    NoFile,
    /// The file cannot be read or written.
    #[error("`access.users_file`: {}: {}", path.display(), access::explain(path, *purpose, cause))]
    File {
        /// The file.
        path: PathBuf,
        /// What was to be done.
        purpose: Use,
        /// What the system says.
        cause: io::Error,
    },
    /// A line is no user.
    #[error("`access.users_file`: {}: {cause}", path.display())]
    Users {
        /// The file.
        path: PathBuf,
        /// Where, and what is wrong.
        cause: UsersError,
    },
    /// Nothing to read, or not one line.
    #[error("the password is to be one line, not empty, on standard input")]
    NoPassword,
    /// Two different ones were typed.
    #[error("the two passwords are not the same")]
    Different,
    /// Standard input or the terminal fails.
    #[error("the password cannot be read: {}", access::words(.0))]
    Input(#[source] io::Error),
    /// It cannot be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
}
