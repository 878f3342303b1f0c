//! The connection that the writer uses.

use std::path::PathBuf;
use std::sync::Arc;

use mail::QueueId;
use rusqlite::Connection;
use spool::SpoolError;

use super::group::{Done, RolledBack, transact};
use super::job::Work;
use super::written::Written;
use crate::disk::bodies::Directories;
use crate::error::Result;
use crate::log::checkpoints::Extent;
use crate::log::frames::Log;
use crate::shared::Shared;
use crate::sql::connections;
use crate::sql::ledger::counting::Keys;
use crate::sql::messages::{self, Counters};
use crate::steps::Place;

/// The connection that the writer uses, and what it knows about the database.
#[derive(Debug)]
pub(crate) struct Database {
    path: PathBuf,
    cache_bytes: u32,
    directories: Directories,
    shared: Arc<Shared>,
    /// `None` only while it is being reopened.
    connection: Option<Connection>,
    next_body: i64,
    counters: Counters,
    /// Numbers in the ledger.
    keys: Keys,
}

/// A group that was not written, as far as is known.
#[derive(Debug)]
pub(super) struct Unwritten {
    /// The step that failed by itself.
    pub(super) culprit: Option<Work>,
    /// All others.
    pub(super) group: Vec<Work>,
    pub(super) error: rusqlite::Error,
    /// The number of its transaction, if that had come to its end: then it may be durable.
    pub(super) doubt: Option<u64>,
}

impl Database {
    /// With this connection to the database at `path`, which is always opened with a cache of so many octets.
    pub(crate) fn new(
        connection: Connection,
        (path, cache_bytes): (PathBuf, u32),
        directories: Directories,
        shared: Arc<Shared>,
    ) -> Result<Self> {
        Ok(Self {
            next_body: messages::next_body(&connection)?,
            counters: messages::counters(&connection)?,
            path,
            cache_bytes,
            keys: Keys::new(Arc::clone(&shared.apart)),
            directories,
            shared,
            connection: Some(connection),
        })
    }

    /// Makes a group durable, or changes nothing. Returns each step with its result, and the files whose messages are gone.
    pub(super) fn write(
        &mut self,
        withdrawn: &[QueueId],
        group: Vec<Work>,
    ) -> std::result::Result<(Vec<Done>, Vec<PathBuf>), Unwritten> {
        let Some(connection) = &self.connection else {
            return Err(Unwritten {
                culprit: None,
                group,
                error: rusqlite::Error::InvalidQuery,
                doubt: None,
            });
        };
        let mut written = Written::new(&self.directories, self.next_body, self.counters, &mut self.keys);
        let done = transact(connection, &self.shared, (withdrawn, group), &mut written);
        let Written {
            gone,
            next_body,
            counters,
            ..
        } = written;
        let done = match done {
            Ok(done) => done,
            Err(RolledBack {
                culprit,
                group,
                error,
            }) => {
                self.keys.forget();
                let doubt = Some(counters.commits).filter(|number| *number > self.counters.commits);
                return Err(Unwritten {
                    culprit,
                    group,
                    error,
                    doubt,
                });
            }
        };
        self.next_body = next_body;
        self.counters = counters;
        self.shared.count(counters);
        if let Some(news) = self.keys.news() {
            self.shared.teller.tell(news);
        }
        Ok((done, gone))
    }

    /// Roughly how many octets the next checkpoint brings into the database.
    pub(super) fn owed(&self) -> u64 {
        let log = self.connection.as_ref().map(Log::of);
        log.and_then(rusqlite::Result::ok).map_or(0, Log::owed)
    }

    /// Reopens it after an error and checks it.
    pub(super) fn recover(&mut self) -> Result<()> {
        // No file handle that saw the error is used again: the kernel may have dropped what it could not write.
        self.close();
        self.shared.faults.at(Place::Reopen)?;
        let connection = self.connect()?;
        // Before more is written, the contents of the log must reach the database, and the database must be whole.
        self.shared.checkpoints.carry_over(Extent::Possible)?;
        let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            let what = "the database does not pass its check";
            return Err(SpoolError::Corrupt { id: None, what }.into());
        }
        self.take_up(connection)
    }

    pub(super) fn is_open(&self) -> bool {
        self.connection.is_some()
    }

    /// Closes the connection until it is reopened.
    pub(super) fn close(&mut self) {
        self.connection = None;
    }

    /// Opens it again as it was.
    pub(super) fn open(&mut self) -> Result<()> {
        let connection = self.connect()?;
        self.take_up(connection)
    }

    fn connect(&self) -> Result<Connection> {
        // Opened before the writer's connection, so that the contents of the log are on the disk before more is added.
        self.shared.checkpoints.open()?;
        connections::open_writer(&self.path, self.cache_bytes)
    }

    fn take_up(&mut self, connection: Connection) -> Result<()> {
        self.next_body = messages::next_body(&connection)?;
        self.counters = messages::counters(&connection)?;
        self.shared.count(self.counters);
        self.keys.forget();
        self.connection = Some(connection);
        Ok(())
    }

    /// Cleans up and checkpoints the log before the end; `None` if the log is kept.
    pub(super) fn tidy(&self) -> Result<Option<Log>> {
        let Some(connection) = &self.connection else {
            return Err(SpoolError::Closed.into());
        };
        connection.execute_batch("PRAGMA optimize")?;
        self.shared.checkpoints.carry_over(Extent::Whole)
    }
}
