//! Whether the disk has room for more.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::SpoolError;
use crate::incoming::Room;

/// How long an answer of the file system is believed, less what was taken since.
const FRESH: Duration = Duration::from_secs(1);
/// Fewer free inodes than this count as none: large messages, the write-ahead log and the lock need some.
const INODES_FREE: u64 = 256;

/// Watches the file system of the spool.
#[derive(Debug)]
pub(super) struct Space {
    path: PathBuf,
    bytes_free: u64,
    last: Mutex<Option<Answer>>,
}

/// What the file system has said.
#[derive(Debug, Clone, Copy)]
struct Answer {
    at: Instant,
    /// Octets beyond those that must stay free, less those taken since; `None` below the limits.
    room: Option<u64>,
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
        self.take(0)
    }

    /// Remembers that a write has just failed for want of space.
    pub(super) fn found_full(&self) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(Answer {
            at: Instant::now(),
            room: None,
        });
    }

    /// Whether there is room for this many octets more than must stay free. Asks the file system each time.
    pub(super) fn has_room_beyond(&self, octets: u64) -> bool {
        let room = self.ask().ok().and_then(|answer| answer.room);
        room.is_some_and(|room| room >= octets)
    }

    fn ask(&self) -> Result<Answer, SpoolError> {
        let found = rustix::fs::statvfs(&self.path).map_err(std::io::Error::from)?;
        let bytes = found.f_bavail.saturating_mul(found.f_frsize);
        // File systems that make inodes as needed report none in all.
        let inodes = found.f_files == 0 || found.f_favail >= INODES_FREE;
        Ok(Answer {
            at: Instant::now(),
            room: bytes.checked_sub(self.bytes_free).filter(|_| inodes),
        })
    }

    /// Lets tests say what the file system has just answered; it is believed for a minute.
    #[cfg(test)]
    pub(super) fn assume(&self, room: u64) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Answer {
            at: Instant::now() + Duration::from_mins(1),
            room: Some(room),
        });
    }
}

impl Room for Space {
    /// The file system is not asked more often for this: what is taken is counted against its last answer.
    fn take(&self, octets: u64) -> Result<(), SpoolError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let mut answer = match *last {
            Some(answer) if answer.at.elapsed() < FRESH => answer,
            Some(_) | None => self.ask()?,
        };
        let left = answer.room.and_then(|room| room.checked_sub(octets));
        answer.room = left.or(answer.room);
        *last = Some(answer);
        left.map(|_| ()).ok_or(SpoolError::Full)
    }
}
