//! Inspecting a spool without being its daemon.

use std::io;
use std::ops::{ControlFlow, RangeInclusive};
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use mail::{Domain, QueueId, TlsTally};
use parking_lot::Mutex;
use rusqlite::Connection;
use rustix::fs::Access;
use spool::blocking::blocking;
use spool::leases::LeaseTable;
use spool::{
    Content, Declared, Incidents, Inspect, KnownIncident, Ledger, LedgerRoom, QueuedMessage, SpoolError,
    Summary, Tally, TlsDay, TlsDomain, TlsTallies, Unreadable,
};

use crate::disk::bodies::Directories;
use crate::error;
use crate::sql::connections::{self, DATABASE};
use crate::sql::ledger::reading;
use crate::sql::{declared, known, list, schema, stored, summary, tls};
use crate::telling::Teller;

/// The first version whose ledger is read; the next start of a daemon brings older ones up to it.
const WITH_LEDGER: i32 = 4;
/// The first version that counts what is in it.
const WITH_ROOM: i32 = 10;

/// Cache of the connection, in octets.
const CACHE_BYTES: u32 = 2 << 20;

/// A spool opened only for reading: that of a stopped daemon, or beside a running one. It cannot show which recipients are
/// leased.
#[derive(Debug)]
pub struct ReadOnlySpool {
    connection: Arc<Mutex<Connection>>,
    directories: Directories,
}

impl ReadOnlySpool {
    /// Opens the spool in the directory `path`; neither creates nor migrates one. Blocks on the disk.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SpoolError> {
        let directory = path.as_ref();
        let database = directory.join(DATABASE);
        // Checked without opening the file: closing it would release the locks that this process may have on it.
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
        let connection = match checked(connections::open_reader(&database, CACHE_BYTES), &database) {
            // Without a log, nothing can change the database, and all of its data is in this file.
            Err(SpoolError::Io(_)) if !directory.join(format!("{DATABASE}-wal")).exists() => {
                checked(connections::open_immutable(&database), &database)
            }
            opened => opened,
        }?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            directories: Directories::of(directory, Teller::nobody()),
        })
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> error::Result<T> + Send + 'static,
    ) -> Result<T, SpoolError> {
        let connection = Arc::clone(&self.connection);
        blocking(move || Ok(work(&mut connection.lock())?)).await
    }
}

fn checked(opened: error::Result<Connection>, database: &Path) -> Result<Connection, SpoolError> {
    let connection = opened?;
    schema::check_owner(&connection, database)?;
    Ok(connection)
}

impl Inspect for ReadOnlySpool {
    async fn list(
        &self,
        id: Option<QueueId>,
        visit: impl FnMut(QueuedMessage) -> ControlFlow<()> + Send + 'static,
    ) -> Result<Unreadable, SpoolError> {
        self.read(move |connection| list::list(connection, &LeaseTable::default(), id, visit))
            .await
    }

    async fn list_after(
        &self,
        after: QueueId,
        visit: impl FnMut(QueuedMessage) -> ControlFlow<()> + Send + 'static,
    ) -> Result<Unreadable, SpoolError> {
        self.read(move |connection| list::list_after(connection, &LeaseTable::default(), after, visit))
            .await
    }

    async fn summary(&self, most: usize, now: Timestamp) -> Result<Summary, SpoolError> {
        self.read(move |connection| summary::summary(connection, &LeaseTable::default(), most, now))
            .await
    }

    async fn declared(&self, id: QueueId) -> Result<Option<Declared>, SpoolError> {
        self.read(move |connection| {
            let version = schema::version(connection)?;
            declared::declared(connection, id, version)
        })
        .await
    }

    async fn content(&self, id: QueueId) -> Result<Option<Content>, SpoolError> {
        let directories = self.directories.clone();
        self.read(move |connection| {
            let version = schema::version(connection)?;
            stored::content(connection, &directories, id, version)
        })
        .await
    }
}

impl Ledger for ReadOnlySpool {
    async fn room(&self, day: Date) -> Result<LedgerRoom, SpoolError> {
        self.read(move |connection| {
            schema::check_has(connection, WITH_ROOM)?;
            reading::room(connection, day)
        })
        .await
    }

    async fn totals(
        &self,
        days: RangeInclusive<Date>,
        visit: impl FnMut(Date, Tally) -> ControlFlow<()> + Send + 'static,
    ) -> Result<u64, SpoolError> {
        self.read(move |connection| {
            schema::check_has(connection, WITH_LEDGER)?;
            reading::totals(connection, &days, visit)
        })
        .await
    }

    async fn sums(
        &self,
        days: RangeInclusive<Date>,
        visit: impl FnMut(Tally) -> ControlFlow<()> + Send + 'static,
    ) -> Result<u64, SpoolError> {
        self.read(move |connection| {
            schema::check_has(connection, WITH_LEDGER)?;
            reading::sums(connection, &days, visit)
        })
        .await
    }
}

impl Incidents for ReadOnlySpool {
    async fn incidents(&self) -> Result<Vec<KnownIncident>, SpoolError> {
        self.read(known::incidents).await
    }
}

impl TlsTallies for ReadOnlySpool {
    async fn tls_domains(
        &self,
        day: Date,
        after: Option<Domain>,
        limit: usize,
    ) -> Result<Vec<TlsDomain>, SpoolError> {
        self.read(move |connection| tls::reading::domains(connection, day, after.as_ref(), limit))
            .await
    }

    async fn tls_tallies(&self, day: Date, domain: Domain) -> Result<Vec<TlsTally>, SpoolError> {
        self.read(move |connection| tls::reading::tallies(connection, day, &domain))
            .await
    }

    async fn tls_days(&self) -> Result<Vec<TlsDay>, SpoolError> {
        self.read(|connection| tls::reading::days(connection)).await
    }
}
