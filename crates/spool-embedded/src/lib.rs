//! The embedded store: `SQLite` in write-ahead mode, with large contents in files beside it.
//!
//! * `lock`: one daemon a spool. `start`: what is looked at before anything is accepted.
//! * `schema`: the tables and their versions; how a connection is set up.
//! * `job`: what is handed to the writer. `writer`: the one thread that writes, in groups. `group`: one group in one
//!   transaction. `tables`, `settling`, `tally`, `acting`: its statements. `recovery`: when writing fails, and how it
//!   ends. `shared`: what the writer and the callers both see.
//! * `log`: how long the log is, and what of it is on the disk. `checkpoints`: it is carried over into the database, or
//!   kept. `renewal`: when it was kept. `caretaker`: when it is carried over, removal of files, the sweep at start; nothing
//!   waits for it. `commits`: how many transactions must be there.
//! * `readers`: connections that only read. `queries`, `stored`, `shown`: their statements. `rows`: between types and columns.
//!   `recent`: what was just accepted, so that most deliveries read nothing.
//! * `managing`: the administrator's side. `read_only`: the same without the daemon.
//! * `bodies`: large contents. `space`, `reserve`: a disk that fills up.
//! * `steps`: where a process can die and a write can fail.

mod acting;
mod bodies;
mod caretaker;
mod checkpoints;
mod commits;
mod doubts;
mod error;
mod group;
mod job;
mod lock;
mod log;
mod managing;
mod queries;
mod read_only;
mod readers;
mod recent;
mod recovery;
mod renewal;
mod reserve;
mod rows;
mod schema;
mod settling;
mod shared;
mod shown;
mod space;
mod start;
mod steps;
mod stored;
mod tables;
mod tally;
#[cfg(test)]
mod tests;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use mail::{NextHop, QueueId};
use spool::blocking::blocking;
use spool::incoming::{Complete, Room};
use spool::{
    Accepted, InDoubt, Incoming, Lease, Leasing, NewMessage, Notices, Pending, Report, Reported, Running,
    Settled, Settlement, Spool, SpoolError,
};
use tokio::sync::{mpsc, oneshot};

use bodies::Directories;
use doubts::DoubtsFile;
use job::{Body, CommitJob, Job, ReportJob, SettleJob, Stored};
use readers::Readers;
use shared::Shared;
use space::Space;

pub use read_only::ReadOnlySpool;

/// The database's name in the spool directory.
const DATABASE: &str = "queue.db";

/// What may be set.
#[derive(Debug, Clone)]
pub struct Options {
    /// The most messages in the queue, 0 for as many as the disk holds; beyond that, nothing is accepted. Our own
    /// reports are queued all the same.
    pub queue_messages: u64,
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
            queue_messages: 0,
            spool_free: 512 << 20,
            group_messages: 256,
            group_bytes: 4 << 20,
            cache_bytes: 8 << 20,
        }
    }
}

/// The spool of one daemon in one directory. Cheap to clone; all clones are the same spool.
///
/// Dropping the last clone ends it as [`Running::close`] does, but nobody learns when.
#[derive(Debug, Clone)]
pub struct EmbeddedSpool {
    jobs: mpsc::Sender<Job>,
    shared: Arc<Shared>,
    directories: Directories,
    readers: Arc<Readers>,
    doubts: Arc<DoubtsFile>,
    in_doubt: Arc<InDoubt>,
    vanished: u64,
}

impl EmbeddedSpool {
    /// Opens the spool in the directory `path`, or makes one there.
    pub async fn open(path: impl Into<PathBuf>, options: Options) -> Result<Self, SpoolError> {
        let path = path.into();
        blocking(move || Ok(start::open(&path, options)?)).await
    }

    /// Whether a new message would be refused at this moment, and why: because the spool is closed, too full or broken.
    /// Cheap enough for every transaction.
    fn accepting(&self) -> Result<(), SpoolError> {
        if self.jobs.is_closed() {
            return Err(SpoolError::Closed);
        }
        self.shared.accepting()
    }

    /// Hands a job over that has room for the reply, and waits for that.
    async fn ask<T>(&self, job: impl FnOnce(job::Reply<T>) -> Job) -> Result<T, SpoolError> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send(job(reply)).await.map_err(|_| SpoolError::Closed)?;
        answer.await.unwrap_or(Err(SpoolError::Closed))
    }

    async fn store(&self, id: QueueId, incoming: Incoming) -> Result<Body, SpoolError> {
        let (size, sum) = (incoming.size(), incoming.checksum());
        let stored = match incoming.complete().await? {
            Complete::Memory(octets) => {
                self.shared.space.take(size)?;
                Stored::Inline(octets)
            }
            Complete::File(file) => {
                let directories = self.directories.clone();
                Stored::File(blocking(move || directories.publish(id, file)).await?)
            }
        };
        Ok(Body { size, sum, stored })
    }
}

impl Running for EmbeddedSpool {
    fn messages(&self) -> u64 {
        self.shared.messages.load(Ordering::Relaxed)
    }

    fn in_doubt_at_start(&self) -> &InDoubt {
        &self.in_doubt
    }

    fn doubts_told(&self) {
        self.doubts.told();
    }

    fn vanished_at_start(&self) -> u64 {
        self.vanished
    }

    async fn close(&self) -> Result<(), SpoolError> {
        self.readers.close();
        self.ask(Job::Close).await
    }
}

impl Spool for EmbeddedSpool {
    fn create(&self) -> Result<Incoming, SpoolError> {
        self.accepting()?;
        let room = Arc::<Space>::clone(&self.shared.space);
        Ok(Incoming::within(self.directories.incoming(), room))
    }

    async fn commit(&self, incoming: Incoming, message: NewMessage) -> Result<Accepted, SpoolError> {
        self.accepting()?;
        let body = self.store(message.id, incoming).await?;
        let (message, accepted) = job::plan(message, body)?;
        self.shared.recent.keep(&message);
        let commit = |reply| Job::Commit(Box::new(CommitJob { message, reply }));
        match self.ask(commit).await {
            Ok(()) => Ok(accepted),
            Err(error) => {
                self.shared.recent.forget(accepted.id);
                Err(error)
            }
        }
    }

    async fn pending(&self, after: Option<QueueId>, limit: usize) -> Result<Vec<Pending>, SpoolError> {
        self.readers
            .read(move |connection| queries::pending(connection, after, limit))
            .await
    }

    async fn lease(&self, id: QueueId, next_hop: &NextHop) -> Result<Leasing, SpoolError> {
        if self.jobs.is_closed() {
            return Err(SpoolError::Closed);
        }
        let Some(guard) = self.shared.leases.take(id, next_hop) else {
            return Ok(Leasing::Taken);
        };
        let guard = match self.shared.recent.lease(id, next_hop, guard) {
            Ok(lease) => return Ok(Leasing::Leased(Box::new(lease))),
            Err(guard) => guard,
        };
        let key = (id, next_hop.clone());
        let directories = self.directories.clone();
        let lease = self
            .readers
            .read(move |connection| queries::lease(connection, &directories, key, guard))
            .await?;
        Ok(lease.map_or(Leasing::Nothing, |lease| Leasing::Leased(Box::new(lease))))
    }

    async fn settle(
        &self,
        lease: Lease,
        settlements: Vec<Settlement>,
        now: Timestamp,
    ) -> Result<Settled, SpoolError> {
        job::check(&lease, &settlements)?;
        let settle = |reply| {
            Job::Settle(Box::new(SettleJob {
                lease,
                settlements,
                now,
                reply,
            }))
        };
        self.ask(settle).await
    }

    async fn unreported(&self) -> Result<Vec<QueueId>, SpoolError> {
        self.readers
            .read(|connection| queries::unreported(connection))
            .await
    }

    async fn notices(&self, id: QueueId) -> Result<Option<Notices>, SpoolError> {
        if self.jobs.is_closed() {
            return Err(SpoolError::Closed);
        }
        let Some(guard) = self.shared.leases.take_report(id) else {
            return Ok(None);
        };
        let directories = self.directories.clone();
        self.readers
            .read(move |connection| queries::notices(connection, &directories, id, guard))
            .await
    }

    async fn report(&self, notices: Notices, report: Option<Report>) -> Result<Reported, SpoolError> {
        let report = report.map(job::plan_report).transpose()?;
        let id = report.as_ref().map(|(_, accepted)| accepted.id);
        if let Some((message, _)) = &report {
            self.shared.recent.keep(message);
        }
        let job = |reply| {
            Job::Report(Box::new(ReportJob {
                notices,
                report,
                reply,
            }))
        };
        let reported = self.ask(job).await;
        if let (Some(id), Err(_)) = (id, &reported) {
            self.shared.recent.forget(id);
        }
        reported
    }

    fn release(&self, lease: Lease) {
        lease.guard.settled();
    }
}
