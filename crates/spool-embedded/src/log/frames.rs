//! The write-ahead log: how long it is, and how much of it is on the disk.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::error::Result;

/// Octets before the first frame, and before the page of each (file format of `SQLite`, §4).
const HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;

/// Roughly the octets of a frame: a page of 4 KiB.
const FRAME: u64 = 4096 + FRAME_HEADER;

/// Octets written at a time.
const PART: u64 = 1 << 20;

/// The number of frames, that is pages, in the log.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Log {
    /// In the log.
    pub(crate) frames: i64,
    /// In the database, too.
    pub(crate) carried: i64,
}

impl Log {
    /// The log as this connection finds it.
    pub(crate) fn of(connection: &Connection) -> rusqlite::Result<Self> {
        Self::told_by(connection, "PRAGMA wal_checkpoint(NOOP)")
    }

    /// What a checkpoint reports about the log, as long as the log was at its beginning.
    pub(crate) fn told_by(connection: &Connection, checkpoint: &str) -> rusqlite::Result<Self> {
        connection.prepare_cached(checkpoint)?.query_row([], |row| {
            Ok(Self {
                frames: row.get(1)?,
                carried: row.get(2)?,
            })
        })
    }

    /// Roughly how many octets are in the log and not yet in the database.
    pub(crate) fn owed(self) -> u64 {
        let frames = u64::try_from(self.frames.saturating_sub(self.carried)).unwrap_or(0);
        frames.saturating_mul(FRAME)
    }

    /// Writes the log again as it is, and syncs it; used by the first connection to be opened, before anything is added.
    ///
    /// After a failed sync, the written data is in the system's memory but not on the disk. The connections open at the time
    /// do not count it as part of the log, and their next commit overwrites it. But the first connection opened later takes
    /// it for committed; further commits would follow it, and a power loss would cut them off together with it.
    pub(crate) fn make_durable(self, connection: &Connection, database: &Path) -> Result<()> {
        let frames = u64::try_from(self.frames).unwrap_or(0);
        if frames == 0 {
            return Ok(());
        }
        let page: u32 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let length =
            HEADER.saturating_add(frames.saturating_mul(FRAME_HEADER.saturating_add(u64::from(page))));
        let file = OpenOptions::new().read(true).write(true).open(name(database))?;
        write_again(&file, length)?;
        Ok(())
    }
}

/// The file beside this database.
fn name(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

fn write_again(file: &File, length: u64) -> io::Result<()> {
    let mut part = Vec::new();
    let mut at = 0;
    while at < length {
        let size = PART.min(length.saturating_sub(at));
        part.resize(usize::try_from(size).unwrap_or(usize::MAX), 0);
        file.read_exact_at(&mut part, at)?;
        file.write_all_at(&part, at)?;
        at = at.saturating_add(size);
    }
    file.sync_all()
}
