//! Why a command about users failed.

use std::io;
use std::path::PathBuf;

use listener::users::{HashError, UsersError};

use crate::access::{self, Use};

/// Why nothing was done; the administrator has to fix it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UserError {
    /// No file is configured.
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
    /// A line does not define a user.
    #[error("`access.users_file`: {}: {cause}", path.display())]
    Users {
        /// The file.
        path: PathBuf,
        /// Where, and what is wrong.
        cause: UsersError,
    },
    /// There was no input, or more than one line.
    #[error("the password is to be one line, not empty, on standard input")]
    NoPassword,
    /// The password is too long.
    #[error("the password is longer than 1,024 octets")]
    TooLong,
    /// The two passwords typed differ.
    #[error("the two passwords are not the same")]
    Different,
    /// The command was interrupted at the prompt.
    #[error("interrupted: nothing has been changed")]
    Interrupted,
    /// Reading standard input or the terminal failed.
    #[error("the password cannot be read: {}", access::words(.0))]
    Input(#[source] io::Error),
    /// The password cannot be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
}
