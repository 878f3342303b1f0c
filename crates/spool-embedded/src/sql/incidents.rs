//! Security failures as they are recorded. All of it runs inside one of the writer's transactions, and writing it again
//! changes nothing.

use jiff::{SignedDuration, Timestamp};
use mail::sighting::{DemandedBy, Ending, Evidence, Failing, Place, Proven, Spot};
use mail::{Domain, Sighting};
use rusqlite::{Connection, OptionalExtension, params};
use spool::{IncidentNumber, Step, Told, Way};

use super::room::{self, before};

/// The most hosts with a port whose evidence is kept: those that have proven themselves last.
pub(crate) const PROOFS: i64 = 32_768;
/// The most of them below one registrable domain: whoever has it can invent them.
pub(crate) const PROOFS_BELOW: i64 = PROOFS / 4;
/// How many more there may be before the oldest are removed: counting them takes time.
pub(crate) const PROOFS_BEYOND: i64 = 64;
/// The most pairs of an incident and a domain: those written last.
const DOMAINS: i64 = 100_000;
/// The most of them of incidents below one registrable domain, and of those that are ours.
pub(crate) const DOMAINS_BELOW: i64 = DOMAINS / 8;
/// Bits of the column `collects`: it stands for other hosts or domains too; it concerns more domains than are kept.
pub(super) const FOR_OTHERS: i64 = 1;
pub(super) const MORE_DOMAINS: i64 = 2;
/// The same: a message demanded for itself what failed.
pub(super) const BY_MESSAGE: i64 = 4;
/// What fails again within this time is the same incident.
const AGAIN: SignedDuration = SignedDuration::from_hours(1);

const OPEN: &str = "SELECT id FROM incident WHERE kind = ?1 AND name = ?2 AND trouble = ?3 AND ended IS NULL";
// Not the later one of two times: the clock may have been ahead.
const SEEN: &str = "UPDATE incident SET last = ?2, evidence = ?3 WHERE id = ?1";
// People who were told that it is over are told anew: 3 becomes 0.
const REOPEN: &str = "UPDATE incident SET ended = NULL, ending = NULL, reopened = reopened + 1, last = ?4, evidence = ?5, \
    told = CASE WHEN told_ended THEN NULL ELSE told END, told_half = told_half AND NOT told_ended, told_ended = 0, \
    mailed = mailed % 3, commanded = commanded % 3, posted = posted % 3 \
    WHERE id = (SELECT id FROM incident WHERE kind = ?1 AND name = ?2 AND trouble = ?3 AND ended > ?6 \
    ORDER BY id DESC LIMIT 1) RETURNING id";
const INSERT: &str = "INSERT INTO incident \
    (kind, name, trouble, first, last, evidence, before, before_since, before_until, holder) \
    VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7, ?8, ?9) RETURNING id";
const HAS_DOMAIN: &str = "SELECT EXISTS (SELECT 1 FROM incident_domain WHERE incident = ?1 AND domain = ?2)";
pub(crate) const DOMAINS_OF: &str = "SELECT count(*) FROM (SELECT 1 FROM incident_domain \
    WHERE incident IN (SELECT id FROM incident WHERE holder = ?1) LIMIT ?2)";
pub(crate) const DOMAINS_OF_OURS: &str = "SELECT count(*) FROM (SELECT 1 FROM incident_domain \
    WHERE incident IN (SELECT id FROM incident WHERE kind IN (2, 3)) LIMIT ?1)";
const INSERT_DOMAIN: &str = "INSERT INTO incident_domain (incident, domain) VALUES (?1, ?2)";
const LAST_DOMAIN: &str = "SELECT max(rowid) FROM incident_domain";
const TRIMMED: &str = "UPDATE incident SET collects = collects | ?2 WHERE id IN \
    (SELECT incident FROM incident_domain WHERE rowid <= (SELECT max(rowid) FROM incident_domain) - ?1)";
const TRIM_DOMAINS: &str =
    "DELETE FROM incident_domain WHERE rowid <= (SELECT max(rowid) FROM incident_domain) - ?1";
const WORKS: &str = "UPDATE incident SET ended = ?4, ending = ?5 WHERE kind = ?1 AND name = ?2 AND trouble = ?3 AND ended IS NULL";
const END: &str = "UPDATE incident SET ended = ?2, ending = ?3 WHERE id = ?1 AND ended IS NULL";
const TOLD: &str = "UPDATE incident SET told = ?2, told_half = ?3, told_ended = ?4 WHERE id = ?1";
const MAILED: &str = "UPDATE incident SET mailed = ?2 WHERE id = ?1";
const COMMANDED: &str = "UPDATE incident SET commanded = ?2 WHERE id = ?1";
const POSTED: &str = "UPDATE incident SET posted = ?2 WHERE id = ?1";
const COLLECTS: &str = "UPDATE incident SET collects = collects | ?2 WHERE id = ?1 AND NOT collects & ?2";
const PROOF: &str = "SELECT evidence, since, until FROM proof WHERE host = ?1 AND port = ?2";
const WRITE_PROOF: &str = "INSERT OR REPLACE INTO proof (host, port, evidence, since, until, holder) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
pub(crate) const TRIM_PROOFS_BELOW: &str = "DELETE FROM proof WHERE holder = ?1 AND rowid <= \
    (SELECT rowid FROM proof WHERE holder = ?1 ORDER BY rowid DESC LIMIT 1 OFFSET ?2)";
const COUNT_PROOFS: &str = "SELECT count(*) FROM proof";
const TRIM_PROOFS: &str =
    "DELETE FROM proof WHERE rowid IN (SELECT rowid FROM proof ORDER BY rowid LIMIT ?1)";

/// A change apart from settlements.
#[derive(Debug)]
pub(crate) enum Change {
    /// What was seen elsewhere.
    Note(Vec<Sighting>),
    /// These have ended.
    End(Vec<(IncidentNumber, Ending)>),
    /// The log has said so much.
    Told(Vec<(IncidentNumber, Told)>),
    /// People have been told so much on this way.
    Noticed(Way, Vec<(IncidentNumber, Step)>),
}

impl Change {
    /// How many rows it changes, roughly.
    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::Note(sightings) => sightings.len(),
            Self::End(ended) => ended.len(),
            Self::Told(told) => told.len(),
            Self::Noticed(_, steps) => steps.len(),
        }
    }
}

/// Makes a change.
pub(crate) fn change(connection: &Connection, change: &Change, now: Timestamp) -> rusqlite::Result<()> {
    match change {
        Change::Note(sightings) => note(connection, sightings, now)?,
        Change::End(ended) => {
            for (number, ending) in ended {
                let columns = params![
                    number.0.cast_signed(),
                    now.as_millisecond(),
                    ending_column(*ending)
                ];
                connection.prepare_cached(END)?.execute(columns)?;
            }
        }
        Change::Told(told) => {
            for (number, told) in told {
                let open = told.open.map(Timestamp::as_millisecond);
                let columns = params![number.0.cast_signed(), open, told.half, told.ended];
                connection.prepare_cached(TOLD)?.execute(columns)?;
            }
        }
        Change::Noticed(way, steps) => {
            let mut update = connection.prepare_cached(match way {
                Way::Mail => MAILED,
                Way::Command => COMMANDED,
                Way::Webhook => POSTED,
            })?;
            for (number, step) in steps {
                update.execute(params![number.0.cast_signed(), step_column(*step)])?;
            }
        }
    }
    Ok(())
}

/// Records what was seen.
pub(crate) fn note(connection: &Connection, sightings: &[Sighting], now: Timestamp) -> rusqlite::Result<()> {
    for sighting in sightings {
        match sighting {
            Sighting::Fails(failing) => fails(connection, failing, now)?,
            Sighting::Works(spot, ending) => {
                let (kind, name) = place_columns(&spot.place);
                let (trouble, ending) = (spot.trouble.as_str(), ending_column(*ending));
                let columns = params![kind, name, trouble, now.as_millisecond(), ending];
                connection.prepare_cached(WORKS)?.execute(columns)?;
            }
            Sighting::Proven(proven) => prove(connection, proven)?,
        }
    }
    Ok(())
}

/// The number of the open incident to which a failure at this spot belongs, if there is one: that of the spot itself, or
/// where too many others fail below the same registrable domain, one of these.
pub(crate) fn number(connection: &Connection, spot: &Spot) -> rusqlite::Result<Option<i64>> {
    match own_number(connection, spot)? {
        Some(id) => Ok(Some(id)),
        None => match spot.place.registrable() {
            Some(holder) => room::shared(connection, holder.as_str(), spot.trouble.as_str()),
            None => Ok(None),
        },
    }
}

fn own_number(connection: &Connection, spot: &Spot) -> rusqlite::Result<Option<i64>> {
    let (kind, name) = place_columns(&spot.place);
    connection
        .prepare_cached(OPEN)?
        .query_row(params![kind, name, spot.trouble.as_str()], |row| row.get(0))
        .optional()
}

fn fails(connection: &Connection, failing: &Failing, now: Timestamp) -> rusqlite::Result<()> {
    let evidence = written(&failing.evidence)?;
    let id = match own_number(connection, &failing.spot)? {
        Some(id) => {
            let columns = params![id, now.as_millisecond(), evidence];
            connection.prepare_cached(SEEN)?.execute(columns)?;
            id
        }
        None => match reopen(connection, failing, &evidence, now)? {
            Some(id) => id,
            None => match open(connection, failing, &evidence, now)? {
                Some(id) => id,
                None => match number(connection, &failing.spot)? {
                    Some(id) => {
                        connection.prepare_cached(COLLECTS)?.execute([id, FOR_OTHERS])?;
                        id
                    }
                    None => return Ok(()),
                },
            },
        },
    };
    match failing.demanded_by {
        DemandedBy::Policy => {}
        DemandedBy::Message => {
            connection.prepare_cached(COLLECTS)?.execute([id, BY_MESSAGE])?;
        }
    }
    match &failing.domain {
        Some(domain) => concern(connection, id, &failing.spot.place, domain),
        None => Ok(()),
    }
}

/// An incident concerns a domain. Beyond the share of those who can make this place fail it only stands for more.
fn concern(connection: &Connection, id: i64, place: &Place, domain: &Domain) -> rusqlite::Result<()> {
    let columns = params![id, domain.as_str()];
    let is_known = connection
        .prepare_cached(HAS_DOMAIN)?
        .query_row(columns, |row| row.get(0))?;
    if is_known {
        return Ok(());
    }
    if !is_within_share(connection, place)? {
        connection.prepare_cached(COLLECTS)?.execute([id, MORE_DOMAINS])?;
        return Ok(());
    }
    connection.prepare_cached(INSERT_DOMAIN)?.execute(columns)?;
    connection
        .prepare_cached(TRIMMED)?
        .execute([DOMAINS, MORE_DOMAINS])?;
    connection.prepare_cached(TRIM_DOMAINS)?.execute([DOMAINS])?;
    Ok(())
}

/// Whether one more pair is within the share of those who can make this place fail.
fn is_within_share(connection: &Connection, place: &Place) -> rusqlite::Result<bool> {
    // There never were so many of all together: counting them takes time.
    let last: Option<i64> = connection
        .prepare_cached(LAST_DOMAIN)?
        .query_row([], |row| row.get(0))?;
    if last.is_none_or(|last| last < DOMAINS_BELOW) {
        return Ok(true);
    }
    let count: i64 = match place.registrable() {
        Some(holder) => connection
            .prepare_cached(DOMAINS_OF)?
            .query_row(params![holder.as_str(), DOMAINS_BELOW], |row| row.get(0))?,
        None => connection
            .prepare_cached(DOMAINS_OF_OURS)?
            .query_row([DOMAINS_BELOW], |row| row.get(0))?,
    };
    Ok(count < DOMAINS_BELOW)
}

fn reopen(
    connection: &Connection,
    failing: &Failing,
    evidence: &str,
    now: Timestamp,
) -> rusqlite::Result<Option<i64>> {
    let (kind, name) = place_columns(&failing.spot.place);
    let columns = params![
        kind,
        name,
        failing.spot.trouble.as_str(),
        now.as_millisecond(),
        evidence,
        before(now, AGAIN)
    ];
    connection
        .prepare_cached(REOPEN)?
        .query_row(columns, |row| row.get(0))
        .optional()
}

/// Opens an incident; `None` if there is no room for it.
fn open(
    connection: &Connection,
    failing: &Failing,
    evidence: &str,
    now: Timestamp,
) -> rusqlite::Result<Option<i64>> {
    let holder = failing.spot.place.registrable();
    let holder = holder.as_ref().map(Domain::as_str);
    if !room::make(connection, holder, now)? {
        return Ok(None);
    }
    let (kind, name) = place_columns(&failing.spot.place);
    let proof = match &failing.spot.place {
        Place::Host(host) => proof(connection, host, failing.evidence.port)?,
        Place::Domain(_) | Place::Resolver | Place::Login(_) => None,
    };
    let worked = failing.worked.map_or(i64::MIN, Timestamp::as_millisecond);
    let (seen, since, until) = match proof {
        Some((seen, since, until)) => (Some(seen), Some(since), Some(until.max(worked))),
        None => (None, None, failing.worked.map(Timestamp::as_millisecond)),
    };
    let columns = params![
        kind,
        name,
        failing.spot.trouble.as_str(),
        now.as_millisecond(),
        evidence,
        seen,
        since,
        until,
        holder
    ];
    let mut insert = connection.prepare_cached(INSERT)?;
    insert.query_row(columns, |row| row.get(0)).map(Some)
}

/// What a host showed at this port when it last worked, since when and until when.
fn proof(
    connection: &Connection,
    host: &Domain,
    port: Option<u16>,
) -> rusqlite::Result<Option<(String, i64, i64)>> {
    connection
        .prepare_cached(PROOF)?
        .query_row(params![host.as_str(), port], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()
}

fn prove(connection: &Connection, proven: &Proven) -> rusqlite::Result<()> {
    let (host, Some(port)) = (&proven.host, proven.evidence.port) else {
        return Ok(());
    };
    let at = proven.evidence.at.as_millisecond();
    let since = match proof(connection, host, Some(port))? {
        Some((seen, since, _)) if is_the_same(&seen, &proven.evidence) => since,
        Some(_) | None => at,
    };
    let holder = mail::registrable::part(host);
    let columns = params![host.as_str(), port, written(&proven.evidence)?, since, at, holder];
    connection.prepare_cached(WRITE_PROOF)?.execute(columns)?;
    let row = connection.last_insert_rowid();
    if row % PROOFS_BEYOND == 0 {
        trim_proofs(connection, holder)?;
    }
    Ok(())
}

/// Removes those that have not proven themselves for the longest time, of this holder and of all.
fn trim_proofs(connection: &Connection, holder: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached(TRIM_PROOFS_BELOW)?
        .execute(params![holder, PROOFS_BELOW])?;
    let count: i64 = connection
        .prepare_cached(COUNT_PROOFS)?
        .query_row([], |row| row.get(0))?;
    if count > PROOFS {
        connection
            .prepare_cached(TRIM_PROOFS)?
            .execute([count - PROOFS])?;
    }
    Ok(())
}

fn is_the_same(seen: &str, evidence: &Evidence) -> bool {
    serde_json::from_str::<Evidence>(seen).is_ok_and(|seen| seen.shows_the_same(evidence))
}

fn written(evidence: &Evidence) -> rusqlite::Result<String> {
    serde_json::to_string(evidence).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// The columns `kind` and `name`.
fn place_columns(place: &Place) -> (i64, String) {
    match place {
        Place::Host(host) => (0, host.to_string()),
        Place::Domain(domain) => (1, domain.to_string()),
        Place::Resolver => (2, String::new()),
        Place::Login(next_hop) => (3, next_hop.to_string()),
    }
}

/// Back from [`place_columns`].
pub(super) fn place(kind: i64, name: &str) -> Option<Place> {
    Some(match kind {
        0 => Place::Host(name.parse().ok()?),
        1 => Place::Domain(name.parse().ok()?),
        2 => Place::Resolver,
        3 => Place::Login(name.parse().ok()?),
        _ => return None,
    })
}

fn ending_column(ending: Ending) -> i64 {
    match ending {
        Ending::Verified => 0,
        Ending::Withdrawn => 1,
        Ending::Tested => 2,
        Ending::NotSeen => 3,
        Ending::Encrypted => 4,
        Ending::Mended => 5,
        Ending::NotDemanded => 6,
    }
}

/// Back from [`ending_column`].
pub(super) fn ending(column: i64) -> Option<Ending> {
    Ending::ALL.into_iter().find(|one| ending_column(*one) == column)
}

/// The columns `mailed`, `commanded` and `posted`.
pub(super) const fn step_column(step: Step) -> i64 {
    match step {
        Step::Nothing => 0,
        Step::Opened => 1,
        Step::Half => 2,
        Step::Closed => 3,
    }
}

/// Back from [`step_column`].
pub(super) fn step(column: i64) -> Option<Step> {
    [Step::Nothing, Step::Opened, Step::Half, Step::Closed]
        .into_iter()
        .find(|one| step_column(*one) == column)
}
