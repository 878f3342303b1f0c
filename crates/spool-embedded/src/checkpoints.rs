//! Carrying the log over into the database, as long as that is safe.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, ffi};

use super::log::Log;
use super::schema;
use super::shared::Shared;
use super::steps::Place;
use crate::error::Result;

/// How long the log is kept before the disk is tried again.
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 500 } else { 5000 });
/// How long after that was in vain.
const LONG_PAUSE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 60 });

/// How the log is carried over, and whether it may be. One thread at a time does it.
///
/// `SQLite` syncs the database only in a checkpoint after which the whole log is in it. Those that commits overtake are
/// synced here: so the last one, for which commits wait, finds little to sync.
///
/// When a sync fails, the system may have dropped the pages that it was to write. `SQLite` would not write those of
/// earlier checkpoints again, and would let the log, which has them, start anew. So after a checkpoint that the disk made
/// fail there is no other one: the log is kept until it can be carried over from its beginning ([`super::renewal`]), by
/// this process or by the next.
#[derive(Debug)]
pub(super) struct Checkpoints {
    database: PathBuf,
    carrier: Mutex<Carrier>,
}

#[derive(Debug)]
struct Carrier {
    /// Open as long as the writer's, and while the writer opens its own anew.
    connection: Option<Connection>,
    /// The database. It stays open as long as any connection of this process: to close it would take away their locks.
    file: Option<File>,
    /// When it is to be tried to carry over the log, where it is kept.
    kept: Option<Instant>,
}

/// What a checkpoint does where others stand in its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// It goes as far as it can without anybody waiting for it.
    Possible,
    /// It waits for those who read, and leaves an empty log.
    Whole,
}

impl Checkpoints {
    /// Those of a database that is there already.
    pub(super) fn of(database: &Path) -> Result<Self> {
        let mut carrier = Carrier {
            connection: None,
            file: Some(File::open(database)?),
            kept: None,
        };
        carrier.open(database)?;
        Ok(Self {
            database: database.to_owned(),
            carrier: Mutex::new(carrier),
        })
    }

    /// Whether the log has been kept for long enough.
    pub(super) fn renewal_is_due(&self) -> bool {
        // While a checkpoint is under way, it is not.
        let carrier = self.carrier.try_lock();
        carrier.is_ok_and(|carrier| carrier.kept.is_some_and(|until| until <= Instant::now()))
    }

    /// The disk does not work yet.
    pub(super) fn postpone_renewal(&self) {
        self.lock().keep_log(PAUSE);
    }

    /// Opens the connection, where it is not open any more.
    pub(super) fn open(&self) -> Result<()> {
        let mut carrier = self.lock();
        match carrier.connection {
            Some(_) => Ok(()),
            None => carrier.open(&self.database),
        }
    }

    /// Lets `renewal` carry a log over that is kept, from its beginning, while nothing here has the database open. If
    /// that fails, the log is kept for another while.
    pub(super) fn start_anew(&self, renewal: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let mut carrier = self.lock();
        carrier.connection = None;
        carrier.kept = None;
        let done = renewal(&self.database);
        let done = carrier.open(&self.database).and(done);
        if done.is_err() {
            carrier.keep_log(LONG_PAUSE);
        }
        done
    }

    /// Closes the last connection; with it the log goes, if it may.
    pub(super) fn end(&self, log_may_go: bool) -> Result<()> {
        let mut carrier = self.lock();
        if log_may_go && let Some(connection) = &carrier.connection {
            schema::carry_over_at_close(connection)?;
        }
        carrier.connection = None;
        carrier.file = None;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Carrier> {
        self.carrier.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Carrier {
    /// Opens the connection, before the writer's or with nothing written yet.
    fn open(&mut self, database: &Path) -> Result<()> {
        let connection = schema::open_caretaker(database)?;
        let log = Log::of(&connection)?;
        log.make_durable(&connection, database)?;
        // Somebody else had it open when a process here ended, which may have kept the log.
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

/// One checkpoint: how far it went in the log as it found it. `None` while another one is under way, or where the log is kept.
pub(super) fn checkpoint(shared: &Shared, extent: Extent) -> Result<Option<Log>> {
    let Ok(mut carrier) = shared.checkpoints.carrier.try_lock() else {
        return Ok(None);
    };
    let (Some(connection), Some(file), None) = (&carrier.connection, &carrier.file, carrier.kept) else {
        return Ok(None);
    };
    let log = shared
        .fault(Place::Checkpoint)
        .and_then(|()| carry_over(connection, file, extent));
    if log.as_ref().is_err_and(is_of_the_disk) {
        carrier.keep_log(PAUSE);
        tracing::warn!("the disk has failed: the spool's log is kept, and grows, until the disk works again");
    }
    Ok(Some(log?))
}

fn carry_over(connection: &Connection, database: &File, extent: Extent) -> rusqlite::Result<Log> {
    let statement = match extent {
        Extent::Possible => "PRAGMA wal_checkpoint(PASSIVE)",
        Extent::Whole => "PRAGMA wal_checkpoint(TRUNCATE)",
    };
    let log = Log::told_by(connection, statement)?;
    // Nothing says whether a commit has overtaken it.
    database.sync_data().map_err(|error| not_synced(&error))?;
    Ok(log)
}

/// Carries the whole log over, whatever was carried over before, and leaves none. An error where somebody else has the
/// database open.
pub(super) fn carry_over_alone(database: &Path) -> Result<()> {
    let connection = schema::open_alone(database)?;
    Log::of(&connection)?.make_durable(&connection, database)?;
    let busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy {
        return Err(io::Error::from(io::ErrorKind::ResourceBusy).into());
    }
    Ok(())
}

/// The error that `SQLite` has for this.
fn not_synced(error: &io::Error) -> rusqlite::Error {
    let code = ffi::Error::new(ffi::SQLITE_IOERR_FSYNC);
    rusqlite::Error::SqliteFailure(code, Some(error.to_string()))
}

/// A full disk that refuses a page drops none.
fn is_of_the_disk(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs::metadata;
    use std::path::Path;

    use super::*;
    use crate::EmbeddedSpool;
    use crate::tests::open;
    use spool::contract::{commit, message};
    use spool::{Accepted, Running, Spool};

    /// Octets of log.
    fn log(directory: &Path) -> Option<u64> {
        metadata(directory.join("queue.db-wal")).ok().map(|log| log.len())
    }

    async fn accept(spool: &EmbeddedSpool) -> Accepted {
        commit(spool, message(&["a@b.example"]), b"x").await.unwrap()
    }

    /// A spool with one message in which a checkpoint has failed like this, be it the one at the start.
    async fn failed(directory: &Path, failure: ErrorCode) -> EmbeddedSpool {
        let spool = open(directory).await.unwrap();
        accept(&spool).await;
        order(&spool, Place::Checkpoint, failure);
        while is_ordered(&spool) {
            let _ = checkpoint(&spool.shared, Extent::Possible);
        }
        spool
    }

    fn order(spool: &EmbeddedSpool, place: Place, failure: ErrorCode) {
        spool.shared.faults.lock().unwrap().push_back((place, failure));
    }

    fn is_ordered(spool: &EmbeddedSpool) -> bool {
        !spool.shared.faults.lock().unwrap().is_empty()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_log_whose_checkpoint_the_disk_made_fail_is_kept_for_the_next_start() {
        let directory = tempfile::tempdir().unwrap();
        let spool = failed(directory.path(), ErrorCode::SystemIoFailure).await;
        spool.close().await.unwrap();
        assert!(log(directory.path()).unwrap() > 0);

        let spool = open(directory.path()).await.unwrap();
        assert_eq!(spool.pending(None, 10).await.unwrap().len(), 1);
        spool.close().await.unwrap();
        assert_eq!(log(directory.path()), None);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_log_that_was_kept_is_carried_over_once_the_disk_works() {
        let directory = tempfile::tempdir().unwrap();
        let spool = failed(directory.path(), ErrorCode::SystemIoFailure).await;
        assert!(
            checkpoint(&spool.shared, Extent::Possible).unwrap().is_none(),
            "kept"
        );
        assert_eq!(
            spool.pending(None, 10).await.unwrap().len(),
            1,
            "a reader is open"
        );

        // The disk does not let it be carried over the first time.
        order(&spool, Place::Renew, ErrorCode::SystemIoFailure);
        let mut accepted = 1;
        while is_ordered(&spool) {
            assert!(log(directory.path()).unwrap() > 0);
            accept(&spool).await;
            accepted += 1;
        }
        while spool.shared.checkpoints.lock().kept.is_some() {
            accept(&spool).await;
            accepted += 1;
        }
        while checkpoint(&spool.shared, Extent::Possible).unwrap().is_none() {}
        assert_eq!(spool.pending(None, usize::MAX).await.unwrap().len(), accepted);
        spool.close().await.unwrap();
        assert_eq!(log(directory.path()), None);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_full_disk_keeps_no_log() {
        let directory = tempfile::tempdir().unwrap();
        let spool = failed(directory.path(), ErrorCode::DiskFull).await;
        assert_eq!(spool.shared.checkpoints.lock().kept, None);
        spool.close().await.unwrap();
        assert_eq!(log(directory.path()), None);
    }

    /// A connection of which the spool knows nothing, and which goes on to read the one message that it has found.
    fn somebody_else(directory: &Path) -> Connection {
        let other = schema::open_reader(&directory.join("queue.db"), 1 << 20).unwrap();
        other.execute_batch("BEGIN").unwrap();
        let messages: i64 = other
            .query_row("SELECT count(*) FROM message", [], |row| row.get(0))
            .unwrap();
        assert_eq!(messages, 1);
        other
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_log_is_kept_while_somebody_else_has_the_database_open() {
        let directory = tempfile::tempdir().unwrap();
        let spool = failed(directory.path(), ErrorCode::SystemIoFailure).await;
        let other = somebody_else(directory.path());
        let start = Instant::now();
        while start.elapsed() < 3 * PAUSE {
            accept(&spool).await;
            assert!(spool.shared.checkpoints.lock().kept.is_some());
        }
        drop(other);
        while spool.shared.checkpoints.lock().kept.is_some() {
            accept(&spool).await;
        }
        spool.close().await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_database_that_cannot_be_synced_keeps_the_log() {
        let directory = tempfile::tempdir().unwrap();
        let spool = open(directory.path()).await.unwrap();
        accept(&spool).await;
        let unsyncable = File::open("/dev/null").unwrap();
        let database = spool.shared.checkpoints.lock().file.replace(unsyncable);
        while spool.shared.checkpoints.lock().kept.is_none() {
            let done = checkpoint(&spool.shared, Extent::Possible);
            assert!(!matches!(done, Ok(Some(_))));
        }
        spool.close().await.unwrap();
        drop(database);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_carried_over_before_the_start_is_not_believed() {
        let directory = tempfile::tempdir().unwrap();
        let spool = failed(directory.path(), ErrorCode::SystemIoFailure).await;
        let other = somebody_else(directory.path());
        accept(&spool).await;
        let carrier = schema::open_caretaker(&directory.path().join("queue.db")).unwrap();
        let log_before = Log::told_by(&carrier, "PRAGMA wal_checkpoint(PASSIVE)").unwrap();
        assert!(0 < log_before.carried && log_before.carried < log_before.frames);
        spool.close().await.unwrap();
        drop(carrier);

        let spool = open(directory.path()).await.unwrap();
        assert!(spool.shared.checkpoints.lock().kept.is_some());
        drop(other);
        while spool.shared.checkpoints.lock().kept.is_some() {
            accept(&spool).await;
        }
        spool.close().await.unwrap();
        assert_eq!(log(directory.path()), None);
    }
}
