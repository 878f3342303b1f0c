//! Damaged contents: what is noticed before the lease, and what while reading.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fs;

use mail::QueueId;
use rusqlite::Connection;
use spool::contract::{commit, message, octets, take};
use spool::incoming::INLINE_LIMIT;
use spool::{Content, Inspect, Pending, Running, Spool, SpoolError};
use tempfile::TempDir;

use super::damage::damaged;
use super::open;
use crate::EmbeddedSpool;
use crate::disk::bodies::Directories;
use crate::sql::connections::DATABASE;
use crate::telling::Teller;

/// The damage that is noticed without reading the content.
fn damage(content: &Content) -> Option<&'static str> {
    match content {
        Content::Damaged(damage) => Some(damage.flaw.words()),
        Content::Inline(_) | Content::File(_) => None,
    }
}

/// Everything up to the first error, and the error.
async fn read_until_error(content: &Content) -> (Vec<u8>, Option<SpoolError>) {
    let mut found = Vec::new();
    let mut reader = match content.reader().await {
        Ok(reader) => reader,
        Err(error) => return (found, Some(error)),
    };
    loop {
        match reader.next().await {
            Ok(Some(chunk)) => found.extend_from_slice(&chunk),
            Ok(None) => return (found, None),
            Err(error) => return (found, Some(error)),
        }
    }
}

/// What the error of reading this message's content says.
async fn corruption(content: &Content, message: QueueId) -> &'static str {
    match read_until_error(content).await.1 {
        Some(SpoolError::Damaged(damage)) if damage.id == message => damage.flaw.words(),
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn a_damaged_content_in_a_row_is_leased_and_not_read() {
    for (statement, what) in [
        (
            "UPDATE body SET content = zeroblob(10) WHERE seq = (SELECT body FROM message WHERE id = ?1)",
            "its content is not what was written",
        ),
        (
            "UPDATE body SET content = zeroblob(9) WHERE seq = (SELECT body FROM message WHERE id = ?1)",
            "its content has another size",
        ),
        (
            "DELETE FROM body WHERE seq = (SELECT body FROM message WHERE id = ?1)",
            "its content is missing",
        ),
        (
            "UPDATE message SET body = NULL WHERE id = ?1",
            "its content is missing",
        ),
        (
            "UPDATE message SET body_sum = body_sum + 1 WHERE id = ?1",
            "its content is not what was written",
        ),
    ] {
        let (directory, ids) = damaged(statement, 10).await;
        let spool = open(directory.path()).await.unwrap();
        let waiting = spool.pending(None, 9).await.unwrap();
        for part in &waiting {
            let lease = take(&spool, part).await;
            if part.id == ids[1] {
                assert_eq!(damage(&lease.content), Some(what), "{statement}");
                assert_eq!(corruption(&lease.content, part.id).await, what);
            } else {
                assert!(spool::contract::read(&lease).await == octets(10));
            }
        }
        // An administrator who looks at it is told, as before.
        let shown = Inspect::content(&spool, ids[1]).await;
        assert!(matches!(shown, Err(SpoolError::Damaged(_))), "{shown:?}");
        spool.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_damaged_content_in_a_file_is_never_read_to_its_end() {
    let size = INLINE_LIMIT * 5 + 100;
    for place in [0, size / 2, size - 1] {
        let directory = tempfile::tempdir().unwrap();
        let spool = open(directory.path()).await.unwrap();
        let new = message(&["a@b.example"]);
        let accepted = commit(&spool, new, &octets(size)).await.unwrap();
        let part = &accepted.pending[0];
        let whole = take(&spool, part).await;
        assert!(spool::contract::read(&whole).await == octets(size));
        spool.release(whole);

        let file = Directories::of(directory.path(), Teller::nobody()).body(part.id);
        let mut content = fs::read(&file).unwrap();
        content[place] ^= 1;
        fs::write(&file, content).unwrap();
        let altered = take(&spool, part).await;
        assert_eq!(damage(&altered.content), None, "its octets are not read yet");
        let (found, _) = read_until_error(&altered.content).await;
        assert!(found.len() < size, "the last octets are kept back");
        let what = corruption(&altered.content, part.id).await;
        assert_eq!(what, "its content is not what was written");
        spool.release(altered);
        spool.close().await.unwrap();
    }
}

/// A spool with one message in a file, of which a checksum is kept or not.
async fn with_a_file(size: usize, summed: bool) -> (TempDir, EmbeddedSpool, Pending) {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(directory.path()).await.unwrap();
    let new = message(&["a@b.example"]);
    let mut accepted = commit(&spool, new, &octets(size)).await.unwrap();
    if !summed {
        spool.close().await.unwrap();
        let connection = Connection::open(directory.path().join(DATABASE)).unwrap();
        connection
            .execute("UPDATE message SET body_sum = NULL", [])
            .unwrap();
    }
    let spool = if summed {
        spool
    } else {
        open(directory.path()).await.unwrap()
    };
    (directory, spool, accepted.pending.remove(0))
}

#[tokio::test]
async fn a_file_that_changes_its_size_is_damaged_before_the_lease_and_after_it() {
    let size = INLINE_LIMIT * 5 + 100;
    for summed in [true, false] {
        let (directory, spool, part) = with_a_file(size, summed).await;
        let file = Directories::of(directory.path(), Teller::nobody()).body(part.id);
        let before = take(&spool, &part).await;
        for length in [size as u64 + 1, size as u64 - 1, 0] {
            let file = fs::File::options().write(true).open(&file).unwrap();
            file.set_len(length).unwrap();
            let (found, _) = read_until_error(&before.content).await;
            assert!(found.len() < size, "{length}: the last octets are kept back");
            let what = corruption(&before.content, part.id).await;
            assert_eq!(what, "its content has another size", "{length}");
        }
        spool.release(before);
        let short = take(&spool, &part).await;
        assert_eq!(damage(&short.content), Some("its content has another size"));
        spool.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_file_that_is_gone_is_damage_and_one_that_cannot_be_read_now_is_not() {
    let (directory, spool, part) = with_a_file(INLINE_LIMIT + 1, true).await;
    let file = Directories::of(directory.path(), Teller::nobody()).body(part.id);
    let before = take(&spool, &part).await;
    fs::remove_file(&file).unwrap();
    let what = corruption(&before.content, part.id).await;
    assert_eq!(what, "its content is missing");
    // A circle of links stands for a disk that answers with an error.
    std::os::unix::fs::symlink(&file, &file).unwrap();
    let (_, error) = read_until_error(&before.content).await;
    assert!(matches!(error, Some(SpoolError::Io(_))), "{error:?}");
    spool.release(before);
    let refused = spool.lease(part.id, &part.next_hop).await;
    assert!(matches!(refused, Err(SpoolError::Io(_))), "{refused:?}");

    fs::remove_file(&file).unwrap();
    let gone = take(&spool, &part).await;
    assert_eq!(damage(&gone.content), Some("its content is missing"));
    spool.release(gone);
    // Restored from a copy, it is delivered.
    fs::write(&file, octets(INLINE_LIMIT + 1)).unwrap();
    let restored = take(&spool, &part).await;
    assert!(spool::contract::read(&restored).await == octets(INLINE_LIMIT + 1));
    spool.release(restored);
    spool.close().await.unwrap();
}
