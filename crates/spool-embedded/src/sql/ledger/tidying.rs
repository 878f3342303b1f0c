//! What is old goes and what is over is packed, in small steps inside the writer's transactions.

use mail::DomainPart;
use rusqlite::{Connection, OptionalExtension};

use super::columns::ALL_HOSTS;
use super::counting::holder;
use super::packed;
use crate::sql::tls;

const OLDEST_DAY: &str = "SELECT min(day) FROM ledger_day";
const REMOVE_DAY: &str = "DELETE FROM ledger_day WHERE day = ?1 AND key <= (SELECT max(key) FROM \
    (SELECT key FROM ledger_day WHERE day = ?1 ORDER BY key LIMIT ?2))";
const REMOVE_PACKED: &str = "DELETE FROM ledger_packed WHERE rowid IN \
    (SELECT rowid FROM ledger_packed WHERE day < ?1 ORDER BY day LIMIT ?2)";
const OLDEST_TOTAL: &str = "SELECT min(day) FROM ledger_total";
const REMOVE_TOTALS: &str = "DELETE FROM ledger_total WHERE day = ?1";
// The keys of totals are few, and stay.
const UNUSED_KEYS: &str = "SELECT id FROM ledger_key WHERE last_day < ?1 AND host <> ?2";
const UNUSED_KEY: &str =
    "DELETE FROM ledger_key WHERE id = ?1 AND last_day < ?2 AND host <> ?3 RETURNING domain, host";
const COUNT_REMOVED: &str = "UPDATE counters SET ledger_keys = max(0, ledger_keys - ?1)";
const NAME: &str = "SELECT name FROM ledger_name WHERE id = ?1";
const REMOVE_BELOW: &str = "UPDATE ledger_holder SET keys = keys - 1 WHERE name = ?1";
const NONE_BELOW: &str = "DELETE FROM ledger_holder WHERE name = ?1 AND keys <= 0";
const UNUSED_NAME: &str = "DELETE FROM ledger_name WHERE id = ?1 \
    AND NOT EXISTS (SELECT 1 FROM ledger_key WHERE domain = ?1) AND NOT EXISTS (SELECT 1 FROM ledger_key WHERE host = ?1)";

/// Rows that one step removes at most: a millisecond or two.
pub(crate) const STEP: usize = 500;
/// Packed values that one step removes at most; each is a page or two.
const PACKED_STEP: i64 = 50;

/// A step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tidying {
    /// Remove rows of days before this one, the oldest first.
    Days(i64),
    /// Pack rows of days before this one, the oldest first.
    Pack(i64),
    /// Remove totals of one day before this one.
    Totals(i64),
    /// Remove TLS results of days before this one, the oldest first.
    Tls(i64),
    /// Remove those of these keys that were not used on this day or later, and names that no key has any more.
    Keys(Vec<i64>, i64),
}

/// Does one step, inside the writer's transaction; returns how many rows it has removed or packed, names not counted.
pub(crate) fn tidy(connection: &Connection, step: &Tidying) -> rusqlite::Result<usize> {
    let limit = i64::try_from(STEP).unwrap_or(i64::MAX);
    match step {
        Tidying::Days(before) => match oldest(connection, OLDEST_DAY, *before)? {
            Some(day) => connection.prepare_cached(REMOVE_DAY)?.execute([day, limit]),
            None => connection
                .prepare_cached(REMOVE_PACKED)?
                .execute([*before, PACKED_STEP]),
        },
        Tidying::Pack(before) => match oldest(connection, OLDEST_DAY, *before)? {
            Some(day) => packed::pack(connection, day, limit),
            None => Ok(0),
        },
        Tidying::Totals(before) => match oldest(connection, OLDEST_TOTAL, *before)? {
            Some(day) => connection.prepare_cached(REMOVE_TOTALS)?.execute([day]),
            None => Ok(0),
        },
        Tidying::Tls(before) => tls::tidying::tidy(connection, *before, STEP),
        Tidying::Keys(keys, before) => {
            let mut removed = 0_usize;
            for key in keys {
                removed = removed.saturating_add(usize::from(remove_key(connection, *key, *before)?));
            }
            let count = i64::try_from(removed).unwrap_or(i64::MAX);
            connection.prepare_cached(COUNT_REMOVED)?.execute([count])?;
            Ok(removed)
        }
    }
}

/// The keys that were not used since this day; they are found beside the writer, and checked again when they are removed.
pub(crate) fn unused(connection: &Connection, before: i64) -> rusqlite::Result<Vec<i64>> {
    let mut statement = connection.prepare(UNUSED_KEYS)?;
    let ids = statement.query_map([before, ALL_HOSTS], |row| row.get(0))?;
    ids.collect()
}

fn oldest(connection: &Connection, statement: &str, before: i64) -> rusqlite::Result<Option<i64>> {
    let oldest: Option<i64> = connection
        .prepare_cached(statement)?
        .query_row([], |row| row.get(0))?;
    Ok(oldest.filter(|day| *day < before))
}

fn remove_key(connection: &Connection, key: i64, before: i64) -> rusqlite::Result<bool> {
    let names: Option<[i64; 2]> = connection
        .prepare_cached(UNUSED_KEY)?
        .query_row([key, before, ALL_HOSTS], |row| Ok([row.get(0)?, row.get(1)?]))
        .optional()?;
    let Some(names) = names else {
        return Ok(false);
    };
    let [domain, _] = names;
    let domain: Option<String> = connection
        .prepare_cached(NAME)?
        .query_row([domain], |row| row.get(0))
        .optional()?;
    let domain = domain.and_then(|name| DomainPart::parse(&name).ok());
    if let Some(holder) = domain.as_ref().and_then(holder) {
        for statement in [REMOVE_BELOW, NONE_BELOW] {
            connection.prepare_cached(statement)?.execute([holder])?;
        }
    }
    for name in names {
        connection.prepare_cached(UNUSED_NAME)?.execute([name])?;
    }
    Ok(true)
}
