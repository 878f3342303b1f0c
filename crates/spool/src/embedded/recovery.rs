//! The writer when writing fails, and when it ends.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::caretaker::checkpoint;
use super::job::{Job, Reply};
use super::steps::Place;
use super::writer::Writer;
use super::{schema, tables};
use crate::error::SpoolError;

/// How long to wait before a disk that failed is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// A failure that lasts, or comes and goes, is reported again after this time.
const REMINDER: Duration = Duration::from_mins(1);

/// What the log was told of writes that fail.
#[derive(Debug, Default)]
pub(super) struct Complaint {
    last: Option<Instant>,
    /// The log still believes that writing fails.
    stands: bool,
}

impl Complaint {
    /// Says that writing fails, unless that was just said.
    pub(super) fn failed(&mut self, error: &SpoolError) {
        if self.last.is_none_or(|last| last.elapsed() >= REMINDER) {
            tracing::error!(%error, "cannot write to the spool");
            self.last = Some(Instant::now());
            self.stands = true;
        }
    }

    /// Says that writing works again, if the log believes otherwise.
    pub(super) fn succeeded(&mut self) {
        if std::mem::take(&mut self.stands) {
            tracing::warn!("the spool can be written to again");
        }
    }
}

impl Writer {
    /// After a failed write: makes room, or opens the database anew and checks it, until that helps; false if the
    /// spool is to end before it does.
    pub(super) fn recover(&mut self, error: &SpoolError) -> bool {
        if matches!(error, SpoolError::Full) {
            self.shared.space.found_full();
            // The reserve is for what cannot be refused.
            let outcomes_wait = self
                .waiting
                .iter()
                .any(|job| matches!(job, Job::Settle(_) | Job::Report(_)));
            let needed = outcomes_wait || !self.withdrawn.is_empty();
            if needed && !self.reserve.give_back() {
                self.pause(error);
                return !self.closing();
            }
            return true;
        }
        self.shared.broken.store(true, Ordering::Relaxed);
        loop {
            // No handle that saw the error is used again: the kernel may have dropped what it could not write.
            self.connection = None;
            match self.reopen() {
                Ok(connection) => {
                    self.connection = Some(connection);
                    self.shared.broken.store(false, Ordering::Relaxed);
                    return true;
                }
                Err(again) => {
                    self.pause(&again);
                    if self.closing() {
                        return false;
                    }
                }
            }
        }
    }

    fn reopen(&mut self) -> Result<Connection, SpoolError> {
        self.shared.fault(Place::Reopen)?;
        let connection = schema::open_writer(&self.database, self.options.cache_bytes)?;
        // What the log holds must reach the database, and the database must be whole, before more is written.
        checkpoint(&connection, "PASSIVE")?;
        let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Err(SpoolError::Corrupt {
                id: None,
                what: "the database does not pass its check",
            });
        }
        self.next_body = tables::next_body(&connection)?;
        self.counters = tables::counters(&connection)?;
        self.shared.count(self.counters);
        Ok(connection)
    }

    /// Waits a little, and refuses the clients that came meanwhile.
    fn pause(&mut self, error: &SpoolError) {
        thread::sleep(PAUSE);
        while let Ok(job) = self.inbox.try_recv() {
            self.waiting.push_back(job);
        }
        for job in std::mem::take(&mut self.waiting) {
            match job {
                Job::Commit(job) => drop(job.reply.send(Err(error.clone()))),
                Job::Act(job) => drop(job.reply.send(Err(error.clone()))),
                Job::Settle(_) | Job::Report(_) | Job::Close(_) => self.waiting.push_back(job),
            }
        }
    }

    fn closing(&self) -> bool {
        self.inbox.is_closed() || self.waiting.iter().any(|job| matches!(job, Job::Close(_)))
    }

    /// Carries the log over, unless a failure makes it end, and gives everything back; who still waits is told.
    pub(super) fn end(mut self, closer: Option<Reply<()>>, failure: Option<SpoolError>) {
        self.inbox.close();
        while let Ok(job) = self.inbox.try_recv() {
            self.waiting.push_back(job);
        }
        let mut closers = Vec::from_iter(closer);
        for job in self.waiting.drain(..) {
            match job {
                Job::Commit(job) => drop(job.reply.send(Err(SpoolError::Closed))),
                Job::Settle(job) => drop(job.reply.send(Err(SpoolError::Closed))),
                Job::Report(job) => drop(job.reply.send(Err(SpoolError::Closed))),
                Job::Act(job) => drop(job.reply.send(Err(SpoolError::Closed))),
                Job::Close(reply) => closers.push(reply),
            }
        }
        self.caretaker.stop();
        let tidied = match (failure, self.connection) {
            (Some(failure), _) => Err(failure),
            (None, Some(connection)) => tidy(&connection),
            (None, None) => Err(SpoolError::Closed),
        };
        if let Err(error) = &tidied {
            tracing::warn!(%error, "the spool was not tidied up before its end");
        }
        // Whoever waits may open it again at once.
        drop(self.lock);
        for closer in closers {
            let _ = closer.send(tidied.clone());
        }
    }
}

fn tidy(connection: &Connection) -> Result<(), SpoolError> {
    connection.execute_batch("PRAGMA optimize")?;
    checkpoint(connection, "TRUNCATE")?;
    Ok(())
}
