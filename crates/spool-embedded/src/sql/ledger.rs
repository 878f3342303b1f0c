//! The ledger's table: outcomes counted by day, destination and how they were secured.

use jiff::civil::{Date, date};
use mail::{AddressFamily, DaneResult, DeliverySecurity, LedgerEntry};
use rusqlite::{Connection, params};

use super::state::State;

const ADD: &str = "INSERT INTO ledger (day, next_hop, host, family, status, security, dane, count) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1) ON CONFLICT DO UPDATE SET count = count + 1";

/// The day that is counted as 0.
const FIRST_DAY: Date = date(1970, 1, 1);
const SECONDS_A_DAY: i64 = 86_400;

/// Counts one outcome, inside a transaction of the writer.
pub(crate) fn add(connection: &Connection, entry: &LedgerEntry) -> rusqlite::Result<()> {
    connection.prepare_cached(ADD)?.execute(params![
        entry.day.duration_since(FIRST_DAY).as_secs() / SECONDS_A_DAY,
        entry.next_hop.to_string(),
        entry.host.as_ref().map_or("", mail::Domain::as_str),
        family(entry.family),
        State::after(entry.status),
        security(entry.security),
        dane(entry.dane),
    ])?;
    Ok(())
}

fn family(family: AddressFamily) -> i64 {
    match family {
        AddressFamily::None => 0,
        AddressFamily::Ipv4 => 4,
        AddressFamily::Ipv6 => 6,
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
