//! Reads the policy that the configuration names.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use policy::{Missing, Policy, PolicyError, Remark, RemoteList, Sources, Text, Warning};
use settings_file::fault;

use crate::access::{self, Use};
use crate::config::Loaded;
use crate::exceptions;
use crate::lists::Copies;
use crate::wiring::stamps::Stamps;

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

/// The files that were read, or should have been, as they were just before: when one of them changes, the policy may be
/// another.
#[derive(Debug, Clone, Default)]
pub(crate) struct Files {
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) stamps: Stamps,
}

impl Files {
    /// These, as they are now.
    pub(crate) fn of<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        let mut files = Self::default();
        for path in paths {
            files.note(path);
        }
        files
    }

    /// This one is about to be read.
    pub(crate) fn note(&mut self, path: &Path) {
        self.stamps.add(path);
        self.paths.push(path.to_owned());
    }
}

/// Reads and compiles the policy file, its lists, and the exceptions that were added by commands. If the file is missing
/// and was not named, the built-in policy is used. A list that was never fetched is [`Missing::Warned`] of where nothing
/// is delivered by this policy.
pub(crate) fn load(loaded: &Loaded, missing: Missing) -> Result<LoadedPolicy, PolicyFileError> {
    load_noting(loaded, missing, &mut Files::default())
}

/// The same, and notes the files, also where they are wrong.
pub(crate) fn load_noting(
    loaded: &Loaded,
    missing: Missing,
    files: &mut Files,
) -> Result<LoadedPolicy, PolicyFileError> {
    let path = &loaded.config.policy.file;
    let added = exceptions::path(&loaded.config);
    files.note(path);
    files.note(&added);
    let written = text_of(path)?;
    if written.is_none() && loaded.is_written("policy.file") {
        return Err(PolicyFileError::Unreadable {
            path: path.clone(),
            cause: rustix::io::Errno::NOENT.into(),
        });
    }
    let (added_text, unread) = match text_of(&added) {
        Ok(text) => (text, None),
        // Without exceptions security is not lower, and whoever only asks need not be a user who may read them.
        Err(error @ PolicyFileError::Unreadable { .. }) => (None, Some(error)),
        Err(error) => return Err(error),
    };
    let copies = Copies::of(&loaded.config);
    let files = RefCell::new(files);
    let noted = |path: &Path| files.borrow_mut().note(path);
    let compiled = Policy::compile(&Sources {
        policy: Text {
            file: path,
            text: written.as_deref().unwrap_or_default(),
        },
        added: added_text.as_deref().map(|text| Text { file: &added, text }),
        read: &|path| {
            noted(path);
            read_list(path)
        },
        fetched: &|url| {
            noted(&copies.copy(url));
            copies.get(url, missing)
        },
        read_login: &|path| {
            noted(path);
            read_login(path)
        },
        today: jiff::Zoned::now().date(),
    });
    let (policy, mut warnings) = compiled?;
    warnings.extend(unread.map(|error| Warning {
        file: added.display().to_string(),
        line: 1,
        remark: Remark::AddedUnreadable(error.to_string()),
    }));
    let file = written.is_some().then(|| path.clone());
    Ok(LoadedPolicy {
        policy: if file.is_some() {
            policy
        } else {
            policy.without_file()
        },
        warnings,
        file,
    })
}

/// The lists with a URL that the policy file names, to fetch them before it is read for the first time.
pub(crate) fn remote_lists(loaded: &Loaded) -> Vec<RemoteList> {
    let path = &loaded.config.policy.file;
    let text = text_of(path).ok().flatten().unwrap_or_default();
    RemoteList::named_in(&Text {
        file: path,
        text: &text,
    })
}

/// The text of a file; `None` if it does not exist.
fn text_of(path: &Path) -> Result<Option<String>, PolicyFileError> {
    let octets = match std::fs::read(path) {
        Ok(octets) => octets,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => {
            return Err(PolicyFileError::Unreadable {
                path: path.to_owned(),
                cause,
            });
        }
    };
    let text =
        fault::text(&path.to_string_lossy(), octets).map_err(|fault| PolicyError { errors: vec![fault] })?;
    Ok(Some(text))
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
