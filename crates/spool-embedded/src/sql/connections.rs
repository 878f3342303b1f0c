//! How a connection to the database is set up.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::schema::{check_owner, migrate};
use crate::error::Result;

/// The database's name in the spool directory.
pub(crate) const DATABASE: &str = "queue.db";

/// Octets to which the log is truncated when it restarts after having been longer. Usually it is shorter, and is overwritten
/// in place: then a commit changes no file metadata.
const LOG_KEPT: i64 = 128 << 20;

/// The connection of the writer: creates or migrates the database.
pub(crate) fn open_writer(path: &Path, cache_bytes: u32) -> Result<Connection> {
    make_private(path)?;
    let mut connection = Connection::open(path)?;
    keep_log_at_close(&connection)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    check_owner(&connection, path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // FULL: the log is synced at each commit. The caretaker makes the checkpoints.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", LOG_KEPT)?;
    connection.pragma_update(None, "cache_size", cache_kib(cache_bytes))?;
    connection.set_prepared_statement_cache_capacity(64);
    keep_plans(&connection)?;
    migrate(&mut connection)?;
    Ok(connection)
}

/// Creates the file if it is missing, so that nobody else can read the mail in it, whoever can enter the directory. `SQLite`
/// gives the log the same mode. An existing file is not opened: closing it would release the locks that other connections of
/// this process have on it.
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

/// A second connection that is used only for checkpoints.
pub(crate) fn open_caretaker(path: &Path) -> Result<Connection> {
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

/// A connection to a database that nobody else has open; an error if somebody does. It ignores how much of the log was
/// checkpointed before, because it does not use the shared memory where that is noted.
pub(crate) fn open_alone(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    keep_log_at_close(&connection)?;
    connection.busy_timeout(Duration::from_millis(100))?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    Ok(connection)
}

/// `SQLite` would checkpoint the log when the last connection closes; this postpones it until it is allowed.
fn keep_log_at_close(connection: &Connection) -> Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(())
}

/// Allows this connection, if it is the last one to close, to checkpoint and remove the log.
pub(crate) fn carry_over_at_close(connection: &Connection) -> Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok(())
}

/// A connection that only reads.
pub(crate) fn open_reader(path: &Path, cache_bytes: u32) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "cache_size", cache_kib(cache_bytes))?;
    keep_plans(&connection)?;
    Ok(connection)
}

/// A connection to the database of a daemon that ended in order, for use even if the directory is not writable.
pub(crate) fn open_immutable(path: &Path) -> Result<Connection> {
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

/// Plans each statement only once, whatever values are bound to it. If values could change the plan, a cached statement
/// would be compiled again for each use; that takes several times as long as most of our statements run, and would give the
/// same plan.
fn keep_plans(connection: &Connection) -> Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// `SQLite` interprets a negative page count as a size in KiB.
fn cache_kib(bytes: u32) -> i64 {
    -i64::from(bytes / 1024)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rusqlite::StatementStatus;

    use super::*;
    use crate::sql::schema;

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
        let version = schema::version(&open_immutable(&path).unwrap()).unwrap();
        assert_eq!(version, schema::KNOWN_VERSION);
    }
}
