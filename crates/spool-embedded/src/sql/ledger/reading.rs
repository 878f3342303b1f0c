//! The ledger as reports read it.

use std::collections::HashMap;
use std::ops::{ControlFlow, RangeInclusive};

use jiff::civil::Date;
use mail::{Domain, DomainPart, LedgerKey};
use rusqlite::{Connection, OptionalExtension, Statement};
use spool::Tally;

use super::columns::{ALL_DOMAINS, ALL_HOSTS, NO_HOST, key};
use super::{SECONDS_A_DAY, date, day_number, time};
use crate::error::Result;

const TOTALS: &str = "SELECT t.day, t.count, t.octets, t.last, d.name, k.domain, k.family, k.status, k.security, k.dane, \
    k.cause FROM ledger_total t JOIN ledger_key k ON k.id = t.key LEFT JOIN ledger_name d ON d.id = k.domain \
    WHERE t.day BETWEEN ?1 AND ?2 ORDER BY t.day, t.key";
const ROWS: &str = "SELECT day, key, count, octets, last FROM ledger_day WHERE day BETWEEN ?1 AND ?2";
// All columns are in the index of this order.
const KEYS: &str = "SELECT id, domain, host, family, status, security, dane, cause FROM ledger_key \
    ORDER BY domain, host, family, status, security, dane, cause";
const NAMES: &str = "SELECT id, name FROM ledger_name ORDER BY id";
const NAME: &str = "SELECT name FROM ledger_name WHERE id = ?1";

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
            Ok(_) | Err(_) => row.get_ref(4)?.as_str().ok().and_then(parsed).map(Some),
        };
        let sum = Sum {
            count: row.get(1)?,
            octets: row.get(2)?,
            last: row
                .get::<_, i64>(0)?
                .saturating_mul(SECONDS_A_DAY)
                .saturating_add(row.get(3)?),
        };
        let found = domain.and_then(|domain| sum.tally(key(row, 6, domain, None)?));
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

/// See [`spool::Ledger::sums`]: one pass over the days' rows, and one over the keys with their names, in the order of the
/// numbers of domains.
pub(crate) fn sums(
    connection: &mut Connection,
    days: &RangeInclusive<Date>,
    mut visit: impl FnMut(Tally) -> ControlFlow<()>,
) -> Result<u64> {
    // One view of all tables; dropping it only ends the reading.
    let view = connection.transaction()?;
    let sums = summed(&view, days)?;
    let mut unreadable = 0_u64;
    let mut domains = Domains::prepare(&view)?;
    let mut domains = domains.walk()?;
    let mut hosts = Hosts::default();
    let mut statement = view.prepare_cached(KEYS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Some(sum) = sums.get(row.get(0)?) else {
            continue;
        };
        let domain = match row.get(1)? {
            // Counted by a version that knew no domains.
            ALL_DOMAINS => Some(None),
            number => domains.find(number)?.map(Some),
        };
        let host = hosts.find(&view, row.get(2)?)?.map(|Counted(host)| host);
        let found = domain.zip(host);
        let found = found.and_then(|(domain, host)| sum.tally(key(row, 3, domain, host)?));
        match found {
            Some(tally) => {
                if visit(tally).is_break() {
                    break;
                }
            }
            None => unreadable = unreadable.saturating_add(1),
        }
    }
    Ok(unreadable)
}

/// What was counted under one key.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    count: i64,
    octets: i64,
    /// Seconds since 1970.
    last: i64,
}

impl Sum {
    fn tally(&self, key: LedgerKey) -> Option<Tally> {
        Some(Tally {
            key,
            count: u64::try_from(self.count).ok()?,
            octets: u64::try_from(self.octets).ok()?,
            last: time(0, self.last)?,
        })
    }
}

/// Sums by the numbers of their keys, in pieces: those of old keys may be far from those of new ones.
#[derive(Debug, Default)]
struct Sums(HashMap<i64, Box<[Sum; PIECE]>>);

const PIECE: usize = 512;

impl Sums {
    fn place(key: i64) -> (i64, usize) {
        let size = i64::try_from(PIECE).unwrap_or(i64::MAX);
        let within = usize::try_from(key.rem_euclid(size)).unwrap_or(0);
        (key.div_euclid(size), within)
    }

    fn get(&self, key: i64) -> Option<&Sum> {
        let (piece, within) = Self::place(key);
        let sum = self.0.get(&piece)?.get(within)?;
        (sum.count != 0).then_some(sum)
    }
}

fn summed(view: &Connection, days: &RangeInclusive<Date>) -> Result<Sums> {
    let mut sums = Sums::default();
    let mut statement = view.prepare_cached(ROWS)?;
    let mut rows = statement.query([day_number(*days.start()), day_number(*days.end())])?;
    while let Some(row) = rows.next()? {
        let (piece, within) = Sums::place(row.get(1)?);
        let piece = sums
            .0
            .entry(piece)
            .or_insert_with(|| Box::new([Sum::default(); PIECE]));
        let Some(sum) = piece.get_mut(within) else {
            continue;
        };
        let start = row.get::<_, i64>(0)?.saturating_mul(SECONDS_A_DAY);
        sum.count = sum.count.saturating_add(row.get(2)?);
        sum.octets = sum.octets.saturating_add(row.get(3)?);
        sum.last = sum.last.max(start.saturating_add(row.get(4)?));
    }
    Ok(sums)
}

fn parsed(name: &str) -> Option<DomainPart> {
    DomainPart::parse(name).ok()
}

/// The names in the order of their numbers, which is quicker than to look up each.
struct Domains<'a>(rusqlite::CachedStatement<'a>);

struct Walk<'s> {
    rows: rusqlite::Rows<'s>,
    /// The number reached, and its name.
    at: i64,
    name: Option<DomainPart>,
}

impl<'a> Domains<'a> {
    fn prepare(view: &'a Connection) -> Result<Self> {
        Ok(Self(view.prepare_cached(NAMES)?))
    }

    fn walk(&mut self) -> Result<Walk<'_>> {
        let statement: &mut Statement<'_> = &mut self.0;
        let rows = statement.query([])?;
        Ok(Walk {
            rows,
            at: i64::MIN,
            name: None,
        })
    }
}

impl Walk<'_> {
    /// The domain of this number, which is not smaller than the one before; `None` if it is not there or no domain.
    fn find(&mut self, number: i64) -> Result<Option<DomainPart>> {
        while self.at < number {
            let Some(row) = self.rows.next()? else {
                self.at = i64::MAX;
                self.name = None;
                break;
            };
            self.at = row.get(0)?;
            if self.at >= number {
                self.name = row.get_ref(1)?.as_str().ok().and_then(parsed);
            }
        }
        Ok(self.name.clone().filter(|_| self.at == number))
    }
}

/// The names of hosts: few, each for many domains.
#[derive(Default)]
struct Hosts(HashMap<i64, Option<Domain>>);

/// The host under which something was counted; none where no host was reached.
struct Counted(Option<Domain>);

impl Hosts {
    /// `None` if the name is not there or no host name.
    fn find(&mut self, view: &Connection, number: i64) -> Result<Option<Counted>> {
        if number == NO_HOST {
            return Ok(Some(Counted(None)));
        }
        if number == ALL_HOSTS {
            return Ok(None);
        }
        if let Some(known) = self.0.get(&number) {
            return Ok(known.clone().map(|host| Counted(Some(host))));
        }
        let name = view.prepare_cached(NAME)?.query_row([number], |row| {
            let name = row.get_ref(0)?.as_str().ok();
            Ok(name.and_then(|name| Domain::parse(name).ok()))
        });
        let host = name.optional()?.flatten();
        self.0.insert(number, host.clone());
        Ok(host.map(|host| Counted(Some(host))))
    }
}
