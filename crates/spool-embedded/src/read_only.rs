//! Looking into a spool without being its daemon.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use mail::QueueId;
use rusqlite::Connection;
use rustix::fs::Access;

use super::bodies::Directories;
use super::{DATABASE, error, schema, shown, stored};
use spool::Content;
use spool::SpoolError;
use spool::leases::LeaseTable;
use spool::{Declared, QueuedMessage, Summary, Unreadable};

/// Cache of the connection, in octets.
const CACHE_BYTES: u32 = 2 << 20;

/// A spool that is only looked at: of a stopped daemon, or beside a running one. Which recipients are leased cannot
/// be seen from here. Its work waits for the disk: call it away from the runtime's threads.
#[derive(Debug)]
pub struct ReadOnlySpool {
    connection: Mutex<Connection>,
    directories: Directories,
}

impl ReadOnlySpool {
    /// Opens the spool in the directory `path`; neither makes nor migrates one.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SpoolError> {
        let directory = path.as_ref();
        let database = directory.join(DATABASE);
        // Asked without opening it: to close it again would take away the locks that this process may have on it.
        match rustix::fs::access(&database, Access::READ_OK).map_err(io::Error::from) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(SpoolError::Missing(directory.to_owned()));
            }
            Err(error) => {
                let named = format!("{}: {error}", database.display());
                return Err(io::Error::new(error.kind(), named).into());
            }
        }
        let connection = match Self::checked(schema::open_reader(&database, CACHE_BYTES), &database) {
            // Without its log, nothing can change it and nothing of it is elsewhere.
            Err(SpoolError::Io(_)) if !directory.join(format!("{DATABASE}-wal")).exists() => {
                Self::checked(schema::open_immutable(&database), &database)
            }
            opened => opened,
        }?;
        Ok(Self {
            connection: Mutex::new(connection),
            directories: Directories::of(directory),
        })
    }

    fn checked(opened: error::Result<Connection>, database: &Path) -> Result<Connection, SpoolError> {
        let connection = opened?;
        schema::check_owner(&connection, database)?;
        Ok(connection)
    }

    /// Shows every message in the order of acceptance until `visit` breaks off; holds a few hundred in memory. Messages
    /// with this id only, if one is given. What cannot be read is passed over and counted.
    pub fn list(
        &self,
        id: Option<QueueId>,
        visit: impl FnMut(QueuedMessage) -> ControlFlow<()>,
    ) -> Result<Unreadable, SpoolError> {
        self.with(|connection| shown::list(connection, &LeaseTable::default(), id, visit))
    }

    /// Counts by state, octets, the oldest message, and the `destinations` next hops with most messages.
    pub fn summary(&self, destinations: usize) -> Result<Summary, SpoolError> {
        self.with(|connection| shown::summary(connection, &LeaseTable::default(), destinations))
    }

    /// What was declared of a message; `None` if there is no such message.
    pub fn declared(&self, id: QueueId) -> Result<Option<Declared>, SpoolError> {
        self.with(|connection| {
            let version = schema::version(connection)?;
            shown::declared(connection, id, version)
        })
    }

    /// The content of a message; `None` if there is no such message.
    pub fn content(&self, id: QueueId) -> Result<Option<Content>, SpoolError> {
        self.with(|connection| {
            let version = schema::version(connection)?;
            stored::content(connection, &self.directories, id, version)
        })
    }

    fn with<T>(&self, read: impl FnOnce(&mut Connection) -> error::Result<T>) -> Result<T, SpoolError> {
        Ok(read(
            &mut self.connection.lock().unwrap_or_else(PoisonError::into_inner),
        )?)
    }
}
