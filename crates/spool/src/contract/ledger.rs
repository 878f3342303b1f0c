//! What the ledger counts.

use std::ops::{ControlFlow, RangeInclusive};
use std::sync::Arc;

use jiff::ToSpan;
use jiff::civil::{Date, date};
use mail::{AddressFamily, DaneResult, DeliverySecurity, LedgerEntry, Status};

use super::scene::{Harness, close, commit, deliver, entry, gathered, message, now, settlement, take};
use crate::{Ledger, Settlement, Spool, Tally};

pub(super) async fn everything<H: Harness>(fresh: &impl Fn() -> H) {
    outcomes_are_counted_with_the_settlement(&fresh()).await;
    a_period_has_its_days(&fresh()).await;
    whatever_is_counted_comes_back(&fresh()).await;
}

const FIRST: Date = date(2026, 3, 1);

async fn tallies<S: Ledger>(store: &S, days: RangeInclusive<Date>) -> Vec<Tally> {
    let (found, visit) = gathered();
    assert_eq!(store.tallies(days, visit).await.unwrap(), 0);
    std::mem::take(&mut found.lock())
}

/// How often each status was counted on the first day.
async fn statuses<S: Ledger>(store: &S) -> Vec<(Status, u64)> {
    let found = tallies(store, FIRST..=FIRST).await;
    found.iter().map(|one| (one.entry.status, one.count)).collect()
}

async fn outcomes_are_counted_with_the_settlement<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let later = now() + 5.minutes();
    let new = message(&["a@b.example", "b@b.example", "a@c.example"]);
    let accepted = commit(&*store, new, b"x").await.unwrap();
    let [first, second] = &accepted.pending[..] else {
        panic!("two next hops");
    };
    assert!(tallies(&*store, Date::MIN..=Date::MAX).await.is_empty());
    // What is given back is no outcome.
    store.release(take(&*store, first).await);
    assert!(statuses(&*store).await.is_empty());
    let outcomes = vec![
        settlement(0, Status::Sent, None),
        settlement(1, Status::Deferred, Some(later)),
    ];
    deliver(&*store, first, outcomes).await;
    let again = vec![settlement(1, Status::Deferred, Some(later))];
    deliver(&*store, first, again).await;
    deliver(&*store, second, vec![settlement(2, Status::Bounced, None)]).await;
    deliver(&*store, first, vec![settlement(1, Status::Sent, None)]).await;
    // A message that is delivered at once, to all recipients.
    let accepted = commit(&*store, message(&["a@b.example"]), b"x").await.unwrap();
    deliver(
        &*store,
        &accepted.pending[0],
        vec![settlement(0, Status::Sent, None)],
    )
    .await;
    let mut expected = [(Status::Bounced, 1), (Status::Deferred, 2), (Status::Sent, 3)];
    let by_name = |one: &(Status, u64)| format!("{one:?}");
    expected.sort_by_key(by_name);
    let mut found = statuses(&*store).await;
    found.sort_by_key(by_name);
    assert_eq!(found, expected);
    close(store).await;

    let view = harness.open_to_look().await;
    let mut found = statuses(&view).await;
    found.sort_by_key(by_name);
    assert_eq!(found, expected);
    drop(view);
}

/// Settles one message with these entries, one per recipient.
async fn count<S: Spool>(store: &S, entries: &[LedgerEntry]) {
    let recipients: Vec<String> = (0..entries.len()).map(|at| format!("r{at}@b.example")).collect();
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    let accepted = commit(store, message(&recipients), b"x").await.unwrap();
    let settlements = (0_u32..).zip(entries).map(|(at, entry)| Settlement {
        entry: entry.clone(),
        ..settlement(at, Status::Sent, None)
    });
    deliver(store, &accepted.pending[0], settlements.collect()).await;
}

async fn a_period_has_its_days<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let on = |days: i64, next_hop: &str| LedgerEntry {
        day: FIRST + days.days(),
        next_hop: next_hop.parse().unwrap(),
        ..entry(Status::Sent)
    };
    let entries = [
        on(2, "b.example"),
        on(0, "c.example"),
        on(-1, "b.example"),
        on(0, "b.example"),
    ];
    count(&*store, &entries).await;
    let days = FIRST..=FIRST + 2.days();
    let found = tallies(&*store, days.clone()).await;
    let expected = [&entries[3], &entries[1], &entries[0]];
    assert!(found.iter().map(|one| &one.entry).eq(expected), "{found:?}");
    assert!(found.iter().all(|one| one.count == 1));
    let between = FIRST + 1.days()..=FIRST + 1.days();
    assert!(tallies(&*store, between).await.is_empty());
    assert!(tallies(&*store, FIRST + 2.days()..=FIRST).await.is_empty());
    assert_eq!(tallies(&*store, Date::MIN..=Date::MAX).await.len(), 4);

    let (seen, _) = gathered();
    let shown = Arc::clone(&seen);
    let first = move |one| {
        shown.lock().push(one);
        ControlFlow::Break(())
    };
    store.tallies(days, first).await.unwrap();
    assert_eq!(seen.lock()[..], found[..1]);
    close(store).await;
}

async fn whatever_is_counted_comes_back<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let mut entries = Vec::new();
    for family in [AddressFamily::None, AddressFamily::Ipv4, AddressFamily::Ipv6] {
        entries.push(LedgerEntry {
            family,
            host: None,
            ..entry(Status::Sent)
        });
    }
    for status in [Status::Deferred, Status::Bounced, Status::Expired] {
        entries.push(entry(status));
    }
    for security in [
        DeliverySecurity::Dane,
        DeliverySecurity::DaneHostOnly,
        DeliverySecurity::MtaSts,
        DeliverySecurity::Verified,
        DeliverySecurity::Encrypted,
        DeliverySecurity::Clear,
        DeliverySecurity::None,
    ] {
        let next_hop = "[192.0.2.1]:2525".parse().unwrap();
        entries.push(LedgerEntry {
            security,
            next_hop,
            ..entry(Status::Sent)
        });
    }
    for dane in [
        DaneResult::NotReached,
        DaneResult::Verify,
        DaneResult::VerifyHostOnly,
        DaneResult::Encrypt,
        DaneResult::Skip,
        DaneResult::Softfail,
        DaneResult::Fail,
    ] {
        entries.push(LedgerEntry {
            dane,
            ..entry(Status::Sent)
        });
    }
    count(&*store, &entries).await;
    count(&*store, &entries).await;
    let found = tallies(&*store, FIRST..=FIRST).await;
    assert_eq!(found.len(), entries.len());
    for entry in &entries {
        let one = found.iter().find(|one| one.entry == *entry);
        assert_eq!(one.map(|one| one.count), Some(2), "{entry:?}");
    }
    close(store).await;
}
