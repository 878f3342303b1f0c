//! The tables and their versions.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};
use spool::SpoolError;

use super::ledger::counting;
use crate::error::Result;

/// Marks the file as ours: "DANE" in ASCII.
pub(crate) const APPLICATION_ID: i32 = 0x4441_4e45;

/// The newest schema version known here.
pub(crate) const KNOWN_VERSION: i32 = 12;
/// The first version in which the ledger counts the keys below each registrable domain.
const WITH_HOLDERS: i32 = 10;
/// Each entry migrates from the version given by its index to the next one.
pub(crate) const MIGRATIONS: [&str; 12] = [
    VERSION_1, VERSION_2, VERSION_3, VERSION_4, VERSION_5, VERSION_6, VERSION_7, VERSION_8, VERSION_9,
    VERSION_10, VERSION_11, VERSION_12,
];

// Ids are the 16 octets of a queue id, times are milliseconds since 1970 in UTC.
// `remaining` counts the recipients that are not final. `body` names a row of that table; NULL: in a file.
// `next_attempt` is the time of acceptance until the first attempt has ended.
// All tables grow at their end, because ids sort by time; there is no index to keep beside them.
const VERSION_1: &str = "
    CREATE TABLE message (
        id BLOB PRIMARY KEY,
        created INTEGER NOT NULL,
        reverse_path TEXT NOT NULL,
        body_type INTEGER NOT NULL,
        size INTEGER NOT NULL,
        accepted INTEGER NOT NULL,
        remaining INTEGER NOT NULL,
        body INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE recipient (
        message_id BLOB NOT NULL,
        idx INTEGER NOT NULL,
        address TEXT NOT NULL,
        next_hop TEXT NOT NULL,
        state INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        next_attempt INTEGER NOT NULL,
        reply_code INTEGER,
        enhanced TEXT,
        reason TEXT,
        PRIMARY KEY (message_id, idx)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE body (
        seq INTEGER PRIMARY KEY,
        content BLOB NOT NULL
    ) STRICT;
";

// `ret`: 0 FULL, 1 HDRS. `body_sum`: CRC-32 of the content; NULL in rows of version 1.
// `notify`, `original`: as received. `notice`: JSON, until a report has told it; most recipients never have one.
// `ledger.day`: days since 1970-01-01. `host`: empty for none. `family`: 0, 4 or 6. `status`: as `recipient.state`.
// `counters.commits` grows with each transaction, so that vanished ones are noticed; `messages` spares the start a count.
const VERSION_2: &str = "
    ALTER TABLE message ADD COLUMN smtputf8 INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE message ADD COLUMN ret INTEGER;
    ALTER TABLE message ADD COLUMN envelope_id TEXT;
    ALTER TABLE message ADD COLUMN body_sum INTEGER;
    ALTER TABLE recipient ADD COLUMN notify TEXT;
    ALTER TABLE recipient ADD COLUMN original TEXT;
    ALTER TABLE recipient ADD COLUMN notice TEXT;
    ALTER TABLE recipient ADD COLUMN delay_noticed INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX noticed ON recipient (message_id) WHERE notice IS NOT NULL;
    CREATE TABLE ledger (
        day INTEGER NOT NULL,
        next_hop TEXT NOT NULL,
        host TEXT NOT NULL,
        family INTEGER NOT NULL,
        status INTEGER NOT NULL,
        security INTEGER NOT NULL,
        dane INTEGER NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (day, next_hop, host, family, status, security, dane)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE counters (
        commits INTEGER NOT NULL,
        messages INTEGER NOT NULL
    ) STRICT;
    INSERT INTO counters (commits, messages) SELECT 0, count(*) FROM message;
";

// `dane`: what DANE found wrong in the last attempt, as the log says it; NULL where nothing, and in rows of version 2.
const VERSION_3: &str = "
    ALTER TABLE recipient ADD COLUMN dane TEXT;
";

// `recipient.host`: the host of the last attempt. `recipient.cause`, `ledger_key.cause`: the number of the kind of cause.
// `ledger_day.last`: the second of the day. `ledger_key.domain`, `.host`: numbers of names; 0 for none, and host -1 for the
// totals of all hosts. `ledger_key.last_day`: the last day with a row.
// Until this version the ledger knew no recipient's domain; the next hop's stands for it where it can.
const VERSION_4: &str = "
    ALTER TABLE recipient ADD COLUMN host TEXT;
    ALTER TABLE recipient ADD COLUMN cause INTEGER;
    CREATE TABLE ledger_name (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE
    ) STRICT;
    CREATE TABLE ledger_key (
        id INTEGER PRIMARY KEY,
        domain INTEGER NOT NULL,
        host INTEGER NOT NULL,
        family INTEGER NOT NULL,
        status INTEGER NOT NULL,
        security INTEGER NOT NULL,
        dane INTEGER NOT NULL,
        cause INTEGER NOT NULL,
        last_day INTEGER NOT NULL,
        UNIQUE (domain, host, family, status, security, dane, cause)
    ) STRICT;
    CREATE INDEX ledger_key_host ON ledger_key (host);
    CREATE TABLE ledger_day (
        day INTEGER NOT NULL,
        key INTEGER NOT NULL,
        count INTEGER NOT NULL,
        octets INTEGER NOT NULL,
        last INTEGER NOT NULL,
        PRIMARY KEY (day, key)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE ledger_total (
        day INTEGER NOT NULL,
        key INTEGER NOT NULL,
        count INTEGER NOT NULL,
        octets INTEGER NOT NULL,
        last INTEGER NOT NULL,
        PRIMARY KEY (day, key)
    ) STRICT, WITHOUT ROWID;
    INSERT OR IGNORE INTO ledger_name (name) SELECT next_hop FROM ledger WHERE next_hop NOT LIKE '%:%';
    INSERT OR IGNORE INTO ledger_name (name) SELECT host FROM ledger WHERE host <> '';
    CREATE TABLE ledger_old AS
        SELECT day, coalesce(d.id, 0) AS domain, coalesce(h.id, 0) AS host, family, status, security, dane, count
        FROM ledger l LEFT JOIN ledger_name d ON d.name = l.next_hop LEFT JOIN ledger_name h ON h.name = l.host;
    INSERT INTO ledger_key (domain, host, family, status, security, dane, cause, last_day)
        SELECT domain, host, family, status, security, dane, 0, max(day) FROM ledger_old
        GROUP BY domain, host, family, status, security, dane;
    INSERT INTO ledger_key (domain, host, family, status, security, dane, cause, last_day)
        SELECT 0, -1, family, status, security, dane, 0, max(day) FROM ledger_old
        GROUP BY family, status, security, dane;
    INSERT INTO ledger_day SELECT o.day, k.id, sum(o.count), 0, 0 FROM ledger_old o JOIN ledger_key k
        USING (domain, host, family, status, security, dane) GROUP BY o.day, k.id;
    INSERT INTO ledger_total SELECT o.day, k.id, sum(o.count), 0, 0 FROM ledger_old o JOIN ledger_key k
        USING (family, status, security, dane) WHERE k.host = -1 GROUP BY o.day, k.id;
    DROP TABLE ledger_old;
    DROP TABLE ledger;
";

// `tls`: what a message says about TLS on its way: 0 nothing, 1 REQUIRETLS, 2 TLS-Required: No.
const VERSION_5: &str = "
    ALTER TABLE message ADD COLUMN tls INTEGER NOT NULL DEFAULT 0;
";

// `recipient.incident`: the security failure that a deferred recipient waits for; most never have one.
// `incident.kind`: 0 an MX host, 1 a domain, 2 our resolver, 3 our login at a next hop; `name`: which. `evidence`, `before`:
// JSON. `told`: when people were last told that it is open. `proof`: what each host showed when it last proved itself.
const VERSION_6: &str = "
    ALTER TABLE recipient ADD COLUMN incident INTEGER;
    CREATE INDEX held_up ON recipient (incident, message_id) WHERE incident IS NOT NULL;
    CREATE TABLE incident (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kind INTEGER NOT NULL,
        name TEXT NOT NULL,
        trouble TEXT NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        evidence TEXT NOT NULL,
        before TEXT,
        before_since INTEGER,
        before_until INTEGER,
        ended INTEGER,
        ending INTEGER,
        reopened INTEGER NOT NULL DEFAULT 0,
        told INTEGER,
        told_half INTEGER NOT NULL DEFAULT 0,
        told_ended INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX incident_spot ON incident (kind, name, trouble);
    CREATE TABLE incident_domain (
        incident INTEGER NOT NULL,
        domain TEXT NOT NULL,
        UNIQUE (incident, domain)
    ) STRICT;
    CREATE TABLE proof (
        host TEXT NOT NULL UNIQUE,
        evidence TEXT NOT NULL,
        since INTEGER NOT NULL,
        until INTEGER NOT NULL
    ) STRICT;
";

// `incident.holder`: the registrable part of its name, NULL for what is ours. For those of version 6, which end in time, the
// name itself stands for it.
const VERSION_7: &str = "
    ALTER TABLE incident ADD COLUMN holder TEXT;
    UPDATE incident SET holder = name WHERE kind IN (0, 1);
    CREATE INDEX incident_ended ON incident (ended) WHERE ended IS NOT NULL;
    CREATE INDEX incident_holder ON incident (holder, ended) WHERE holder IS NOT NULL;
";

// `tls_tally.domain`: in whose report it stands. `tls_policy.policy`, `tls_failure.failure`: JSON. `tls_tally.policy`: 0 if
// the domain publishes none. `tls_day`: what is stored for a day, and what found no room.
const VERSION_8: &str = "
    CREATE TABLE tls_policy (
        id INTEGER PRIMARY KEY,
        last_day INTEGER NOT NULL,
        policy TEXT NOT NULL UNIQUE
    ) STRICT;
    CREATE INDEX tls_policy_last_day ON tls_policy (last_day);
    CREATE TABLE tls_tally (
        day INTEGER NOT NULL,
        domain TEXT NOT NULL,
        policy INTEGER NOT NULL,
        successes INTEGER NOT NULL,
        failures INTEGER NOT NULL,
        PRIMARY KEY (day, domain, policy)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE tls_failure (
        day INTEGER NOT NULL,
        domain TEXT NOT NULL,
        policy INTEGER NOT NULL,
        failure TEXT NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (day, domain, policy, failure)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE tls_day (
        day INTEGER PRIMARY KEY,
        tallies INTEGER NOT NULL,
        octets INTEGER NOT NULL,
        left_out INTEGER NOT NULL
    ) STRICT;
";

// `incident.told`, `told_half` and `told_ended` are what the log has said; `mailed`, `commanded` and `posted` what people have been
// told by mail, by the command and by the webhook: 0 nothing, 1 that it has begun, 2 that half of the time has passed, 3 that it
// is over. `collects`: the sum of 1 if it stands for others too, 2 if it concerns more domains than are
// kept, 4 if a message demanded for itself what failed.
const VERSION_9: &str = "
    ALTER TABLE incident ADD COLUMN mailed INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE incident ADD COLUMN commanded INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE incident ADD COLUMN posted INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE incident ADD COLUMN collects INTEGER NOT NULL DEFAULT 0;
    UPDATE incident SET mailed = CASE WHEN told_ended THEN 3 WHEN told_half THEN 2 WHEN told IS NOT NULL THEN 1 ELSE 0 END;
    UPDATE incident SET commanded = mailed, posted = mailed;
";

// `ledger_packed.entries`: the rows of `ledger_day` for a day that is over, `count` of them in one value, with its CRC-32.
// What there is of older versions is packed in small steps while the relay runs. `ledger_holder.keys`: how many keys there are of
// names below this registrable domain. `tls_share`: what is stored for a day of the domains of one
// registrant. `counters.ledger_keys`: how many keys there are, those of totals not counted; `ledger_new`: how many of them were
// added on `ledger_day`.
const VERSION_10: &str = "
    CREATE TABLE ledger_packed (
        day INTEGER NOT NULL,
        count INTEGER NOT NULL,
        sum INTEGER NOT NULL,
        entries BLOB NOT NULL
    ) STRICT;
    CREATE TABLE ledger_holder (
        name TEXT PRIMARY KEY,
        keys INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX ledger_packed_day ON ledger_packed (day);
    ALTER TABLE counters ADD COLUMN ledger_keys INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE counters ADD COLUMN ledger_new INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE counters ADD COLUMN ledger_day INTEGER NOT NULL DEFAULT 0;
    UPDATE counters SET ledger_keys = (SELECT count(*) FROM ledger_key WHERE host <> -1);
    CREATE TABLE tls_share (
        day INTEGER NOT NULL,
        holder TEXT NOT NULL,
        tallies INTEGER NOT NULL,
        octets INTEGER NOT NULL,
        PRIMARY KEY (day, holder)
    ) STRICT, WITHOUT ROWID;
";

// `proof.port`: the port of the host at which it proved itself; until this version it was only in `evidence`.
const VERSION_11: &str = "
    ALTER TABLE proof RENAME TO proof_of_host;
    CREATE TABLE proof (
        host TEXT NOT NULL,
        port INTEGER NOT NULL,
        evidence TEXT NOT NULL,
        since INTEGER NOT NULL,
        until INTEGER NOT NULL,
        UNIQUE (host, port)
    ) STRICT;
    INSERT INTO proof SELECT host, port, evidence, since, until FROM (
        SELECT rowid AS place, CASE WHEN json_valid(evidence) THEN evidence ->> 'port' END AS port, * FROM proof_of_host)
        WHERE port IS NOT NULL ORDER BY place;
    DROP TABLE proof_of_host;
";

// `proof.holder`: the registrable part of its name. For those of version 11 the name itself stands for it until the host proves
// itself again, within a day.
const VERSION_12: &str = "
    ALTER TABLE proof ADD COLUMN holder TEXT;
    UPDATE proof SET holder = host;
    CREATE INDEX proof_holder ON proof (holder);
";

/// Refuses databases of other programs, and of newer versions.
pub(crate) fn check_owner(connection: &Connection, path: &Path) -> Result<()> {
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let found = version(connection)?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let blank = application == 0 && found == 0 && tables == 0;
    if application != APPLICATION_ID && !blank {
        return Err(SpoolError::Foreign(path.to_owned()).into());
    }
    if found > KNOWN_VERSION {
        let known = KNOWN_VERSION;
        return Err(SpoolError::NewerVersion { found, known }.into());
    }
    Ok(())
}

/// The schema version of the database.
pub(crate) fn version(connection: &Connection) -> Result<i32> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// Refuses databases of versions before the one that has what is to be read.
pub(crate) fn check_has(connection: &Connection, needed: i32) -> Result<()> {
    let found = version(connection)?;
    if found < needed {
        return Err(SpoolError::OlderVersion { found, needed }.into());
    }
    Ok(())
}

/// Migrates the database to the newest version.
pub(crate) fn migrate(connection: &mut Connection) -> Result<()> {
    let found = version(connection)?;
    let steps = MIGRATIONS.get(usize::try_from(found).unwrap_or(usize::MAX)..);
    let steps = steps.unwrap_or_default();
    if steps.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for step in steps {
        transaction.execute_batch(step)?;
    }
    if found < WITH_HOLDERS {
        counting::count_below(&transaction)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", KNOWN_VERSION)?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_version_has_its_migration() {
        assert_eq!(MIGRATIONS.len(), usize::try_from(KNOWN_VERSION).unwrap());
    }
}
