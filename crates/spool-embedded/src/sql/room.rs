//! How many incidents there may be, and which are forgotten to make room for another.
//!
//! A stranger can make as many hosts and domains fail as their DNS has names. So nobody's failures may push out those of all
//! others: what belongs to one registrable domain has a share, and beyond it only its own records make room. Across several
//! domains, what goes first has ended, or holds up the least mail; what is ours is never forgotten before its time. What has ended
//! goes only once people have been told so, or a day later.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

/// The most incidents that are kept, open or ended: some kilobytes each.
pub(crate) const INCIDENTS: i64 = 4096;
/// The most of them at hosts and domains below one registrable domain.
pub(crate) const SHARE: i64 = 1024;
/// How many are forgotten at once when there is no room left: finding them takes a look at all.
const AT_ONCE: i64 = 64;
/// Mail beyond so many recipients makes no incident more worth keeping: counting it takes time.
const COUNTED: i64 = 32;
/// By this time after its end it does not come back as the same incident any more.
const OVER: SignedDuration = SignedDuration::from_mins(65);
/// For so long after its end an incident waits until people have been told: nobody may be there to be told.
const UNTOLD: SignedDuration = SignedDuration::from_hours(24);
/// For so long an incident is kept after its end.
const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

pub(crate) const OLD: &str = "SELECT id FROM incident WHERE ended < ?1 LIMIT ?2";
const COUNT: &str = "SELECT count(*) FROM incident";
pub(crate) const HELD: &str = "SELECT count(*) FROM incident WHERE holder = ?1";
pub(crate) const OWN_ENDED: &str = "SELECT id FROM incident WHERE holder = ?1 AND ended < ?2 \
    AND (ended < ?3 OR told_ended AND min(mailed, commanded, posted) = 3) ORDER BY ended LIMIT 1";
pub(crate) const ENDED: &str = "SELECT id FROM incident WHERE holder IS NOT NULL AND ended < ?2 \
    AND (ended < ?3 OR told_ended AND min(mailed, commanded, posted) = 3) ORDER BY ended LIMIT ?1";
const UNTOLD_ENDED: &str =
    "SELECT id FROM incident WHERE holder IS NOT NULL AND ended IS NOT NULL ORDER BY ended LIMIT ?1";
const NEWEST: &str = "SELECT max(id) FROM incident WHERE holder = ?1 AND ended IS NULL AND trouble = ?2";
// Of those that hold up the same mail, the holder of most gives way, and what came last.
const LEAST: &str = "SELECT id FROM ( \
        SELECT i.id AS id, count(*) OVER (PARTITION BY i.holder) AS held, ( \
            SELECT count(*) FROM ( \
                SELECT 1 FROM recipient INDEXED BY held_up WHERE incident = i.id LIMIT ?2 \
            ) \
        ) AS mail \
        FROM incident i WHERE i.holder IS NOT NULL AND i.ended IS NULL \
    ) ORDER BY mail, held DESC, id DESC LIMIT ?1";
const FORGET: &str = "DELETE FROM incident WHERE id = ?1";
const FORGET_DOMAINS: &str = "DELETE FROM incident_domain WHERE incident = ?1";

/// Makes room for one more of this holder, `None` for what is ours. False if there is none.
pub(super) fn make(connection: &Connection, holder: Option<&str>, now: Timestamp) -> rusqlite::Result<bool> {
    let old = params![before(now, KEPT), AT_ONCE];
    let old = ids(connection, OLD, old)?;
    forget(connection, &old)?;
    if let Some(holder) = holder
        && !is_within_share(connection, holder, now)?
    {
        return Ok(false);
    }
    if count(connection, COUNT, params![])? < INCIDENTS {
        return Ok(true);
    }
    let ended = params![AT_ONCE, before(now, OVER), before(now, UNTOLD)];
    let mut leaving = ids(connection, ENDED, ended)?;
    if leaving.is_empty() {
        leaving = ids(connection, LEAST, params![AT_ONCE, COUNTED])?;
    }
    if leaving.is_empty() {
        leaving = ids(connection, UNTOLD_ENDED, params![AT_ONCE])?;
    }
    forget(connection, &leaving)?;
    Ok(!leaving.is_empty())
}

/// Whether one more is within the share of this holder, of whom what ended first is forgotten for it.
fn is_within_share(connection: &Connection, holder: &str, now: Timestamp) -> rusqlite::Result<bool> {
    if count(connection, HELD, params![holder])? < SHARE {
        return Ok(true);
    }
    let ended = connection
        .prepare_cached(OWN_ENDED)?
        .query_row(params![holder, before(now, OVER), before(now, UNTOLD)], |row| {
            row.get(0)
        })
        .optional()?;
    forget(connection, ended.as_slice())?;
    Ok(ended.is_some())
}

/// Where a failure belongs for which there is no record of its own, because its holder has as many as its share: to that
/// holder's newest of the same trouble, so that the mail that waits is counted all the same.
pub(super) fn shared(connection: &Connection, holder: &str, trouble: &str) -> rusqlite::Result<Option<i64>> {
    if count(connection, HELD, params![holder])? < SHARE {
        return Ok(None);
    }
    let mut newest = connection.prepare_cached(NEWEST)?;
    newest.query_row([holder, trouble], |row| row.get(0))
}

fn count(connection: &Connection, statement: &str, columns: impl rusqlite::Params) -> rusqlite::Result<i64> {
    let mut statement = connection.prepare_cached(statement)?;
    statement.query_row(columns, |row| row.get(0))
}

fn ids(
    connection: &Connection,
    statement: &str,
    columns: impl rusqlite::Params,
) -> rusqlite::Result<Vec<i64>> {
    let mut statement = connection.prepare_cached(statement)?;
    let found = statement.query_map(columns, |row| row.get(0))?;
    found.collect()
}

fn forget(connection: &Connection, ids: &[i64]) -> rusqlite::Result<()> {
    for id in ids {
        connection.prepare_cached(FORGET)?.execute([id])?;
        connection.prepare_cached(FORGET_DOMAINS)?.execute([id])?;
    }
    Ok(())
}

/// So long before, in milliseconds since 1970.
pub(super) fn before(now: Timestamp, span: SignedDuration) -> i64 {
    now.checked_sub(span).map_or(i64::MIN, Timestamp::as_millisecond)
}
