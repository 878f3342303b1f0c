//! What the daemon remembers to keep the policy current: its files, what it has announced, and its lists. A look at the
//! files is taken beside the main loop: they may be on a disk that does not answer.

use std::future::pending;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mail::Domain;
use policy::RemoteList;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

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
    /// `dns.domain_insecure` of the configuration in force.
    pub(super) domain_insecure: watch::Sender<Vec<Domain>>,
    /// The lists with a URL that it names.
    pub(super) remote_lists: watch::Sender<Vec<RemoteList>>,
    /// Has all of them fetched.
    pub(super) fetch_lists: Arc<Notify>,
    /// Is told that copies of them, or exceptions, have changed.
    pub(super) changed: Arc<Notify>,
}

/// By what a change of files is noticed.
#[derive(Debug, Default)]
pub(super) struct Watched {
    pub(super) files: Files,
    /// How they were at the last look.
    seen: Stamps,
}

/// The watched files as they are at one time.
#[derive(Debug)]
pub(super) struct Look {
    /// Those of the policy.
    pub(super) policy: Files,
    /// Those because of which a reload was refused.
    pub(super) refused: Option<Files>,
    /// Those used to serve clients.
    pub(super) clients: Files,
}

/// A look that is being taken. A disk that does not answer keeps one thread waiting, however long that lasts.
pub(super) type Looking = JoinHandle<Look>;

/// Takes a look at all files that are watched.
pub(super) fn look(keeping: &Keeping, clients: &Watched) -> Looking {
    let paths = |watched: &Watched| watched.files.paths.clone();
    let (policy, clients) = (paths(&keeping.watched), paths(clients));
    let refused = keeping.refused.as_ref().map(paths);
    tokio::task::spawn_blocking(move || Look {
        policy: as_they_are(&policy),
        refused: refused.as_deref().map(as_they_are),
        clients: as_they_are(&clients),
    })
}

/// What was seen, once the look has been taken; never where none is.
pub(super) async fn taken(looking: Option<&mut Looking>) -> Option<Look> {
    match looking {
        Some(looking) => looking.await.ok(),
        None => pending().await,
    }
}

fn as_they_are(paths: &[PathBuf]) -> Files {
    Files::of(paths.iter().map(PathBuf::as_path))
}

impl Keeping {
    /// A reload of everything has taken effect, which found nothing wrong with these.
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

    /// Whether they have changed, and are no longer changing. A look at other files, which were watched when it began, says
    /// nothing.
    pub(super) fn has_changed(&mut self, now: &Files) -> bool {
        if now.paths != self.files.paths {
            return false;
        }
        let is_still = now.stamps == self.seen;
        self.seen.clone_from(&now.stamps);
        is_still && self.seen != self.files.stamps
    }
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
        let none = directory.path().join("none");
        let both = || Files::of([path.as_path(), none.as_path()]);
        let mut watched = Watched::of(both());
        assert!(!watched.has_changed(&both()));
        fs::write(&path, "vers").unwrap();
        assert!(!watched.has_changed(&both()), "it may still be changing");
        fs::write(&path, "version = 1 # more\n").unwrap();
        assert!(!watched.has_changed(&both()), "and it was");
        assert!(watched.has_changed(&both()));
        let one = || Files::of([path.as_path()]);
        let mut watched = Watched::of(one());
        fs::remove_file(&path).unwrap();
        assert!(
            !watched.has_changed(&both()) && !watched.has_changed(&both()),
            "others"
        );
        assert!(!watched.has_changed(&one()));
        assert!(watched.has_changed(&one()), "a file that is gone is a change");
    }
}
