//! Why a file cannot be used, in terms of owners and modes, and whether trying again may help.

use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::Access;
use rustix::io::Errno;
use rustix::process::geteuid;
use rustls::pki_types::pem;

use crate::accounts;

/// What is to be done with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Read a file, or the files in a directory.
    Read,
    /// Write a file, or create it in its directory.
    Write,
    /// Keep files in a directory, or create the directory in its parent.
    Keep,
}

impl Use {
    fn wanted(self, is_directory: bool) -> Access {
        match self {
            Self::Read if is_directory => Access::READ_OK | Access::EXEC_OK,
            Self::Read => Access::READ_OK,
            Self::Write => Access::READ_OK | Access::WRITE_OK,
            Self::Keep => Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK,
        }
    }

    /// The permission that the user needs, and a mode that would grant it.
    fn needed(self, is_directory: bool) -> (&'static str, &'static str) {
        match self {
            Self::Read if is_directory => ("read and enter it", "its group and mode 0750"),
            Self::Read => ("read it", "its group and mode 0640"),
            Self::Write => ("write it", "that owner and mode 0640"),
            Self::Keep => ("keep files in it", "that owner and mode 0750"),
        }
    }
}

/// Owner and mode of the path that denies access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Denied {
    path: PathBuf,
    owner: String,
    mode: u32,
    user: String,
    must: &'static str,
    example: &'static str,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            user, must, example, ..
        } = self;
        let facts = self.without_advice();
        write!(
            f,
            "{facts}, and {user} must be able to {must}; {example} would do, for example"
        )
    }
}

/// The path that denies this use, if owners and modes are the reason. The topmost directory is reported first.
pub(crate) fn denied(path: &Path, purpose: Use) -> Option<Denied> {
    let mut above: Vec<&Path> = path.ancestors().skip(1).collect();
    above.reverse();
    for directory in above {
        let Ok(found) = fs::metadata(directory) else { break };
        if found.is_dir() && rustix::fs::access(directory, Access::EXEC_OK).is_err() {
            return Some(Denied::of(directory, &found, ("enter it", "mode 0711")));
        }
    }
    match fs::metadata(path) {
        Ok(found) => {
            let denied = rustix::fs::access(path, purpose.wanted(found.is_dir())).is_err();
            denied.then(|| Denied::of(path, &found, purpose.needed(found.is_dir())))
        }
        // It has to be created, in the nearest directory that exists.
        Err(_) if purpose != Use::Read => {
            let directory = path.ancestors().skip(1).find(|directory| directory.exists())?;
            denied(directory, Use::Keep)
        }
        Err(_) => None,
    }
}

impl Denied {
    /// Owner and mode alone, where changing them is not the way.
    pub(crate) fn without_advice(&self) -> String {
        let Self {
            path, owner, mode, ..
        } = self;
        format!(
            "permission denied: {} belongs to {owner} and has mode {mode:04o}",
            path.display()
        )
    }

    fn of(path: &Path, found: &Metadata, (must, example): (&'static str, &'static str)) -> Self {
        Self {
            path: path.to_owned(),
            owner: owner(found),
            mode: found.mode() & 0o7777,
            user: user(geteuid().as_raw()),
            must,
            example,
        }
    }
}

/// `danerelay:mail`, with numbers if there are no names.
pub(crate) fn owner(found: &Metadata) -> String {
    let group = accounts::group(found.gid()).unwrap_or_else(|| found.gid().to_string());
    format!("{}:{group}", user_name(found.uid()))
}

/// `danerelay (uid 990)`.
fn user(uid: u32) -> String {
    match accounts::user(uid) {
        Some(name) => format!("{name} (uid {uid})"),
        None => format!("uid {uid}"),
    }
}

/// The name only, or the number.
pub(crate) fn user_name(uid: u32) -> String {
    accounts::user(uid).unwrap_or_else(|| uid.to_string())
}

/// The system's error text for a use that failed, without its number, plus what it leaves out: who owns the file.
pub(crate) fn explain(path: &Path, purpose: Use, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => match denied(path, purpose) {
            Some(denied) => denied.to_string(),
            None => format!(
                "{}: the owners and modes allow it, so something else forbids it: a security module, or the unit",
                words(error)
            ),
        },
        io::ErrorKind::ReadOnlyFilesystem => {
            format!(
                "{}; where a unit makes it so (ProtectSystem=), ReadWritePaths= takes that back",
                words(error)
            )
        }
        _ => words(error),
    }
}

/// What is wrong with a PEM file.
pub(crate) fn explain_pem(path: &Path, error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => explain(path, Use::Read, error),
        pem::Error::MissingSectionEnd { .. } => "a PEM block has a beginning and no end".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "a PEM block begins with a malformed line".to_owned(),
        pem::Error::Base64Decode(_) => "a PEM block is not base64".to_owned(),
        other => other.to_string(),
    }
}

/// The system's error text without its number.
pub(crate) fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let number = error.raw_os_error().map(|number| format!(" (os error {number})"));
    match number.as_deref().and_then(|number| text.strip_suffix(number)) {
        Some(words) => words.to_owned(),
        None => text,
    }
}

/// Whether the error lasts until somebody acts: wrong paths, owners and modes. For the others trying again may help: a
/// full or failing disk, too many open files.
pub(crate) fn is_lasting(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::PermissionDenied
            | Kind::NotFound
            | Kind::NotADirectory
            | Kind::IsADirectory
            | Kind::AlreadyExists
            | Kind::ReadOnlyFilesystem
            | Kind::InvalidFilename
            | Kind::InvalidInput
            | Kind::InvalidData
            | Kind::Unsupported
    )
}

/// Whether the system does not support that address family at all.
pub(crate) fn lacks_family(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_the_system_says_has_no_number() {
        let missing = fs::read("/nonexistent").unwrap_err();
        assert_eq!(words(&missing), "No such file or directory");
        assert_eq!(words(&io::Error::other("own words")), "own words");
        assert!(is_lasting(&missing));
        assert!(!is_lasting(&io::Error::from_raw_os_error(5)), "EIO");
        assert!(!is_lasting(&io::Error::from_raw_os_error(28)), "ENOSPC");
        assert!(!is_lasting(&io::Error::from_raw_os_error(98)), "EADDRINUSE");
    }
}
