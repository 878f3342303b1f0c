//! What settlements add to the results of TLS sessions. All of it runs inside one of the writer's transactions.

use mail::registrable;
use mail::{Domain, TlsFailure, TlsSession};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Known, find, written};
use crate::sql::ledger::day_of;

/// The most domains and policies counted on one day.
pub(crate) const TALLIES: i64 = 300_000;
/// The most policies of one domain on one day.
pub(crate) const POLICIES: i64 = 32;
/// The most kinds of failure under one policy of one domain on one day.
pub(crate) const FAILURES: i64 = 64;
/// The most octets that are stored for one day, indexes not counted.
const OCTETS: i64 = 64 << 20;
/// Which part of all this the domains of one registrant may take: whoever has a domain can invent names below it.
const SHARE: i64 = 8;
/// What a row takes beside its texts.
const ROW: i64 = 40;

const COUNT: &str = "UPDATE tls_tally SET successes = successes + ?4, failures = failures + ?5 \
    WHERE day = ?1 AND domain = ?2 AND policy = ?3";
const ADD: &str =
    "INSERT INTO tls_tally (day, domain, policy, successes, failures) VALUES (?1, ?2, ?3, ?4, ?5)";
const POLICIES_THERE: &str = "SELECT count(*) FROM tls_tally WHERE day = ?1 AND domain = ?2";
const COUNT_FAILURE: &str = "UPDATE tls_failure SET count = count + 1 \
    WHERE day = ?1 AND domain = ?2 AND policy = ?3 AND failure = ?4";
const ADD_FAILURE: &str =
    "INSERT INTO tls_failure (day, domain, policy, failure, count) VALUES (?1, ?2, ?3, ?4, 1)";
const FAILURES_THERE: &str =
    "SELECT count(*) FROM tls_failure WHERE day = ?1 AND domain = ?2 AND policy = ?3";
const ADD_POLICY: &str = "INSERT INTO tls_policy (policy, last_day) VALUES (?1, ?2)";
const USED_ON: &str = "UPDATE tls_policy SET last_day = ?2 WHERE id = ?1";
const DAY: &str = "SELECT tallies, octets FROM tls_day WHERE day = ?1";
const GROW: &str = "INSERT INTO tls_day (day, tallies, octets, left_out) VALUES (?1, ?2, ?3, 0) \
    ON CONFLICT DO UPDATE SET tallies = tallies + ?2, octets = octets + ?3";
const LEAVE_OUT: &str = "INSERT INTO tls_day (day, tallies, octets, left_out) VALUES (?1, 0, 0, 1) \
    ON CONFLICT DO UPDATE SET left_out = left_out + 1";
const HELD: &str = "SELECT tallies, octets FROM tls_share WHERE day = ?1 AND holder = ?2";
const GROW_HELD: &str = "INSERT INTO tls_share (day, holder, tallies, octets) VALUES (?1, ?2, ?3, ?4) \
    ON CONFLICT DO UPDATE SET tallies = tallies + ?3, octets = octets + ?4";

/// Counts one result of a session, in the reports of all whom it concerns.
pub(crate) fn count(connection: &Connection, session: &TlsSession) -> rusqlite::Result<()> {
    let day = day_of(session.at);
    let (mut known, text) = find(connection, &session.policy)?;
    for domain in session.report_domains() {
        let counting = Counting {
            connection,
            day,
            domain,
        };
        match counting.tally((&mut known, &text), session.failure.is_some())? {
            Some(policy) => {
                if let Some(failure) = &session.failure {
                    counting.failure(policy, failure)?;
                }
            }
            None => {
                connection.prepare_cached(LEAVE_OUT)?.execute([day])?;
            }
        }
    }
    Ok(())
}

struct Counting<'a> {
    connection: &'a Connection,
    day: i64,
    domain: &'a Domain,
}

impl Counting<'_> {
    /// Counts under a policy, as it is known and written, and returns its number; `None` if there is no room.
    fn tally(
        &self,
        (known, text): (&mut Option<Known>, &str),
        failed: bool,
    ) -> rusqlite::Result<Option<i64>> {
        let (success, failure) = (i64::from(!failed), i64::from(failed));
        if let Some(known) = known {
            let counted = self.connection.prepare_cached(COUNT)?.execute(params![
                self.day,
                self.domain.as_str(),
                known.id,
                success,
                failure
            ])?;
            if counted > 0 {
                return Ok(Some(known.id));
            }
        }
        let octets = ROW.saturating_add(length(self.domain.as_str()));
        // A text that is kept longer counts on each day for which it is kept.
        let octets = if known.is_some_and(|known| known.last_day >= self.day) {
            octets
        } else {
            octets.saturating_add(length(text))
        };
        let of_domain = self
            .connection
            .prepare_cached(POLICIES_THERE)?
            .query_row(params![self.day, self.domain.as_str()], |row| {
                row.get::<_, i64>(0)
            })?;
        if of_domain >= POLICIES || !self.take_room(1, octets)? {
            return Ok(None);
        }
        let id = self.use_today((known, text))?;
        self.connection.prepare_cached(ADD)?.execute(params![
            self.day,
            self.domain.as_str(),
            id,
            success,
            failure
        ])?;
        Ok(Some(id))
    }

    /// Stores a policy, or that it is used on this day; returns its number.
    fn use_today(&self, (known, text): (&mut Option<Known>, &str)) -> rusqlite::Result<i64> {
        let id = match *known {
            Some(known) if known.last_day >= self.day => return Ok(known.id),
            Some(known) => {
                self.connection
                    .prepare_cached(USED_ON)?
                    .execute([known.id, self.day])?;
                known.id
            }
            None => {
                self.connection
                    .prepare_cached(ADD_POLICY)?
                    .execute(params![text, self.day])?;
                self.connection.last_insert_rowid()
            }
        };
        *known = Some(Known {
            id,
            last_day: self.day,
        });
        Ok(id)
    }

    /// Counts what was wrong; without room, the failure is counted, but not what it was.
    fn failure(&self, policy: i64, failure: &TlsFailure) -> rusqlite::Result<()> {
        let text = written(serde_json::to_string(failure))?;
        let key = params![self.day, self.domain.as_str(), policy, text];
        if self.connection.prepare_cached(COUNT_FAILURE)?.execute(key)? > 0 {
            return Ok(());
        }
        let octets = ROW
            .saturating_add(length(self.domain.as_str()))
            .saturating_add(length(&text));
        let there = self
            .connection
            .prepare_cached(FAILURES_THERE)?
            .query_row(params![self.day, self.domain.as_str(), policy], |row| {
                row.get::<_, i64>(0)
            })?;
        if there < FAILURES && self.take_room(0, octets)? {
            self.connection.prepare_cached(ADD_FAILURE)?.execute(key)?;
        }
        Ok(())
    }

    /// Takes so much of the room for the day, and of the share of whoever has registered the domain; false if there is not
    /// so much.
    fn take_room(&self, tallies: i64, octets: i64) -> rusqlite::Result<bool> {
        let holder = registrable::of(self.domain);
        let holder = holder.as_str();
        let taken = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let of_day: Option<(i64, i64)> = self
            .connection
            .prepare_cached(DAY)?
            .query_row([self.day], taken)
            .optional()?;
        let held: Option<(i64, i64)> = self
            .connection
            .prepare_cached(HELD)?
            .query_row(params![self.day, holder], taken)
            .optional()?;
        let octets = match held {
            Some(_) => octets,
            None => octets.saturating_add(ROW).saturating_add(length(holder)),
        };
        for (taken, part) in [(of_day, 1), (held, SHARE)] {
            let (all_tallies, all_octets) = taken.unwrap_or_default();
            if all_tallies.saturating_add(tallies) > TALLIES / part
                || all_octets.saturating_add(octets) > OCTETS / part
            {
                return Ok(false);
            }
        }
        self.connection
            .prepare_cached(GROW)?
            .execute([self.day, tallies, octets])?;
        self.connection
            .prepare_cached(GROW_HELD)?
            .execute(params![self.day, holder, tallies, octets])?;
        Ok(true)
    }
}

fn length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}
