//! Whether the disk has room for more.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::SpoolError;

/// How long an answer of the file system is believed.
const FRESH: Duration = Duration::from_secs(1);
/// Fewer free inodes than this count as none: large messages, the write-ahead log and the lock need some.
const INODES_FREE: u64 = 256;

/// Watches the file system of the spool.
#[derive(Debug)]
pub(super) struct Space {
    path: PathBuf,
    bytes_free: u64,
    last: Mutex<Option<(Instant, bool)>>,
}

impl Space {
    /// `bytes_free`: how many octets must stay free for unprivileged users.
    pub(super) fn new(path: PathBuf, bytes_free: u64) -> Self {
        Self {
            path,
            bytes_free,
            last: Mutex::new(None),
        }
    }

    /// [`SpoolError::Full`] below the limits.
    pub(super) fn check(&self) -> Result<(), SpoolError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let room = match *last {
            Some((at, room)) if at.elapsed() < FRESH => room,
            Some(_) | None => {
                let room = self.ask(0)?;
                *last = Some((Instant::now(), room));
                room
            }
        };
        if room { Ok(()) } else { Err(SpoolError::Full) }
    }

    /// Remembers that a write has just failed for want of space.
    pub(super) fn found_full(&self) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((Instant::now(), false));
    }

    /// Whether there is room for this many octets more than must stay free. Asks the file system each time.
    pub(super) fn has_room_beyond(&self, octets: u64) -> bool {
        self.ask(octets).unwrap_or(false)
    }

    fn ask(&self, octets: u64) -> Result<bool, SpoolError> {
        let found = rustix::fs::statvfs(&self.path).map_err(std::io::Error::from)?;
        let bytes = found.f_bavail.saturating_mul(found.f_frsize);
        // File systems that make inodes as needed report none in all.
        let inodes = found.f_files == 0 || found.f_favail >= INODES_FREE;
        Ok(bytes >= self.bytes_free.saturating_add(octets) && inodes)
    }
}
