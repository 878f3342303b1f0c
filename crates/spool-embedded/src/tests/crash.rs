//! Killed processes, and sessions that are abandoned.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use mail::QueueId;
use spool::contract::{commit, message, octets, read, take};
use spool::incoming::INLINE_LIMIT;
use spool::{Running, Spool};

use super::open;
use crate::steps::Place;

/// Not a test itself: the process that the next test kills.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by a_killed_process_loses_nothing"]
async fn child_that_commits() {
    let path = std::env::var_os("SPOOL_CHILD").unwrap();
    let spool = open(Path::new(&path)).await.unwrap();
    let sessions: Vec<_> = (0..8)
        .map(|session| {
            let spool = spool.clone();
            tokio::spawn(async move {
                for turn in 0_usize.. {
                    let size = if turn % 10 == session {
                        INLINE_LIMIT + 1
                    } else {
                        3000
                    };
                    let accepted = commit(&spool, message(&["a@b.example"]), &octets(size))
                        .await
                        .unwrap();
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "id {} {size}", accepted.id).unwrap();
                    out.flush().unwrap();
                }
            })
        })
        .collect();
    for session in sessions {
        session.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut told = Vec::new();
    for round in 1..=3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "tests::crash::child_that_commits",
                "--ignored",
                "--nocapture",
            ])
            .env("SPOOL_CHILD", directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for line in lines.map_while(Result::ok) {
            // The test runner's own words may come before ours on the first line.
            if let Some((_, said)) = line.split_once("id ") {
                let (id, size) = said.split_once(' ').unwrap();
                told.push((id.parse::<QueueId>().unwrap(), size.parse::<usize>().unwrap()));
            }
            if told.len() == round * 150 {
                // SIGKILL, in the middle of whatever it is doing; what it says until then counts too.
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
    }
    assert!(
        told.len() >= 450,
        "the processes committed until they were killed"
    );
    let spool = open(directory.path()).await.unwrap();
    let found = spool.pending(None, usize::MAX).await.unwrap();
    let ids: HashSet<_> = found.iter().map(|part| part.id).collect();
    for (id, size) in &told {
        assert!(ids.contains(id), "{id} was told to be durable and is gone");
        let part = found.iter().find(|part| part.id == *id).unwrap();
        let lease = take(&spool, part).await;
        assert!(read(&lease).await == octets(*size), "{id} has another content");
    }
    spool.close().await.unwrap();
}

#[tokio::test]
async fn a_message_whose_session_went_away_is_withdrawn() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(directory.path()).await.unwrap();
    let mut incoming = spool.create().unwrap();
    incoming.append(b"x").await.unwrap();
    let (reached, release) = spool.shared().faults.hold(Place::Begin);
    let gone = spool.commit(incoming, message(&["a@b.example"]));
    // When the message is about to be written, nobody waits for the answer any more.
    tokio::select! {
        _ = gone => panic!("it was written"),
        reached = reached => reached.unwrap(),
    }
    drop(release);
    let accepted = commit(&spool, message(&["a@b.example"]), b"x").await.unwrap();
    spool.close().await.unwrap();
    let spool = open(directory.path()).await.unwrap();
    assert_eq!(spool.pending(None, 9).await.unwrap(), accepted.pending);
    spool.close().await.unwrap();
}
