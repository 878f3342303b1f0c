//! The ledger's table: outcomes counted by day, destination and security.

use std::ops::{ControlFlow, RangeInclusive};

use jiff::SignedDuration;
use jiff::civil::{Date, date};
use mail::{AddressFamily, DaneResult, DeliverySecurity, Domain, LedgerEntry, Status};
use rusqlite::{Connection, Row, params};
use spool::Tally;

use super::state::State;
use crate::error::Result;

const ADD: &str = "INSERT INTO ledger (day, next_hop, host, family, status, security, dane, count) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1) ON CONFLICT DO UPDATE SET count = count + 1";

const READ: &str = "SELECT day, next_hop, host, family, status, security, dane, count FROM ledger \
    WHERE day BETWEEN ?1 AND ?2 ORDER BY day, next_hop, host, family, status, security, dane";

/// The day that is counted as 0.
const FIRST_DAY: Date = date(1970, 1, 1);
const SECONDS_A_DAY: i64 = 86_400;

/// Counts one outcome, inside one of the writer's transactions.
pub(crate) fn add(connection: &Connection, entry: &LedgerEntry) -> rusqlite::Result<()> {
    connection.prepare_cached(ADD)?.execute(params![
        day(entry.day),
        entry.next_hop.to_string(),
        entry.host.as_ref().map_or("", mail::Domain::as_str),
        family(entry.family),
        State::after(entry.status),
        security(entry.security),
        dane(entry.dane),
    ])?;
    Ok(())
}

/// See [`spool::Ledger::tallies`].
pub(crate) fn read(
    connection: &Connection,
    days: &RangeInclusive<Date>,
    mut visit: impl FnMut(Tally) -> ControlFlow<()>,
) -> Result<u64> {
    let mut unreadable = 0_u64;
    let mut statement = connection.prepare_cached(READ)?;
    let mut rows = statement.query([day(*days.start()), day(*days.end())])?;
    while let Some(row) = rows.next()? {
        match tally(row) {
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

/// `None` if it is not as it was written.
fn tally(row: &Row<'_>) -> Option<Tally> {
    let text = |column| row.get_ref(column).ok()?.as_str().ok();
    let number = |column| row.get_ref(column).ok()?.as_i64().ok();
    let host = match text(2)? {
        "" => None,
        host => Some(Domain::parse(host).ok()?),
    };
    let entry = LedgerEntry {
        day: day_of(number(0)?)?,
        next_hop: text(1)?.parse().ok()?,
        host,
        family: family_of(number(3)?)?,
        status: status_of(number(4)?)?,
        security: security_of(number(5)?)?,
        dane: dane_of(number(6)?)?,
    };
    let count = u64::try_from(number(7)?).ok()?;
    Some(Tally { entry, count })
}

fn day(day: Date) -> i64 {
    day.duration_since(FIRST_DAY).as_secs() / SECONDS_A_DAY
}

fn day_of(number: i64) -> Option<Date> {
    let since = SignedDuration::from_secs(number.checked_mul(SECONDS_A_DAY)?);
    FIRST_DAY.checked_add(since).ok()
}

fn status_of(number: i64) -> Option<Status> {
    State::of(number)?.last_status()
}

fn family(family: AddressFamily) -> i64 {
    match family {
        AddressFamily::None => 0,
        AddressFamily::Ipv4 => 4,
        AddressFamily::Ipv6 => 6,
    }
}

fn family_of(number: i64) -> Option<AddressFamily> {
    match number {
        0 => Some(AddressFamily::None),
        4 => Some(AddressFamily::Ipv4),
        6 => Some(AddressFamily::Ipv6),
        _ => None,
    }
}

fn security(security: DeliverySecurity) -> i64 {
    match security {
        DeliverySecurity::None => 0,
        DeliverySecurity::Clear => 1,
        DeliverySecurity::Encrypted => 2,
        DeliverySecurity::Verified => 3,
        DeliverySecurity::MtaSts => 4,
        DeliverySecurity::DaneHostOnly => 5,
        DeliverySecurity::Dane => 6,
    }
}

fn security_of(number: i64) -> Option<DeliverySecurity> {
    match number {
        0 => Some(DeliverySecurity::None),
        1 => Some(DeliverySecurity::Clear),
        2 => Some(DeliverySecurity::Encrypted),
        3 => Some(DeliverySecurity::Verified),
        4 => Some(DeliverySecurity::MtaSts),
        5 => Some(DeliverySecurity::DaneHostOnly),
        6 => Some(DeliverySecurity::Dane),
        _ => None,
    }
}

fn dane(result: DaneResult) -> i64 {
    match result {
        DaneResult::NotReached => 0,
        DaneResult::Verify => 1,
        DaneResult::VerifyHostOnly => 2,
        DaneResult::Encrypt => 3,
        DaneResult::Skip => 4,
        DaneResult::Softfail => 5,
        DaneResult::Fail => 6,
    }
}

fn dane_of(number: i64) -> Option<DaneResult> {
    match number {
        0 => Some(DaneResult::NotReached),
        1 => Some(DaneResult::Verify),
        2 => Some(DaneResult::VerifyHostOnly),
        3 => Some(DaneResult::Encrypt),
        4 => Some(DaneResult::Skip),
        5 => Some(DaneResult::Softfail),
        6 => Some(DaneResult::Fail),
        _ => None,
    }
}
