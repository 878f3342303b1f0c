//! What the ledger counts.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use jiff::civil::{Date, date};
use jiff::{Timestamp, ToSpan};
use mail::{
    AddressFamily, CauseKind, DaneResult, DeliverySecurity, DomainPart, LedgerEntry, LedgerKey, Status,
};

use super::scene::{Harness, close, commit, deliver, entry, gathered, message, now, settlement, take};
use crate::{Ledger, Settlement, Spool, Tally};

pub(super) async fn everything<H: Harness>(fresh: &impl Fn() -> H) {
    outcomes_are_counted_with_the_settlement(&fresh()).await;
    a_period_has_its_days(&fresh()).await;
    whatever_is_counted_comes_back(&fresh()).await;
    one_group_counts_as_many_do(&fresh()).await;
}

const FIRST: Date = date(2026, 3, 1);

async fn sums<S: Ledger>(store: &S, days: RangeInclusive<Date>) -> Vec<Tally> {
    let (found, visit) = gathered();
    assert_eq!(store.sums(days, visit).await.unwrap(), 0);
    std::mem::take(&mut found.lock())
}

async fn totals<S: Ledger>(store: &S, days: RangeInclusive<Date>) -> Vec<(Date, Tally)> {
    let (found, mut visit) = gathered();
    let visit = move |day, tally| visit((day, tally));
    assert_eq!(store.totals(days, visit).await.unwrap(), 0);
    std::mem::take(&mut found.lock())
}

/// How often each status was counted on the first day.
async fn statuses<S: Ledger>(store: &S) -> Vec<(Status, u64)> {
    let found = sums(store, FIRST..=FIRST).await;
    found.iter().map(|one| (one.key.status, one.count)).collect()
}

async fn outcomes_are_counted_with_the_settlement<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let later = now() + 5.minutes();
    let new = message(&["a@b.example", "b@b.example", "a@c.example"]);
    let accepted = commit(&*store, new, b"x").await.unwrap();
    let [first, second] = &accepted.pending[..] else {
        panic!("two next hops");
    };
    assert!(sums(&*store, Date::MIN..=Date::MAX).await.is_empty());
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
    let on = |days: i64, domain: &str, octets| {
        let mut entry = entry(Status::Sent);
        entry.at = now() + (24 * days).hours();
        entry.key.domain = Some(DomainPart::parse(domain).unwrap());
        LedgerEntry { octets, ..entry }
    };
    let entries = [
        on(2, "b.example", 1),
        on(0, "c.example", 20),
        on(-1, "b.example", 300),
        on(0, "b.example", 4000),
    ];
    count(&*store, &entries).await;
    let tally = |entry: &LedgerEntry, count, octets, last: &LedgerEntry| Tally {
        key: entry.key.clone(),
        count,
        octets,
        last: last.at,
    };
    let days = FIRST..=FIRST + 2.days();
    let mut found = sums(&*store, days.clone()).await;
    found.sort_by_key(|one| one.octets);
    let [first, third] = [&entries[0], &entries[1]];
    let expected = [tally(third, 1, 20, third), tally(first, 2, 4001, first)];
    assert_eq!(found, expected);
    let all = sums(&*store, Date::MIN..=Date::MAX).await;
    assert_eq!(all.iter().map(|one| one.count).sum::<u64>(), 4);
    let between = FIRST + 1.days()..=FIRST + 1.days();
    assert!(sums(&*store, between.clone()).await.is_empty());
    assert!(totals(&*store, between).await.is_empty());
    assert!(sums(&*store, FIRST + 2.days()..=FIRST).await.is_empty());

    let total = |count, octets, last: &LedgerEntry| {
        let key = LedgerKey {
            domain: None,
            host: None,
            ..last.key.clone()
        };
        Tally {
            key,
            ..tally(last, count, octets, last)
        }
    };
    let expected = [
        (FIRST, total(2, 4020, third)),
        (FIRST + 2.days(), total(1, 1, first)),
    ];
    assert_eq!(totals(&*store, days).await, expected);

    let (seen, mut visit) = gathered();
    let once = move |one| {
        let _ = visit(one);
        std::ops::ControlFlow::Break(())
    };
    store.sums(Date::MIN..=Date::MAX, once).await.unwrap();
    assert_eq!(seen.lock().len(), 1);
    close(store).await;
}

/// One key for each value that a field can have.
fn keys() -> Vec<LedgerKey> {
    let sent = || entry(Status::Sent).key;
    let mut keys = Vec::new();
    for family in [AddressFamily::None, AddressFamily::Ipv4, AddressFamily::Ipv6] {
        keys.push(LedgerKey {
            family,
            host: None,
            ..sent()
        });
    }
    for status in [Status::Deferred, Status::Bounced, Status::Expired] {
        keys.push(LedgerKey { status, ..sent() });
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
        let domain = Some(DomainPart::parse("[192.0.2.1]").unwrap());
        keys.push(LedgerKey {
            security,
            domain,
            ..sent()
        });
    }
    for dane in [
        DaneResult::NotReached,
        DaneResult::Verify,
        DaneResult::VerifyHostOnly,
        DaneResult::Encrypt,
        DaneResult::Skip,
        DaneResult::Waived,
        DaneResult::Softfail,
        DaneResult::Fail,
    ] {
        keys.push(LedgerKey { dane, ..sent() });
    }
    for cause in CauseKind::ALL {
        let cause = Some(cause);
        keys.push(LedgerKey { cause, ..sent() });
    }
    keys
}

async fn whatever_is_counted_comes_back<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let keys = keys();
    let entries: Vec<LedgerEntry> = keys
        .iter()
        .map(|key| LedgerEntry {
            key: key.clone(),
            ..entry(Status::Sent)
        })
        .collect();
    count(&*store, &entries).await;
    count(&*store, &entries).await;
    let found = sums(&*store, FIRST..=FIRST).await;
    assert_eq!(found.len(), entries.len());
    for entry in &entries {
        let one = found.iter().find(|one| one.key == entry.key).unwrap();
        assert_eq!((one.count, one.octets, one.last), (2, 200, entry.at), "{one:?}");
    }
    // Those of one domain are not interrupted by another, nor are those of one host of it.
    let mut domains: Vec<_> = found.iter().map(|one| &one.key.domain).collect();
    domains.dedup();
    assert_eq!(domains.len(), 2);
    let mut hosts: Vec<_> = found.iter().map(|one| (&one.key.domain, &one.key.host)).collect();
    hosts.dedup();
    let all: HashSet<_> = hosts.iter().collect();
    assert_eq!(hosts.len(), all.len());
    close(store).await;
}

async fn one_group_counts_as_many_do<H: Harness>(harness: &H) {
    let store = Arc::new(harness.open().await);
    let mut parts = Vec::new();
    for _ in 0..20 {
        let accepted = commit(&*store, message(&["a@b.example"]), b"x").await.unwrap();
        parts.extend(accepted.pending);
    }
    let deliveries: Vec<_> = parts
        .into_iter()
        .map(|part| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let lease = take(&*store, &part).await;
                let sent = vec![settlement(0, Status::Sent, None)];
                store.settle(lease, sent, now()).await.unwrap();
            })
        })
        .collect();
    for delivery in deliveries {
        delivery.await.unwrap();
    }
    let found = sums(&*store, FIRST..=FIRST).await;
    let counted: Vec<(u64, u64, Timestamp)> = found
        .iter()
        .map(|one| (one.count, one.octets, one.last))
        .collect();
    assert_eq!(counted, [(20, 2000, now())]);
    close(store).await;
}
