//! A damaged message must neither be delivered nor block the others; what is known about it is used.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use jiff::civil::Date;
use mail::{QueueId, Status};
use parking_lot::Mutex;
use rusqlite::Connection;
use spool::contract::{commit, listed, message, now, octets, settlement, take};
use spool::incoming::INLINE_LIMIT;
use spool::{Inspect, Ledger, Manage, Running, Spool, SpoolError, Tally};
use tempfile::TempDir;

use super::open;
use crate::ReadOnlySpool;
use crate::disk::bodies::Directories;
use crate::sql::connections::DATABASE;
use crate::sql::state::State;
use crate::telling::Teller;

/// A spool with three messages of this size, the middle one damaged by this statement.
pub(super) async fn damaged(statement: &str, size: usize) -> (TempDir, [QueueId; 3]) {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(directory.path()).await.unwrap();
    let mut ids = [(); 3].map(|()| QueueId::generate());
    ids.sort();
    for id in ids {
        let mut new = message(&["a@b.example"]);
        new.id = id;
        commit(&spool, new, &octets(size)).await.unwrap();
    }
    spool.close().await.unwrap();
    let connection = Connection::open(directory.path().join(DATABASE)).unwrap();
    let changed = connection.execute(statement, [ids[1].to_bytes()]).unwrap();
    assert_eq!(changed, 1);
    (directory, ids)
}

#[tokio::test]
async fn a_damaged_row_does_not_keep_the_others_back() {
    for statement in [
        "UPDATE recipient SET next_hop = '' WHERE message_id = ?1",
        "UPDATE recipient SET next_hop = CAST(x'ff' AS TEXT) WHERE message_id = ?1",
        "UPDATE recipient SET next_attempt = 9223372036854775807 WHERE message_id = ?1",
        "UPDATE recipient SET message_id = x'00' WHERE message_id = ?1",
        "UPDATE message SET size = -1 WHERE id = ?1",
    ] {
        let (directory, ids) = damaged(statement, 10).await;
        let spool = open(directory.path()).await.unwrap();
        let found: Vec<_> = spool.pending(None, 1).await.unwrap();
        assert_eq!(found.len(), 1, "{statement}");
        let rest = spool.pending(Some(found[0].id), 9).await.unwrap();
        let found: Vec<_> = found.iter().chain(&rest).map(|part| part.id).collect();
        assert_eq!(found, [ids[0], ids[2]], "{statement}");
        spool.close().await.unwrap();
    }
}

/// So many that the page that is destroyed is no neighbour of the last one, which the next message is added to.
const MESSAGES: usize = 340;

/// A spool of many messages in which the page with the 151st message's id and this is malformed.
async fn with_malformed_page(neighbour: &[u8]) -> (TempDir, Vec<QueueId>) {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(directory.path()).await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..MESSAGES {
        ids.push(commit(&spool, message(&["a@b.example"]), b"x").await.unwrap().id);
    }
    ids.sort();
    spool.close().await.unwrap();
    destroy_page(
        &directory.path().join(DATABASE),
        [&ids[150].to_bytes(), neighbour],
    );
    (directory, ids)
}

/// Destroys the page of the database that contains both of these.
fn destroy_page(database: &Path, both: [&[u8]; 2]) {
    let mut octets = fs::read(database).unwrap();
    let has = |page: &[u8], part: &[u8]| page.windows(part.len()).any(|octets| octets == part);
    let mut pages = octets.chunks_exact_mut(4096);
    let page = pages.find(|page| both.iter().all(|part| has(page, part)));
    page.unwrap().fill(0);
    fs::write(database, octets).unwrap();
}

#[tokio::test]
async fn a_malformed_page_keeps_back_only_whose_rows_it_had() {
    for neighbour in [&b"@b.example"[..], b"sender@"] {
        let (directory, ids) = with_malformed_page(neighbour).await;

        let spool = open(directory.path()).await.unwrap();
        let mut found = Vec::new();
        loop {
            let page = spool.pending(found.last().copied(), 7).await.unwrap();
            if page.is_empty() {
                break;
            }
            found.extend(page.into_iter().map(|part| part.id));
        }
        let missing: Vec<_> = ids.iter().filter(|id| !found.contains(id)).collect();
        assert!(missing.contains(&&ids[150]), "{neighbour:?}");
        assert!(missing.len() < 100, "{} of {MESSAGES} missing", missing.len());
        assert!(found.is_sorted() && found.contains(&ids[0]) && found.contains(&ids[MESSAGES - 1]));
        spool.unreported().await.unwrap();
        spool.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_damaged_message_does_not_hide_the_others() {
    for statement in [
        "UPDATE recipient SET state = 99 WHERE message_id = ?1",
        "UPDATE message SET size = -1 WHERE id = ?1",
        "UPDATE message SET created = 9223372036854775807 WHERE id = ?1",
        "UPDATE message SET id = x'01' WHERE id = ?1",
    ] {
        let (directory, ids) = damaged(statement, 10).await;
        let reader = ReadOnlySpool::open(directory.path()).unwrap();
        let (found, unreadable) = listed(&reader, None).await;
        let found: Vec<_> = found.iter().map(|message| message.id).collect();
        assert_eq!(found, [ids[0], ids[2]], "{statement}");
        assert_eq!(unreadable.messages, 1, "{statement}");
        assert!(
            reader.summary(3, now()).await.unwrap().recipients.queued >= 2,
            "{statement}"
        );
    }
}

/// How many rows of messages, recipients and contents there are.
fn rows(directory: &TempDir) -> [i64; 3] {
    let connection = Connection::open(directory.path().join(DATABASE)).unwrap();
    ["message", "recipient", "body"].map(|table| {
        let count = format!("SELECT count(*) FROM {table}");
        connection.query_row(&count, [], |row| row.get(0)).unwrap()
    })
}

#[tokio::test]
async fn a_damaged_message_is_deleted_by_its_id() {
    for (statement, what) in [
        (
            "UPDATE recipient SET state = 77 WHERE message_id = ?1",
            "an unknown recipient state",
        ),
        (
            "UPDATE recipient SET next_hop = CAST(x'ff' AS TEXT) WHERE message_id = ?1",
            "a text that is not UTF-8",
        ),
        (
            "UPDATE message SET size = -1 WHERE id = ?1",
            "a number out of range",
        ),
        (
            "DELETE FROM message WHERE id = ?1",
            "recipients without their message",
        ),
        (
            "DELETE FROM recipient WHERE message_id = ?1",
            "a message without recipients",
        ),
    ] {
        for size in [10, INLINE_LIMIT + 1] {
            let (directory, ids) = damaged(statement, size).await;
            let spool = open(directory.path()).await.unwrap();
            let (found, unreadable) = listed(&spool, Some(ids[1])).await;
            assert_eq!(found, [], "{statement}");
            assert_eq!((unreadable.messages, unreadable.id), (1, Some(ids[1])));
            assert!(unreadable.error.ends_with(what), "{}", unreadable.error);
            let acted = spool.discard(ids[1]).await.unwrap();
            assert_eq!((acted.done, &acted.messages[..]), (1, &ids[1..2]), "{statement}");
            let again = spool.discard(ids[1]).await.unwrap();
            assert_eq!((again.done, again.unsuitable), (0, 1), "{statement}");
            for part in spool.pending(None, 9).await.unwrap() {
                assert!(part.id != ids[1]);
                let lease = take(&spool, &part).await;
                assert!(spool::contract::read(&lease).await == octets(size));
            }
            spool.close().await.unwrap();
            let [messages, recipients, bodies] = rows(&directory);
            assert_eq!((messages, recipients), (2, 2), "{statement}");
            if size > INLINE_LIMIT {
                assert!(
                    !Directories::of(directory.path(), Teller::nobody())
                        .body(ids[1])
                        .exists(),
                    "{statement}"
                );
            } else if !statement.contains("FROM message") {
                assert_eq!(bodies, 2, "{statement}");
            }
        }
    }
}

#[tokio::test]
async fn a_damaged_message_is_not_deleted_under_a_delivery() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(directory.path()).await.unwrap();
    let new = message(&["a@b.example", "a@c.example"]);
    let accepted = commit(&spool, new, b"x").await.unwrap();
    let lease = take(&spool, &accepted.pending[0]).await;
    let connection = Connection::open(directory.path().join(DATABASE)).unwrap();
    connection
        .execute("UPDATE recipient SET state = 77 WHERE idx = 1", [])
        .unwrap();
    let acted = spool.discard(accepted.id).await.unwrap();
    assert_eq!((acted.done, acted.leased), (0, 1));
    assert_eq!(rows(&directory), [1, 2, 1]);
    spool.release(lease);
    let acted = spool.discard(accepted.id).await.unwrap();
    assert_eq!((acted.done, acted.leased), (2, 0));
    assert_eq!(rows(&directory), [0, 0, 0]);
    spool.close().await.unwrap();
}

#[tokio::test]
async fn what_is_on_a_malformed_page_is_counted_not_deleted_and_the_writer_goes_on() {
    for neighbour in [&b"@b.example"[..], b"sender@"] {
        let (directory, ids) = with_malformed_page(neighbour).await;

        let spool = open(directory.path()).await.unwrap();
        let (found, unreadable) = listed(&spool, None).await;
        let found: Vec<_> = found.iter().map(|message| message.id).collect();
        assert!((1..100).contains(&unreadable.messages), "{unreadable:?}");
        assert_eq!(
            found.len() as u64 + unreadable.messages,
            MESSAGES as u64,
            "{neighbour:?}"
        );
        assert!(found.is_sorted() && !found.contains(&ids[150]));
        assert_eq!(unreadable.id.as_ref(), ids.iter().find(|id| !found.contains(id)));
        let refused = spool.discard(ids[150]).await;
        assert!(
            matches!(&refused, Err(SpoolError::Corrupt { id: Some(id), .. }) if *id == ids[150]),
            "{refused:?}"
        );
        commit(&spool, message(&["a@b.example"]), b"x").await.unwrap();
        spool.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_damaged_row_of_the_ledger_does_not_hide_the_others() {
    for statement in [
        "UPDATE ledger_name SET name = CAST(x'ff' AS TEXT) WHERE id IN (SELECT host FROM ledger_key WHERE status = ?1)",
        "UPDATE ledger_name SET name = '..' WHERE id IN (SELECT host FROM ledger_key WHERE status = ?1)",
        "UPDATE ledger_key SET domain = 99 WHERE status = ?1 AND host > 0",
        "UPDATE ledger_key SET host = 99 WHERE status = ?1 AND host > 0",
        "UPDATE ledger_key SET security = 77 WHERE status = ?1 AND host > 0",
        "UPDATE ledger_day SET count = -1 WHERE key IN (SELECT id FROM ledger_key WHERE status = ?1)",
    ] {
        let directory = tempfile::tempdir().unwrap();
        let spool = open(directory.path()).await.unwrap();
        for status in [Status::Sent, Status::Bounced] {
            let new = commit(&spool, message(&["a@b.example"]), b"x").await.unwrap();
            let lease = take(&spool, &new.pending[0]).await;
            let mut settled = settlement(0, status, None);
            settled.entry.key.host = Some(format!("mx.{status}.example").parse().unwrap());
            spool.settle(lease, vec![settled], now()).await.unwrap();
        }
        let connection = Connection::open(directory.path().join(DATABASE)).unwrap();
        let bounced = State::after(Status::Bounced);
        assert_eq!(connection.execute(statement, [bounced]).unwrap(), 1);
        let found = Arc::new(Mutex::new(Vec::new()));
        let shown = Arc::clone(&found);
        let visit = move |tally: Tally| {
            shown.lock().push(tally.key.status);
            ControlFlow::Continue(())
        };
        let days = Date::MIN..=Date::MAX;
        assert_eq!(spool.sums(days, visit).await.unwrap(), 1, "{statement}");
        assert_eq!(found.lock()[..], [Status::Sent], "{statement}");
        spool.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_packed_value_that_is_damaged_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(directory.path()).await.unwrap();
    for status in [Status::Sent, Status::Bounced] {
        let new = commit(&spool, message(&["a@b.example"]), b"x").await.unwrap();
        let lease = take(&spool, &new.pending[0]).await;
        let settled = settlement(0, status, None);
        spool.settle(lease, vec![settled], now()).await.unwrap();
    }
    spool.tidy(Date::MAX, None).await.unwrap();
    let connection = Connection::open(directory.path().join(DATABASE)).unwrap();
    for damage in [
        "UPDATE ledger_packed SET entries = substr(entries, 1, length(entries) - 1)",
        "UPDATE ledger_packed SET entries = CAST(x'03' || substr(entries, 2) AS BLOB)",
    ] {
        assert_eq!(connection.execute(damage, []).unwrap(), 1);
        let visit = |tally: Tally| panic!("{tally:?}");
        assert_eq!(spool.sums(Date::MIN..=Date::MAX, visit).await.unwrap(), 2);
    }
    spool.close().await.unwrap();
}
