//! Disks that fail or are full, at each step of a commit and a settlement.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;

use jiff::ToSpan;
use mail::{Domain, QueueId, Status, TlsPolicy, TlsSession};
use rusqlite::{Connection, ErrorCode};
use spool::contract::{commit, message, noticed, now, octets, settlement, take};
use spool::incoming::INLINE_LIMIT;
use spool::{After, KeepTlsTallies, Manage, Outcomes, Running, Spool, SpoolError, TlsTallies, TlsTold};

use super::{open, with_one_message};
use crate::EmbeddedSpool;
use crate::disk::bodies::Directories;
use crate::sql::connections::DATABASE;
use crate::steps::Place;
use crate::telling::Teller;

fn order(spool: &EmbeddedSpool, faults: &[(Place, ErrorCode)]) {
    spool.shared().faults.order(faults);
}

async fn ids(spool: &EmbeddedSpool) -> Vec<QueueId> {
    let found = spool.pending(None, usize::MAX).await.unwrap();
    found.into_iter().map(|part| part.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_write_fails_is_refused_and_not_there() {
    for place in [Place::Begin, Place::Commit, Place::Committed] {
        for code in [ErrorCode::SystemIoFailure, ErrorCode::DiskFull] {
            // A full disk is noticed before the transaction is durable.
            if (place, code) == (Place::Committed, ErrorCode::DiskFull) {
                continue;
            }
            for size in [10, INLINE_LIMIT + 1] {
                let (directory, spool, before) = with_one_message().await;
                order(&spool, &[(place, code)]);
                let refused = commit(&spool, message(&["a@b.example"]), &octets(size)).await;
                match code {
                    ErrorCode::DiskFull => assert!(matches!(refused, Err(SpoolError::Full)), "{refused:?}"),
                    _ => assert!(
                        matches!(refused, Err(SpoolError::Io(_))),
                        "{place:?}: {refused:?}"
                    ),
                }
                // It recovers by itself, and what was refused is not in the spool.
                let after = loop {
                    match commit(&spool, message(&["a@b.example"]), b"x").await {
                        Ok(after) => break after,
                        Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
                    }
                };
                // Those of one millisecond are in no order.
                let mut both = [before.id, after.id];
                both.sort();
                assert_eq!(ids(&spool).await, both, "{place:?} {code:?}");
                spool.close().await.unwrap();
                assert!(
                    Directories::of(directory.path(), Teller::nobody())
                        .stored()
                        .unwrap()
                        .is_empty()
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_outlive_a_disk_that_fails() {
    let (failure, full) = (ErrorCode::SystemIoFailure, ErrorCode::DiskFull);
    for faults in [
        vec![(Place::Begin, failure)],
        vec![(Place::Commit, failure), (Place::Reopen, failure)],
        vec![(Place::Committed, failure)],
        vec![(Place::Committed, failure), (Place::Committed, failure)],
        vec![(Place::Commit, full), (Place::Commit, full)],
    ] {
        let directory = tempfile::tempdir().unwrap();
        let spool = open(directory.path()).await.unwrap();
        let new = message(&["a@b.example", "b@b.example", "c@c.example"]);
        let later = new.created + 5.minutes();
        let accepted = commit(&spool, new, b"x").await.unwrap();
        let [first, second] = &accepted.pending[..] else {
            panic!("two next hops");
        };
        let lease = take(&spool, first).await;
        order(&spool, &faults);
        let outcomes = Outcomes {
            settlements: vec![
                settlement(0, Status::Sent, None),
                settlement(1, Status::Deferred, Some(later)),
            ],
            tls: vec![session()],
            ..Outcomes::default()
        };
        let settled = spool.settle(lease, outcomes, now()).await.unwrap();
        assert!(spool.shared().faults.are_over(), "every fault happened");
        assert_eq!(
            settled.pending.as_ref().map(|part| (part.recipients, part.due)),
            Some((1, later))
        );
        assert_ne!(settled.after, After::Gone);

        let lease = take(&spool, first).await;
        assert_eq!((lease.recipients.len(), lease.recipients[0].attempts), (1, 1));
        order(&spool, &faults[..1]);
        let last = vec![settlement(1, Status::Sent, None)];
        assert!(
            spool.settle(lease, last, now()).await.unwrap().after != After::Gone,
            "{faults:?}"
        );
        let lease = take(&spool, second).await;
        order(&spool, &faults[..1]);
        let last = Outcomes {
            settlements: vec![settlement(2, Status::Bounced, None)],
            tls: vec![session()],
            ..Outcomes::default()
        };
        assert!(spool.settle(lease, last, now()).await.unwrap().after == After::Gone);
        assert!(ids(&spool).await.is_empty());
        assert_eq!(spool.messages(), 0);
        assert_eq!(
            ledger(directory.path()),
            [(2, 1), (4, 2), (5, 1)],
            "each outcome is counted once: {faults:?}"
        );
        let counted = spool
            .tls_domains(jiff::civil::date(2026, 3, 1), None, 9)
            .await
            .unwrap();
        let counted: Vec<u64> = counted.iter().map(|domain| domain.successes).collect();
        assert_eq!(counted, [2], "each session is counted once: {faults:?}");
        spool.close().await.unwrap();
    }
}

/// `SQLite` calls a quota that is used up an input or output error.
#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_is_used_up_is_a_full_disk() {
    let (_directory, spool, _) = with_one_message().await;
    let used_up = [
        (Place::Commit, ErrorCode::SystemIoFailure),
        (Place::Probe, ErrorCode::DiskFull),
    ];
    order(&spool, &used_up);
    let refused = commit(&spool, message(&["a@b.example"]), b"x").await;
    assert!(matches!(refused, Err(SpoolError::Full)), "{refused:?}");
    assert!(spool.shared().faults.are_over());
    spool.close().await.unwrap();
}

/// The others go on, and nobody delivers it again before the next start.
#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_cannot_be_recorded_by_itself_is_set_aside() {
    let (directory, spool, first) = with_one_message().await;
    let second = commit(&spool, message(&["a@b.example"]), b"x").await.unwrap();
    let refuses = Connection::open(directory.path().join(DATABASE)).unwrap();
    let id = u128::from_be_bytes(first.id.to_bytes());
    refuses
        .execute_batch(&format!(
            "CREATE TRIGGER refuses BEFORE DELETE ON message WHEN OLD.id = x'{id:032x}' \
             BEGIN SELECT RAISE(ABORT, 'no'); END"
        ))
        .unwrap();
    let settle = async |part| {
        let lease = take(&spool, part).await;
        spool
            .settle(lease, vec![settlement(0, Status::Sent, None)], now())
            .await
    };
    let (aside, recorded) = tokio::join!(settle(&first.pending[0]), settle(&second.pending[0]));
    assert!(matches!(aside, Err(SpoolError::Defect(_))), "{aside:?}");
    assert_eq!(recorded.unwrap().after, After::Gone);
    commit(&spool, message(&["a@b.example"]), b"x").await.unwrap();
    let leased = spool.lease(first.id, &first.pending[0].next_hop).await.unwrap();
    assert!(matches!(leased, spool::Leasing::Taken), "{leased:?}");
    refuses.execute_batch("DROP TRIGGER refuses").unwrap();
    drop(refuses);
    spool.close().await.unwrap();
    drop(spool);
    let spool = open(directory.path()).await.unwrap();
    let lease = take(&spool, &first.pending[0]).await;
    spool.release(lease);
    spool.close().await.unwrap();
}

/// A disk that can be read and checked, but not written, as with an exceeded quota.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_accepted_until_something_has_been_written() {
    let (_directory, spool, accepted) = with_one_message().await;
    let lease = take(&spool, &accepted.pending[0]).await;
    order(&spool, &[(Place::Commit, ErrorCode::SystemIoFailure); 3]);
    let (reached, release) = spool.shared().faults.hold(Place::Commit);
    let settling = {
        let spool = spool.clone();
        let sent = vec![settlement(0, Status::Sent, None)];
        tokio::spawn(async move { spool.settle(lease, sent, now()).await })
    };
    reached.await.unwrap();
    let mut release = release;
    for attempt in 1..=3 {
        let (reached, next) = spool.shared().faults.hold(Place::Commit);
        // Lets the attempt fail that has come so far.
        drop(std::mem::replace(&mut release, next));
        reached.await.unwrap();
        assert!(
            matches!(spool.create(), Err(SpoolError::Io(_))),
            "reopened {attempt} times, and nothing written"
        );
    }
    assert!(spool.shared().faults.are_over());
    drop(release);
    assert!(settling.await.unwrap().unwrap().after == After::Gone);
    assert!(spool.create().is_ok(), "whoever was answered may go on");
    spool.close().await.unwrap();
}

/// Until the checkpoint that follows the start has ended: the caretaker's next chore has been done.
async fn no_checkpoint_is_under_way(path: &Path, spool: &EmbeddedSpool) {
    let content = octets(INLINE_LIMIT + 1);
    let large = commit(spool, message(&["a@b.example"]), &content).await.unwrap();
    let lease = take(spool, &large.pending[0]).await;
    let sent = vec![settlement(0, Status::Sent, None)];
    spool.settle(lease, sent, now()).await.unwrap();
    let directories = Directories::of(path, Teller::nobody());
    while !directories.stored().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
}

/// Otherwise deliveries could not be recorded on a full disk, and the queue could never become smaller.
#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_the_log_is_made_to_begin_anew() {
    let (directory, spool, accepted) = with_one_message().await;
    no_checkpoint_is_under_way(directory.path(), &spool).await;
    let lease = take(&spool, &accepted.pending[0]).await;
    let full = ErrorCode::DiskFull;
    order(
        &spool,
        &[
            (Place::Commit, full),
            (Place::Checkpoint, full),
            (Place::Commit, full),
        ],
    );
    let sent = vec![settlement(0, Status::Sent, None)];
    assert!(spool.settle(lease, sent, now()).await.unwrap().after == After::Gone);
    assert!(spool.shared().faults.are_over(), "a checkpoint was tried");
    spool.close().await.unwrap();
}

/// What failed was refused, and nothing is waiting: only an attempt to write shows that it works again.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_works_again_is_noticed_without_work() {
    let (_directory, spool, before) = with_one_message().await;
    order(&spool, &[(Place::Commit, ErrorCode::SystemIoFailure); 2]);
    let selected = vec![spool::Selected {
        id: before.id,
        recipients: vec![spool::RecipientIndex(0)],
    }];
    assert!(spool.act(spool::Action::Hold, selected, now()).await.is_err());
    while !spool.shared().faults.are_over() || spool.create().is_err() {
        tokio::task::yield_now().await;
    }
    spool.close().await.unwrap();
}

/// A session to a domain that publishes no policy.
fn session() -> TlsSession {
    let domain: Domain = "b.example".parse().unwrap();
    TlsSession {
        at: now(),
        destination: domain.clone(),
        policy: TlsPolicy::None { domain },
        failure: None,
    }
}

/// How often the ledger contains each status.
fn ledger(path: &Path) -> Vec<(i64, i64)> {
    let connection = Connection::open(path.join(DATABASE)).unwrap();
    let mut statement = connection
        .prepare("SELECT k.status, sum(d.count) FROM ledger_day d JOIN ledger_key k ON k.id = d.key GROUP BY 1 ORDER BY 1")
        .unwrap();
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    rows.map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_message_that_is_settled_twice_is_counted_once() {
    for size in [10, INLINE_LIMIT + 1] {
        let directory = tempfile::tempdir().unwrap();
        let spool = open(directory.path()).await.unwrap();
        let accepted = commit(&spool, message(&["a@b.example"]), &octets(size))
            .await
            .unwrap();
        let part = &accepted.pending[0];
        let lease = take(&spool, part).await;
        // The first time it is durable, but nobody knows.
        order(&spool, &[(Place::Committed, ErrorCode::SystemIoFailure)]);
        let sent = vec![settlement(0, Status::Sent, None)];
        assert!(spool.settle(lease, sent, now()).await.unwrap().after == After::Gone);
        assert!(spool.shared().faults.are_over());
        assert_eq!((ledger(directory.path()), spool.messages()), (vec![(4, 1)], 0));
        spool.close().await.unwrap();
        assert!(
            Directories::of(directory.path(), Teller::nobody())
                .stored()
                .unwrap()
                .is_empty()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_queued_once_whatever_the_disk_does() {
    let (failure, full) = (ErrorCode::SystemIoFailure, ErrorCode::DiskFull);
    for fault in [
        (Place::Begin, failure),
        (Place::Commit, failure),
        (Place::Committed, failure),
        (Place::Commit, full),
    ] {
        let (_directory, spool, accepted) = with_one_message().await;
        let part = &accepted.pending[0];
        let lease = take(&spool, part).await;
        let failed = vec![noticed(0, Status::Bounced, None)];
        order(&spool, &[fault]);
        assert!(spool.settle(lease, failed, now()).await.unwrap().after == After::ReportDue);
        let notices = spool.notices(accepted.id).await.unwrap().unwrap();
        let report = spool::Report {
            message: message(&["sender@a.example"]),
            content: "told".into(),
        };
        order(&spool, &[fault]);
        let reported = spool.report(notices, Some(report)).await.unwrap();
        assert!(spool.shared().faults.are_over());
        assert_eq!(reported.after, After::Gone, "{fault:?}");
        let found = spool.pending(None, usize::MAX).await.unwrap();
        assert_eq!(found, reported.pending);
        assert_eq!((found.len(), spool.messages()), (1, 1), "{fault:?}");
        spool.close().await.unwrap();
    }
}

/// Whoever is told that it failed sends it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_tls_report_is_told_once_whatever_the_disk_does() {
    let (failure, full) = (ErrorCode::SystemIoFailure, ErrorCode::DiskFull);
    let day = jiff::civil::date(2026, 3, 1);
    let counted = async |spool: &EmbeddedSpool| {
        let found = spool.tls_tallies(day, "b.example".parse().unwrap()).await;
        found.unwrap().iter().map(|tally| tally.successes).sum::<u64>()
    };
    let settle = async |spool: &EmbeddedSpool, sessions: usize| {
        let accepted = commit(spool, message(&["a@b.example"]), b"x").await.unwrap();
        let lease = take(spool, &accepted.pending[0]).await;
        let sent = Outcomes {
            settlements: vec![settlement(0, Status::Sent, None)],
            tls: vec![session(); sessions],
            ..Outcomes::default()
        };
        spool.settle(lease, sent, now()).await.unwrap();
    };
    for by_mail in [true, false] {
        for faults in [
            vec![(Place::Begin, failure)],
            vec![(Place::Commit, failure), (Place::Reopen, failure)],
            vec![(Place::Committed, failure)],
            vec![(Place::Committed, failure), (Place::Commit, failure)],
            vec![(Place::Committed, failure), (Place::Committed, failure)],
            vec![(Place::Commit, failure), (Place::Committed, failure)],
            vec![(Place::Committed, failure), (Place::Commit, full)],
        ] {
            let directory = tempfile::tempdir().unwrap();
            let spool = open(directory.path()).await.unwrap();
            settle(&spool, 3).await;
            let read = spool
                .tls_tallies(day, "b.example".parse().unwrap())
                .await
                .unwrap();
            // Counted while the report is made.
            settle(&spool, 5).await;
            order(&spool, &faults);
            let report = by_mail.then(|| spool::Report {
                message: message(&["reports@b.example"]),
                content: "told".into(),
            });
            let told = TlsTold {
                day,
                domain: "b.example".parse().unwrap(),
                tallies: read,
            };
            let accepted = match spool.tls_told(told.clone(), report.clone()).await {
                Ok(accepted) => accepted,
                // Nothing was durable, and nobody has the report.
                Err(refused) => {
                    assert!(by_mail && faults[0].0 == Place::Begin, "{faults:?}: {refused}");
                    assert_eq!(counted(&spool).await, 8);
                    spool.tls_told(told, report).await.unwrap()
                }
            };
            assert!(spool.shared().faults.are_over(), "every fault happened");
            assert_eq!(counted(&spool).await, 5, "{faults:?}");
            let pending = accepted.map(|accepted| accepted.pending).unwrap_or_default();
            assert_eq!(pending.len(), usize::from(by_mail));
            assert_eq!(spool.pending(None, 9).await.unwrap(), pending, "{faults:?}");
            spool.close().await.unwrap();
        }
    }
}

/// It is noticed before anything is durable.
#[tokio::test(flavor = "multi_thread")]
async fn a_tls_report_that_found_no_room_on_the_disk_is_left_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(directory.path()).await.unwrap();
    let told = || TlsTold {
        day: jiff::civil::date(2026, 3, 1),
        domain: "b.example".parse().unwrap(),
        tallies: Vec::new(),
    };
    let report = spool::Report {
        message: message(&["reports@b.example"]),
        content: "told".into(),
    };
    order(&spool, &[(Place::Commit, ErrorCode::DiskFull)]);
    let refused = spool.tls_told(told(), Some(report)).await;
    assert!(matches!(refused, Err(SpoolError::Full)), "{refused:?}");
    spool.tls_told(told(), None).await.unwrap();
    spool.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_fails_leaves_the_part_free() {
    for place in [Place::Begin, Place::Commit, Place::Committed] {
        let (_directory, spool, accepted) = with_one_message().await;
        let part = &accepted.pending[0];
        let selected = vec![spool::Selected {
            id: accepted.id,
            recipients: vec![spool::RecipientIndex(0)],
        }];
        order(&spool, &[(place, ErrorCode::SystemIoFailure)]);
        let hold = spool.act(spool::Action::Hold, selected.clone(), now()).await;
        assert!(matches!(hold, Err(SpoolError::Io(_))), "{hold:?}");
        // The caller does not know whether it took place; doing it again is safe, and it can be undone.
        let _ = spool
            .act(spool::Action::Hold, selected.clone(), now())
            .await
            .unwrap();
        assert!(
            spool
                .lease(part.id, &part.next_hop)
                .await
                .unwrap()
                .leased()
                .is_none()
        );
        let released = spool.act(spool::Action::Release, selected, now()).await.unwrap();
        assert_eq!(released.done, 1, "{place:?}");
        let lease = take(&spool, part).await;
        let sent = vec![settlement(0, Status::Sent, None)];
        assert!(spool.settle(lease, sent, now()).await.unwrap().after == After::Gone);
        spool.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_administrator_can_act_on_a_full_disk() {
    let directory = tempfile::tempdir().unwrap();
    let reserve = directory.path().join("reserve");
    let spool = open(directory.path()).await.unwrap();
    let accepted = commit(&spool, message(&["a@b.example"]), b"x").await.unwrap();
    let selected = vec![spool::Selected {
        id: accepted.id,
        recipients: vec![spool::RecipientIndex(0)],
    }];
    let full = (Place::Commit, ErrorCode::DiskFull);
    fs::write(&reserve, "the first").unwrap();
    order(&spool, &[full]);
    let held = spool.act(spool::Action::Hold, selected.clone(), now()).await;
    assert_eq!(held.unwrap().done, 1);
    // The reserve was given back for it. Reserved again, it is another file.
    spool.close().await.unwrap();
    assert_ne!(fs::read(&reserve).unwrap(), b"the first");

    // Once the reserve is used up, callers get an error and do not wait for ever.
    let spool = open(directory.path()).await.unwrap();
    fs::remove_file(&reserve).unwrap();
    order(&spool, &[full]);
    let refused = spool.act(spool::Action::Delete, selected.clone(), now()).await;
    assert!(matches!(refused, Err(SpoolError::Full)), "{refused:?}");
    let deleted = spool.act(spool::Action::Delete, selected, now()).await;
    assert_eq!((deleted.unwrap().done, spool.messages()), (1, 0));
    spool.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_stays_broken_refuses_and_can_be_closed() {
    let (directory, spool, accepted) = with_one_message().await;
    let lease = take(&spool, &accepted.pending[0]).await;
    let failure = ErrorCode::SystemIoFailure;
    order(&spool, &[(Place::Commit, failure)]);
    order(&spool, &[(Place::Reopen, failure); 100]);
    let refused = commit(&spool, message(&["a@b.example"]), b"x").await;
    assert!(matches!(refused, Err(SpoolError::Io(_))), "{refused:?}");
    let settling = {
        let spool = spool.clone();
        let sent = vec![settlement(0, Status::Sent, None)];
        tokio::spawn(async move { spool.settle(lease, sent, now()).await })
    };
    while !spool.shared().broken.load(Ordering::Relaxed) {
        tokio::task::yield_now().await;
    }
    assert!(matches!(spool.create(), Err(SpoolError::Io(_))));
    assert!(spool.close().await.is_err());
    assert!(matches!(settling.await.unwrap(), Err(SpoolError::Closed)));

    // Nothing was written, and the next start finds the message as it was.
    let spool = open(directory.path()).await.unwrap();
    assert_eq!(spool.pending(None, 9).await.unwrap(), accepted.pending);
    spool.close().await.unwrap();
}
