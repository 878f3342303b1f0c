//! The contract, and the tests specific to this store.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod contents;
mod crash;
mod damage;
mod fault;
mod incidents;
mod ledger;
mod looking;
mod start;
mod step;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use mail::{QueueId, Status};
use rusqlite::Connection;
use spool::contract::{Harness, commit, everything, message, now, octets, settlement, take};
use spool::incoming::INLINE_LIMIT;
use spool::{Accepted, After, Incidents, Inspect, Ledger, Running, Spool, SpoolError, TlsTallies};
use tempfile::TempDir;

use crate::disk::bodies::Directories;
use crate::disk::reserve::Reserve;
use crate::disk::space::Space;
use crate::sql::connections::DATABASE;
use crate::sql::schema;
use crate::telling::Teller;
use crate::{EmbeddedSpool, Options, ReadOnlySpool};

struct Directory(TempDir);

impl Harness for Directory {
    type Store = EmbeddedSpool;

    async fn open(&self) -> EmbeddedSpool {
        open(self.0.path()).await.unwrap()
    }

    async fn open_to_look(&self) -> impl Inspect + Ledger + Incidents + TlsTallies {
        ReadOnlySpool::open(self.0.path()).unwrap()
    }

    async fn destroy_content(&self, id: QueueId) {
        let file = Directories::of(self.0.path(), Teller::nobody()).body(id);
        if file.exists() {
            fs::remove_file(file).unwrap();
            return;
        }
        let connection = Connection::open(self.0.path().join(DATABASE)).unwrap();
        let statement = "DELETE FROM body WHERE seq = (SELECT body FROM message WHERE id = ?1)";
        assert_eq!(connection.execute(statement, [id.to_bytes()]).unwrap(), 1);
    }
}

pub(super) async fn open(path: &Path) -> Result<EmbeddedSpool, SpoolError> {
    let options = Options {
        spool_free: 0,
        ..Options::default()
    };
    EmbeddedSpool::open(path, options, Arc::new(())).await
}

/// A spool with one small message to one recipient.
pub(super) async fn with_one_message() -> (TempDir, EmbeddedSpool, Accepted) {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(directory.path()).await.unwrap();
    let accepted = commit(&spool, message(&["a@b.example"]), b"x").await.unwrap();
    (directory, spool, accepted)
}

fn files(path: &Path) -> usize {
    Directories::of(path, Teller::nobody()).stored().unwrap().len()
        + fs::read_dir(path.join("incoming")).unwrap().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_holds() {
    Box::pin(everything(|| Directory(tempfile::tempdir().unwrap()))).await;
}

#[tokio::test]
async fn orphans_are_swept_at_start() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let spool = open(path).await.unwrap();
    let kept = commit(&spool, message(&["a@b.example"]), &octets(INLINE_LIMIT + 1))
        .await
        .unwrap();
    spool.close().await.unwrap();
    let orphan = Directories::of(path, Teller::nobody()).body(QueueId::generate());
    fs::write(&orphan, b"nobody's").unwrap();
    fs::write(path.join("incoming/half"), b"half").unwrap();
    assert_eq!(files(path), 3);

    let spool = open(path).await.unwrap();
    spool.close().await.unwrap();
    assert_eq!(
        Directories::of(path, Teller::nobody()).stored().unwrap(),
        [kept.id]
    );
    assert_eq!(files(path), 1);
}

#[tokio::test]
async fn large_contents_leave_no_file_behind() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let spool = open(path).await.unwrap();
    let mut given_up = spool.create().unwrap();
    given_up.append(&octets(INLINE_LIMIT * 2)).await.unwrap();
    assert_eq!(files(path), 1);
    drop(given_up);
    assert_eq!(files(path), 0);

    let accepted = commit(&spool, message(&["a@b.example"]), &octets(INLINE_LIMIT * 2))
        .await
        .unwrap();
    assert_eq!(files(path), 1);
    let lease = take(&spool, &accepted.pending[0]).await;
    let sent = vec![settlement(0, Status::Sent, None)];
    assert!(spool.settle(lease, sent, now()).await.unwrap().after == After::Gone);
    spool.close().await.unwrap();
    assert_eq!(files(path), 0);
}

#[tokio::test]
async fn a_second_daemon_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(directory.path()).await.unwrap();
    let refused = open(directory.path()).await.unwrap_err();
    let pid = std::process::id();
    assert!(
        matches!(refused, SpoolError::Locked { pid: Some(holder), .. } if holder == pid),
        "{refused}"
    );
    assert!(refused.to_string().contains(&format!("(process {pid})")));
    spool.close().await.unwrap();
    open(directory.path()).await.unwrap().close().await.unwrap();
}

#[tokio::test]
async fn newer_and_foreign_databases_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join(DATABASE);
    open(directory.path()).await.unwrap().close().await.unwrap();
    let newer = schema::KNOWN_VERSION + 1;
    let connection = Connection::open(&database).unwrap();
    connection.pragma_update(None, "user_version", newer).unwrap();
    let refused = open(directory.path()).await.unwrap_err();
    assert!(
        matches!(refused, SpoolError::NewerVersion { found, .. } if found == newer),
        "{refused}"
    );
    assert!(matches!(
        ReadOnlySpool::open(directory.path()),
        Err(SpoolError::NewerVersion { .. })
    ));

    connection.pragma_update(None, "application_id", 7).unwrap();
    let refused = open(directory.path()).await.unwrap_err();
    assert!(matches!(refused, SpoolError::Foreign(_)), "{refused}");
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(
        ReadOnlySpool::open(empty.path()),
        Err(SpoolError::Missing(_))
    ));
}

#[tokio::test]
async fn a_full_disk_refuses_new_messages_and_still_settles() {
    let (directory, spool, accepted) = with_one_message().await;
    let begun = spool.create().unwrap();
    spool.close().await.unwrap();

    let options = Options {
        spool_free: u64::MAX,
        ..Options::default()
    };
    let spool = EmbeddedSpool::open(directory.path(), options, Arc::new(()))
        .await
        .unwrap();
    assert!(matches!(spool.create(), Err(SpoolError::Full)));
    let refused = spool.commit(begun, message(&["a@b.example"])).await;
    assert!(matches!(refused, Err(SpoolError::Full)));
    let lease = take(&spool, &accepted.pending[0]).await;
    let sent = vec![settlement(0, Status::Sent, None)];
    assert!(spool.settle(lease, sent, now()).await.unwrap().after == After::Gone);
    spool.close().await.unwrap();
}

#[tokio::test]
async fn what_is_written_counts_against_the_room_found() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(directory.path()).await.unwrap();
    let (small, new) = (octets(50_000), || message(&["a@b.example"]));
    // Each small content counts twice: in the log, and in the database.
    spool.shared().space.assume(200_000);
    commit(&spool, new(), &small).await.unwrap();
    commit(&spool, new(), &small).await.unwrap();
    let refused = commit(&spool, new(), &small).await;
    assert!(matches!(refused, Err(SpoolError::Full)), "{refused:?}");
    assert_eq!(spool.messages(), 2);

    // A large content is refused while it is received, counting others received at the same time.
    spool.shared().space.assume(1 << 20);
    let (mut first, mut second) = (spool.create().unwrap(), spool.create().unwrap());
    let part = octets(INLINE_LIMIT + 1);
    let mut written = 0;
    let refused = loop {
        if let Err(error) = first.append(&part).await {
            break error;
        }
        second.append(&part).await.unwrap();
        written += 2 * part.len();
        assert!(written < 2 << 20, "the limit holds");
    };
    assert!(matches!(refused, SpoolError::Full), "{refused:?}");
    assert!(matches!(first.append(b"x").await, Err(SpoolError::Incomplete)));
    drop((first, second));
    assert_eq!(files(directory.path()), 0);
    spool.close().await.unwrap();
}

#[tokio::test]
async fn mail_is_private_even_in_an_open_directory() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let spool = open(directory.path()).await.unwrap();
    commit(&spool, message(&["a@b.example"]), b"x").await.unwrap();
    for entry in fs::read_dir(directory.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?}", entry.path());
    }
    spool.close().await.unwrap();
}

#[test]
fn a_reserve_that_was_given_back_is_put_aside_again_once_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("reserve");
    let mut reserve = Reserve::make(directory.path(), Teller::nobody());
    assert!(reserve.give_back());
    assert!(!reserve.give_back());
    reserve.renew(&Space::new(directory.path().to_owned(), u64::MAX));
    assert!(!file.exists());
    reserve.renew(&Space::new(directory.path().to_owned(), 0));
    assert!(file.exists());
    assert!(reserve.give_back());
}

#[tokio::test]
async fn a_closed_spool_says_so() {
    let (directory, spool, accepted) = with_one_message().await;
    spool.close().await.unwrap();
    assert!(matches!(spool.create(), Err(SpoolError::Closed)));
    assert!(matches!(spool.pending(None, 1).await, Err(SpoolError::Closed)));
    let lease = spool.lease(accepted.id, &accepted.pending[0].next_hop).await;
    assert!(matches!(lease, Err(SpoolError::Closed)));
    assert!(matches!(spool.close().await, Err(SpoolError::Closed)));
    assert!(
        !directory.path().join(format!("{DATABASE}-wal")).exists(),
        "nothing is left in the log"
    );
}
