//! What a group of settlements adds to the ledger.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use mail::event::store::{LedgerBound, Store};
use mail::registrable;
use mail::{Domain, DomainPart, LedgerEntry, LedgerKey};
use rusqlite::{Connection, OptionalExtension, params};

use super::columns::{ALL_DOMAINS, ALL_HOSTS, NO_HOST, numbers};
use super::{SECONDS_A_DAY, day_of};

const FIND_NAME: &str = "SELECT id FROM ledger_name WHERE name = ?1";
const ADD_NAME: &str = "INSERT INTO ledger_name (name) VALUES (?1)";
const FIND_KEY: &str = "SELECT id, last_day FROM ledger_key WHERE domain = ?1 AND host = ?2 AND family = ?3 \
    AND status = ?4 AND security = ?5 AND dane = ?6 AND cause = ?7";
const ADD_KEY: &str = "INSERT INTO ledger_key (domain, host, family, status, security, dane, cause, last_day) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const OF_DOMAIN: &str = "SELECT count(*) FROM (SELECT 1 FROM ledger_key WHERE domain = ?1 LIMIT ?2)";
const ADDED: &str = "SELECT ledger_keys, iif(ledger_day = ?1, ledger_new, 0) FROM counters";
const ADD_TO_COUNT: &str = "UPDATE counters SET ledger_keys = ledger_keys + 1, \
    ledger_new = iif(ledger_day = ?1, ledger_new + 1, 1), ledger_day = ?1";
const BELOW: &str = "SELECT keys FROM ledger_holder WHERE name = ?1";
const ADD_BELOW: &str = "INSERT INTO ledger_holder (name, keys) VALUES (?1, 1) \
    ON CONFLICT DO UPDATE SET keys = keys + 1";
const OF_NAMES: &str = "SELECT name, count(*) FROM ledger_key JOIN ledger_name n ON n.id = domain \
    WHERE host <> ?1 GROUP BY domain";
const SET_BELOW: &str = "INSERT INTO ledger_holder (name, keys) VALUES (?1, ?2)";
const USED_ON: &str = "UPDATE ledger_key SET last_day = ?2 WHERE id = ?1 AND last_day < ?2";
const COUNT: &str = "INSERT INTO ledger_day (day, key, count, octets, last) VALUES (?1, ?2, ?3, ?4, ?5) \
    ON CONFLICT DO UPDATE SET count = count + ?3, octets = octets + ?4, last = max(last, ?5)";
const COUNT_TOTAL: &str = "INSERT INTO ledger_total (day, key, count, octets, last) VALUES (?1, ?2, ?3, ?4, ?5) \
    ON CONFLICT DO UPDATE SET count = count + ?3, octets = octets + ?4, last = max(last, ?5)";

/// The most keys that are added on one day: more than a large site needs if it writes to all its domains at once.
pub(crate) const KEYS_A_DAY: i64 = 1_000_000;
/// The most keys that are kept.
pub(crate) const KEYS: i64 = 4_000_000;
/// The most keys of one domain: whoever has it chooses its hosts.
pub(crate) const KEYS_OF_A_DOMAIN: i64 = 1_000;
/// The most keys of names below one registrable domain: whoever has it can invent them.
pub(crate) const KEYS_BELOW: i64 = KEYS / 8;

/// How many keys are remembered; when there are more, all are looked up again.
const REMEMBERED: usize = 8192;

/// The numbers of the keys used last.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    /// The domains that keep totals of their own, with those below them.
    apart: Arc<[Domain]>,
    known: HashMap<LedgerKey, Known>,
    /// On which day there was no room, as the log was told last.
    full: Option<i64>,
    /// What the log is to be told.
    news: Option<Store>,
}

/// The key of an outcome by its domain and host.
enum Details {
    /// It was there.
    Known(i64),
    /// It is new.
    Added(i64),
    /// It is new, and there is no room for it.
    NoRoom(Bound),
}

/// Which bound is reached.
enum Bound {
    /// One of the whole ledger.
    Ledger(LedgerBound),
    /// The share of one domain, or of the names below one.
    Share,
}

/// The numbers of a key and of the total that it is a part of.
#[derive(Debug, Clone, Copy)]
struct Known {
    id: i64,
    total: i64,
    /// The day on which they were looked up.
    day: i64,
}

/// What a group counts, before it is written: each row once.
#[derive(Debug)]
pub(crate) struct Counting<'a> {
    keys: &'a mut Keys,
    days: BTreeMap<(i64, i64), Sum>,
    totals: BTreeMap<(i64, i64), Sum>,
}

#[derive(Debug, Default)]
struct Sum {
    count: i64,
    octets: i64,
    last: i64,
}

impl Keys {
    /// With totals of their own for these domains and all below them.
    pub(crate) fn new(apart: Arc<[Domain]>) -> Self {
        Self {
            apart,
            ..Self::default()
        }
    }

    /// What the log is to be told now, if anything.
    pub(crate) fn news(&mut self) -> Option<Store> {
        self.news.take()
    }

    /// There was no room on this day. That is told once a day at most.
    fn note_full(&mut self, bound: LedgerBound, day: i64) {
        if self.full.is_none() {
            self.news = Some(Store::LedgerFull(bound));
        }
        self.full = Some(day);
    }

    /// There was room on this day. On the same day it may have been made by what was just removed.
    fn note_room(&mut self, day: i64) {
        if self.full.is_some_and(|full| full < day) {
            self.full = None;
            self.news = Some(Store::LedgerHasRoom);
        }
    }

    /// After a group was not written, or keys were removed: what is remembered may not be there.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
    }

    fn find(&mut self, connection: &Connection, key: &LedgerKey, day: i64) -> rusqlite::Result<Known> {
        // What is remembered from another day is looked up again: on this one there may be room for it.
        if let Some(known) = self.known.get(key).filter(|known| known.day == day) {
            return Ok(*known);
        }
        let id = match find_details(connection, key, day)? {
            Details::Known(id) => id,
            Details::Added(id) => {
                self.note_room(day);
                id
            }
            Details::NoRoom(bound) => {
                if let Bound::Ledger(bound) = bound {
                    self.note_full(bound, day);
                }
                // The same outcomes of all others together.
                find_or_add(connection, (ALL_DOMAINS, NO_HOST), key, day)?
            }
        };
        // Not the domain itself: strangers choose what is below one that is kept apart, and totals are kept for long.
        let total_domain = match self.apart(key.domain.as_ref()).cloned() {
            Some(apart) => name(connection, apart.as_str())?,
            None => ALL_DOMAINS,
        };
        let known = Known {
            id,
            total: find_or_add(connection, (total_domain, ALL_HOSTS), key, day)?,
            day,
        };
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        self.known.insert(key.clone(), known);
        Ok(known)
    }

    /// Under which of the domains that are kept apart this one counts.
    fn apart(&self, domain: Option<&DomainPart>) -> Option<&Domain> {
        match domain {
            Some(DomainPart::Name(domain)) => self.apart.iter().find(|apart| domain.is_within(apart)),
            Some(DomainPart::Literal(_)) | None => None,
        }
    }
}

impl<'a> Counting<'a> {
    /// Nothing yet.
    pub(crate) fn new(keys: &'a mut Keys) -> Self {
        Self {
            keys,
            days: BTreeMap::new(),
            totals: BTreeMap::new(),
        }
    }

    /// Counts one outcome.
    pub(crate) fn add(&mut self, connection: &Connection, entry: &LedgerEntry) -> rusqlite::Result<()> {
        let day = day_of(entry.at);
        let known = self.keys.find(connection, &entry.key, day)?;
        let second = entry.at.as_second().rem_euclid(SECONDS_A_DAY);
        let octets = i64::try_from(entry.octets).unwrap_or(i64::MAX);
        self.days.entry((day, known.id)).or_default().add(octets, second);
        self.totals
            .entry((day, known.total))
            .or_default()
            .add(octets, second);
        Ok(())
    }

    /// Keys are about to be removed: those of this group must be looked up again.
    pub(crate) fn forget(&mut self) {
        self.keys.forget();
    }

    /// Writes what was counted, inside the group's transaction.
    pub(crate) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        for (statement, sums) in [(COUNT, &self.days), (COUNT_TOTAL, &self.totals)] {
            for ((day, key), sum) in sums {
                connection
                    .prepare_cached(statement)?
                    .execute([*day, *key, sum.count, sum.octets, sum.last])?;
            }
        }
        Ok(())
    }
}

impl Sum {
    fn add(&mut self, octets: i64, second: i64) {
        self.count = self.count.saturating_add(1);
        self.octets = self.octets.saturating_add(octets);
        self.last = self.last.max(second);
    }
}

fn use_on(connection: &Connection, key: i64, day: i64) -> rusqlite::Result<()> {
    connection.prepare_cached(USED_ON)?.execute([key, day])?;
    Ok(())
}

/// The number of a name, if it is stored.
fn find_name(connection: &Connection, text: &str) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached(FIND_NAME)?;
    statement.query_row([text], |row| row.get(0)).optional()
}

/// The number of a name.
fn name(connection: &Connection, text: &str) -> rusqlite::Result<i64> {
    if let Some(id) = find_name(connection, text)? {
        return Ok(id);
    }
    connection.prepare_cached(ADD_NAME)?.execute([text])?;
    Ok(connection.last_insert_rowid())
}

/// The number of a key by its domain and host, used on this day.
fn find_details(connection: &Connection, key: &LedgerKey, day: i64) -> rusqlite::Result<Details> {
    let domain = key.domain.as_ref().map(ToString::to_string);
    let host = key.host.as_ref().map(Domain::as_str);
    let number = |text: Option<&str>, without: i64| match text {
        Some(text) => find_name(connection, text),
        None => Ok(Some(without)),
    };
    let known = (number(domain.as_deref(), ALL_DOMAINS)?, number(host, NO_HOST)?);
    if let (Some(domain), Some(host)) = known
        && let Some(id) = find_key(connection, (domain, host), key, day)?
    {
        return Ok(Details::Known(id));
    }
    let holder = key.domain.as_ref().and_then(holder);
    if let Some(bound) = full(connection, (known.0, holder), day)? {
        return Ok(Details::NoRoom(bound));
    }
    if let Some(holder) = holder {
        connection.prepare_cached(ADD_BELOW)?.execute([holder])?;
    }
    let number = |known: Option<i64>, text: Option<&str>| match known {
        Some(number) => Ok(number),
        None => name(connection, text.unwrap_or_default()),
    };
    let names = (number(known.0, domain.as_deref())?, number(known.1, host)?);
    add_key(connection, names, key, day).map(Details::Added)
}

/// The registrable domain that a name is below, if it is.
pub(super) fn holder(domain: &DomainPart) -> Option<&str> {
    match domain {
        DomainPart::Name(name) => Some(registrable::part(name)).filter(|part| *part != name.as_str()),
        DomainPart::Literal(_) => None,
    }
}

/// Counts the keys that there are below each registrable domain.
pub(crate) fn count_below(connection: &Connection) -> rusqlite::Result<()> {
    let mut below: BTreeMap<String, i64> = BTreeMap::new();
    let mut statement = connection.prepare(OF_NAMES)?;
    let mut rows = statement.query([ALL_HOSTS])?;
    while let Some(row) = rows.next()? {
        let domain = row
            .get_ref(0)?
            .as_str()
            .ok()
            .and_then(|name| DomainPart::parse(name).ok());
        if let Some(holder) = domain.as_ref().and_then(holder) {
            let keys: i64 = row.get(1)?;
            *below.entry(holder.to_owned()).or_default() += keys;
        }
    }
    for (holder, keys) in below {
        connection
            .prepare_cached(SET_BELOW)?
            .execute(params![holder, keys])?;
    }
    Ok(())
}

/// How many keys there are, and how many of them were added on this day.
pub(super) fn added(connection: &Connection, day: i64) -> rusqlite::Result<[i64; 2]> {
    connection
        .prepare_cached(ADDED)?
        .query_row([day], |row| Ok([row.get(0)?, row.get(1)?]))
}

/// Why no other key may be added on this day, if so: of this domain if it is known, below this registrable domain.
fn full(
    connection: &Connection,
    (domain, holder): (Option<i64>, Option<&str>),
    day: i64,
) -> rusqlite::Result<Option<Bound>> {
    let [all, of_day] = added(connection, day)?;
    if all >= KEYS {
        return Ok(Some(Bound::Ledger(LedgerBound::Whole)));
    }
    // Further outcomes of a domain that is known do not count against a day.
    if domain.is_none() && of_day >= KEYS_A_DAY {
        return Ok(Some(Bound::Ledger(LedgerBound::Day)));
    }
    let of_domain = match domain {
        Some(domain) => connection
            .prepare_cached(OF_DOMAIN)?
            .query_row([domain, KEYS_OF_A_DOMAIN], |row| row.get(0))?,
        None => 0,
    };
    let mut statement = connection.prepare_cached(BELOW)?;
    let below = match holder {
        Some(holder) => statement.query_row([holder], |row| row.get(0)).optional()?,
        None => None,
    };
    let has_room = of_domain < KEYS_OF_A_DOMAIN && below.is_none_or(|below: i64| below < KEYS_BELOW);
    Ok((!has_room).then_some(Bound::Share))
}

/// The number of a key with these names, used on this day; there are few of this kind.
fn find_or_add(
    connection: &Connection,
    names: (i64, i64),
    key: &LedgerKey,
    day: i64,
) -> rusqlite::Result<i64> {
    match find_key(connection, names, key, day)? {
        Some(id) => Ok(id),
        None => add_key(connection, names, key, day),
    }
}

/// The number of a key with this domain and host, if it is stored; it is used on this day.
fn find_key(
    connection: &Connection,
    (domain, host): (i64, i64),
    key: &LedgerKey,
    day: i64,
) -> rusqlite::Result<Option<i64>> {
    let [family, status, security, dane, cause] = numbers(key);
    let found: Option<(i64, i64)> = connection
        .prepare_cached(FIND_KEY)?
        .query_row([domain, host, family, status, security, dane, cause], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((id, last_day)) = found else {
        return Ok(None);
    };
    if last_day < day {
        use_on(connection, id, day)?;
    }
    Ok(Some(id))
}

fn add_key(
    connection: &Connection,
    (domain, host): (i64, i64),
    key: &LedgerKey,
    day: i64,
) -> rusqlite::Result<i64> {
    let [family, status, security, dane, cause] = numbers(key);
    connection
        .prepare_cached(ADD_KEY)?
        .execute(params![domain, host, family, status, security, dane, cause, day])?;
    let id = connection.last_insert_rowid();
    if host != ALL_HOSTS {
        connection.prepare_cached(ADD_TO_COUNT)?.execute([day])?;
    }
    Ok(id)
}
