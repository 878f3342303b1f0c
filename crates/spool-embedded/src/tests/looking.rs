//! What the administrator is shown, with and without a running daemon.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::ops::ControlFlow;

use jiff::ToSpan;
use mail::Status;
use spool::RecipientState::{Deferred, Failed, Leased, Sent};
use spool::contract::{commit, listed, message, now, settlement, take};
use spool::{Inspect, QueuedMessage, Running, Spool};

use super::open;
use crate::ReadOnlySpool;

async fn lines(spool: &ReadOnlySpool) -> Vec<serde_json::Value> {
    let (messages, _) = listed(spool, None).await;
    let lines = messages
        .iter()
        .map(|message| serde_json::to_value(message).unwrap());
    lines.collect()
}

#[tokio::test]
async fn the_queue_is_listed_beside_a_daemon_and_without_one() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(directory.path()).await.unwrap();
    let new = message(&["a@b.example", "b@b.example", "c@b.example", "a@c.example"]);
    let accepted = commit(&spool, new.clone(), b"12345").await.unwrap();
    let lease = take(&spool, &accepted.pending[0]).await;
    let settlements = vec![
        settlement(0, Status::Sent, None),
        settlement(1, Status::Deferred, Some(new.created + 5.minutes())),
        settlement(2, Status::Bounced, None),
    ];
    spool.settle(lease, settlements, now()).await.unwrap();
    let tried = |address: &str, state: &str, next: Option<&str>, (code, enhanced): (u16, &str)| {
        serde_json::json!({
            "address": address, "state": state, "next_hop": "b.example", "attempts": 1, "next_attempt": next,
            "host": "mx.b.example", "cause": null, "reply_code": code, "enhanced": enhanced, "dane": null,
            "reason": "as the server said",
        })
    };
    let expected = serde_json::json!({
        "id": new.id.to_string(), "sender": "sender@a.example", "size": 5,
        "created": "2026-03-01T12:00:00.123Z", "attempts": 1, "next_attempt": "2026-03-01T12:05:00.123Z",
        "recipients": [
            tried("a@b.example", "sent", None, (250, "2.0.0")),
            tried("b@b.example", "deferred", Some("2026-03-01T12:05:00.123Z"), (451, "4.0.0")),
            tried("c@b.example", "failed", None, (250, "2.0.0")),
            {
                "address": "a@c.example", "state": "queued", "next_hop": "c.example", "attempts": 0,
                "host": null, "cause": null, "next_attempt": null, "reply_code": null, "enhanced": null, "dane": null,
                "reason": null,
            },
        ],
    });
    assert_eq!(
        lines(&ReadOnlySpool::open(directory.path()).unwrap()).await,
        std::slice::from_ref(&expected)
    );

    let lease = take(&spool, &accepted.pending[1]).await;
    let (shown, _) = listed(&spool, None).await;
    let states: Vec<_> = shown[0].recipients.iter().map(|r| r.state).collect();
    assert_eq!(states, [Sent, Deferred, Failed, Leased]);
    spool.release(lease);

    spool.close().await.unwrap();
    assert_eq!(
        lines(&ReadOnlySpool::open(directory.path()).unwrap()).await,
        [expected]
    );
    // Inspecting changes nothing: the daemon starts again.
    open(directory.path()).await.unwrap().close().await.unwrap();
}

#[tokio::test]
async fn a_long_queue_is_listed_in_pages_and_may_be_broken_off() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(directory.path()).await.unwrap();
    let commits: Vec<_> = (0..1203)
        .map(|_| {
            let spool = spool.clone();
            tokio::spawn(async move { commit(&spool, message(&["a@b.example"]), b"x").await.unwrap().id })
        })
        .collect();
    let mut expected = Vec::new();
    for id in commits {
        expected.push(id.await.unwrap());
    }
    expected.sort();
    let reader = ReadOnlySpool::open(directory.path()).unwrap();
    let ids: Vec<_> = listed(&reader, None).await.0.iter().map(|one| one.id).collect();
    assert_eq!(ids, expected);
    let (sender, receiver) = std::sync::mpsc::channel();
    let mut left = 3;
    let visit = move |message: QueuedMessage| {
        sender.send(message.id).unwrap();
        left -= 1;
        if left == 0 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    reader.list(None, visit).await.unwrap();
    assert_eq!(receiver.iter().collect::<Vec<_>>(), expected[..3]);
    spool.close().await.unwrap();
}
