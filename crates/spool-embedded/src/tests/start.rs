//! What a start may find: older databases, limits, missing transactions.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use jiff::civil::Date;
use mail::{QueueId, Status};
use rusqlite::{Connection, params};
use spool::contract::{commit, listed, message, noticed, now, octets, read, settlement, take, whole};
use spool::incoming::INLINE_LIMIT;
use spool::{After, Incidents, Inspect, Ledger, Report, Running, Spool, SpoolError};

use super::open;
use crate::disk::bodies::Directories;
use crate::sql::connections::DATABASE;
use crate::sql::schema::{APPLICATION_ID, MIGRATIONS};
use crate::telling::Teller;
use crate::{EmbeddedSpool, Options, ReadOnlySpool};

/// A spool of schema version 1: one small message to three recipients, one of them done, and one large message.
fn version_1(path: &Path) -> [QueueId; 2] {
    let directories = Directories::of(path, Teller::nobody());
    directories.make(path).unwrap();
    let mut ids = [QueueId::generate(), QueueId::generate()];
    ids.sort();
    let connection = Connection::open(path.join(DATABASE)).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    connection.execute_batch(MIGRATIONS[0]).unwrap();
    connection
        .pragma_update(None, "application_id", APPLICATION_ID)
        .unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    let created = message(&[]).created.as_millisecond();
    let large = octets(INLINE_LIMIT + 1);
    fs::write(directories.body(ids[1]), &large).unwrap();
    let mut insert = connection
        .prepare("INSERT INTO message VALUES (?1, ?2, 'sender@a.example', 1, ?3, ?4, ?5, ?6)")
        .unwrap();
    insert
        .execute(params![ids[0].to_bytes(), created, 5, 3, 2, 1])
        .unwrap();
    insert
        .execute(params![
            ids[1].to_bytes(),
            created,
            large.len().cast_signed(),
            1,
            1,
            None::<i64>
        ])
        .unwrap();
    connection
        .execute("INSERT INTO body VALUES (1, CAST('12345' AS BLOB))", [])
        .unwrap();
    let mut insert = connection
        .prepare("INSERT INTO recipient VALUES (?1, ?2, ?3, 'b.example', ?4, ?5, ?6, NULL, NULL, NULL)")
        .unwrap();
    for (id, index, address, state, attempts) in [
        (ids[0], 0, "a@b.example", 0, 0),
        (ids[0], 1, "b@b.example", 2, 1),
        (ids[0], 2, "c@b.example", 5, 1),
        (ids[1], 0, "a@b.example", 0, 0),
    ] {
        insert
            .execute(params![id.to_bytes(), index, address, state, attempts, created])
            .unwrap();
    }
    ids
}

#[tokio::test]
async fn a_spool_of_version_1_is_shown_migrated_and_delivered() {
    let directory = tempfile::tempdir().unwrap();
    let ids = version_1(directory.path());
    {
        let reader = ReadOnlySpool::open(directory.path()).unwrap();
        let shown = listed(&reader, None).await.0;
        let shown: Vec<_> = shown.iter().map(|one| (one.id, one.recipients.len())).collect();
        assert_eq!(shown, [(ids[0], 3), (ids[1], 1)]);
        let summary = reader.summary(9, now()).await.unwrap();
        assert_eq!((summary.messages, summary.recipients.failed), (2, 1));
        let content = reader.content(ids[0]).await.unwrap().unwrap();
        assert_eq!(whole(&content).await, b"12345");
        // Noughts would be wrong.
        let none = |tally| panic!("{tally:?}");
        let refused = reader.sums(Date::MIN..=Date::MAX, none).await.unwrap_err();
        let older =
            |needed| matches!(refused, SpoolError::OlderVersion { found: 1, needed: n } if n == needed);
        assert!(older(4), "{refused}");
        let refused = reader.incidents().await.unwrap_err();
        assert!(
            matches!(refused, SpoolError::OlderVersion { found: 1, needed: 9 }),
            "{refused}"
        );
    }
    let spool = open(directory.path()).await.unwrap();
    assert_eq!((spool.messages(), spool.vanished_at_start()), (2, 0));
    let waiting = spool.pending(None, 9).await.unwrap();
    let found: Vec<_> = waiting.iter().map(|part| (part.id, part.recipients)).collect();
    assert_eq!(found, [(ids[0], 2), (ids[1], 1)]);
    let first = take(&spool, &waiting[0]).await;
    assert_eq!(first.parameters.ret, None);
    assert!(!first.parameters.smtputf8 && !first.recipients[0].delay_noticed);
    assert_eq!(read(&first).await, b"12345");
    let settlements = vec![
        settlement(0, Status::Sent, None),
        settlement(1, Status::Sent, None),
    ];
    assert!(spool.settle(first, settlements, now()).await.unwrap().after == After::Gone);
    let second = take(&spool, &waiting[1]).await;
    assert!(read(&second).await == octets(INLINE_LIMIT + 1));
    let failed = vec![noticed(0, Status::Bounced, None)];
    assert!(spool.settle(second, failed, now()).await.unwrap().after == After::ReportDue);
    let notices = spool.notices(ids[1]).await.unwrap().unwrap();
    assert!(spool.report(notices, None).await.unwrap().after == After::Gone);
    assert_eq!(spool.messages(), 0);
    spool.close().await.unwrap();
}

#[tokio::test]
async fn what_is_no_directory_is_said_to_be_none() {
    let directory = tempfile::tempdir().unwrap();
    let (file, link) = (directory.path().join("file"), directory.path().join("link"));
    std::fs::write(&file, "").unwrap();
    std::os::unix::fs::symlink("nowhere", &link).unwrap();
    for path in [file, link] {
        let refused = EmbeddedSpool::open(&path, Options::default(), Arc::new(()))
            .await
            .unwrap_err();
        let named = format!("{} is not a directory", path.display());
        assert!(refused.to_string().ends_with(&named), "{refused}");
    }
}

async fn open_for(path: &Path, queue_messages: u64) -> EmbeddedSpool {
    let options = Options {
        queue_messages,
        spool_free: 0,
        ..Options::default()
    };
    EmbeddedSpool::open(path, options, Arc::new(())).await.unwrap()
}

#[tokio::test]
async fn no_more_messages_than_the_administrator_allows() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open_for(directory.path(), 2).await;
    let begun = spool.create().unwrap();
    let first = commit(&spool, message(&["a@b.example"]), b"x").await.unwrap();
    commit(&spool, message(&["a@b.example"]), b"x").await.unwrap();
    assert_eq!(spool.messages(), 2);
    assert!(matches!(spool.create(), Err(SpoolError::TooManyMessages)));
    assert!(matches!(
        spool.opened.accepting(),
        Err(SpoolError::TooManyMessages)
    ));
    let refused = spool.commit(begun, message(&["a@b.example"])).await;
    assert!(matches!(refused, Err(SpoolError::TooManyMessages)));
    spool.close().await.unwrap();

    let spool = open_for(directory.path(), 2).await;
    assert!(matches!(spool.create(), Err(SpoolError::TooManyMessages)));
    // A report that we owe a sender is queued anyway, and there is room again when a message has left.
    let lease = take(&spool, &first.pending[0]).await;
    let failed = vec![noticed(0, Status::Bounced, None)];
    spool.settle(lease, failed, now()).await.unwrap();
    let notices = spool.notices(first.id).await.unwrap().unwrap();
    let report = Report {
        message: message(&["sender@a.example"]),
        content: "told".into(),
    };
    let reported = spool.report(notices, Some(report)).await.unwrap();
    assert_eq!(spool.messages(), 2);
    let part = &reported.pending[0];
    let lease = take(&spool, part).await;
    let sent = vec![settlement(0, Status::Sent, None)];
    spool.settle(lease, sent, now()).await.unwrap();
    assert_eq!(spool.messages(), 1);
    spool.opened.accepting().unwrap();
    spool.close().await.unwrap();
}

#[tokio::test]
async fn sessions_that_come_at_once_do_not_exceed_the_limit() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open_for(directory.path(), 5).await;
    let sessions: Vec<_> = (0..40)
        .map(|_| {
            let spool = spool.clone();
            tokio::spawn(async move { commit(&spool, message(&["a@b.example"]), b"x").await.is_ok() })
        })
        .collect();
    let mut accepted = 0;
    for session in sessions {
        accepted += u64::from(session.await.unwrap());
    }
    assert_eq!((accepted, spool.messages()), (5, 5));
    assert_eq!(spool.pending(None, 99).await.unwrap().len(), 5);
    spool.close().await.unwrap();
}

#[tokio::test]
async fn transactions_that_have_vanished_are_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join(DATABASE);
    let old = directory.path().join("old copy");
    let spool = open(directory.path()).await.unwrap();
    let kept = commit(&spool, message(&["a@b.example"]), b"x").await.unwrap();
    spool.close().await.unwrap();
    fs::copy(&database, &old).unwrap();
    let spool = open(directory.path()).await.unwrap();
    assert_eq!(spool.vanished_at_start(), 0);
    for _ in 0..3 {
        commit(&spool, message(&["a@b.example"]), b"x").await.unwrap();
    }
    spool.close().await.unwrap();
    fs::copy(&old, &database).unwrap();

    let spool = open(directory.path()).await.unwrap();
    assert_eq!(spool.vanished_at_start(), 3);
    assert_eq!(spool.pending(None, 9).await.unwrap(), kept.pending);
    commit(&spool, message(&["a@b.example"]), b"x").await.unwrap();
    spool.close().await.unwrap();
    let spool = open(directory.path()).await.unwrap();
    assert_eq!(spool.vanished_at_start(), 0, "said once");
    spool.close().await.unwrap();
}
