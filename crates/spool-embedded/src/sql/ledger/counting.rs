//! What a group of settlements adds to the ledger.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

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
const USED_ON: &str = "UPDATE ledger_key SET last_day = ?2 WHERE id = ?1 AND last_day < ?2";
const COUNT: &str = "INSERT INTO ledger_day (day, key, count, octets, last) VALUES (?1, ?2, ?3, ?4, ?5) \
    ON CONFLICT DO UPDATE SET count = count + ?3, octets = octets + ?4, last = max(last, ?5)";
const COUNT_TOTAL: &str = "INSERT INTO ledger_total (day, key, count, octets, last) VALUES (?1, ?2, ?3, ?4, ?5) \
    ON CONFLICT DO UPDATE SET count = count + ?3, octets = octets + ?4, last = max(last, ?5)";

/// How many keys are remembered; when there are more, all are looked up again.
const REMEMBERED: usize = 8192;

/// The numbers of the keys used last.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    /// The domains that keep totals of their own, with those below them.
    apart: Arc<[Domain]>,
    known: HashMap<LedgerKey, Known>,
}

/// The numbers of a key and of the total that it is a part of.
#[derive(Debug, Clone, Copy)]
struct Known {
    id: i64,
    total: i64,
    last_day: i64,
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
        let known = HashMap::new();
        Self { apart, known }
    }

    /// After a group was not written, or keys were removed: what is remembered may not be there.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
    }

    fn find(&mut self, connection: &Connection, key: &LedgerKey, day: i64) -> rusqlite::Result<Known> {
        if let Some(known) = self.known.get_mut(key) {
            if known.last_day < day {
                use_on(connection, known.id, day)?;
                known.last_day = day;
            }
            return Ok(*known);
        }
        let domain = match &key.domain {
            Some(domain) => name(connection, &domain.to_string())?,
            None => ALL_DOMAINS,
        };
        let host = match &key.host {
            Some(host) => name(connection, host.as_str())?,
            None => NO_HOST,
        };
        // Not the domain itself: strangers choose what is below one that is kept apart, and totals are kept for long.
        let total_domain = match self.apart(key.domain.as_ref()).cloned() {
            Some(apart) => name(connection, apart.as_str())?,
            None => ALL_DOMAINS,
        };
        let known = Known {
            id: find_key(connection, (domain, host), key, day)?,
            total: find_key(connection, (total_domain, ALL_HOSTS), key, day)?,
            last_day: day,
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

/// The number of a name.
fn name(connection: &Connection, text: &str) -> rusqlite::Result<i64> {
    let found = connection
        .prepare_cached(FIND_NAME)?
        .query_row([text], |row| row.get(0))
        .optional()?;
    if let Some(id) = found {
        return Ok(id);
    }
    connection.prepare_cached(ADD_NAME)?.execute([text])?;
    Ok(connection.last_insert_rowid())
}

/// The number of a key with this domain and host, used on this day.
fn find_key(
    connection: &Connection,
    (domain, host): (i64, i64),
    key: &LedgerKey,
    day: i64,
) -> rusqlite::Result<i64> {
    let [family, status, security, dane, cause] = numbers(key);
    let found: Option<(i64, i64)> = connection
        .prepare_cached(FIND_KEY)?
        .query_row([domain, host, family, status, security, dane, cause], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    if let Some((id, last_day)) = found {
        if last_day < day {
            use_on(connection, id, day)?;
        }
        return Ok(id);
    }
    connection
        .prepare_cached(ADD_KEY)?
        .execute(params![domain, host, family, status, security, dane, cause, day])?;
    Ok(connection.last_insert_rowid())
}
