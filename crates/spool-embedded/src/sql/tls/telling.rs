//! What was told in a report is taken from what is counted.

use rusqlite::{Connection, params};
use spool::TlsTold;

use super::{find, written};
use crate::sql::ledger::day_number;

const TAKE: &str = "UPDATE tls_tally SET successes = max(0, successes - ?4), failures = max(0, failures - ?5) \
    WHERE day = ?1 AND domain = ?2 AND policy = ?3";
const TAKE_FAILURE: &str = "UPDATE tls_failure SET count = max(0, count - ?5) \
    WHERE day = ?1 AND domain = ?2 AND policy = ?3 AND failure = ?4";
const FORGET: &str =
    "DELETE FROM tls_tally WHERE day = ?1 AND domain = ?2 AND policy = ?3 AND successes = 0 AND failures = 0";
const FORGET_FAILURES: &str = "DELETE FROM tls_failure WHERE day = ?1 AND domain = ?2 AND policy = ?3 AND (count = 0 \
    OR NOT EXISTS (SELECT 1 FROM tls_tally WHERE day = ?1 AND domain = ?2 AND policy = ?3))";

/// See [`spool::KeepTlsTallies::tls_told`].
pub(crate) fn tell(connection: &Connection, told: &TlsTold) -> rusqlite::Result<()> {
    let (day, domain) = (day_number(told.day), told.domain.as_str());
    for tally in &told.tallies {
        let (Some(known), _) = find(connection, &tally.policy)? else {
            continue;
        };
        let (successes, failures) = (stored(tally.successes), stored(tally.failures));
        connection
            .prepare_cached(TAKE)?
            .execute(params![day, domain, known.id, successes, failures])?;
        for detail in &tally.details {
            let text = written(serde_json::to_string(&detail.failure))?;
            let count = stored(detail.count);
            connection
                .prepare_cached(TAKE_FAILURE)?
                .execute(params![day, domain, known.id, text, count])?;
        }
        for statement in [FORGET, FORGET_FAILURES] {
            connection
                .prepare_cached(statement)?
                .execute(params![day, domain, known.id])?;
        }
    }
    Ok(())
}

fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
