//! Checkpoints: copying the write-ahead log into the database, as long as that is safe.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mail::event::store::Store;
use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode, ffi};
use tokio::time::Instant;

use super::frames::Log;
use crate::error::Result;
use crate::sql::connections;
use crate::steps::{Faults, Place};
use crate::telling::Teller;

/// How long the log is kept before the disk is tried again.
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 500 } else { 5000 });
/// How long after that was in vain.
const LONG_PAUSE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 60 });

/// How checkpoints are made, and whether they may be. Only one thread at a time does it.
///
/// `SQLite` syncs the database only in a checkpoint that completes the log. Checkpoints overtaken by commits are synced
/// here, so that the last one, which makes commits wait, has little left to sync.
///
/// When a sync fails, the system may have dropped the pages it was to write. `SQLite` would not write pages of earlier
/// checkpoints again, and would restart the log, which still contains them. So after a checkpoint that failed because of the
/// disk, no other one is made: the log is kept until it can be checkpointed from its beginning
/// ([`Checkpoints::start_anew`]), by this process or by the next.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    database: PathBuf,
    faults: Faults,
    carrier: Mutex<Carrier>,
    teller: Teller,
}

#[derive(Debug)]
struct Carrier {
    /// Open as long as the writer's connection, and while the writer reopens its own.
    connection: Option<Connection>,
    /// The database file. It stays open as long as any connection of this process: closing it would release their locks.
    file: Option<File>,
    /// When to try again to checkpoint a log that is kept.
    kept: Option<Instant>,
}

/// What a checkpoint does if others are in its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// It goes as far as it can without making anybody wait.
    Possible,
    /// It waits for readers, and leaves an empty log.
    Whole,
}

impl Checkpoints {
    /// For a database that already exists.
    pub(crate) fn of(database: &Path, faults: Faults, teller: Teller) -> Result<Self> {
        let mut carrier = Carrier {
            connection: None,
            file: Some(File::open(database)?),
            kept: None,
        };
        carrier.open(database)?;
        Ok(Self {
            database: database.to_owned(),
            faults,
            carrier: Mutex::new(carrier),
            teller,
        })
    }

    /// Whether the log has been kept for long enough.
    pub(crate) fn renewal_is_due(&self) -> bool {
        // While a checkpoint is under way, it is not.
        let carrier = self.carrier.try_lock();
        carrier.is_some_and(|carrier| carrier.kept.is_some_and(|until| until <= Instant::now()))
    }

    /// The disk does not work yet.
    pub(crate) fn postpone_renewal(&self) {
        self.carrier.lock().keep_log(PAUSE);
    }

    /// Opens the connection, if it is not open.
    pub(crate) fn open(&self) -> Result<()> {
        let mut carrier = self.carrier.lock();
        match carrier.connection {
            Some(_) => Ok(()),
            None => carrier.open(&self.database),
        }
    }

    /// Makes one checkpoint: returns how far it got in the log as it found it. `None` while another one is in progress, or
    /// while the log is kept.
    pub(crate) fn carry_over(&self, extent: Extent) -> Result<Option<Log>> {
        let Some(mut carrier) = self.carrier.try_lock() else {
            return Ok(None);
        };
        let (Some(connection), Some(file), None) = (&carrier.connection, &carrier.file, carrier.kept) else {
            return Ok(None);
        };
        let log = self
            .faults
            .at(Place::Checkpoint)
            .and_then(|()| carry_over(connection, file, extent));
        if log.as_ref().is_err_and(is_of_the_disk) {
            carrier.keep_log(PAUSE);
            self.teller.tell(Store::LogKept);
        }
        Ok(Some(log?))
    }

    /// Roughly how many octets the next checkpoint brings into the database; `None` while one is in progress.
    pub(crate) fn owed(&self) -> Option<u64> {
        let carrier = self.carrier.try_lock()?;
        let log = carrier.connection.as_ref().map(Log::of)?;
        log.ok().map(Log::owed)
    }

    /// Checkpoints a kept log from its beginning, while nothing in this process has the database open. If that fails, the
    /// log is kept for another while.
    pub(crate) fn start_anew(&self) -> Result<()> {
        let mut carrier = self.carrier.lock();
        carrier.connection = None;
        carrier.kept = None;
        let renewed = self.faults.at(Place::Renew).map_err(Into::into);
        let done = renewed.and_then(|()| carry_over_alone(&self.database));
        let done = carrier.open(&self.database).and(done);
        if done.is_err() {
            carrier.keep_log(LONG_PAUSE);
        }
        done
    }

    /// Closes the last connection; the log is removed with it, if allowed.
    pub(crate) fn end(&self, log_may_go: bool) -> Result<()> {
        let mut carrier = self.carrier.lock();
        if log_may_go && let Some(connection) = &carrier.connection {
            connections::carry_over_at_close(connection)?;
        }
        carrier.connection = None;
        carrier.file = None;
        Ok(())
    }
}

impl Carrier {
    /// Opens the connection, before the writer's or before anything is written.
    fn open(&mut self, database: &Path) -> Result<()> {
        let connection = connections::open_caretaker(database)?;
        let log = Log::of(&connection)?;
        log.make_durable(&connection, database)?;
        // Somebody else had it open when one of our processes ended, which may have kept the log.
        if log.carried > 0 {
            self.keep_log(PAUSE);
        }
        self.connection = Some(connection);
        Ok(())
    }

    fn keep_log(&mut self, pause: Duration) {
        self.kept = Instant::now().checked_add(pause);
    }
}

fn carry_over(connection: &Connection, database: &File, extent: Extent) -> rusqlite::Result<Log> {
    let statement = match extent {
        Extent::Possible => "PRAGMA wal_checkpoint(PASSIVE)",
        Extent::Whole => "PRAGMA wal_checkpoint(TRUNCATE)",
    };
    let log = Log::told_by(connection, statement)?;
    // There is no sign of whether a commit has overtaken it.
    database.sync_data().map_err(|error| not_synced(&error))?;
    Ok(log)
}

/// Checkpoints the whole log, whatever was checkpointed before, and leaves it empty. An error if somebody else has the
/// database open.
fn carry_over_alone(database: &Path) -> Result<()> {
    let connection = connections::open_alone(database)?;
    Log::of(&connection)?.make_durable(&connection, database)?;
    let busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy {
        return Err(io::Error::from(io::ErrorKind::ResourceBusy).into());
    }
    Ok(())
}

/// `SQLite`'s error for this.
fn not_synced(error: &io::Error) -> rusqlite::Error {
    let code = ffi::Error::new(ffi::SQLITE_IOERR_FSYNC);
    rusqlite::Error::SqliteFailure(code, Some(error.to_string()))
}

/// A full disk that refuses a page does not drop any.
fn is_of_the_disk(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure)
}

#[cfg(test)]
mod tests;
