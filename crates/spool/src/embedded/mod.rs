//! The embedded store: `SQLite` in write-ahead mode, with large contents in files beside it.
//!
//! * `lock`: one daemon a spool.
//! * `schema`: the tables and their versions; how a connection is set up.
//! * `job`: what is handed to the writer. `writer`: the one thread that writes, in groups. `tables`: its statements.
//!   `recovery`: when writing fails, and how it ends.
//! * `caretaker`: checkpoints, removal of files, the sweep at start; nothing waits for it.
//! * `readers`: connections that only read. `queries`: their statements. `rows`: between types and columns.
//!   `recent`: what was just accepted, so that most deliveries read nothing.
//! * `bodies`: large contents. `space`, `reserve`: a disk that fills up.

mod bodies;
mod caretaker;
#[cfg(test)]
mod crash_tests;
mod job;
mod lock;
mod queries;
mod read_only;
mod readers;
mod recent;
mod recovery;
mod reserve;
mod rows;
mod schema;
mod space;
mod tables;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mail::{NextHop, QueueId};
use tokio::sync::{mpsc, oneshot};

use bodies::Directories;
use caretaker::Caretaker;
use job::{CommitJob, Job, SettleJob, Stored};
use lock::Lock;
use readers::Readers;
use recent::Recent;
use recovery::Complaint;
use reserve::Reserve;
use space::Space;
use writer::{Shared, Writer};

use crate::blocking::blocking;
use crate::error::SpoolError;
use crate::incoming::{Complete, Incoming};
use crate::leases::LeaseTable;
use crate::listing::QueuedMessage;
use crate::message::{Accepted, Lease, NewMessage, Pending, Report, Settled, Settlement};
use crate::store::Spool;

pub use read_only::ReadOnlySpool;

/// The database's name in the spool directory.
const DATABASE: &str = "queue.db";
/// Steps that may wait for the writer before callers wait to hand theirs over.
const INBOX: usize = 256;

/// What may be set.
#[derive(Debug, Clone)]
pub struct Options {
    /// Octets that must stay free on the disk; below that, nothing is accepted.
    pub spool_free: u64,
    /// Most steps committed together.
    pub group_messages: usize,
    /// Octets of content after which a group is closed.
    pub group_bytes: usize,
    /// Octets of database pages that the writer keeps in memory.
    pub cache_bytes: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            spool_free: 512 << 20,
            group_messages: 256,
            group_bytes: 4 << 20,
            cache_bytes: 8 << 20,
        }
    }
}

/// The spool of one daemon in one directory. Cheap to clone; all clones are the same spool.
///
/// Dropping the last clone ends it as [`EmbeddedSpool::close`] does, but nobody learns when.
#[derive(Debug, Clone)]
pub struct EmbeddedSpool {
    jobs: mpsc::Sender<Job>,
    shared: Arc<Shared>,
    directories: Directories,
    leases: LeaseTable,
    readers: Arc<Readers>,
    recent: Arc<Recent>,
}

impl EmbeddedSpool {
    /// Opens the spool in the directory `path`, or makes one there.
    pub async fn open(path: impl Into<PathBuf>, options: Options) -> Result<Self, SpoolError> {
        let path = path.into();
        blocking(move || Self::open_now(&path, options)).await
    }

    fn open_now(path: &Path, options: Options) -> Result<Self, SpoolError> {
        let directories = Directories::of(path);
        directories.make(path)?;
        let lock = Lock::take(path)?;
        let database = path.join(DATABASE);
        let connection = schema::open_writer(&database, options.cache_bytes)?;
        directories.clear_incoming()?;
        let shared = Arc::new(Shared {
            broken: AtomicBool::new(false),
            space: Space::new(path.to_owned(), options.spool_free),
            #[cfg(test)]
            faults: std::sync::Mutex::default(),
        });
        let (jobs, inbox) = mpsc::channel(INBOX);
        Writer {
            next_body: tables::next_body(&connection)?,
            caretaker: Caretaker::start(&database, directories.clone(), directories.stored()?)?,
            reserve: Reserve::make(path),
            database: database.clone(),
            directories: directories.clone(),
            options,
            connection: Some(connection),
            shared: Arc::clone(&shared),
            inbox,
            waiting: VecDeque::new(),
            withdrawn: Vec::new(),
            unchecked: 0,
            complaint: Complaint::default(),
            lock,
        }
        .start()?;
        Ok(Self {
            jobs,
            shared,
            directories,
            leases: LeaseTable::default(),
            readers: Arc::new(Readers::new(database)),
            recent: Arc::default(),
        })
    }

    /// Writes what was handed over before, tidies up and gives the directory free. Whatever is asked of the spool
    /// afterwards fails with [`SpoolError::Closed`].
    pub async fn close(&self) -> Result<(), SpoolError> {
        self.readers.close();
        let (reply, answer) = oneshot::channel();
        self.hand_over(Job::Close(reply)).await?;
        answer.await.unwrap_or(Err(SpoolError::Closed))
    }

    /// Shows every message in the order of acceptance until `visit` breaks off; holds a few hundred in memory.
    pub async fn list(
        &self,
        visit: impl FnMut(QueuedMessage) -> ControlFlow<()> + Send + 'static,
    ) -> Result<(), SpoolError> {
        let leases = self.leases.clone();
        self.readers
            .read(move |connection| queries::list(connection, &leases, visit))
            .await
    }

    fn accepting(&self) -> Result<(), SpoolError> {
        if self.jobs.is_closed() {
            return Err(SpoolError::Closed);
        }
        if self.shared.broken.load(Ordering::Relaxed) {
            let error =
                std::io::Error::other("an earlier write failed, and the disk does not work again yet");
            return Err(error.into());
        }
        self.shared.space.check()
    }

    async fn hand_over(&self, job: Job) -> Result<(), SpoolError> {
        self.jobs.send(job).await.map_err(|_| SpoolError::Closed)
    }

    async fn store(&self, id: QueueId, incoming: Incoming) -> Result<Stored, SpoolError> {
        match incoming.complete().await? {
            Complete::Memory(octets) => Ok(Stored::Inline(octets)),
            Complete::File(file) => {
                let directories = self.directories.clone();
                blocking(move || directories.publish(id, file))
                    .await
                    .map(Stored::File)
            }
        }
    }
}

impl Spool for EmbeddedSpool {
    fn create(&self) -> Result<Incoming, SpoolError> {
        self.accepting()?;
        Ok(Incoming::new(self.directories.incoming()))
    }

    async fn commit(&self, incoming: Incoming, message: NewMessage) -> Result<Accepted, SpoolError> {
        self.accepting()?;
        let size = incoming.size();
        let content = self.store(message.id, incoming).await?;
        let (reply, answer) = oneshot::channel();
        let (message, accepted) = job::plan(message, size, content)?;
        self.recent.keep(&message);
        let job = CommitJob { message, reply };
        self.hand_over(Job::Commit(Box::new(job))).await?;
        match answer.await.unwrap_or(Err(SpoolError::Closed)) {
            Ok(()) => Ok(accepted),
            Err(error) => {
                self.recent.forget(accepted.id);
                Err(error)
            }
        }
    }

    async fn pending(&self, after: Option<QueueId>, limit: usize) -> Result<Vec<Pending>, SpoolError> {
        self.readers
            .read(move |connection| queries::pending(connection, after, limit))
            .await
    }

    async fn lease(&self, id: QueueId, next_hop: &NextHop) -> Result<Option<Lease>, SpoolError> {
        if self.jobs.is_closed() {
            return Err(SpoolError::Closed);
        }
        let Some(guard) = self.leases.take(id, next_hop) else {
            return Ok(None);
        };
        let guard = match self.recent.lease(id, next_hop, guard) {
            Ok(lease) => return Ok(Some(lease)),
            Err(guard) => guard,
        };
        let key = (id, next_hop.clone());
        let directories = self.directories.clone();
        self.readers
            .read(move |connection| queries::lease(connection, &directories, key, guard))
            .await
    }

    async fn settle(
        &self,
        lease: Lease,
        settlements: Vec<Settlement>,
        report: Option<Report>,
    ) -> Result<Settled, SpoolError> {
        job::check(&lease, &settlements)?;
        let plan = |report: Report| {
            let size = report.content.len() as u64;
            job::plan(report.message, size, Stored::Inline(report.content))
        };
        let report = report.map(plan).transpose()?;
        let (reply, answer) = oneshot::channel();
        let job = SettleJob {
            lease,
            settlements,
            report,
            reply,
        };
        self.hand_over(Job::Settle(Box::new(job))).await?;
        answer.await.unwrap_or(Err(SpoolError::Closed))
    }

    fn release(&self, lease: Lease) {
        drop(lease);
    }
}
