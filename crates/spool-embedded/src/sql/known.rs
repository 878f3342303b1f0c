//! Reading the recorded security failures.

use std::collections::HashMap;

use jiff::Timestamp;
use mail::Domain;
use mail::sighting::{Evidence, FailingSpot, Place, Spot, Trouble};
use rusqlite::{Connection, Row};
use spool::{Before, IncidentNumber, KnownIncident, Noticed, Told, Waiting};

use super::incidents::{FOR_OTHERS, MORE_DOMAINS, ending, place, step};
use super::{schema, shared};
use crate::error::Result;

/// The first schema version with these tables.
const SINCE: i32 = 9;

const INCIDENTS: &str = "SELECT id, kind, name, trouble, first, last, evidence, before, before_since, before_until, \
    ended, ending, told, told_half, told_ended, reopened, \
    mailed, commanded, posted, collects FROM incident ORDER BY id";
const DOMAINS: &str = "SELECT incident, domain FROM incident_domain ORDER BY incident, domain";
// The index has them in this order, and only those that wait for an incident.
const WAITING: &str = "SELECT r.incident, count(DISTINCT r.message_id), count(*), \
    min(CASE WHEN m.reverse_path <> '' THEN m.created END), min(CASE WHEN m.reverse_path = '' THEN m.created END) \
    FROM recipient r INDEXED BY held_up JOIN message m ON m.id = r.message_id \
    WHERE r.incident IS NOT NULL GROUP BY r.incident";
// The domain, if it certainly is the only one, and nothing else has demanded what failed.
const FAILING: &str = "SELECT kind, name, trouble, evidence, last, \
    CASE WHEN collects = 0 THEN (SELECT min(domain) FROM incident_domain WHERE incident = id HAVING count(*) = 1) END \
    FROM incident WHERE ended IS NULL";

/// See [`spool::Incidents::incidents`].
pub(crate) fn incidents(connection: &mut Connection) -> Result<Vec<KnownIncident>> {
    schema::check_has(connection, SINCE)?;
    let view = connection.transaction()?;
    let mut waiting = waiting(&view)?;
    let mut domains = domains(&view)?;
    let mut found = Vec::new();
    let mut statement = view.prepare_cached(INCIDENTS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(mut incident) = incident(row) {
            let number = incident.number.0;
            incident.waiting = waiting.remove(&number).unwrap_or_default();
            incident.domains = domains.remove(&number).unwrap_or_default();
            found.push(incident);
        }
    }
    shared::note(&view, &mut found)?;
    Ok(found)
}

/// See [`spool::Spool::failing`].
pub(crate) fn failing(connection: &Connection) -> Result<Vec<FailingSpot>> {
    let mut found = Vec::new();
    let mut statement = connection.prepare_cached(FAILING)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        found.extend(failing_spot(row));
    }
    Ok(found)
}

fn failing_spot(row: &Row<'_>) -> Option<FailingSpot> {
    let text = |column| row.get_ref(column).ok()?.as_str().ok();
    let number = |column| row.get_ref(column).ok()?.as_i64().ok();
    let evidence: Evidence = serde_json::from_str(text(3)?).ok()?;
    let spot = Spot {
        place: place(number(0)?, text(1)?)?,
        trouble: Trouble::of_word(text(2)?)?,
    };
    let port = match spot.place {
        Place::Host(_) => evidence.port,
        Place::Domain(_) | Place::Resolver | Place::Login(_) => None,
    };
    Some(FailingSpot {
        spot,
        address: evidence.address,
        port,
        has_records: evidence.base.is_some(),
        domain: text(5).and_then(|name| name.parse().ok()),
        last_seen: Timestamp::from_millisecond(number(4)?).ok()?,
    })
}

/// `None` if it is not as it was written.
fn incident(row: &Row<'_>) -> Option<KnownIncident> {
    let text = |column| row.get_ref(column).ok()?.as_str().ok();
    let number = |column| row.get_ref(column).ok()?.as_i64().ok();
    let time = |column| Timestamp::from_millisecond(number(column)?).ok();
    let spot = Spot {
        place: place(number(1)?, text(2)?)?,
        trouble: Trouble::of_word(text(3)?)?,
    };
    let seen = text(7).and_then(|text| serde_json::from_str::<Evidence>(text).ok());
    let before = seen.zip(time(8)).zip(time(9));
    Some(KnownIncident {
        number: IncidentNumber(number(0)?.cast_unsigned()),
        spot,
        first_seen: time(4)?,
        last_seen: time(5)?,
        evidence: serde_json::from_str(text(6)?).ok()?,
        before: before.map(|((evidence, since), until)| Before {
            evidence,
            since,
            until,
        }),
        ended: time(10).zip(number(11).and_then(ending)),
        reopened: number(15)?.cast_unsigned(),
        domains: Vec::new(),
        stands_for_more: number(19)? & FOR_OTHERS != 0,
        has_more_domains: number(19)? & MORE_DOMAINS != 0,
        waiting: Waiting::default(),
        told: Told {
            open: time(12),
            half: number(13)? != 0,
            ended: number(14)? != 0,
        },
        noticed: Noticed {
            mail: step(number(16)?)?,
            command: step(number(17)?)?,
            webhook: step(number(18)?)?,
        },
    })
}

fn waiting(connection: &Connection) -> Result<HashMap<u64, Waiting>> {
    let mut found = HashMap::new();
    let mut statement = connection.prepare_cached(WAITING)?;
    let mut rows = statement.query([])?;
    let time = |column: Option<i64>| column.and_then(|column| Timestamp::from_millisecond(column).ok());
    while let Some(row) = rows.next()? {
        let (incident, messages, recipients): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let waiting = Waiting {
            messages: messages.cast_unsigned(),
            recipients: recipients.cast_unsigned(),
            shared: Vec::new(),
            oldest: time(row.get(3)?),
            oldest_report: time(row.get(4)?),
        };
        found.insert(incident.cast_unsigned(), waiting);
    }
    Ok(found)
}

fn domains(connection: &Connection) -> Result<HashMap<u64, Vec<Domain>>> {
    let mut found: HashMap<u64, Vec<Domain>> = HashMap::new();
    let mut statement = connection.prepare_cached(DOMAINS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (incident, domain): (i64, String) = (row.get(0)?, row.get(1)?);
        if let Ok(domain) = domain.parse() {
            found.entry(incident.cast_unsigned()).or_default().push(domain);
        }
    }
    Ok(found)
}
