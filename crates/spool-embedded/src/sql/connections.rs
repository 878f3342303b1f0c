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

/// Octets to which the log is cut when it starts again after it was longer. Usually it is shorter, and is written over in
/// place: then a commit changes no metadata of the file.
const LOG_KEPT: i64 = 128 << 20;

/// The connection of the writer: creates or migrates the database.
pub(crate) fn open_writer(path: &Path, cache_bytes: u32) -> Result<Connection> {
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

/// A connection to a database that nobody else has open; an error where somebody has. What was carried over of the log
/// before counts for nothing in it, because it has no part in the memory where that is noted.
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

/// `SQLite` would carry the log over when the last connection closes; it waits until that is allowed.
fn keep_log_at_close(connection: &Connection) -> Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(())
}

/// Allows this connection, where it is the last one to close, to carry the log over and remove it.
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

/// A connection to the database of a daemon that ended in order, where not even the directory may be written.
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

/// Plans each statement once, whatever is bound to it. Where values may change the plan, a cached statement is compiled
/// again for each use, which takes several times as long as most of ours run, and would find the same plan.
fn keep_plans(connection: &Connection) -> Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
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
