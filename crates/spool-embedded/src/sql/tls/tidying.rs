//! TLS results of days whose reports were sent, or are not sent any more, go in small steps.

use rusqlite::{Connection, OptionalExtension, params};

/// How many days are kept: the running one, the one that is reported today, and the one for which reports may still be tried.
pub(crate) const DAYS: i64 = 3;

// All rows of a domain go at once: their number is bounded.
const OLDEST: &str = "SELECT day FROM tls_day WHERE day < ?1 ORDER BY day LIMIT 1";
const REMOVE_FAILURES: &str = "DELETE FROM tls_failure WHERE day = ?1 AND domain <= (SELECT max(domain) FROM \
    (SELECT domain FROM tls_failure WHERE day = ?1 ORDER BY domain LIMIT ?2))";
const REMOVE_TALLIES: &str = "DELETE FROM tls_tally WHERE day = ?1 AND domain <= (SELECT max(domain) FROM \
    (SELECT domain FROM tls_tally WHERE day = ?1 ORDER BY domain LIMIT ?2))";
const REMOVE_SHARES: &str = "DELETE FROM tls_share WHERE day = ?1 AND holder <= (SELECT max(holder) FROM \
    (SELECT holder FROM tls_share WHERE day = ?1 ORDER BY holder LIMIT ?2))";
const REMOVE_POLICIES: &str =
    "DELETE FROM tls_policy WHERE id IN (SELECT id FROM tls_policy WHERE last_day <= ?1 LIMIT ?2)";
const REMOVE_DAY: &str = "DELETE FROM tls_day WHERE day = ?1";

/// One step: removes rows of the oldest day before this one; returns how many.
pub(crate) fn tidy(connection: &Connection, before: i64, step: usize) -> rusqlite::Result<usize> {
    let oldest: Option<i64> = connection
        .prepare_cached(OLDEST)?
        .query_row([before], |row| row.get(0))
        .optional()?;
    let Some(day) = oldest else {
        return Ok(0);
    };
    let limit = i64::try_from(step).unwrap_or(i64::MAX);
    for statement in [REMOVE_FAILURES, REMOVE_TALLIES, REMOVE_SHARES, REMOVE_POLICIES] {
        let removed = connection
            .prepare_cached(statement)?
            .execute(params![day, limit])?;
        if removed > 0 {
            return Ok(removed);
        }
    }
    connection.prepare_cached(REMOVE_DAY)?.execute([day])
}
