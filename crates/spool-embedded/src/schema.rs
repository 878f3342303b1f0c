//! The tables, and how a connection is set up.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use spool::SpoolError;

use crate::error::Result;

/// Marks the file as ours: "DANE" in ASCII.
pub(super) const APPLICATION_ID: i32 = 0x4441_4e45;

/// The newest schema version known here.
pub(super) const KNOWN_VERSION: i32 = 2;
/// Each entry leads from the version that is its place in the list to the next one.
pub(super) const MIGRATIONS: [&str; 2] = [VERSION_1, VERSION_2];

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

/// Octets to which the log is cut when it starts again after it was longer. Usually it is shorter, and is written over in
/// place: then a commit changes no metadata of the file.
const LOG_KEPT: i64 = 128 << 20;

/// The connection of the writer: creates or migrates the database.
pub(super) fn open_writer(path: &Path, cache_bytes: u32) -> Result<Connection> {
    make_private(path)?;
    let mut connection = Connection::open(path)?;
    keep_log_at_close(&connection)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    check_owner(&connection, path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // FULL: the log is synced at each commit. The checkpoints are the caretaker's.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", LOG_KEPT)?;
    connection.pragma_update(None, "cache_size", cache_kib(cache_bytes))?;
    connection.set_prepared_statement_cache_capacity(32);
    keep_plans(&connection)?;
    migrate(&mut connection)?;
    Ok(connection)
}

/// Makes the file, if it is missing, so that nobody else may read the mail in it, whoever may enter the directory.
/// `SQLite` gives the log the same mode. A file that is there is not opened: to close it would take away the locks
/// that other connections of this process have on it.
fn make_private(path: &Path) -> io::Result<()> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// A second connection that writes nothing but checkpoints.
pub(super) fn open_caretaker(path: &Path) -> Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    keep_log_at_close(&connection)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", LOG_KEPT)?;
    connection.pragma_update(None, "cache_size", cache_kib(512 << 10))?;
    Ok(connection)
}

/// A connection to a database that nobody else has open; an error where somebody has. What was carried over of the log
/// before counts for nothing in it, because it has no part in the memory where that is noted.
pub(super) fn open_alone(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    keep_log_at_close(&connection)?;
    connection.busy_timeout(Duration::from_millis(100))?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    Ok(connection)
}

/// `SQLite` would carry the log over when the last connection closes; it waits until that is allowed.
fn keep_log_at_close(connection: &Connection) -> Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(())
}

/// Allows this connection, where it is the last one to close, to carry the log over and remove it.
pub(super) fn carry_over_at_close(connection: &Connection) -> Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok(())
}

/// A connection that only reads.
pub(super) fn open_reader(path: &Path, cache_bytes: u32) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "cache_size", cache_kib(cache_bytes))?;
    keep_plans(&connection)?;
    Ok(connection)
}

/// A connection to the database of a daemon that ended in order, where not even the directory may be written.
pub(super) fn open_immutable(path: &Path) -> Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let escaped = path
        .to_string_lossy()
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23");
    let uri = format!("file:{escaped}?immutable=1");
    let connection = Connection::open_with_flags(uri, flags)?;
    keep_plans(&connection)?;
    Ok(connection)
}

/// Plans each statement once, whatever is bound to it. Where values may change the plan, a cached statement is compiled
/// again for each use, which takes several times as long as most of ours run, and would find the same plan.
fn keep_plans(connection: &Connection) -> Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// Refuses databases of other programs, and of versions that are newer than this one.
pub(super) fn check_owner(connection: &Connection, path: &Path) -> Result<()> {
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
pub(super) fn version(connection: &Connection) -> Result<i32> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

fn migrate(connection: &mut Connection) -> Result<()> {
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
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", KNOWN_VERSION)?;
    transaction.commit()?;
    Ok(())
}

/// `SQLite` takes a negative page count as a size in KiB.
fn cache_kib(bytes: u32) -> i64 {
    -i64::from(bytes / 1024)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn every_version_has_its_migration() {
        assert_eq!(MIGRATIONS.len(), usize::try_from(KNOWN_VERSION).unwrap());
    }

    #[test]
    fn a_cached_statement_is_compiled_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("queue.db");
        carry_over_at_close(&open_writer(&path, 1 << 20).unwrap()).unwrap();
        let openers: [fn(&Path) -> _; 3] = [
            |path| open_writer(path, 1 << 20),
            |path| open_reader(path, 1 << 20),
            open_immutable,
        ];
        for open in openers {
            let connection = open(&path).unwrap();
            for _ in 0..3 {
                let mut statement = connection
                    .prepare_cached("SELECT idx FROM recipient WHERE message_id = ?1 LIMIT ?2")
                    .unwrap();
                let _ = statement.query((b"id", 1)).unwrap().next().unwrap();
                assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
            }
        }
    }

    #[test]
    fn an_immutable_database_may_have_any_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a b%41?c#d.db");
        carry_over_at_close(&open_writer(&path, 1 << 20).unwrap()).unwrap();
        assert_eq!(version(&open_immutable(&path).unwrap()).unwrap(), KNOWN_VERSION);
    }
}
