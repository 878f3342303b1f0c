//! Reads the policy that the configuration names.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use policy::{Policy, PolicyError, Sources, Text, Warning};
use settings_file::fault;

use crate::access::{self, Use};
use crate::config::Loaded;

/// The bits of a mode that are about the group and everybody else.
const OF_OTHERS: u32 = 0o077;

/// A policy and its origin.
pub(crate) struct LoadedPolicy {
    /// The policy.
    pub(crate) policy: Policy,
    /// What the administrator should know.
    pub(crate) warnings: Vec<Warning>,
    /// The policy file; `None` for the built-in policy.
    pub(crate) file: Option<PathBuf>,
}

/// Why there is no policy. The administrator always has to fix it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PolicyFileError {
    /// The file cannot be read.
    #[error("{}: {}", path.display(), access::explain(path, Use::Read, cause))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        cause: io::Error,
    },
    /// The file has faults.
    #[error("{0}")]
    Wrong(#[from] PolicyError),
}

/// Reads and compiles the policy file and its lists. If the file is missing and was not named, the built-in policy is
/// used.
pub(crate) fn load(loaded: &Loaded) -> Result<LoadedPolicy, PolicyFileError> {
    let path = &loaded.config.policy.file;
    let octets = match std::fs::read(path) {
        Ok(octets) => octets,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !loaded.is_written("policy.file") => {
            return Ok(LoadedPolicy {
                policy: Policy::builtin(),
                warnings: Vec::new(),
                file: None,
            });
        }
        Err(cause) => {
            return Err(PolicyFileError::Unreadable {
                path: path.clone(),
                cause,
            });
        }
    };
    let text =
        fault::text(&path.to_string_lossy(), octets).map_err(|fault| PolicyError { errors: vec![fault] })?;
    let (policy, warnings) = Policy::compile(&Sources {
        policy: Text {
            file: path,
            text: &text,
        },
        added: None,
        read: &read_list,
        read_login: &read_login,
        today: jiff::Zoned::now().date(),
    })?;
    Ok(LoadedPolicy {
        policy,
        warnings,
        file: Some(path.clone()),
    })
}

/// An octet that is not UTF-8 makes its line invalid, not the list.
fn read_list(path: &Path) -> io::Result<String> {
    match std::fs::read(path) {
        Ok(octets) => Ok(String::from_utf8_lossy(&octets).into_owned()),
        Err(error) => Err(io::Error::new(
            error.kind(),
            access::explain(path, Use::Read, &error),
        )),
    }
}

/// A password that others can read is theirs as well.
fn read_login(path: &Path) -> io::Result<String> {
    let explained = |error: io::Error| io::Error::new(error.kind(), access::explain(path, Use::Read, &error));
    let mut file = File::open(path).map_err(explained)?;
    let mode = file.metadata().map_err(explained)?.mode() & 0o7777;
    if mode & OF_OTHERS != 0 {
        return Err(io::Error::other(format!(
            "its mode is {mode:04o}, with which others than its owner can use it; allowed: 0600"
        )));
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(explained)?;
    Ok(text)
}
