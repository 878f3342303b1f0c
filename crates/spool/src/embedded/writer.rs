//! The one thread that writes: it takes whatever waits and commits it as a group.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use mail::QueueId;
use rusqlite::Connection;
use tokio::sync::mpsc;

use super::Options;
use super::bodies::Directories;
use super::caretaker::{Caretaker, Chore, checkpoint};
use super::job::{CommitJob, Job, Reply, SettleJob, Stored, rest};
use super::lock::Lock;
use super::recovery::Complaint;
use super::reserve::Reserve;
use super::space::Space;
use super::tables::{self, Deleted};
use crate::error::SpoolError;
use crate::message::Settled;

/// Octets written to the log after which a checkpoint is asked for.
const CHECKPOINT_EVERY: usize = 8 << 20;

/// What the writer and the callers' side both see.
#[derive(Debug)]
pub(super) struct Shared {
    /// Writing failed and has not been found to work again.
    pub(super) broken: AtomicBool,
    pub(super) space: Space,
    /// Errors to come, first one first, each at a place of its own.
    #[cfg(test)]
    pub(super) faults: std::sync::Mutex<VecDeque<(Place, rusqlite::ffi::ErrorCode)>>,
}

/// Where a write can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Before anything is written.
    Begin,
    /// With everything written but the end of the transaction.
    Commit,
    /// With the transaction durable, unknown to us.
    Committed,
    /// While the database is opened again.
    Reopen,
}

impl Shared {
    /// In tests, the error that was ordered for this place.
    #[cfg(test)]
    pub(super) fn fault(&self, place: Place) -> rusqlite::Result<()> {
        let mut faults = self
            .faults
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        match faults.front() {
            Some((at, code)) if *at == place => {
                let code = rusqlite::ffi::Error {
                    code: *code,
                    extended_code: 0,
                };
                faults.pop_front();
                Err(rusqlite::Error::SqliteFailure(code, None))
            }
            Some(_) | None => Ok(()),
        }
    }

    #[cfg(not(test))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "faults exist in tests only"
    )]
    pub(super) fn fault(&self, _: Place) -> rusqlite::Result<()> {
        Ok(())
    }
}

/// All that the thread owns.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) database: PathBuf,
    pub(super) directories: Directories,
    pub(super) options: Options,
    /// `None` only while it is being reopened.
    pub(super) connection: Option<Connection>,
    pub(super) caretaker: Caretaker,
    pub(super) reserve: Reserve,
    pub(super) shared: Arc<Shared>,
    pub(super) inbox: mpsc::Receiver<Job>,
    pub(super) waiting: VecDeque<Job>,
    /// Messages whose clients were not told that they are queued, though they may be: to be deleted.
    pub(super) withdrawn: Vec<QueueId>,
    pub(super) next_body: i64,
    pub(super) unchecked: usize,
    pub(super) complaint: Complaint,
    /// Held until nothing is written any more.
    pub(super) lock: Lock,
}

/// The answers of a group that is written but not yet durable.
#[derive(Default)]
struct Written {
    /// For each step in order: whether a message was inserted, or whether a settled message is done.
    results: Vec<bool>,
    /// Files whose messages are gone once the group is durable.
    gone: Vec<PathBuf>,
    next_body: i64,
}

/// The jobs that can share a group.
enum Step {
    Commit(Box<CommitJob>),
    Settle(Box<SettleJob>),
}

impl Writer {
    /// Works until the spool is closed or forgotten.
    pub(super) fn start(self) -> Result<(), SpoolError> {
        thread::Builder::new()
            .name("spool-writer".into())
            .spawn(move || self.run())?;
        Ok(())
    }

    fn run(mut self) {
        let (closer, failure) = loop {
            if !self.gather() {
                break (None, None);
            }
            if self.withdrawn.is_empty()
                && let Some(reply) = self.closer()
            {
                break (Some(reply), None);
            }
            let group = self.next_group();
            if let Err(error) = self.write(group) {
                self.complaint.failed(&error);
                if !self.recover(&error) {
                    break (None, Some(error));
                }
            }
        };
        self.end(closer, failure);
    }

    /// Waits for work; false when nobody can send any more.
    fn gather(&mut self) -> bool {
        let room = self.options.group_messages.saturating_sub(self.waiting.len());
        let mut taken = Vec::with_capacity(room);
        if self.waiting.is_empty() && self.withdrawn.is_empty() {
            if self.inbox.blocking_recv_many(&mut taken, room.max(1)) == 0 {
                return false;
            }
        } else {
            while taken.len() < room
                && let Ok(job) = self.inbox.try_recv()
            {
                taken.push(job);
            }
        }
        self.waiting.extend(taken);
        true
    }

    /// Takes a request to close that nothing waits in front of.
    fn closer(&mut self) -> Option<Reply<()>> {
        match self.waiting.pop_front()? {
            Job::Close(reply) => Some(reply),
            job @ (Job::Commit(_) | Job::Settle(_)) => {
                self.waiting.push_front(job);
                None
            }
        }
    }

    /// What is to be committed together.
    fn next_group(&mut self) -> Vec<Step> {
        let mut group = Vec::with_capacity(self.waiting.len());
        let mut weight = 0_usize;
        while weight < self.options.group_bytes
            && let Some(job) = self.waiting.pop_front()
        {
            weight = weight.saturating_add(job.weight());
            match job {
                // Nobody waits for it any more: the client has gone.
                Job::Commit(job) if job.reply.is_closed() => {}
                Job::Commit(job) => group.push(Step::Commit(job)),
                Job::Settle(job) => group.push(Step::Settle(job)),
                Job::Close(_) => {
                    self.waiting.push_front(job);
                    break;
                }
            }
        }
        self.unchecked = self.unchecked.saturating_add(weight);
        group
    }

    /// Makes a group durable and answers. After an error the outcomes of the group wait again, in front.
    fn write(&mut self, group: Vec<Step>) -> Result<(), SpoolError> {
        match self.transact(&group) {
            Ok(written) => {
                self.withdrawn.clear();
                self.next_body = written.next_body;
                for (step, result) in group.into_iter().zip(written.results) {
                    match step {
                        Step::Commit(job) => self.answer_commit(*job, result),
                        Step::Settle(job) => answer_settle(*job, result),
                    }
                }
                for path in written.gone {
                    self.caretaker.ask(Chore::Remove(path));
                }
                self.tend_log();
                self.complaint.succeeded();
                self.reserve.renew(&self.shared.space);
                Ok(())
            }
            Err(error) => {
                let error = SpoolError::from(error);
                self.refuse(group, &error);
                Err(error)
            }
        }
    }

    fn transact(&self, group: &[Step]) -> rusqlite::Result<Written> {
        let Some(connection) = &self.connection else {
            return Err(rusqlite::Error::InvalidQuery);
        };
        let mut written = Written {
            results: Vec::with_capacity(group.len()),
            gone: Vec::new(),
            next_body: self.next_body,
        };
        self.shared.fault(Place::Begin)?;
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let commit = || {
            self.shared.fault(Place::Commit)?;
            connection.prepare_cached("COMMIT")?.execute([])?;
            self.shared.fault(Place::Committed)
        };
        match self.fill(connection, group, &mut written).and_then(|()| commit()) {
            Ok(()) => Ok(written),
            Err(error) => {
                // Some errors have rolled back by themselves, then this one fails and means nothing.
                let _ = connection.execute_batch("ROLLBACK");
                Err(error)
            }
        }
    }

    fn fill(&self, connection: &Connection, group: &[Step], written: &mut Written) -> rusqlite::Result<()> {
        for id in &self.withdrawn {
            // Without a row there may be a file that was kept because nobody knew whether there is one.
            if tables::delete(connection, *id)? != Deleted::Row {
                written.gone.push(self.directories.body(*id));
            }
        }
        for step in group {
            let result = match step {
                Step::Commit(job) => {
                    let inserted = tables::insert(connection, &job.message, written.next_body)?;
                    written.next_body = written.next_body.saturating_add(1);
                    inserted
                }
                Step::Settle(job) => {
                    let deleted = tables::settle(connection, &job.lease, &job.settlements)?;
                    if deleted == Some(Deleted::File) {
                        written.gone.push(self.directories.body(job.lease.id));
                    }
                    if let Some((report, _)) = &job.report {
                        // Already there when outcomes are written for the second time.
                        tables::insert(connection, report, written.next_body)?;
                        written.next_body = written.next_body.saturating_add(1);
                    }
                    deleted.is_some()
                }
            };
            written.results.push(result);
        }
        Ok(())
    }

    fn answer_commit(&mut self, job: CommitJob, inserted: bool) {
        let CommitJob { mut message, reply } = job;
        if !inserted {
            let _ = reply.send(Err(SpoolError::Duplicate(message.id)));
            return;
        }
        if let Stored::File(published) = &mut message.content {
            published.keep();
        }
        if reply.send(Ok(())).is_err() {
            self.withdrawn.push(message.id);
        }
    }

    /// The clients of a failed group are told at once; outcomes are kept, because they cannot be had again.
    fn refuse(&mut self, group: Vec<Step>, error: &SpoolError) {
        for step in group.into_iter().rev() {
            match step {
                Step::Commit(mut job) => {
                    if !matches!(error, SpoolError::Full) {
                        // It may be durable all the same: then the row must not miss its file until both go.
                        self.withdrawn.push(job.message.id);
                        if let Stored::File(published) = &mut job.message.content {
                            published.keep();
                        }
                    }
                    let _ = job.reply.send(Err(error.clone()));
                }
                Step::Settle(job) => self.waiting.push_front(Job::Settle(job)),
            }
        }
    }

    fn tend_log(&mut self) {
        if self.unchecked >= CHECKPOINT_EVERY {
            self.unchecked = 0;
            self.caretaker.ask(Chore::Checkpoint);
        }
        if self.caretaker.wants_finish()
            && let Some(connection) = &self.connection
            && let Err(error) = checkpoint(connection, "PASSIVE")
        {
            tracing::warn!(%error, "a checkpoint of the spool failed");
        }
    }
}

fn answer_settle(job: SettleJob, message_done: bool) {
    let SettleJob {
        lease,
        settlements,
        report,
        reply,
    } = job;
    let pending = rest(&lease, &settlements);
    // The lease is free before anyone can know that it was settled.
    drop(lease);
    let _ = reply.send(Ok(Settled {
        pending,
        report: report.map(|(_, accepted)| accepted.pending).unwrap_or_default(),
        message_done,
    }));
}
