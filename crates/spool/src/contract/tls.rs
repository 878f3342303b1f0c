//! What is counted for TLS reports.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use jiff::civil::{Date, date};
use mail::{Domain, Status, TlsDetail, TlsFailure, TlsPolicy, TlsResult, TlsSession, TlsTally};

use super::scene::{Harness, close, commit, message, now, scan, settlement, take};
use crate::{KeepTlsTallies, Outcomes, Report, Spool, TlsDay, TlsTallies, TlsTold};

pub(super) async fn everything<H: Harness>(fresh: &impl Fn() -> H) {
    sessions_are_counted_with_the_settlement(&fresh()).await;
    each_day_and_each_policy_has_its_own(&fresh()).await;
    what_strangers_choose_is_bounded(&fresh()).await;
    one_registrant_leaves_room_for_others(&fresh()).await;
    what_was_told_is_not_told_again(&fresh()).await;
}

const DAY: Date = date(2026, 3, 1);

fn domain(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

fn tlsa() -> TlsPolicy {
    TlsPolicy::tlsa(domain("mx.c.example"), ["3 1 1 aa".to_owned()])
}

fn sts(line: &str) -> TlsPolicy {
    TlsPolicy::sts(
        domain("b.example"),
        [line.to_owned()],
        ["mx.b.example".to_owned()],
    )
}

fn session(policy: TlsPolicy, failure: Option<TlsFailure>) -> TlsSession {
    TlsSession {
        at: now(),
        destination: domain("b.example"),
        policy,
        failure,
    }
}

fn mismatch() -> TlsFailure {
    TlsFailure {
        mx_host: Some(domain("mx.c.example")),
        receiving_ip: Some(IpAddr::from([192, 0, 2, 1])),
        ..TlsFailure::of(TlsResult::ValidationFailure).because("no matching TLSA records")
    }
}

fn tally(policy: TlsPolicy, successes: u64, failures: &[(TlsFailure, u64)]) -> TlsTally {
    let details = failures.iter().cloned();
    TlsTally {
        policy,
        successes,
        failures: failures.iter().map(|(_, count)| count).sum(),
        details: details
            .map(|(failure, count)| TlsDetail { failure, count })
            .collect(),
    }
}

/// Queues a message to two recipients and settles the first of them, with these sessions.
async fn count<S: Spool>(store: &S, tls: Vec<TlsSession>) {
    let new = message(&["a@b.example", "b@b.example"]);
    let accepted = commit(store, new, b"x").await.unwrap();
    let outcomes = Outcomes {
        settlements: vec![settlement(0, Status::Sent, None)],
        tls,
        ..Outcomes::default()
    };
    let lease = take(store, &accepted.pending[0]).await;
    store.settle(lease, outcomes, now()).await.unwrap();
}

async fn tallies<S: TlsTallies>(store: &S, day: Date, name: &str) -> Vec<TlsTally> {
    store.tls_tallies(day, domain(name)).await.unwrap()
}

/// The domains of a day with their sums.
async fn domains<S: TlsTallies>(store: &S, day: Date) -> Vec<(String, u64, u64)> {
    let found = store.tls_domains(day, None, 10).await.unwrap();
    let sums = found
        .into_iter()
        .map(|one| (one.domain.to_string(), one.successes, one.failures));
    sums.collect()
}

async fn sessions_are_counted_with_the_settlement<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    assert!(domains(&*store, DAY).await.is_empty());
    assert!(store.tls_days().await.unwrap().is_empty());
    // One that lasts, and one that ends the message.
    count(
        &*store,
        vec![session(tlsa(), None), session(tlsa(), Some(mismatch()))],
    )
    .await;
    let accepted = commit(&*store, message(&["a@b.example"]), b"x").await.unwrap();
    let outcomes = Outcomes {
        settlements: vec![settlement(0, Status::Sent, None)],
        tls: vec![session(tlsa(), None), session(tlsa(), Some(mismatch()))],
        ..Outcomes::default()
    };
    let lease = take(&*store, &accepted.pending[0]).await;
    store.settle(lease, outcomes, now()).await.unwrap();
    // Without an outcome nothing has taken place.
    let part = scan(&*store).await.remove(0);
    let nothing = Outcomes {
        tls: vec![session(tlsa(), None)],
        ..Outcomes::default()
    };
    let lease = take(&*store, &part).await;
    store.settle(lease, nothing, now()).await.unwrap();

    let expected = [tally(tlsa(), 2, &[(mismatch(), 2)])];
    let both = [("b.example".to_owned(), 2, 2), ("mx.c.example".to_owned(), 2, 2)];
    close(store).await;
    let store = Arc::new(harness.open().await);
    assert_eq!(domains(&*store, DAY).await, both);
    for name in ["b.example", "mx.c.example"] {
        assert_eq!(tallies(&*store, DAY, name).await, expected, "{name}");
    }
    let look = harness.open_to_look().await;
    assert_eq!(tallies(&look, DAY, "b.example").await, expected);
    assert_eq!(domains(&look, DAY).await, both);
    let day = TlsDay {
        day: DAY,
        left_out: 0,
    };
    assert_eq!(look.tls_days().await.unwrap(), [day]);
    close(store).await;
}

async fn each_day_and_each_policy_has_its_own<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let none = || TlsPolicy::None {
        domain: domain("b.example"),
    };
    let at = |time: &str| TlsSession {
        at: time.parse::<Timestamp>().unwrap(),
        ..session(none(), None)
    };
    let starttls = TlsFailure::of(TlsResult::StarttlsNotSupported);
    let last = at("2026-03-01T23:59:59.999Z");
    let first = at("2026-03-02T00:00:00Z");
    let sessions = vec![
        last,
        first,
        session(sts("mode: testing"), Some(starttls.clone())),
        session(sts("mode: enforce"), None),
        session(sts("mode: enforce"), Some(mismatch())),
        session(sts("mode: enforce"), Some(starttls.clone())),
        session(sts("mode: enforce"), Some(starttls.clone())),
    ];
    count(&*store, sessions).await;
    let found = tallies(&*store, DAY, "b.example").await;
    // The most frequent failure comes first.
    let expected = [
        tally(none(), 1, &[]),
        tally(sts("mode: testing"), 0, &[(starttls.clone(), 1)]),
        tally(sts("mode: enforce"), 1, &[(starttls, 2), (mismatch(), 1)]),
    ];
    assert_eq!(found, expected);
    let next = tallies(&*store, DAY.tomorrow().unwrap(), "b.example").await;
    assert_eq!(next, [tally(none(), 1, &[])]);
    // Page by page.
    count(&*store, vec![session(tlsa(), None)]).await;
    let one = store.tls_domains(DAY, None, 1).await.unwrap();
    let after = one[0].domain.clone();
    let other = store.tls_domains(DAY, Some(after.clone()), 1).await.unwrap();
    assert_eq!(
        (after.as_str(), other[0].domain.as_str()),
        ("b.example", "mx.c.example")
    );
    let end = store
        .tls_domains(DAY, Some(other[0].domain.clone()), 1)
        .await
        .unwrap();
    assert!(end.is_empty());
    close(store).await;
}

async fn what_strangers_choose_is_bounded<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let reasons = (0..1000).map(|number| {
        let failure = TlsFailure::of(TlsResult::ValidationFailure).because(&format!("reason {number}"));
        session(tlsa(), Some(failure))
    });
    count(&*store, reasons.collect()).await;
    let found = tallies(&*store, DAY, "mx.c.example").await;
    assert_eq!(found[0].failures, 1000, "all of them are counted");
    let told: u64 = found[0].details.iter().map(|detail| detail.count).sum();
    assert!(found[0].details.len() < 200 && told < 200, "{told}");
    // What is known already has room.
    let known = found[0].details[0].failure.clone();
    count(&*store, vec![session(tlsa(), Some(known))]).await;
    let found = tallies(&*store, DAY, "mx.c.example").await;
    assert_eq!((found[0].failures, found[0].details[0].count), (1001, 2));

    let policies = (0..200).map(|number| session(sts(&format!("x: {number}")), None));
    count(&*store, policies.collect()).await;
    let kept = tallies(&*store, DAY, "b.example").await.len() as u64;
    assert!(kept < 100, "{kept}");
    // One policy is the TLSA records.
    let left_out = 200 - (kept - 1);
    assert_eq!(store.tls_days().await.unwrap()[0].left_out, left_out);
    close(store).await;
}

/// Whoever has a domain can invent names below it, and publish long policies there.
async fn one_registrant_leaves_room_for_others<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    for name in 0..100 {
        let name = domain(&format!("name{name}.greedy.example"));
        let policies = (0..32).map(|policy| {
            let lines = (0..15).map(|line| format!("{policy} {line} {}", "x".repeat(200)));
            TlsSession {
                destination: name.clone(),
                ..session(TlsPolicy::sts(name.clone(), lines, []), None)
            }
        });
        count(&*store, policies.collect()).await;
    }
    let left_out = store.tls_days().await.unwrap()[0].left_out;
    assert!((100..3200).contains(&left_out), "{left_out}");
    count(&*store, vec![session(sts("mode: testing"), None)]).await;
    let expected = [tally(sts("mode: testing"), 1, &[])];
    assert_eq!(tallies(&*store, DAY, "b.example").await, expected);
    assert_eq!(store.tls_days().await.unwrap()[0].left_out, left_out);
    close(store).await;
}

/// A report about what was counted, by mail.
fn report() -> Report {
    Report {
        message: message(&["reports@b.example"]),
        content: Bytes::from_static(b"Subject: a report\r\n\r\n"),
    }
}

async fn what_was_told_is_not_told_again<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let tls = || vec![session(tlsa(), None), session(tlsa(), Some(mismatch()))];
    count(&*store, tls()).await;
    let read = tallies(&*store, DAY, "b.example").await;
    // Counted while the report is made.
    count(&*store, tls()).await;
    let before = scan(&*store).await.len();
    let told = |tallies| TlsTold {
        day: DAY,
        domain: domain("b.example"),
        tallies,
    };
    let report = report();
    let id = report.message.id;
    let accepted = store
        .tls_told(told(read.clone()), Some(report.clone()))
        .await
        .unwrap();
    assert_eq!(
        accepted.unwrap().pending[0].next_hop,
        "b.example".parse().unwrap()
    );
    let left = [tally(tlsa(), 1, &[(mismatch(), 1)])];
    assert_eq!(tallies(&*store, DAY, "b.example").await, left);
    // The other report has all.
    assert_eq!(tallies(&*store, DAY, "mx.c.example").await[0].successes, 2);
    // The same message is not queued again, and nothing is taken away for it.
    store
        .tls_told(told(read.clone()), Some(report))
        .await
        .unwrap_err();
    assert_eq!(tallies(&*store, DAY, "b.example").await, left);
    close(store).await;

    let store = Arc::new(harness.open().await);
    assert_eq!(scan(&*store).await.len(), before + 1);
    assert!(scan(&*store).await.iter().any(|part| part.id == id));
    assert_eq!(tallies(&*store, DAY, "b.example").await, left);
    assert_eq!(store.tls_told(told(read.clone()), None).await.unwrap(), None);
    let names: Vec<String> = domains(&*store, DAY)
        .await
        .into_iter()
        .map(|(name, ..)| name)
        .collect();
    assert_eq!(names, ["mx.c.example"]);
    // What is not there any more is no trouble.
    store.tls_told(told(read), None).await.unwrap();
    close(store).await;
}
