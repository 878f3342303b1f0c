//! A damaged message must not be delivered, nor keep the others back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fs;
use std::ops::ControlFlow;

use mail::QueueId;
use rusqlite::Connection;
use tempfile::TempDir;

use super::tests::open;
use super::*;
use crate::contract::{commit, message, octets};
use crate::incoming::INLINE_LIMIT;
use crate::{Content, Manage};

/// A spool with three messages of this size whose middle one is damaged by this statement.
async fn damaged(statement: &str, size: usize) -> (TempDir, [QueueId; 3]) {
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
        let mut found = Vec::new();
        let visit = |message: crate::QueuedMessage| {
            found.push(message.id);
            ControlFlow::Continue(())
        };
        reader.list(None, visit).unwrap();
        assert_eq!(found, [ids[0], ids[2]], "{statement}");
        assert!(reader.summary(3).unwrap().recipients.queued >= 2, "{statement}");
    }
}

#[tokio::test]
async fn a_damaged_content_in_a_row_is_not_delivered() {
    let statement = "UPDATE body SET content = zeroblob(10) \
        WHERE seq = (SELECT body FROM message WHERE id = ?1)";
    let (directory, ids) = damaged(statement, 10).await;
    let spool = open(directory.path()).await.unwrap();
    let waiting = spool.pending(None, 9).await.unwrap();
    let next_hop = &waiting[0].next_hop;
    for _ in 0..2 {
        let refused = spool.lease(ids[1], next_hop).await;
        assert!(
            matches!(refused, Err(SpoolError::Corrupt { id: Some(id), .. }) if id == ids[1]),
            "{refused:?}"
        );
    }
    let shown = Manage::content(&spool, ids[1]).await;
    assert!(matches!(shown, Err(SpoolError::Corrupt { .. })), "{shown:?}");
    for id in [ids[0], ids[2]] {
        assert!(spool.lease(id, next_hop).await.unwrap().leased().is_some());
    }
    spool.close().await.unwrap();
}

/// Everything up to the first error, and that.
async fn read_until_error(content: &Content) -> (Vec<u8>, Option<SpoolError>) {
    let mut reader = content.reader().await.unwrap();
    let mut found = Vec::new();
    loop {
        match reader.next().await {
            Ok(Some(chunk)) => found.extend_from_slice(&chunk),
            Ok(None) => return (found, None),
            Err(error) => return (found, Some(error)),
        }
    }
}

#[tokio::test]
async fn a_damaged_content_in_a_file_is_never_read_to_its_end() {
    let size = INLINE_LIMIT * 5 + 100;
    for place in [0, size / 2, size - 1] {
        let directory = tempfile::tempdir().unwrap();
        let spool = open(directory.path()).await.unwrap();
        let accepted = commit(&spool, message(&["a@b.example"]), &octets(size))
            .await
            .unwrap();
        let next_hop = &accepted.pending[0].next_hop;
        let lease = spool
            .lease(accepted.id, next_hop)
            .await
            .unwrap()
            .leased()
            .unwrap();
        assert!(crate::contract::read(&lease).await == octets(size));
        spool.release(lease);

        let file = Directories::of(directory.path()).body(accepted.id);
        let mut content = fs::read(&file).unwrap();
        content[place] ^= 1;
        fs::write(&file, content).unwrap();
        let lease = spool
            .lease(accepted.id, next_hop)
            .await
            .unwrap()
            .leased()
            .unwrap();
        let (found, error) = read_until_error(&lease.content).await;
        assert!(found.len() < size, "the last octets are kept back");
        assert!(
            matches!(error, Some(SpoolError::Corrupt { id: Some(id), .. }) if id == accepted.id),
            "{error:?}"
        );
        // It grew or shrank after the lease.
        for length in [size as u64 + 1, size as u64 - 1] {
            fs::File::options()
                .write(true)
                .open(&file)
                .unwrap()
                .set_len(length)
                .unwrap();
            let (_, error) = read_until_error(&lease.content).await;
            assert!(
                matches!(error, Some(SpoolError::Corrupt { .. })),
                "{length}: {error:?}"
            );
        }
        spool.release(lease);
        let refused = spool.lease(accepted.id, next_hop).await;
        assert!(matches!(refused, Err(SpoolError::Corrupt { .. })), "{refused:?}");
        fs::remove_file(&file).unwrap();
        let refused = spool.lease(accepted.id, next_hop).await;
        assert!(matches!(refused, Err(SpoolError::Corrupt { .. })), "{refused:?}");
        spool.close().await.unwrap();
    }
}
