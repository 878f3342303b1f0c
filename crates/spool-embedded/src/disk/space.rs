//! Whether the disk has room for more.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use spool::incoming::Room;
use spool::{DiskSpace, SpoolError};
use tokio::time::Instant;

/// How long an answer of the file system is used, minus what was taken since.
const FRESH: Duration = Duration::from_secs(1);
/// Fewer free inodes than this count as none: large messages, the write-ahead log and the lock need some.
const INODES_FREE: u64 = 256;

/// Watches the file system of the spool.
#[derive(Debug)]
pub(crate) struct Space {
    path: PathBuf,
    bytes_free: u64,
    /// The octets in the log that the database does not have yet: a checkpoint needs as many again.
    owed: AtomicU64,
    last: Mutex<Option<Answer>>,
}

/// What the file system has said.
#[derive(Debug, Clone, Copy)]
struct Answer {
    at: Instant,
    /// The free octets above the limit, minus those taken since; `None` below the limits.
    room: Option<u64>,
}

impl Space {
    /// `bytes_free`: how many octets must stay free for unprivileged users.
    pub(crate) fn new(path: PathBuf, bytes_free: u64) -> Self {
        Self {
            path,
            bytes_free,
            owed: AtomicU64::new(0),
            last: Mutex::new(None),
        }
    }

    /// [`SpoolError::Full`] below the limits.
    pub(crate) fn check(&self) -> Result<(), SpoolError> {
        self.has(0)
    }

    /// From now on this many octets are kept for the next checkpoint.
    pub(crate) fn owe(&self, octets: u64) {
        self.owed.store(octets, Ordering::Relaxed);
    }

    /// Remembers that a write has just failed for lack of space.
    pub(crate) fn found_full(&self) {
        let mut last = self.last.lock();
        *last = Some(Answer {
            at: Instant::now(),
            room: None,
        });
    }

    /// Whether there is room for this many octets above the limit. Asks the file system each time.
    pub(crate) fn has_room_beyond(&self, octets: u64) -> bool {
        let room = self.ask().ok().and_then(|answer| answer.room);
        room.is_some_and(|room| room >= octets)
    }

    /// What is left after taking this many more octets, according to an answer that is still used.
    fn left(&self, last: &mut Option<Answer>, octets: u64) -> Result<u64, SpoolError> {
        let answer = match *last {
            Some(answer) if answer.at.elapsed() < FRESH => answer,
            Some(_) | None => self.ask()?,
        };
        *last = Some(answer);
        let left = answer.room.and_then(|room| room.checked_sub(octets));
        left.ok_or(SpoolError::Full)
    }

    /// What is free, and what must stay free.
    pub(crate) fn disk(&self) -> Option<DiskSpace> {
        let found = rustix::fs::statvfs(&self.path).ok()?;
        Some(DiskSpace {
            free: found.f_bavail.saturating_mul(found.f_frsize),
            kept: self.bytes_free,
        })
    }

    fn ask(&self) -> Result<Answer, SpoolError> {
        let found = rustix::fs::statvfs(&self.path).map_err(std::io::Error::from)?;
        let bytes = found.f_bavail.saturating_mul(found.f_frsize);
        // File systems that create inodes as needed report a total of none.
        let inodes = found.f_files == 0 || found.f_favail >= INODES_FREE;
        let kept = self.bytes_free.saturating_add(self.owed.load(Ordering::Relaxed));
        Ok(Answer {
            at: Instant::now(),
            room: bytes.checked_sub(kept).filter(|_| inodes),
        })
    }

    /// Lets tests set what the file system has just answered; it is used for a minute.
    #[cfg(test)]
    pub(crate) fn assume(&self, room: u64) {
        *self.last.lock() = Some(Answer {
            at: Instant::now() + Duration::from_mins(1),
            room: Some(room),
        });
    }
}

/// The file system is asked once per [`FRESH`]: in between, what is taken is counted against its last answer.
impl Room for Space {
    fn has(&self, octets: u64) -> Result<(), SpoolError> {
        let mut last = self.last.lock();
        self.left(&mut last, octets).map(|_| ())
    }

    fn take(&self, octets: u64) -> Result<(), SpoolError> {
        let mut last = self.last.lock();
        let left = self.left(&mut last, octets)?;
        if let Some(answer) = &mut *last {
            answer.room = Some(left);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use spool::incoming::INLINE_LIMIT;
    use spool::{Running, Spool};

    use super::*;
    use crate::{EmbeddedSpool, Options};

    const MIB: u64 = 1 << 20;

    fn is_full(asked: Result<(), SpoolError>) -> bool {
        match asked {
            Err(SpoolError::Full) => true,
            Err(error) => unreachable!("{error}"),
            Ok(()) => false,
        }
    }

    #[test]
    fn asking_takes_nothing() {
        let space = Space::new(PathBuf::new(), 0);
        space.assume(100);
        for _ in 0..3 {
            assert!(!is_full(space.has(100)));
            assert!(is_full(space.has(101)));
        }
        space.take(60).unwrap();
        assert!(is_full(space.has(41)));
        assert!(!is_full(space.has(40)));
        // What did not fit has not been counted, either.
        assert!(is_full(space.take(41)));
        assert!(!is_full(space.take(40)));
        assert!(!is_full(space.check()));
        space.found_full();
        assert!(is_full(space.check()));
    }

    #[test]
    fn an_answer_is_believed_for_a_second() {
        let directory = tempfile::tempdir().unwrap();
        let space = Space::new(directory.path().to_owned(), 0);
        space.found_full();
        assert!(is_full(space.has(0)));
        let old = Instant::now().checked_sub(FRESH).unwrap();
        *space.last.lock() = Some(Answer { at: old, room: None });
        assert!(!is_full(space.has(0)));
    }

    #[test]
    fn what_a_checkpoint_needs_is_kept_for_it() {
        let directory = tempfile::tempdir().unwrap();
        let space = Space::new(directory.path().to_owned(), 0);
        assert!(space.has_room_beyond(MIB));
        space.owe(u64::MAX);
        assert!(!space.has_room_beyond(0));
        assert!(is_full(space.check()));
        space.owe(0);
        assert!(space.has_room_beyond(MIB));
    }

    /// It is written to the log first, and then to the database.
    #[tokio::test]
    async fn a_small_message_takes_its_size_twice() {
        let directory = tempfile::tempdir().unwrap();
        let options = Options {
            spool_free: 0,
            ..Options::default()
        };
        let spool = EmbeddedSpool::open(directory.path(), options, std::sync::Arc::new(()))
            .await
            .unwrap();
        let content = vec![b'x'; 10_000];
        spool.shared().space.assume(19_999);
        let new = || spool::contract::message(&["a@b.example"]);
        let refused = spool::contract::commit(&spool, new(), &content).await;
        assert!(matches!(refused, Err(SpoolError::Full)), "{refused:?}");
        spool.shared().space.assume(20_000);
        spool::contract::commit(&spool, new(), &content).await.unwrap();
        spool.close().await.unwrap();
    }

    #[tokio::test]
    async fn a_declared_size_must_fit_beside_what_has_come_in_and_keeps_no_room() {
        let directory = tempfile::tempdir().unwrap();
        let options = Options {
            spool_free: 0,
            ..Options::default()
        };
        let spool = EmbeddedSpool::open(directory.path(), options, std::sync::Arc::new(()))
            .await
            .unwrap();
        spool.shared().space.assume(10 * MIB);
        let fits = |declared| !is_full(spool.create().unwrap().fits(declared));
        assert!(!fits(40 * MIB));
        assert!(!fits(u64::MAX));
        // Each separately: nobody has sent anything.
        assert!(fits(8 * MIB));
        assert!(fits(8 * MIB));

        let mut coming = spool.create().unwrap();
        let part = vec![b'x'; 1 << 20];
        for _ in 0..4 {
            coming.append(&part).await.unwrap();
        }
        assert!(!fits(8 * MIB));
        assert!(fits(6 * MIB));

        // This little is checked only when it has arrived.
        spool.shared().space.assume(100);
        let little = INLINE_LIMIT as u64;
        assert!(fits(little));
        assert!(!fits(little + 1));
        spool.close().await.unwrap();
    }
}
