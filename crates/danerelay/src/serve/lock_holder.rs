//! Who holds the lock of a spool.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Where the kernel lists all locks: `1: FLOCK  ADVISORY  WRITE 4711 fd:01:1234 0 EOF`.
const LOCKS: &str = "/proc/locks";

/// The holder of a lock, as far as it can be determined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Holder {
    /// Another danerelay daemon.
    Daemon(u32),
    /// Another program, which has nothing to do with the spool.
    Stranger { name: String, process: u32 },
    /// A process that this user is not allowed to see.
    Unseen,
}

impl Holder {
    /// The holder of the lock on this file.
    pub(super) fn of(lock: &Path) -> Self {
        let locks = fs::read_to_string(LOCKS).unwrap_or_default();
        let inode = fs::metadata(lock).map(|found| found.ino());
        let process = inode.ok().and_then(|inode| process(&locks, inode));
        let name = process.and_then(|process| fs::read_to_string(format!("/proc/{process}/comm")).ok());
        match (process, name) {
            (Some(process), Some(name)) if name.trim_end() == env!("CARGO_PKG_NAME") => Self::Daemon(process),
            (Some(process), Some(name)) => Self::Stranger {
                name: name.trim_end().to_owned(),
                process,
            },
            (Some(_) | None, _) => Self::Unseen,
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Daemon(process) => write!(f, "in use by another daemon (process {process})"),
            Self::Stranger { name, process } => write!(
                f,
                "held by another program, {name} (process {process}), which is no danerelay: a backup or a script, perhaps"
            ),
            Self::Unseen => {
                f.write_str("held by a process that cannot be seen from here; as root, `lslocks` names it")
            }
        }
    }
}

/// The process that has a lock on the file with this inode.
fn process(locks: &str, inode: u64) -> Option<u32> {
    locks.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        if words.next()? != "FLOCK" {
            return None;
        }
        let process = words.nth(2)?;
        let (_, found) = words.next()?.rsplit_once(':')?;
        (found.parse() == Ok(inode)).then(|| process.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_list_is_read() {
        let locks = "1: POSIX  ADVISORY  WRITE 10 fd:01:1234 0 EOF\n2: FLOCK  ADVISORY  WRITE 4711 fd:01:1234 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 4712 fd:01:99 0 EOF\n3: FLOCK  ADVISORY  WRITE -1 fd:01:77 0 EOF\n";
        assert_eq!(process(locks, 1234), Some(4711));
        assert_eq!(process(locks, 77), None);
        assert_eq!(process(locks, 99), None);
        assert_eq!(process("", 1), None);
    }
}
