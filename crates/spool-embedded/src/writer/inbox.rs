//! What waits to be written.

use std::collections::VecDeque;

use mail::QueueId;
use spool::SpoolError;
use tokio::sync::mpsc;

use super::group::Step;
use super::job::{Job, Reply};
use crate::options::Options;
use crate::sql::new_message::Stored;

/// What is waiting to be written, in order of arrival.
#[derive(Debug)]
pub(crate) struct Inbox {
    coming: mpsc::Receiver<Job>,
    waiting: VecDeque<Job>,
    /// Messages that may be queued although their clients were not told so: to be deleted.
    withdrawn: Vec<QueueId>,
    group_messages: usize,
    group_bytes: usize,
}

impl Inbox {
    /// Into which jobs come from here.
    pub(crate) fn new(coming: mpsc::Receiver<Job>, options: &Options) -> Self {
        Self {
            coming,
            waiting: VecDeque::new(),
            withdrawn: Vec::new(),
            group_messages: options.group_messages,
            group_bytes: options.group_bytes,
        }
    }

    /// Waits for work; false when no senders are left.
    pub(super) fn gather(&mut self) -> bool {
        let room = self.group_messages.saturating_sub(self.waiting.len());
        let mut taken = Vec::with_capacity(room);
        if self.waiting.is_empty() && self.withdrawn.is_empty() {
            if self.coming.blocking_recv_many(&mut taken, room.max(1)) == 0 {
                return false;
            }
        } else {
            while taken.len() < room
                && let Ok(job) = self.coming.try_recv()
            {
                taken.push(job);
            }
        }
        self.waiting.extend(taken);
        true
    }

    /// Takes a request to close if nothing is waiting in front of it.
    pub(super) fn closer(&mut self) -> Option<Reply<()>> {
        if !self.withdrawn.is_empty() {
            return None;
        }
        match self.waiting.pop_front()? {
            Job::Close(reply) => Some(reply),
            job @ (Job::Commit(_)
            | Job::Settle(_)
            | Job::Report(_)
            | Job::Act(_)
            | Job::Tidy(_)
            | Job::Incidents(_)
            | Job::TlsTold(_)) => {
                self.waiting.push_front(job);
                None
            }
        }
    }

    /// Whether anything is to be written.
    pub(super) fn has_work(&self) -> bool {
        !self.waiting.is_empty() || !self.withdrawn.is_empty()
    }

    /// The next steps to commit together, and roughly how many octets they add to the log.
    pub(super) fn next_group(&mut self) -> (Vec<Step>, usize) {
        let mut group = Vec::with_capacity(self.waiting.len());
        let mut weight = 0_usize;
        while weight < self.group_bytes
            && let Some(job) = self.waiting.pop_front()
        {
            weight = weight.saturating_add(job.weight());
            match job {
                // Nobody waits for it any more: the client is gone.
                Job::Commit(job) if job.reply.is_closed() => {}
                Job::Commit(job) => group.push(Step::Commit(job, None)),
                Job::Settle(job) => group.push(Step::Settle(job, None)),
                Job::Report(job) => group.push(Step::Report(job, None)),
                Job::Tidy(job) => group.push(Step::Tidy(job, None)),
                Job::Incidents(job) => group.push(Step::Incidents(job, None)),
                Job::TlsTold(job) => group.push(Step::TlsTold(job, None)),
                // This ends its group: the next step may need what this one has locked.
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
        (group, weight)
    }

    /// The messages to be deleted with the next group.
    pub(super) fn withdrawn(&self) -> &[QueueId] {
        &self.withdrawn
    }

    /// They are gone.
    pub(super) fn forget_withdrawn(&mut self) {
        self.withdrawn.clear();
    }

    /// Marks a message for deletion whose client was not told that it is queued.
    pub(super) fn withdraw(&mut self, id: QueueId) {
        self.withdrawn.push(id);
    }

    /// The clients of a failed group are told at once; outcomes are put back in front, because they cannot be obtained
    /// again, and so is what a TLS report has told if it may be durable, or a web server has it: it would be told again. On a
    /// full disk nothing is durable, and the administrator's actions are kept, too, because they make room.
    ///
    /// `doubt` is the number of the group's transaction, if that may be durable.
    pub(super) fn refuse(&mut self, group: Vec<Step>, doubt: Option<u64>, error: &SpoolError) {
        let is_full = matches!(error, SpoolError::Full);
        let may_pass = is_full || matches!(error, SpoolError::Io(_));
        let doubt = doubt.filter(|_| !is_full);
        for step in group.into_iter().rev() {
            match step {
                Step::Commit(mut job, _) => {
                    if !is_full {
                        // It may be durable anyway: then the row must not lose its file until both are deleted.
                        self.withdrawn.push(job.message.id);
                        if let Stored::File(published) = &mut job.message.body.stored {
                            published.keep();
                        }
                    }
                    let _ = job.reply.send(Err(error.clone()));
                }
                Step::Settle(job, _) => self.waiting.push_front(Job::Settle(job)),
                Step::Report(job, _) => self.waiting.push_front(Job::Report(job)),
                Step::Tidy(job, _) => drop(job.reply.send(Err(error.clone()))),
                Step::Incidents(job, _) => drop(job.reply.send(Err(error.clone()))),
                Step::TlsTold(mut job, _) => {
                    job.in_doubt = job.in_doubt.or(doubt);
                    if job.in_doubt.is_some() || (job.report.is_none() && may_pass) {
                        self.waiting.push_front(Job::TlsTold(job));
                    } else {
                        let _ = job.reply.send(Err(error.clone()));
                    }
                }
                Step::Act(job, hands) => {
                    drop(hands);
                    if is_full {
                        self.waiting.push_front(Job::Act(job));
                    } else {
                        let _ = job.reply.send(Err(error.clone()));
                    }
                }
            }
        }
    }

    /// Whether something is waiting that a full disk must not hold up: outcomes, or actions of the administrator, who may be
    /// making room.
    pub(super) fn must_write(&self) -> bool {
        let must = |job: &Job| job.cannot_be_refused() || matches!(job, Job::Act(_));
        !self.withdrawn.is_empty() || self.waiting.iter().any(must)
    }

    /// Refuses requests of clients and the administrator as long as nothing can be written.
    pub(super) fn refuse_new(&mut self, error: &SpoolError) {
        while let Ok(job) = self.coming.try_recv() {
            self.waiting.push_back(job);
        }
        for job in std::mem::take(&mut self.waiting) {
            match job {
                job if job.cannot_be_refused() => self.waiting.push_back(job),
                Job::Commit(job) => drop(job.reply.send(Err(error.clone()))),
                Job::Act(job) => drop(job.reply.send(Err(error.clone()))),
                Job::Tidy(job) => drop(job.reply.send(Err(error.clone()))),
                Job::Incidents(job) => drop(job.reply.send(Err(error.clone()))),
                Job::TlsTold(job) => drop(job.reply.send(Err(error.clone()))),
                Job::Settle(_) | Job::Report(_) | Job::Close(_) => self.waiting.push_back(job),
            }
        }
    }

    /// Whether the spool is to end.
    pub(super) fn is_closing(&self) -> bool {
        self.coming.is_closed() || self.waiting.iter().any(|job| matches!(job, Job::Close(_)))
    }

    /// Tells all who are still waiting that the spool is closed, except those who asked to close it.
    pub(super) fn end(mut self) -> Vec<Reply<()>> {
        self.coming.close();
        while let Ok(job) = self.coming.try_recv() {
            self.waiting.push_back(job);
        }
        let mut closers = Vec::new();
        for job in self.waiting {
            match job {
                Job::Commit(job) => drop(job.reply.send(Err(SpoolError::Closed))),
                Job::Settle(job) => drop(job.reply.send(Err(SpoolError::Closed))),
                Job::Report(job) => drop(job.reply.send(Err(SpoolError::Closed))),
                Job::Act(job) => drop(job.reply.send(Err(SpoolError::Closed))),
                Job::Tidy(job) => drop(job.reply.send(Err(SpoolError::Closed))),
                Job::Incidents(job) => drop(job.reply.send(Err(SpoolError::Closed))),
                Job::TlsTold(job) => drop(job.reply.send(Err(SpoolError::Closed))),
                Job::Close(reply) => closers.push(reply),
            }
        }
        closers
    }
}
