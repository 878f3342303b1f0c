//! The one thread that writes: it takes whatever waits and commits it as a group.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use mail::QueueId;
use rusqlite::Connection;
use tokio::sync::mpsc;

use super::Options;
use super::bodies::Directories;
use super::caretaker::{Caretaker, Chore};
use super::checkpoints::{Extent, checkpoint};
use super::error::told;
use super::group::{Insertion, Step, Written, transact};
use super::job::{ActJob, CommitJob, Job, Reply, ReportJob, SettleJob, Stored, rest};
use super::lock::Lock;
use super::readers::Readers;
use super::recovery::Complaint;
use super::reserve::Reserve;
use super::settling::After;
use super::shared::{Counters, Shared};
use spool::SpoolError;
use spool::{Reported, Settled};

/// Octets written to the log after which a checkpoint is asked for.
const CHECKPOINT_EVERY: usize = 8 << 20;

/// All that the thread owns.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) database: PathBuf,
    pub(super) directories: Directories,
    pub(super) options: Options,
    /// `None` only while it is being opened anew.
    pub(super) connection: Option<Connection>,
    pub(super) caretaker: Caretaker,
    pub(super) readers: Arc<Readers>,
    pub(super) reserve: Reserve,
    pub(super) shared: Arc<Shared>,
    pub(super) inbox: mpsc::Receiver<Job>,
    pub(super) waiting: VecDeque<Job>,
    /// Messages whose clients were not told that they are queued, though they may be: to be deleted.
    pub(super) withdrawn: Vec<QueueId>,
    pub(super) next_body: i64,
    pub(super) counters: Counters,
    pub(super) unchecked: usize,
    pub(super) complaint: Complaint,
    /// Held until nothing is written any more.
    pub(super) lock: Lock,
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
            if let Err(error) = self.write(group).and_then(|()| self.renew_if_due()) {
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
            job @ (Job::Commit(_) | Job::Settle(_) | Job::Report(_) | Job::Act(_)) => {
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
                Job::Commit(job) => group.push(Step::Commit(job, None)),
                Job::Settle(job) => group.push(Step::Settle(job, None)),
                Job::Report(job) => group.push(Step::Report(job, None)),
                // The last of its group: the next one may want what this one has its hands on.
                Job::Act(job) => {
                    group.push(Step::Act(job, None));
                    break;
                }
                Job::Close(_) => {
                    self.waiting.push_front(job);
                    break;
                }
            }
        }
        self.unchecked = self.unchecked.saturating_add(weight);
        group
    }

    /// Makes a group durable and answers. After an error what is not refused waits again, in front.
    fn write(&mut self, mut group: Vec<Step>) -> Result<(), SpoolError> {
        if group.is_empty() && self.withdrawn.is_empty() {
            return Ok(());
        }
        let mut written = Written::new(&self.directories, self.next_body, self.counters);
        let done = match &self.connection {
            Some(connection) => {
                let steps = (&self.withdrawn[..], &mut group[..]);
                transact(connection, &self.shared, steps, &mut written)
            }
            None => Err(rusqlite::Error::InvalidQuery),
        };
        if let Err(error) = done {
            let error = told(&error);
            self.refuse(group, &error);
            return Err(error);
        }
        self.withdrawn.clear();
        self.next_body = written.next_body;
        self.counters = written.counters;
        self.shared.count(written.counters);
        let gone = written.gone;
        for step in group {
            self.answer(step);
        }
        for path in gone {
            self.caretaker.ask(Chore::Remove(path));
        }
        self.tend_log();
        self.complaint.succeeded();
        self.reserve.renew(&self.shared.space);
        Ok(())
    }

    fn answer(&mut self, step: Step) {
        match step {
            Step::Commit(job, Some(insertion)) => self.answer_commit(*job, insertion),
            Step::Settle(job, Some(after)) => answer_settle(*job, after),
            Step::Report(job, Some(after)) => answer_report(*job, after),
            Step::Act(job, Some((acted, hands))) => {
                // Free before anyone can know that it is done.
                drop(hands);
                let _ = job.reply.send(Ok(acted));
            }
            // What was written has a result; who waits for a reply that is dropped is told that the spool is closed.
            Step::Commit(_, None) | Step::Settle(_, None) | Step::Report(_, None) | Step::Act(_, None) => {}
        }
    }

    fn answer_commit(&mut self, job: CommitJob, insertion: Insertion) {
        let CommitJob { mut message, reply } = job;
        match insertion {
            Insertion::Done => {
                if let Stored::File(published) = &mut message.body.stored {
                    published.keep();
                }
                if reply.send(Ok(())).is_err() {
                    self.withdrawn.push(message.id);
                }
            }
            Insertion::Duplicate => drop(reply.send(Err(SpoolError::Duplicate(message.id)))),
            Insertion::TooMany => drop(reply.send(Err(SpoolError::TooManyMessages))),
        }
    }

    /// The clients of a failed group are told at once; outcomes are kept, because they cannot be had again. On a full disk
    /// the administrator's actions are kept, too: they are what makes room.
    fn refuse(&mut self, group: Vec<Step>, error: &SpoolError) {
        for step in group.into_iter().rev() {
            match step {
                Step::Commit(mut job, _) => {
                    if !matches!(error, SpoolError::Full) {
                        // It may be durable all the same: then the row must not miss its file until both go.
                        self.withdrawn.push(job.message.id);
                        if let Stored::File(published) = &mut job.message.body.stored {
                            published.keep();
                        }
                    }
                    let _ = job.reply.send(Err(error.clone()));
                }
                Step::Settle(job, _) => self.waiting.push_front(Job::Settle(job)),
                Step::Report(job, _) => self.waiting.push_front(Job::Report(job)),
                Step::Act(job, hands) if matches!(error, SpoolError::Full) => {
                    drop(hands);
                    self.waiting.push_front(Job::Act(job));
                }
                Step::Act(job, hands) => {
                    drop(hands);
                    let ActJob { reply, .. } = *job;
                    let _ = reply.send(Err(error.clone()));
                }
            }
        }
    }

    fn tend_log(&mut self) {
        if self.caretaker.wants_finish()
            && let Err(error) = checkpoint(&self.shared, Extent::Possible)
        {
            tracing::warn!(%error, "a checkpoint of the spool failed");
        }
        if self.unchecked >= CHECKPOINT_EVERY {
            self.unchecked = 0;
            self.caretaker.ask(Chore::Checkpoint);
        }
    }
}

fn answer_settle(job: SettleJob, after: After) {
    let SettleJob {
        lease,
        settlements,
        now: _,
        reply,
    } = job;
    let pending = rest(&lease, &settlements);
    // The lease is free before anyone can know that it was settled.
    lease.guard.settled();
    let (message_done, report_due) = state(after);
    let _ = reply.send(Ok(Settled {
        pending,
        report_due,
        message_done,
    }));
}

fn answer_report(job: ReportJob, after: After) {
    let ReportJob {
        notices,
        report,
        reply,
    } = job;
    drop(notices);
    let (message_done, notices_left) = state(after);
    let _ = reply.send(Ok(Reported {
        pending: report.map(|(_, accepted)| accepted.pending).unwrap_or_default(),
        message_done,
        notices_left,
    }));
}

/// Whether the message is done, and whether there is something to tell.
fn state(after: After) -> (bool, bool) {
    match after {
        After::Gone(_) => (true, false),
        After::Left { report_due } => (false, report_due),
    }
}
