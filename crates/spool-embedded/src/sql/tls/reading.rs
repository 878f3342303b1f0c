//! TLS results as reports read them.

use jiff::civil::Date;
use mail::{Domain, TlsDetail, TlsFailure, TlsPolicy, TlsTally};
use rusqlite::{Connection, Row, params};
use spool::{TlsDay, TlsDomain};

use super::{NONE, SINCE};
use crate::error::Result;
use crate::sql::ledger::{date, day_number};
use crate::sql::schema;

const DOMAINS: &str = "SELECT domain, sum(successes), sum(failures) FROM tls_tally \
    WHERE day = ?1 AND domain > ?2 GROUP BY domain ORDER BY domain LIMIT ?3";
const TALLIES: &str = "SELECT t.policy, t.successes, t.failures, p.policy FROM tls_tally t \
    LEFT JOIN tls_policy p ON p.id = t.policy WHERE t.day = ?1 AND t.domain = ?2 ORDER BY t.policy";
const FAILURES: &str = "SELECT failure, count FROM tls_failure \
    WHERE day = ?1 AND domain = ?2 AND policy = ?3 ORDER BY count DESC, failure";
const DAYS: &str = "SELECT day, left_out FROM tls_day ORDER BY day";

/// See [`spool::TlsTallies::tls_domains`].
pub(crate) fn domains(
    connection: &Connection,
    day: Date,
    after: Option<&Domain>,
    limit: usize,
) -> Result<Vec<TlsDomain>> {
    if is_older(connection)? {
        return Ok(Vec::new());
    }
    let after = after.map_or("", Domain::as_str);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(DOMAINS)?;
    let mut rows = statement.query(params![day_number(day), after, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let domain = row
            .get_ref(0)?
            .as_str()
            .ok()
            .and_then(|name| Domain::parse(name).ok());
        if let Some(domain) = domain {
            found.push(TlsDomain {
                domain,
                successes: count(row, 1)?,
                failures: count(row, 2)?,
            });
        }
    }
    Ok(found)
}

/// See [`spool::TlsTallies::tls_tallies`].
pub(crate) fn tallies(connection: &mut Connection, day: Date, domain: &Domain) -> Result<Vec<TlsTally>> {
    if is_older(connection)? {
        return Ok(Vec::new());
    }
    // One view of both tables; dropping it only ends the reading.
    let view = connection.transaction()?;
    let mut statement = view.prepare_cached(TALLIES)?;
    let mut rows = statement.query(params![day_number(day), domain.as_str()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        let policy = match number {
            NONE => Some(TlsPolicy::None {
                domain: domain.clone(),
            }),
            _ => row
                .get_ref(3)?
                .as_str()
                .ok()
                .and_then(|text| serde_json::from_str(text).ok()),
        };
        if let Some(policy) = policy {
            found.push(TlsTally {
                policy,
                successes: count(row, 1)?,
                failures: count(row, 2)?,
                details: details(&view, (day, domain), number)?,
            });
        }
    }
    Ok(found)
}

fn details(view: &Connection, (day, domain): (Date, &Domain), policy: i64) -> Result<Vec<TlsDetail>> {
    let mut statement = view.prepare_cached(FAILURES)?;
    let mut rows = statement.query(params![day_number(day), domain.as_str(), policy])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let text = row.get_ref(0)?.as_str().ok();
        if let Some(failure) = text.and_then(|text| serde_json::from_str::<TlsFailure>(text).ok()) {
            found.push(TlsDetail {
                failure,
                count: count(row, 1)?,
            });
        }
    }
    Ok(found)
}

/// See [`spool::TlsTallies::tls_days`].
pub(crate) fn days(connection: &Connection) -> Result<Vec<TlsDay>> {
    if is_older(connection)? {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare_cached(DAYS)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        if let Some(day) = date(row.get(0)?) {
            let left_out = count(row, 1)?;
            found.push(TlsDay { day, left_out });
        }
    }
    Ok(found)
}

fn is_older(connection: &Connection) -> Result<bool> {
    Ok(schema::version(connection)? < SINCE)
}

fn count(row: &Row<'_>, column: usize) -> Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
}
