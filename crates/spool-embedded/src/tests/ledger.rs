//! The ledger of this store: older versions, what is old, and what does not become durable.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::path::Path;
use std::sync::Arc;

use jiff::ToSpan;
use jiff::civil::{Date, date};
use mail::event::store::{LedgerBound, Store};
use mail::{DomainPart, Event, EventLog, LedgerEntry, Status};
use parking_lot::Mutex;
use rusqlite::Connection;
use rusqlite::ffi::ErrorCode;
use spool::contract::{commit, entry, message, now, settlement, take};
use spool::{After, Ledger, Running, Settlement, Spool, Tally};

use super::open;
use crate::sql::connections::DATABASE;
use crate::sql::ledger::counting::{KEYS, KEYS_A_DAY, KEYS_BELOW, KEYS_OF_A_DOMAIN};
use crate::sql::ledger::day_number;
use crate::sql::ledger::tidying::{STEP, Tidying};
use crate::sql::schema::{APPLICATION_ID, MIGRATIONS};
use crate::steps::Place;
use crate::writer::job::{TidyJob, Work};
use crate::{EmbeddedSpool, Options, ReadOnlySpool};

const FIRST: Date = date(2026, 3, 1);

/// What the ledger has told the log.
#[derive(Default)]
struct Kept(Mutex<Vec<Store>>);

impl EventLog for Kept {
    fn write(&self, event: &Event) {
        if let Event::Store(event @ (Store::LedgerFull(_) | Store::LedgerHasRoom)) = event {
            self.0.lock().push(event.clone());
        }
    }
}

impl Kept {
    fn take(&self) -> Vec<Store> {
        std::mem::take(&mut *self.0.lock())
    }
}

/// Counts an outcome so many days after the first, for a recipient at this domain.
async fn count(spool: &EmbeddedSpool, days: i64, domain: &str) {
    let accepted = commit(spool, message(&["a@b.example"]), b"x").await.unwrap();
    let lease = take(spool, &accepted.pending[0]).await;
    let mut sent = settlement(0, Status::Sent, None);
    let mut entry = entry(Status::Sent);
    entry.at = now() + (24 * days).hours();
    entry.key.domain = Some(DomainPart::parse(domain).unwrap());
    sent.entry = LedgerEntry { octets: 1, ..entry };
    spool.settle(lease, vec![sent], now()).await.unwrap();
}

fn domain_of(tally: &Tally) -> String {
    tally
        .key
        .domain
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// All figures by domain, as `domain count`.
async fn sums(spool: &EmbeddedSpool) -> Vec<String> {
    let found = Arc::new(Mutex::new(Vec::new()));
    let shown = Arc::clone(&found);
    let visit = move |tally: Tally| {
        shown
            .lock()
            .push(format!("{} {}", domain_of(&tally), tally.count));
        std::ops::ControlFlow::Continue(())
    };
    assert_eq!(spool.sums(Date::MIN..=Date::MAX, visit).await.unwrap(), 0);
    std::mem::take(&mut found.lock())
}

/// All totals, as `days after the first, domain, count`.
async fn totals(spool: &EmbeddedSpool) -> Vec<String> {
    let found = Arc::new(Mutex::new(Vec::new()));
    let shown = Arc::clone(&found);
    let visit = move |day: Date, tally: Tally| {
        let days = day_number(day) - day_number(FIRST);
        shown
            .lock()
            .push(format!("{days} {} {}", domain_of(&tally), tally.count));
        std::ops::ControlFlow::Continue(())
    };
    assert_eq!(spool.totals(Date::MIN..=Date::MAX, visit).await.unwrap(), 0);
    std::mem::take(&mut found.lock())
}

/// How many names and keys there are.
fn rows(path: &Path) -> [i64; 2] {
    let connection = Connection::open(path.join(DATABASE)).unwrap();
    ["ledger_name", "ledger_key"].map(|table| {
        let count = format!("SELECT count(*) FROM {table}");
        connection.query_row(&count, [], |row| row.get(0)).unwrap()
    })
}

/// Does all the work of a day, so many days after the first, that keeps so many days.
async fn prune(spool: &EmbeddedSpool, today: i64, keep: u32) {
    spool.tidy(FIRST + today.days(), Some(keep)).await.unwrap();
}

#[tokio::test]
async fn what_is_old_goes_and_totals_stay_for_ten_years() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let options = Options {
        spool_free: 0,
        ledger_apart: vec!["own.example".parse().unwrap()],
        ..Options::default()
    };
    let spool = EmbeddedSpool::open(path, options, Arc::new(())).await.unwrap();
    for (days, domain) in [
        (0, "old.example"),
        (0, "kept.example"),
        (0, "own.example"),
        (9, "kept.example"),
        (10, "new.example"),
    ] {
        count(&spool, days, domain).await;
    }
    // Four domains and a host; a key for each domain, one total for all and one for that which is kept apart.
    assert_eq!(rows(path), [5, 6]);
    let all = ["0  2", "0 own.example 1", "9  1", "10  1"];
    assert_eq!(totals(&spool).await, all);

    prune(&spool, 19, 10).await;
    assert_eq!(sums(&spool).await, ["kept.example 1", "new.example 1"]);
    assert_eq!(totals(&spool).await, all);
    // Of the domain that is kept apart its total is left, and so is its name.
    assert_eq!(rows(path), [4, 4]);
    // What was removed is counted anew.
    count(&spool, 19, "old.example").await;
    count(&spool, 19, "kept.example").await;
    assert_eq!(
        sums(&spool).await,
        ["kept.example 2", "new.example 1", "old.example 1"]
    );

    prune(&spool, 3653 + 9, 10).await;
    assert_eq!(sums(&spool).await, [""; 0]);
    assert_eq!(totals(&spool).await, ["9  1", "10  1", "19  2"]);
    spool.close().await.unwrap();
}

/// Whoever may send can invent names there without end, and totals are kept for ten years.
#[tokio::test]
async fn names_below_a_domain_that_is_kept_apart_have_one_total() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let options = Options {
        spool_free: 0,
        ledger_apart: vec!["own.example".parse().unwrap()],
        ..Options::default()
    };
    let spool = EmbeddedSpool::open(path, options, Arc::new(())).await.unwrap();
    for domain in [
        "a.own.example",
        "b.own.example",
        "c.b.own.example",
        "other.example",
    ] {
        count(&spool, 0, domain).await;
    }
    assert_eq!(totals(&spool).await, ["0 own.example 3", "0  1"]);
    prune(&spool, 100, 10).await;
    // What is left of them is the name of that domain, its total, and that of all others.
    assert_eq!(rows(path), [1, 2]);
    spool.close().await.unwrap();
}

/// How many packed values there are, and how many rows.
fn packed(path: &Path) -> [i64; 2] {
    let connection = Connection::open(path.join(DATABASE)).unwrap();
    ["ledger_packed", "ledger_day"].map(|table| {
        let count = format!("SELECT count(*) FROM {table}");
        connection.query_row(&count, [], |row| row.get(0)).unwrap()
    })
}

/// Sets what is counted of keys.
fn set_counters(path: &Path, columns: &str) {
    let connection = Connection::open(path.join(DATABASE)).unwrap();
    let changed = connection.execute(&format!("UPDATE counters SET {columns}"), []);
    assert_eq!(changed.unwrap(), 1);
}

/// Whoever may send can invent domains, and whoever has one can invent hosts.
#[tokio::test]
async fn what_finds_no_room_is_counted_without_domain_and_host() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let log = Arc::new(Kept::default());
    let options = Options {
        spool_free: 0,
        ..Options::default()
    };
    let events = Arc::<Kept>::clone(&log);
    let spool = EmbeddedSpool::open(path, options, events).await.unwrap();
    count(&spool, 0, "a.example").await;
    let day = day_number(FIRST);
    set_counters(
        path,
        &format!("ledger_new = {}, ledger_day = {day}", KEYS_A_DAY - 1),
    );
    for domain in ["b.example", "c.example", "d.example", "a.example"] {
        count(&spool, 0, domain).await;
    }
    let mut expected = vec![" 2", "a.example 2", "b.example 1"];
    assert_eq!(sums(&spool).await, expected);
    assert_eq!(totals(&spool).await, ["0  5"]);
    assert_eq!(log.take(), [Store::LedgerFull(LedgerBound::Day)]);
    assert!(spool.room(FIRST).await.unwrap().is_full());
    assert!(!spool.room(FIRST + 1.day()).await.unwrap().is_full());
    // The next day has room again, as long as there is any; what is removed makes some.
    count(&spool, 1, "c.example").await;
    assert_eq!(log.take(), [Store::LedgerHasRoom]);
    expected.push("c.example 1");
    assert_eq!(sums(&spool).await, expected);
    set_counters(path, &format!("ledger_keys = {KEYS}"));
    count(&spool, 2, "d.example").await;
    expected[0] = " 3";
    assert_eq!(sums(&spool).await, expected);
    assert_eq!(log.take(), [Store::LedgerFull(LedgerBound::Whole)]);
    assert!(spool.room(FIRST + 2.days()).await.unwrap().is_full());
    prune(&spool, 11, 10).await;
    count(&spool, 11, "d.example").await;
    assert_eq!(sums(&spool).await, [" 1", "c.example 1", "d.example 1"]);
    assert_eq!(log.take(), [Store::LedgerHasRoom]);
    spool.close().await.unwrap();
}

#[tokio::test]
async fn whoever_invents_names_below_a_domain_leaves_room_for_others() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let spool = open(path).await.unwrap();
    count(&spool, 0, "a.greedy.example").await;
    let connection = Connection::open(path.join(DATABASE)).unwrap();
    let held = || -> Vec<i64> {
        let mut statement = connection.prepare("SELECT keys FROM ledger_holder").unwrap();
        let held = statement.query_map([], |row| row.get(0)).unwrap();
        held.map(Result::unwrap).collect()
    };
    assert_eq!(held(), [1]);
    connection
        .execute("UPDATE ledger_holder SET keys = ?1", [KEYS_BELOW - 1])
        .unwrap();
    for domain in [
        "b.greedy.example",
        "c.greedy.example",
        "greedy.example",
        "d.example",
    ] {
        count(&spool, 0, domain).await;
    }
    let expected = [
        " 1",
        "a.greedy.example 1",
        "b.greedy.example 1",
        "greedy.example 1",
        "d.example 1",
    ];
    assert_eq!(sums(&spool).await, expected);
    // It has room again when old ones are removed.
    connection
        .execute("UPDATE ledger_holder SET keys = 2", [])
        .unwrap();
    prune(&spool, 11, 10).await;
    assert_eq!(held(), [0_i64; 0]);
    spool.close().await.unwrap();
}

#[tokio::test]
async fn a_domain_with_ever_new_hosts_leaves_room_for_others() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(directory.path()).await.unwrap();
    let recipients = vec!["a@b.example"; usize::try_from(KEYS_OF_A_DOMAIN).unwrap() + 5];
    let accepted = commit(&spool, message(&recipients), b"x").await.unwrap();
    let lease = take(&spool, &accepted.pending[0]).await;
    let settlements = (0..recipients.len()).map(|number| {
        let mut sent = settlement(u32::try_from(number).unwrap(), Status::Sent, None);
        sent.entry.key.host = Some(format!("mx{number}.b.example").parse().unwrap());
        sent
    });
    let settlements: Vec<Settlement> = settlements.collect();
    spool.settle(lease, settlements, now()).await.unwrap();
    count(&spool, 0, "c.example").await;
    let found = sums(&spool).await;
    assert_eq!(found[0], " 5");
    assert_eq!(found.last().unwrap(), "c.example 1");
    assert_eq!(found.len(), recipients.len() - 5 + 2);
    spool.close().await.unwrap();
}

#[tokio::test]
async fn days_that_are_over_are_packed_and_the_figures_stay() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let spool = open(path).await.unwrap();
    for (days, domain) in [
        (0, "a.example"),
        (0, "b.example"),
        (1, "a.example"),
        (2, "a.example"),
    ] {
        count(&spool, days, domain).await;
    }
    let all = ["a.example 3", "b.example 1"];
    assert_eq!(
        (sums(&spool).await, packed(path)),
        (all.map(str::to_owned).to_vec(), [0, 4])
    );
    for place in [Place::Begin, Place::Commit, Place::Committed] {
        spool
            .shared()
            .faults
            .order(&[(place, ErrorCode::SystemIoFailure)]);
        let pack = async |before: i64| {
            let step = Tidying::Pack(before);
            let job = |reply| Work::Tidy(Box::new(TidyJob { step, reply }));
            spool.opened.ask(job).await
        };
        pack(day_number(FIRST) + 1).await.unwrap_err();
        assert!(spool.shared().faults.are_over());
        // It was durable only if nobody knew.
        let is_packed = i64::from(place == Place::Committed);
        assert_eq!(packed(path), [is_packed, 4 - 2 * is_packed]);
        assert_eq!(sums(&spool).await, all, "{place:?}");
        // The writer has recovered once it has written again; the next fault is not for that.
        pack(day_number(FIRST)).await.unwrap();
    }
    let tidy = async |days: i64| spool.tidy(FIRST + days.days(), None).await;
    tidy(2).await.unwrap();
    assert_eq!(
        (sums(&spool).await, packed(path)),
        (all.map(str::to_owned).to_vec(), [2, 1])
    );
    let visit = |_| std::ops::ControlFlow::Continue(());
    assert_eq!(spool.sums(Date::MIN..=Date::MAX, visit).await.unwrap(), 0);

    // What comes late is counted with the rest, and packed the next time.
    count(&spool, 0, "b.example").await;
    count(&spool, 0, "c.example").await;
    let all = ["a.example 3", "b.example 2", "c.example 1"];
    assert_eq!(sums(&spool).await, all);
    tidy(3).await.unwrap();
    assert_eq!(packed(path), [4, 0]);
    assert_eq!(sums(&spool).await, all);

    // It goes when it is old.
    prune(&spool, 12, 10).await;
    assert_eq!(sums(&spool).await, ["a.example 1"]);
    assert_eq!(packed(path), [1, 0]);
    spool.close().await.unwrap();
}

/// More than one step takes at once.
#[tokio::test]
async fn a_day_with_many_rows_is_packed_in_several_values() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(directory.path()).await.unwrap();
    let recipients = vec!["a@b.example"; 2 * STEP + 1];
    let accepted = commit(&spool, message(&recipients), b"x").await.unwrap();
    let lease = take(&spool, &accepted.pending[0]).await;
    let settlements = (0..recipients.len()).map(|number| {
        let mut sent = settlement(u32::try_from(number).unwrap(), Status::Sent, None);
        sent.entry.key.domain = Some(DomainPart::parse(&format!("d{number:04}.example")).unwrap());
        sent
    });
    let settlements: Vec<Settlement> = settlements.collect();
    spool.settle(lease, settlements, now()).await.unwrap();
    let before = sums(&spool).await;
    spool.tidy(FIRST + 1.day(), None).await.unwrap();
    assert_eq!(packed(directory.path()), [3, 0]);
    assert_eq!(before.len(), recipients.len());
    assert_eq!(sums(&spool).await, before);
    spool.close().await.unwrap();
}

#[tokio::test]
async fn a_spool_of_the_version_before_is_read_as_it_is_and_packed_when_it_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let connection = Connection::open(path.join(DATABASE)).unwrap();
    for step in &MIGRATIONS[..9] {
        connection.execute_batch(step).unwrap();
    }
    connection
        .pragma_update(None, "application_id", APPLICATION_ID)
        .unwrap();
    connection.pragma_update(None, "user_version", 9).unwrap();
    let day = day_number(FIRST);
    connection
        .execute_batch(&format!(
            "INSERT INTO ledger_name VALUES (1, 'a.big.example');
            INSERT INTO ledger_key VALUES (1, 1, 0, 4, 4, 6, 1, 0, {day});
            INSERT INTO ledger_day VALUES ({day}, 1, 7, 70, 9);"
        ))
        .unwrap();
    drop(connection);
    let found = Arc::new(Mutex::new(0));
    let shown = Arc::clone(&found);
    let visit = move |tally: Tally| {
        *shown.lock() += tally.count;
        std::ops::ControlFlow::Continue(())
    };
    let look = ReadOnlySpool::open(path).unwrap();
    assert_eq!(look.sums(FIRST..=FIRST, visit).await.unwrap(), 0);
    assert_eq!(*found.lock(), 7);
    drop(look);
    let spool = open(path).await.unwrap();
    spool.tidy(FIRST + 1.day(), None).await.unwrap();
    assert_eq!(packed(path), [1, 0]);
    assert_eq!(sums(&spool).await, ["a.big.example 7"]);
    // Its share counts what was there before shares were.
    count(&spool, 20, "b.big.example").await;
    let connection = Connection::open(path.join(DATABASE)).unwrap();
    let below = || connection.query_row("SELECT keys FROM ledger_holder", [], |row| row.get::<_, i64>(0));
    assert_eq!(below().unwrap(), 2);
    drop(connection);
    spool.close().await.unwrap();
}

#[tokio::test]
async fn nothing_is_removed_before_its_time() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(directory.path()).await.unwrap();
    count(&spool, 0, "a.example").await;
    count(&spool, 1, "b.example").await;
    prune(&spool, 400, 400).await;
    assert_eq!(sums(&spool).await, ["a.example 1", "b.example 1"]);
    prune(&spool, 401, 400).await;
    assert_eq!(sums(&spool).await, ["b.example 1"]);
    spool.close().await.unwrap();
}

#[tokio::test]
async fn a_key_of_a_group_that_failed_is_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(directory.path()).await.unwrap();
    let accepted = commit(&spool, message(&["a@b.example"]), b"x").await.unwrap();
    let lease = take(&spool, &accepted.pending[0]).await;
    spool
        .shared()
        .faults
        .order(&[(Place::Commit, ErrorCode::SystemIoFailure)]);
    let sent = vec![settlement(0, Status::Sent, None)];
    assert!(spool.settle(lease, sent, now()).await.unwrap().after == After::Gone);
    assert!(spool.shared().faults.are_over());
    count(&spool, 0, "b.example").await;
    assert_eq!(sums(&spool).await, ["b.example 2"]);
    spool.close().await.unwrap();
}

#[tokio::test]
async fn the_ledger_of_version_3_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let connection = Connection::open(directory.path().join(DATABASE)).unwrap();
    for step in &MIGRATIONS[..3] {
        connection.execute_batch(step).unwrap();
    }
    connection
        .pragma_update(None, "application_id", APPLICATION_ID)
        .unwrap();
    connection.pragma_update(None, "user_version", 3).unwrap();
    let day = day_number(FIRST);
    for (day, next_hop, host, family, count) in [
        (day, "b.example", "mx.b.example", 4, 2),
        (day, "b.example", "mx.b.example", 6, 1),
        (day + 1, "b.example", "mx.b.example", 4, 3),
        (day, "[192.0.2.1]:2525", "", 4, 5),
        (day, "[192.0.2.1]", "", 4, 7),
    ] {
        connection
            .execute(
                "INSERT INTO ledger VALUES (?1, ?2, ?3, ?4, 4, 6, 1, ?5)",
                (day, next_hop, host, family, count),
            )
            .unwrap();
    }
    drop(connection);
    let spool = open(directory.path()).await.unwrap();
    let mut found = sums(&spool).await;
    found.sort();
    // A next hop with a port is no domain.
    assert_eq!(found, [" 5", "[192.0.2.1] 7", "b.example 1", "b.example 5"]);
    let mut found = totals(&spool).await;
    found.sort();
    assert_eq!(found, ["0  1", "0  14", "1  3"]);
    // What is counted now joins it.
    count(&spool, 0, "b.example").await;
    let mut found = sums(&spool).await;
    found.sort();
    assert_eq!(found, [" 5", "[192.0.2.1] 7", "b.example 2", "b.example 5"]);
    spool.close().await.unwrap();
}
