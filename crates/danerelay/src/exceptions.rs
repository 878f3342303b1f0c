//! The exceptions that commands add, in a file of their own in the state directory: the administrator's files are never
//! written.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use jiff::Zoned;
use policy::{Fetched, ListedException, Missing, Policy, PolicyError, Sources, Text, Warning};
use rustix::fs::{FlockOperation, flock};
use settings_file::fault;

use crate::access::{self, Use};
use crate::config::Config;
use crate::replace_file::{Replacement, directory};

const HEAD: &str = "# Exceptions added by `danerelay danefail`, which rewrites this file. Others belong in the policy file.\n\
                    version = 1\n";

/// Why they cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExceptionsError {
    /// The file.
    #[error("{}: {}", path.display(), access::explain(path, *purpose, cause))]
    File {
        /// Its path.
        path: PathBuf,
        /// What was to be done with it.
        purpose: Use,
        /// The system's error.
        cause: io::Error,
    },
    /// Somebody has written something else into it.
    #[error(transparent)]
    Wrong(#[from] PolicyError),
}

/// Their file.
pub(crate) fn path(config: &Config) -> PathBuf {
    config.state_directory.join("exceptions.toml")
}

/// All of them, in the order in which they were added.
pub(crate) fn read(config: &Config) -> Result<Vec<ListedException>, ExceptionsError> {
    let path = path(config);
    let octets = match fs::read(&path) {
        Ok(octets) => octets,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => {
            return Err(ExceptionsError::File {
                path,
                purpose: Use::Read,
                cause,
            });
        }
    };
    let text =
        fault::text(&path.to_string_lossy(), octets).map_err(|fault| PolicyError { errors: vec![fault] })?;
    let none = |_: &Path| Err(io::ErrorKind::NotFound.into());
    let (policy, _) = Policy::compile(&Sources {
        policy: Text {
            file: &path,
            text: "",
        },
        added: Some(Text {
            file: &path,
            text: &text,
        }),
        read: &none,
        fetched: &|_| Fetched::Never(Missing::Warned),
        read_login: &none,
        today: Zoned::now().date(),
    })?;
    Ok(policy.exceptions().cloned().collect())
}

/// Of the warnings about a policy, those about these.
pub(crate) fn about_added(warnings: &[Warning], config: &Config) -> Vec<String> {
    let path = path(config);
    let warnings = warnings.iter().filter(|warning| Path::new(&warning.file) == path);
    warnings.map(ToString::to_string).collect()
}

/// Changes them; nobody else does so meanwhile, and a reader sees them as they were or as they are then.
pub(crate) fn change<T>(
    config: &Config,
    change: impl FnOnce(&mut Vec<ListedException>) -> T,
) -> Result<T, ExceptionsError> {
    let path = path(config);
    let failed = |cause| ExceptionsError::File {
        path: path.clone(),
        purpose: Use::Write,
        cause,
    };
    // Its release, at the end, is that of the lock.
    let _lock = lock(&path).map_err(failed)?;
    let mut exceptions = read(config)?;
    let before = exceptions.clone();
    let done = change(&mut exceptions);
    if exceptions != before {
        write(&path, &text(&exceptions)).map_err(failed)?;
    }
    Ok(done)
}

fn lock(path: &Path) -> io::Result<File> {
    let directory = directory(path);
    fs::create_dir_all(directory)?;
    let place = path.with_extension("lock");
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o640)
        .open(&place)?;
    own(&lock, directory)?;
    flock(&lock, FlockOperation::LockExclusive)?;
    Ok(lock)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let directory = directory(path);
    let mut replacement = Replacement::begin(path, 0o640)?;
    replacement.write_all(text.as_bytes())?;
    own(replacement.file(), directory)?;
    replacement
        .file()
        .set_permissions(Permissions::from_mode(0o640))?;
    replacement.finish()
}

/// What root makes belongs to the directory's owner, who has to read it.
fn own(file: &File, directory: &Path) -> io::Result<()> {
    let (made, model) = (file.metadata()?, fs::metadata(directory)?);
    if (made.uid(), made.gid()) == (model.uid(), model.gid()) || !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    fchown(file, Some(model.uid()), Some(model.gid()))
}

/// As they are written.
pub(crate) fn text(exceptions: &[ListedException]) -> String {
    let mut text = HEAD.to_owned();
    for exception in exceptions {
        text.push('\n');
        text.push_str(&table(exception));
    }
    text
}

/// One of them, as it is written in the policy file, too.
pub(crate) fn table(exception: &ListedException) -> String {
    let mut text = format!(
        "[[exception]]\n{} = \"{}\"\n",
        exception.kind.as_str(),
        exception.names
    );
    // Writing to a string does not fail.
    if let Some(dane) = exception.dane {
        let _ = writeln!(text, "dane = \"{dane}\"");
    }
    if exception.without_dnssec {
        text.push_str("dnssec = \"off\"\n");
    }
    if exception.override_strict {
        text.push_str("override_strict = true\n");
    }
    let reason = toml::Value::String(exception.entry.reason.to_string());
    let _ = write!(text, "until = {}\nreason = {reason}\n", exception.entry.until);
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use policy::ExceptedKind;
    use policy::settings::{DaneMode, ExceptionEntry};

    use super::*;

    fn exception(names: &str, reason: &str) -> ListedException {
        ListedException {
            names: names.parse().unwrap(),
            kind: ExceptedKind::Mx,
            dane: Some(DaneMode::SoftFail),
            without_dnssec: false,
            override_strict: true,
            entry: ExceptionEntry {
                file: "".into(),
                line: 0,
                until: jiff::civil::date(2027, 1, 31),
                reason: reason.into(),
            },
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let config = Config {
            state_directory: directory.path().join("state"),
            ..Config::default()
        };
        assert!(read(&config).unwrap().is_empty());
        let reason = "certificate \"expired\" \\ on\t2026-11-20, told hostmaster";
        change(&config, |all| {
            all.push(exception(".provider.example", reason));
            all.push(exception("mx.example", "r"));
        })
        .unwrap();
        let [first, second] = <[_; 2]>::try_from(read(&config).unwrap()).unwrap();
        assert_eq!(&*first.entry.reason, reason);
        assert_eq!((first.entry.line, second.entry.line), (4, 11));
        assert_eq!(first.to_string(), "mx .provider.example");
        assert!(first.override_strict && first.dane == Some(DaneMode::SoftFail));
        change(&config, |all| all.retain(|one| one.names != first.names)).unwrap();
        assert_eq!(read(&config).unwrap().len(), 1);
    }
}
