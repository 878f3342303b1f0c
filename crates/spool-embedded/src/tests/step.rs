//! A process that dies at every write step, one after the other.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use mail::{Domain, QueueId, Status, TlsFailure, TlsPolicy, TlsResult, TlsSession};
use rusqlite::Connection;
use spool::contract::{commit, message, noticed, now, octets, settlement, take};
use spool::incoming::INLINE_LIMIT;
use spool::{
    Action, KeepTlsTallies, Manage, Outcomes, RecipientIndex, Report, Running, Selected, Settlement, Spool,
    TlsTallies, TlsTold,
};

use super::open;
use crate::EmbeddedSpool;
use crate::disk::bodies::Directories;
use crate::sql::connections::DATABASE;
use crate::steps::Place;
use crate::telling::Teller;

const SMALL: usize = 100;
const LARGE: usize = INLINE_LIMIT + 1;

fn id(number: u8) -> QueueId {
    QueueId::from_bytes([number; 16])
}

async fn queue(spool: &EmbeddedSpool, number: u8, recipients: &[&str], size: usize) {
    let mut new = message(recipients);
    new.id = id(number);
    commit(spool, new, &octets(size)).await.unwrap();
}

async fn deliver(spool: &EmbeddedSpool, number: u8, next_hop: &str, settlements: Vec<Settlement>) {
    let next_hop = next_hop.parse().unwrap();
    let lease = spool
        .lease(id(number), &next_hop)
        .await
        .unwrap()
        .leased()
        .unwrap();
    spool.settle(lease, settlements, now()).await.unwrap();
}

async fn act(spool: &EmbeddedSpool, action: Action, number: u8, recipient: u32) {
    let selected = vec![Selected {
        id: id(number),
        recipients: vec![RecipientIndex(recipient)],
    }];
    assert_eq!(spool.act(action, selected, now()).await.unwrap().done, 1);
}

/// What one session under DANE adds to two reports, met or not.
fn session(failed: bool) -> TlsSession {
    let base: Domain = "mx.b.example".parse().unwrap();
    TlsSession {
        at: now(),
        destination: "b.example".parse().unwrap(),
        policy: TlsPolicy::tlsa(base, ["3 1 1 aa".to_owned()]),
        failure: failed.then(|| TlsFailure::of(TlsResult::ValidationFailure)),
    }
}

async fn deliver_counting(spool: &EmbeddedSpool, number: u8, settlements: Vec<Settlement>) {
    let next_hop = "b.example".parse().unwrap();
    let leasing = spool.lease(id(number), &next_hop).await.unwrap();
    let outcomes = Outcomes {
        settlements,
        tls: vec![session(true), session(false)],
        ..Outcomes::default()
    };
    spool
        .settle(leasing.leased().unwrap(), outcomes, now())
        .await
        .unwrap();
}

/// Queues a TLS report about what is counted for a domain.
async fn tell_tls(spool: &EmbeddedSpool, number: u8) {
    let (day, domain) = (
        jiff::civil::date(2026, 3, 1),
        "b.example".parse::<Domain>().unwrap(),
    );
    let tallies = spool.tls_tallies(day, domain.clone()).await.unwrap();
    let mut message = message(&["sender@a.example"]);
    message.id = id(number);
    let content = octets(SMALL).into();
    let report = Report { message, content };
    let told = TlsTold { day, domain, tallies };
    spool.tls_told(told, Some(report)).await.unwrap();
}

async fn report(spool: &EmbeddedSpool, number: u8, about: u8) {
    let notices = spool.notices(id(about)).await.unwrap().unwrap();
    let mut message = message(&["sender@a.example"]);
    message.id = id(number);
    let content = octets(SMALL).into();
    let report = Report { message, content };
    spool.report(notices, Some(report)).await.unwrap();
}

/// Does everything that can be done; says when each step is done.
async fn script(spool: &EmbeddedSpool, mut done: impl FnMut()) {
    let sent = |index| settlement(index, Status::Sent, None);
    let later = now() + jiff::SignedDuration::from_mins(5);
    queue(spool, 1, &["a@b.example"], SMALL).await;
    done();
    queue(spool, 2, &["a@b.example", "a@c.example"], LARGE).await;
    done();
    queue(spool, 3, &["a@b.example", "b@b.example"], SMALL).await;
    done();
    queue(spool, 4, &["a@b.example"], LARGE).await;
    done();
    deliver_counting(spool, 1, vec![sent(0)]).await;
    done();
    deliver(spool, 2, "b.example", vec![noticed(0, Status::Bounced, None)]).await;
    done();
    deliver(spool, 2, "c.example", vec![sent(1)]).await;
    done();
    report(spool, 5, 2).await;
    done();
    act(spool, Action::Hold, 3, 0).await;
    done();
    let deferred = settlement(1, Status::Deferred, Some(later));
    deliver_counting(spool, 3, vec![deferred]).await;
    done();
    tell_tls(spool, 7).await;
    done();
    act(spool, Action::Release, 3, 0).await;
    done();
    act(spool, Action::Retry, 3, 1).await;
    done();
    act(spool, Action::Delete, 3, 1).await;
    done();
    act(spool, Action::Delete, 4, 0).await;
    done();
    queue(spool, 6, &["a@b.example"], LARGE).await;
    done();
    deliver(spool, 6, "b.example", vec![sent(0)]).await;
    done();
    spool.close().await.unwrap();
}

/// Everything in the tables, except the times of attempts.
fn state(path: &Path) -> Vec<String> {
    let connection = Connection::open(path.join(DATABASE)).unwrap();
    let mut found = Vec::new();
    for statement in [
        "SELECT 'message', hex(id), size, accepted, remaining, body IS NULL FROM message",
        "SELECT 'recipient', hex(message_id), idx, state, attempts, notice IS NOT NULL FROM recipient",
        "SELECT 'ledger', k.status, sum(d.count), 0, 0, 0 FROM ledger_day d JOIN ledger_key k ON k.id = d.key GROUP BY 2",
        "SELECT 'tls', day, domain, successes, failures, policy FROM tls_tally",
        "SELECT 'tls failures', day, domain, policy, failure, count FROM tls_failure",
        "SELECT 'messages', messages, 0, 0, 0, 0 FROM counters",
        "SELECT 'bodies', count(*), coalesce(sum(length(content)), 0), 0, 0, 0 FROM body",
    ] {
        let mut statement = connection.prepare(statement).unwrap();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let columns: Vec<rusqlite::types::Value> =
                (0..6).map(|column| row.get(column).unwrap()).collect();
            found.push(format!("{columns:?}"));
        }
    }
    let messages: i64 = connection
        .query_row(
            "SELECT count(*) - (SELECT messages FROM counters) FROM message",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(messages, 0, "the number of messages is that of the rows");
    found
}

/// Not a test itself: the process that dies.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by a_death_at_any_step_leaves_the_spool_before_or_after_it"]
async fn child_that_does_everything() {
    let path = std::env::var_os("SPOOL_CHILD").unwrap();
    let spool = open(Path::new(&path)).await.unwrap();
    let say = || {
        let mut out = std::io::stdout().lock();
        writeln!(out, "a step is done").unwrap();
        out.flush().unwrap();
    };
    script(&spool, say).await;
}

/// Runs the child; returns how many steps it said were done, and whether it finished.
fn run(path: &Path, place: Place, time: usize) -> (usize, bool) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "tests::step::child_that_does_everything",
            "--ignored",
            "--nocapture",
        ])
        .env("SPOOL_CHILD", path)
        .env("SPOOL_DIES_AT", format!("{place:?} {time}"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    (said.matches("a step is done").count(), output.status.success())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_at_any_step_leaves_the_spool_before_or_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let spool = open(path).await.unwrap();
    let mut expected = vec![state(path)];
    script(&spool, || expected.push(state(path))).await;
    assert_eq!(expected.len(), 18);

    let expected = Arc::new(expected);
    let places = [
        Place::Sync,
        Place::Publish,
        Place::SyncDirectory,
        Place::Begin,
        Place::Commit,
        Place::Committed,
        Place::Remove,
    ];
    // Each of them mostly waits for the disk.
    let dying = places.map(|place| tokio::spawn(deaths_at(place, Arc::clone(&expected))));
    let mut deaths = 0;
    for place in dying {
        deaths += place.await.unwrap();
    }
    assert!(deaths > 50, "{deaths}");
}

/// Lets processes die when they reach this place for the first time, for the second, and so on; returns how often it was
/// reached.
async fn deaths_at(place: Place, expected: Arc<Vec<Vec<String>>>) -> usize {
    for time in 1.. {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_owned();
        let child = tokio::task::spawn_blocking({
            let path = path.clone();
            move || run(&path, place, time)
        });
        let (done, survived) = child.await.unwrap();
        let before = &expected[done];
        let after = expected.get(done + 1).unwrap_or(before);
        let spool = open(&path).await.unwrap();
        assert_eq!(spool.vanished_at_start(), 0);
        let found = state(&path);
        assert!(
            found == *before || found == *after,
            "{place:?} {time}, {done} done: {found:#?}"
        );
        // A death at the end of a step does not count as one before it.
        if place == Place::Committed && !survived {
            assert_eq!(found, *after, "{place:?} {time}");
        }
        check_contents(&spool, &path).await;
        if survived {
            assert_eq!(done + 1, expected.len());
            assert!(time > 1, "{place:?} is on the way");
            return time - 1;
        }
    }
    unreachable!("a process that does so much ends")
}

/// Every message has its content, and no content is left without a message.
async fn check_contents(spool: &EmbeddedSpool, path: &Path) {
    let mut in_files = Vec::new();
    for part in spool.pending(None, usize::MAX).await.unwrap() {
        let lease = take(spool, &part).await;
        let size = usize::try_from(lease.size).unwrap();
        assert!(spool::contract::read(&lease).await == octets(size));
    }
    spool.close().await.unwrap();
    let connection = Connection::open(path.join(DATABASE)).unwrap();
    let mut statement = connection
        .prepare("SELECT id FROM message WHERE body IS NULL ORDER BY id")
        .unwrap();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        in_files.push(QueueId::from_bytes(row.get(0).unwrap()));
    }
    let mut stored = Directories::of(path, Teller::nobody()).stored().unwrap();
    stored.sort();
    assert_eq!(stored, in_files);
}
