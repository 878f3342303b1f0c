//! What waits to be written.

use std::collections::VecDeque;

use mail::QueueId;
use spool::SpoolError;
use tokio::sync::mpsc;

use super::job::{Job, Reply, Work};
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
        if self.waiting.is_empty() && self.withdrawn.is_empty() {
            match self.coming.blocking_recv() {
                Some(job) => self.waiting.push_back(job),
                None => return false,
            }
        }
        while self.waiting.len() < self.group_messages
            && let Ok(job) = self.coming.try_recv()
        {
            self.waiting.push_back(job);
        }
        true
    }

    /// Takes a request to close if nothing is waiting in front of it.
    pub(super) fn closer(&mut self) -> Option<Reply<()>> {
        if !self.withdrawn.is_empty() {
            return None;
        }
        match self.waiting.pop_front()? {
            Job::Close(reply) => Some(reply),
            Job::Write(work) => {
                self.waiting.push_front(Job::Write(work));
                None
            }
        }
    }

    /// Whether anything is to be written.
    pub(super) fn has_work(&self) -> bool {
        !self.waiting.is_empty() || !self.withdrawn.is_empty()
    }

    /// The next steps to commit together, and roughly how many octets they add to the log.
    pub(super) fn next_group(&mut self) -> (Vec<Work>, usize) {
        let mut group = Vec::with_capacity(self.waiting.len());
        let mut weight = 0_usize;
        while weight < self.group_bytes
            && let Some(Job::Write(work)) = self.waiting.pop_front_if(|job| matches!(job, Job::Write(_)))
        {
            if work.is_forsaken() {
                continue;
            }
            weight = weight.saturating_add(work.weight());
            // The next step may need what this one has locked.
            let is_last = matches!(work, Work::Act(_));
            group.push(work);
            if is_last {
                break;
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

    /// These were not written, and are next.
    pub(super) fn put_back(&mut self, group: Vec<Work>) {
        for work in group.into_iter().rev() {
            self.waiting.push_front(Job::Write(work));
        }
    }

    /// The clients of a failed group are told at once; outcomes are put back in front, because they cannot be obtained
    /// again, and so is what a TLS report has told if it may be durable, or a web server has it: it would be told again. On a
    /// full disk nothing is durable, and the administrator's actions are kept, too, because they make room.
    ///
    /// `doubt` is the number of the group's transaction, if that may be durable.
    pub(super) fn refuse(&mut self, group: Vec<Work>, doubt: Option<u64>, error: &SpoolError) {
        let is_full = matches!(error, SpoolError::Full);
        let may_pass = is_full || matches!(error, SpoolError::Io(_));
        let doubt = doubt.filter(|_| !is_full);
        for mut work in group.into_iter().rev() {
            let stays = match &mut work {
                Work::Settle(_) | Work::Report(_) => true,
                Work::Act(_) => is_full,
                Work::TlsTold(job) => {
                    job.in_doubt = job.in_doubt.or(doubt);
                    job.in_doubt.is_some() || (job.report.is_none() && may_pass)
                }
                Work::Commit(job) => {
                    if !is_full {
                        // It may be durable anyway: then the row must not lose its file until both are deleted.
                        self.withdrawn.push(job.message.id);
                        if let Stored::File(published) = &mut job.message.body.stored {
                            published.keep();
                        }
                    }
                    false
                }
                Work::Tidy(_) | Work::Incidents(_) => false,
            };
            if stays {
                self.waiting.push_front(Job::Write(work));
            } else {
                work.fail(error.clone());
            }
        }
    }

    /// Whether something is waiting that a full disk must not hold up: outcomes, or actions of the administrator, who may be
    /// making room.
    pub(super) fn must_write(&self) -> bool {
        let must = |job: &Job| match job {
            Job::Write(work) => work.cannot_be_refused() || matches!(work, Work::Act(_)),
            Job::Close(_) => false,
        };
        !self.withdrawn.is_empty() || self.waiting.iter().any(must)
    }

    /// Refuses requests of clients and the administrator as long as nothing can be written.
    pub(super) fn refuse_new(&mut self, error: &SpoolError) {
        while let Ok(job) = self.coming.try_recv() {
            self.waiting.push_back(job);
        }
        for job in std::mem::take(&mut self.waiting) {
            match job {
                Job::Write(work) if !work.cannot_be_refused() => work.fail(error.clone()),
                Job::Write(_) | Job::Close(_) => self.waiting.push_back(job),
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
                Job::Write(work) => work.fail(SpoolError::Closed),
                Job::Close(reply) => closers.push(reply),
            }
        }
        closers
    }
}
