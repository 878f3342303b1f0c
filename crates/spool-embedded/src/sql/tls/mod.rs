//! The tables of TLS results: sessions counted by day, by the domain in whose report they stand, and by policy.
//!
//! * [`counting`]: what settlements add. [`telling`]: what was told is taken away. [`reading`]: what reports are made from.
//!   [`tidying`]: what is old goes.
//!
//! Strangers decide about domains, policies and what goes wrong, so all of it is bounded for each day; what exceeds that is
//! left out, and how much is counted.

pub(crate) mod counting;
pub(crate) mod reading;
pub(crate) mod telling;
pub(crate) mod tidying;

use mail::TlsPolicy;
use rusqlite::{Connection, OptionalExtension};

/// The schema version that brought these tables.
pub(crate) const SINCE: i32 = 8;

/// The number that stands for [`TlsPolicy::None`], whose domain is that of the row.
const NONE: i64 = 0;

const FIND_POLICY: &str = "SELECT id, last_day FROM tls_policy WHERE policy = ?1";

/// A policy that is stored.
#[derive(Debug, Clone, Copy)]
struct Known {
    id: i64,
    last_day: i64,
}

/// The number of a policy and the last day on which it was used, if it is stored; its text, if it is to be.
fn find(connection: &Connection, policy: &TlsPolicy) -> rusqlite::Result<(Option<Known>, String)> {
    if let TlsPolicy::None { .. } = policy {
        let known = Known {
            id: NONE,
            last_day: i64::MAX,
        };
        return Ok((Some(known), String::new()));
    }
    let text = written(serde_json::to_string(policy))?;
    let known = connection
        .prepare_cached(FIND_POLICY)?
        .query_row([&text], |row| {
            Ok(Known {
                id: row.get(0)?,
                last_day: row.get(1)?,
            })
        })
        .optional()?;
    Ok((known, text))
}

fn written(text: serde_json::Result<String>) -> rusqlite::Result<String> {
    text.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}
