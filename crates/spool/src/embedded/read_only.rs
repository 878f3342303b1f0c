//! Looking into a spool without being its daemon.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;
use rustix::fs::Access;

use super::{DATABASE, queries, schema};
use crate::error::SpoolError;
use crate::leases::LeaseTable;
use crate::listing::QueuedMessage;

/// Cache of the connection, in octets.
const CACHE_BYTES: u32 = 2 << 20;

/// A spool that is only looked at: of a stopped daemon, or beside a running one. Which recipients are leased cannot
/// be seen from here. Its work waits for the disk: call it away from the runtime's threads.
#[derive(Debug)]
pub struct ReadOnlySpool(Mutex<Connection>);

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
        Ok(Self(Mutex::new(connection)))
    }

    fn checked(opened: Result<Connection, SpoolError>, database: &Path) -> Result<Connection, SpoolError> {
        let connection = opened?;
        schema::check_owner(&connection, database)?;
        Ok(connection)
    }

    /// Shows every message in the order of acceptance until `visit` breaks off; holds a few hundred in memory.
    pub fn list(&self, visit: impl FnMut(QueuedMessage) -> ControlFlow<()>) -> Result<(), SpoolError> {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queries::list(&mut connection, &LeaseTable::default(), visit)
    }
}
