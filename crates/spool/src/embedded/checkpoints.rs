//! Carrying the log over into the database, as long as that is safe.

use std::sync::Mutex;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};

use super::shared::Shared;
use super::steps::Place;

/// Whether the log may be carried over. One thread at a time does it.
///
/// A checkpoint syncs the database only when it reaches the log's end; those before it, which did not, have not. If that
/// sync fails, the system may have dropped the pages of all of them, and a later checkpoint would write those of the last
/// one alone again, and then let the log start anew. So after a checkpoint that the disk made fail there is no other in
/// this process: the log, which has everything, is kept, and the next start carries it over from its beginning.
#[derive(Debug, Default)]
pub(super) struct Checkpoints(Mutex<State>);

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Allowed,
    LogKept,
}

/// One checkpoint: frames in the log, and how many of them are in the database now. Nothing of either while another one is
/// under way, or where the log is kept.
pub(super) fn checkpoint(
    shared: &Shared,
    connection: &Connection,
    mode: &str,
) -> rusqlite::Result<(i64, i64)> {
    let Ok(mut state) = shared.checkpoints.0.try_lock() else {
        return Ok((0, 0));
    };
    if *state == State::LogKept {
        return Ok((0, 0));
    }
    let carried = shared.fault(Place::Checkpoint).and_then(|()| {
        connection
            .prepare_cached(&format!("PRAGMA wal_checkpoint({mode})"))?
            .query_row([], |row| Ok((row.get(1)?, row.get(2)?)))
    });
    if carried.as_ref().is_err_and(is_of_the_disk) {
        *state = State::LogKept;
        tracing::warn!("the disk has failed: the spool's log is kept, and grows, until the next start");
    }
    carried
}

/// To be asked of a connection before its end: `SQLite` carries the log over when the last one closes.
pub(super) fn leave_log_if_kept(shared: &Shared, connection: &Connection) -> rusqlite::Result<()> {
    let kept = shared
        .checkpoints
        .0
        .try_lock()
        .is_ok_and(|state| *state == State::LogKept);
    if kept {
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    }
    Ok(())
}

/// A full disk drops nothing.
fn is_of_the_disk(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Spool;
    use crate::contract::{commit, message};
    use crate::embedded::tests::open;

    /// Octets of log that are left at the end of a spool in which a checkpoint failed like this.
    async fn log_left(failure: ErrorCode) -> u64 {
        let directory = tempfile::tempdir().unwrap();
        let spool = open(directory.path()).await.unwrap();
        let accepted = commit(&spool, message(&["a@b.example"]), b"x").await.unwrap();
        let fault = (Place::Checkpoint, failure);
        spool.shared.faults.lock().unwrap().push_back(fault);
        // Whether the fault met the checkpoint at the start or the one at the end.
        let _ = spool.close().await;
        let left = std::fs::metadata(directory.path().join("queue.db-wal")).map_or(0, |log| log.len());
        drop(spool);
        let spool = open(directory.path()).await.unwrap();
        let found = spool.pending(None, 10).await.unwrap();
        assert_eq!(found, accepted.pending, "the next start has it all");
        spool.close().await.unwrap();
        assert!(!directory.path().join("queue.db-wal").exists());
        left
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_log_whose_checkpoint_the_disk_made_fail_is_kept_for_the_next_start() {
        assert!(log_left(ErrorCode::SystemIoFailure).await > 0);
        assert_eq!(log_left(ErrorCode::DiskFull).await, 0);
    }
}
