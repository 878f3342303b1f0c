//! What the daemon remembers to keep the policy current: its files, what it has announced, and its lists.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use policy::RemoteList;
use tokio::sync::{Notify, watch};

use super::ends::Ends;
use crate::wiring::policy::Files;
use crate::wiring::stamps::Stamps;
use crate::wiring::standing::Standing;

/// What keeps the policy current.
pub(super) struct Keeping {
    /// Its files.
    pub(super) watched: Watched,
    /// The files because of which a reload of everything was refused.
    pub(super) refused: Option<Watched>,
    /// What the log has been told of the ends of exceptions.
    pub(super) ends: Ends,
    /// What is not as it should be.
    pub(super) standing: Standing,
    /// The lists with a URL that it names.
    pub(super) remote_lists: watch::Sender<Vec<RemoteList>>,
    /// Has all of them fetched.
    pub(super) fetch_lists: Arc<Notify>,
    /// Is told that copies of them, or exceptions, have changed.
    pub(super) changed: Arc<Notify>,
}

/// By what a change of the policy's files is noticed.
#[derive(Debug, Default)]
pub(super) struct Watched {
    pub(super) files: Files,
    /// How they were at the last look.
    seen: Stamps,
}

impl Keeping {
    /// A reload of everything found nothing wrong with these.
    pub(super) fn read(&mut self, files: Files) {
        self.watched = Watched::of(files);
        self.refused = None;
    }

    /// It did. If the policy `in_force` was read from other files, those are watched as before.
    pub(super) fn refused(&mut self, files: Files, in_force: &Path) {
        if files.paths.iter().any(|path| path == in_force) {
            self.watched = Watched::default();
        }
        self.refused = Some(Watched::of(files));
    }
}

impl Watched {
    /// These files have been read.
    pub(super) fn of(files: Files) -> Self {
        Self {
            seen: files.stamps.clone(),
            files,
        }
    }

    /// Whether they have changed, and are no longer changing.
    pub(super) fn has_changed(&mut self) -> bool {
        let now = Stamps::of(paths(&self.files));
        let is_still = now == self.seen;
        self.seen = now;
        is_still && self.seen != self.files.stamps
    }
}

fn paths(files: &Files) -> impl Iterator<Item = &Path> {
    files.paths.iter().map(PathBuf::as_path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    #[test]
    fn a_change_counts_when_it_is_complete() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("policy.toml");
        fs::write(&path, "version = 1\n").unwrap();
        let of = |paths: &[&Path]| {
            let mut files = Files::default();
            for path in paths {
                files.note(path);
            }
            Watched::of(files)
        };
        let mut watched = of(&[&path, &directory.path().join("none")]);
        assert!(!watched.has_changed());
        fs::write(&path, "vers").unwrap();
        assert!(!watched.has_changed(), "it may still be changing");
        fs::write(&path, "version = 1 # more\n").unwrap();
        assert!(!watched.has_changed(), "and it was");
        assert!(watched.has_changed());
        let mut watched = of(&[&path]);
        fs::remove_file(&path).unwrap();
        assert!(!watched.has_changed());
        assert!(watched.has_changed(), "a file that is gone is a change");
    }
}
