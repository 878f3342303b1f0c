//! Checks, before anything is opened, whether the spool can be used, and whether its owner could still use it after us.
//!
//! Postfix and Unbound start as root and switch to another user. Under systemd this daemon is never root; when started
//! by hand it easily is, and each file created by root is one that the service cannot open at its next start.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use crate::access::{self, Denied, Use};
use crate::accounts;

/// The user as which the unit runs.
const SERVICE: &str = "danerelay";

/// Why nothing is opened: the administrator has to fix it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OwnershipError {
    /// Owners and modes are in the way.
    #[error("{0}")]
    Denied(Box<Denied>),
    /// There is something else in place of the directory.
    #[error("it is no directory")]
    NoDirectory,
    /// It belongs to another user, and we are root.
    #[error(
        "it belongs to {owner}, who could not open what root makes in it; run this as that user: `systemctl start \
         danerelay`, or `sudo -u {user} danerelay serve`"
    )]
    Foreign {
        /// User and group.
        owner: String,
        /// The user, for a command.
        user: String,
    },
    /// It does not exist, and we are root.
    #[error(
        "it does not exist, and the user {SERVICE} could not open what root makes there; make it first: `install -d -o \
         {SERVICE} -g {SERVICE} -m 0750 {}`",
        .0.display()
    )]
    Unmade(PathBuf),
}

/// Checks the spool without changing anything.
pub(crate) fn examine(spool: &Path) -> Result<(), OwnershipError> {
    let found = fs::metadata(spool).ok();
    match &found {
        Some(found) if !found.is_dir() => return Err(OwnershipError::NoDirectory),
        Some(found) if geteuid().is_root() && found.uid() != 0 => {
            return Err(OwnershipError::Foreign {
                owner: access::owner(found),
                user: access::user_name(found.uid()),
            });
        }
        None if geteuid().is_root() && accounts::is_user(SERVICE) && is_reachable(spool) => {
            return Err(OwnershipError::Unmade(spool.to_owned()));
        }
        Some(_) | None => {}
    }
    denied_within(spool).map_or(Ok(()), |denied| Err(OwnershipError::Denied(Box::new(denied))))
}

/// Whether users other than root can reach the path.
fn is_reachable(path: &Path) -> bool {
    const OTHERS_ENTER: u32 = 0o001;
    let above = path
        .ancestors()
        .skip(1)
        .filter_map(|directory| fs::metadata(directory).ok());
    above
        .into_iter()
        .all(|found| found.permissions().mode() & OTHERS_ENTER != 0)
}

/// What its user cannot use in the spool: the directory itself, its files, and the directories in it and in those.
/// Messages are not checked; there may be many.
fn denied_within(spool: &Path) -> Option<Denied> {
    /// The spool, and two levels of directories.
    const FLOORS: usize = 3;
    let mut floor = vec![spool.to_owned()];
    for depth in 0..FLOORS {
        let mut next = Vec::new();
        for path in floor {
            let is_directory = path.is_dir() || depth == 0;
            let purpose = if is_directory { Use::Keep } else { Use::Write };
            if let Some(denied) = access::denied(&path, purpose) {
                return Some(denied);
            }
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            let looked_at =
                entries.filter(|entry| depth == 0 || entry.file_type().is_ok_and(|kind| kind.is_dir()));
            next.extend(looked_at.map(|entry| entry.path()));
        }
        floor = next;
    }
    None
}

/// A warning for an administrator who runs this as root.
pub(crate) fn root() -> Option<&'static str> {
    let warning = "this runs as root, which nothing here needs: run it as a user of its own (User= in the unit; systemd-sysusers \
                   makes danerelay), with CAP_NET_BIND_SERVICE for ports below 1024";
    geteuid().is_root().then_some(warning)
}
