//! The ledger as reports read it.

use std::ops::{ControlFlow, RangeInclusive};
use std::panic::resume_unwind;
use std::sync::mpsc;
use std::thread;

use jiff::civil::Date;
use mail::DomainPart;
use rusqlite::Connection;
use spool::{LedgerRoom, Tally};

use super::columns::{ALL_DOMAINS, key};
use super::counting;
use super::names::Names;
use super::sums::{Sum, Sums};
use super::{SECONDS_A_DAY, date, day_number};
use crate::error::Result;

const TOTALS: &str = "SELECT t.day, t.count, t.octets, t.last, d.name, k.domain, k.family, k.status, k.security, k.dane, \
    k.cause FROM ledger_total t JOIN ledger_key k ON k.id = t.key LEFT JOIN ledger_name d ON d.id = k.domain \
    WHERE t.day BETWEEN ?1 AND ?2 ORDER BY t.day, t.key";
// All columns are in the index of this order.
const KEYS: &str = "SELECT id, domain, host, family, status, security, dane, cause FROM ledger_key \
    ORDER BY domain, host, family, status, security, dane, cause";

/// See [`spool::Ledger::room`].
pub(crate) fn room(connection: &Connection, day: Date) -> Result<LedgerRoom> {
    let [outcomes, new] = counting::added(connection, day_number(day))?;
    Ok(LedgerRoom {
        outcomes: u64::try_from(outcomes).unwrap_or(0),
        most: counting::KEYS.unsigned_abs(),
        new: u64::try_from(new).unwrap_or(0),
        most_new: counting::KEYS_A_DAY.unsigned_abs(),
    })
}

/// See [`spool::Ledger::totals`].
pub(crate) fn totals(
    connection: &Connection,
    days: &RangeInclusive<Date>,
    mut visit: impl FnMut(Date, Tally) -> ControlFlow<()>,
) -> Result<u64> {
    let mut unreadable = 0_u64;
    let mut statement = connection.prepare_cached(TOTALS)?;
    let mut rows = statement.query([day_number(*days.start()), day_number(*days.end())])?;
    while let Some(row) = rows.next()? {
        let domain = match row.get_ref(5)?.as_i64() {
            Ok(ALL_DOMAINS) => Some(None),
            Ok(_) | Err(_) => row
                .get_ref(4)?
                .as_str()
                .ok()
                .and_then(|name| DomainPart::parse(name).ok())
                .map(Some),
        };
        let sum = Sum {
            count: row.get(1)?,
            octets: row.get(2)?,
            last: row
                .get::<_, i64>(0)?
                .saturating_mul(SECONDS_A_DAY)
                .saturating_add(row.get(3)?),
        };
        let outcome = [row.get(6)?, row.get(7)?, row.get(8)?, row.get(9)?, row.get(10)?];
        let found = domain.and_then(|domain| sum.tally(key(outcome, domain, None)?));
        match date(row.get(0)?).zip(found) {
            Some((day, tally)) => {
                if visit(day, tally).is_break() {
                    break;
                }
            }
            None => unreadable = unreadable.saturating_add(1),
        }
    }
    Ok(unreadable)
}

/// See [`spool::Ledger::sums`]: one pass over what was counted on these days, and one over the keys, by domain.
///
/// While the database is read here, a second thread makes tallies of what was read, and shows them: each takes about half of
/// the time.
pub(crate) fn sums(
    connection: &mut Connection,
    days: &RangeInclusive<Date>,
    visit: impl FnMut(Tally) -> ControlFlow<()> + Send,
) -> Result<u64> {
    // One view of all tables; dropping it only ends the reading.
    let view = connection.transaction()?;
    let mut sums = Sums::read(&view, day_number(*days.start())..=day_number(*days.end()))?;
    let names = Names::read(&view)?;
    let (batches, coming) = mpsc::sync_channel(AHEAD);
    let unreadable: Result<u64> = thread::scope(|scope| {
        let second = thread::Builder::new().name("spool-ledger".into());
        let second = second.spawn_scoped(scope, || show(coming, names, visit))?;
        read_keys(&view, &mut sums, &batches)?;
        drop(batches);
        Ok(second.join().unwrap_or_else(|panic| resume_unwind(panic)))
    });
    Ok(sums.unreadable.saturating_add(unreadable?))
}

/// A key and its sum, as they were read.
#[derive(Debug)]
struct Counted {
    sum: Sum,
    domain: i64,
    host: i64,
    outcome: [i64; 5],
}

/// Keys handed over at a time, and how often this is done before anything is shown.
const BATCH: usize = 1024;
const AHEAD: usize = 4;

/// Hands over the keys under which something was counted, until nobody wants more.
fn read_keys(view: &Connection, sums: &mut Sums, batches: &mpsc::SyncSender<Vec<Counted>>) -> Result<()> {
    let mut batch = Vec::with_capacity(BATCH);
    let mut statement = view.prepare_cached(KEYS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Some(sum) = sums.get(row.get(0)?) else {
            continue;
        };
        batch.push(Counted {
            sum,
            domain: row.get(1)?,
            host: row.get(2)?,
            outcome: [row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?],
        });
        if batch.len() == BATCH {
            let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
            if batches.send(full).is_err() {
                return Ok(());
            }
        }
    }
    let _ = batches.send(batch);
    Ok(())
}

/// Shows a tally of each key; returns how many keys are not as they were written.
fn show(
    batches: mpsc::Receiver<Vec<Counted>>,
    mut names: Names,
    mut visit: impl FnMut(Tally) -> ControlFlow<()>,
) -> u64 {
    let mut unreadable = 0_u64;
    for counted in batches.into_iter().flatten() {
        let found = match (names.domain(counted.domain), names.host(counted.host)) {
            (Ok(domain), Ok(host)) => {
                key(counted.outcome, domain, host).and_then(|key| counted.sum.tally(key))
            }
            (Err(_), _) | (_, Err(_)) => None,
        };
        match found {
            Some(tally) => {
                if visit(tally).is_break() {
                    break;
                }
            }
            None => unreadable = unreadable.saturating_add(1),
        }
    }
    unreadable
}
