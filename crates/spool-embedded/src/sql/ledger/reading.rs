//! The ledger as reports read it.

use std::ops::{ControlFlow, RangeInclusive};

use jiff::civil::Date;
use mail::DomainPart;
use rusqlite::Connection;
use spool::Tally;

use super::columns::{ALL_DOMAINS, key};
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

/// See [`spool::Ledger::sums`]: one pass over what was counted on these days, and one over the keys, by domain.
pub(crate) fn sums(
    connection: &mut Connection,
    days: &RangeInclusive<Date>,
    mut visit: impl FnMut(Tally) -> ControlFlow<()>,
) -> Result<u64> {
    // One view of all tables; dropping it only ends the reading.
    let view = connection.transaction()?;
    let mut sums = Sums::read(&view, day_number(*days.start())..=day_number(*days.end()))?;
    let mut unreadable = sums.unreadable;
    let mut names = Names::read(&view)?;
    let mut statement = view.prepare_cached(KEYS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Some(sum) = sums.get(row.get(0)?) else {
            continue;
        };
        let found = match (names.domain(row.get(1)?), names.host(row.get(2)?)) {
            (Ok(domain), Ok(host)) => key(row, 3, domain, host).and_then(|key| sum.tally(key)),
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
    Ok(unreadable)
}
