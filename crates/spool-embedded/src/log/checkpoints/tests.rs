//! Failed checkpoints, and logs that are kept because of them.

#![allow(clippy::unwrap_used)]

use std::fs::metadata;
use std::path::Path;

use spool::contract::{commit, message};
use spool::{Accepted, Running, Spool};

use super::*;
use crate::EmbeddedSpool;
use crate::tests::open;

/// Octets of log.
fn log(directory: &Path) -> Option<u64> {
    metadata(directory.join("queue.db-wal")).ok().map(|log| log.len())
}

async fn accept(spool: &EmbeddedSpool) -> Accepted {
    commit(spool, message(&["a@b.example"]), b"x").await.unwrap()
}

/// A spool with one message in which a checkpoint has failed like this, possibly the one at the start.
async fn failed(directory: &Path, failure: ErrorCode) -> EmbeddedSpool {
    let spool = open(directory).await.unwrap();
    accept(&spool).await;
    order(&spool, Place::Checkpoint, failure);
    while is_ordered(&spool) {
        let _ = spool.shared().checkpoints.carry_over(Extent::Possible);
    }
    spool
}

fn order(spool: &EmbeddedSpool, place: Place, failure: ErrorCode) {
    spool.shared().faults.order(&[(place, failure)]);
}

fn is_ordered(spool: &EmbeddedSpool) -> bool {
    !spool.shared().faults.are_over()
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
        spool
            .shared()
            .checkpoints
            .carry_over(Extent::Possible)
            .unwrap()
            .is_none(),
        "kept"
    );
    assert_eq!(
        spool.pending(None, 10).await.unwrap().len(),
        1,
        "a reader is open"
    );

    // The disk prevents the first checkpoint.
    order(&spool, Place::Renew, ErrorCode::SystemIoFailure);
    let mut accepted = 1;
    while is_ordered(&spool) {
        assert!(log(directory.path()).unwrap() > 0);
        accept(&spool).await;
        accepted += 1;
    }
    while spool.shared().checkpoints.carrier.lock().kept.is_some() {
        accept(&spool).await;
        accepted += 1;
    }
    while spool
        .shared()
        .checkpoints
        .carry_over(Extent::Possible)
        .unwrap()
        .is_none()
    {}
    assert_eq!(spool.pending(None, usize::MAX).await.unwrap().len(), accepted);
    spool.close().await.unwrap();
    assert_eq!(log(directory.path()), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_keeps_no_log() {
    let directory = tempfile::tempdir().unwrap();
    let spool = failed(directory.path(), ErrorCode::DiskFull).await;
    assert_eq!(spool.shared().checkpoints.carrier.lock().kept, None);
    spool.close().await.unwrap();
    assert_eq!(log(directory.path()), None);
}

/// A connection that the spool does not know of, and which keeps reading the one message that it found.
fn somebody_else(directory: &Path) -> Connection {
    let other = connections::open_reader(&directory.join("queue.db"), 1 << 20).unwrap();
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
        assert!(spool.shared().checkpoints.carrier.lock().kept.is_some());
    }
    drop(other);
    while spool.shared().checkpoints.carrier.lock().kept.is_some() {
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
    let database = spool.shared().checkpoints.carrier.lock().file.replace(unsyncable);
    while spool.shared().checkpoints.carrier.lock().kept.is_none() {
        let done = spool.shared().checkpoints.carry_over(Extent::Possible);
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
    let carrier = connections::open_caretaker(&directory.path().join("queue.db")).unwrap();
    let log_before = Log::told_by(&carrier, "PRAGMA wal_checkpoint(PASSIVE)").unwrap();
    assert!(0 < log_before.carried && log_before.carried < log_before.frames);
    spool.close().await.unwrap();
    drop(carrier);

    let spool = open(directory.path()).await.unwrap();
    assert!(spool.shared().checkpoints.carrier.lock().kept.is_some());
    drop(other);
    while spool.shared().checkpoints.carrier.lock().kept.is_some() {
        accept(&spool).await;
    }
    spool.close().await.unwrap();
    assert_eq!(log(directory.path()), None);
}
