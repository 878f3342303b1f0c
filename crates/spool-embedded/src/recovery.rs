//! The writer when writing fails, and when it ends.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::checkpoints::{Extent, checkpoint};
use super::error::Result;
use super::job::{Job, Reply};
use super::log::Log;
use super::shared::Shared;
use super::steps::Place;
use super::writer::Writer;
use super::{schema, tables};
use spool::SpoolError;

/// How long to wait before a disk that failed is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// A failure that lasts is reported again after this time; one that comes and goes is not called over more often.
const REMINDER: Duration = Duration::from_mins(1);

/// What the log was told of writes that fail.
#[derive(Debug, Default)]
pub(super) struct Complaint {
    failing: Option<Instant>,
    working: Option<Instant>,
    /// The log believes that writing fails.
    stands: bool,
}

impl Complaint {
    /// Says that writing fails: at once if the log believes otherwise, else as a reminder.
    pub(super) fn failed(&mut self, error: &SpoolError) {
        if self.is_news(Instant::now()) {
            tracing::error!(%error, "cannot write to the spool");
        }
    }

    /// Says that writing works again, if the log believes otherwise.
    pub(super) fn succeeded(&mut self) {
        if self.is_over(Instant::now()) {
            tracing::warn!("the spool can be written to again");
        }
    }

    /// Whether a failure now is to be told; it counts as told then.
    fn is_news(&mut self, now: Instant) -> bool {
        let news = !self.stands || is_long_ago(self.failing, now);
        if news {
            self.failing = Some(now);
            self.stands = true;
        }
        news
    }

    /// Whether a success now is to be told. Where failures come and go, the log goes on to believe in them for a while:
    /// that costs fewer lines, and no failure is kept from it.
    fn is_over(&mut self, now: Instant) -> bool {
        let over = self.stands && is_long_ago(self.working, now);
        if over {
            self.working = Some(now);
            self.stands = false;
        }
        over
    }
}

fn is_long_ago(last: Option<Instant>, now: Instant) -> bool {
    last.is_none_or(|last| now.saturating_duration_since(last) >= REMINDER)
}

impl Writer {
    /// After a failed write: makes room, or opens the database anew and checks it, until that helps; false if the
    /// spool is to end before it does.
    pub(super) fn recover(&mut self, error: &SpoolError) -> bool {
        if matches!(error, SpoolError::Full) {
            self.shared.space.found_full();
            // The reserve is for what cannot be refused, and for the administrator, who may be about to make room.
            let steps_wait = self
                .waiting
                .iter()
                .any(|job| matches!(job, Job::Settle(_) | Job::Report(_) | Job::Act(_)));
            let needed = steps_wait || !self.withdrawn.is_empty();
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
                Ok(()) => {
                    self.shared.broken.store(false, Ordering::Relaxed);
                    return true;
                }
                Err(again) => {
                    self.pause(&again.into());
                    if self.closing() {
                        return false;
                    }
                }
            }
        }
    }

    fn reopen(&mut self) -> Result<()> {
        self.shared.fault(Place::Reopen)?;
        self.shared.checkpoints.open()?;
        let connection = schema::open_writer(&self.database, self.options.cache_bytes)?;
        // What the log holds must reach the database, and the database must be whole, before more is written.
        checkpoint(&self.shared, Extent::Possible)?;
        let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            let what = "the database does not pass its check";
            return Err(SpoolError::Corrupt { id: None, what }.into());
        }
        self.take_up(connection)
    }

    /// Goes on with this connection.
    pub(super) fn take_up(&mut self, connection: Connection) -> Result<()> {
        self.next_body = tables::next_body(&connection)?;
        self.counters = tables::counters(&connection)?;
        self.shared.count(self.counters);
        self.connection = Some(connection);
        Ok(())
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
        let tidied = match (failure, &self.connection) {
            (Some(failure), _) => Err(failure),
            (None, Some(connection)) => tidy(&self.shared, connection).map_err(SpoolError::from),
            (None, None) => Err(SpoolError::Closed),
        };
        drop(self.connection);
        let log_may_go = matches!(tidied, Ok(Some(_)));
        let ended = self.shared.checkpoints.end(log_may_go).map_err(SpoolError::from);
        let tidied = tidied.and(ended);
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

/// Carries the log over; `None` where it is kept.
fn tidy(shared: &Shared, connection: &Connection) -> Result<Option<Log>> {
    connection.execute_batch("PRAGMA optimize")?;
    checkpoint(shared, Extent::Whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_never_believes_that_writing_works_while_it_fails() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut complaint = Complaint::default();
        assert!(!complaint.is_over(at(0)));
        assert!(complaint.is_news(at(0)));
        assert!(!complaint.is_news(at(1)), "said already");
        assert!(complaint.is_over(at(2)));
        assert!(!complaint.is_over(at(3)), "said already");
        assert!(complaint.is_news(at(4)), "the log believed otherwise");
        // It comes and goes: neither is said again for a while.
        assert!(!complaint.is_over(at(5)));
        assert!(!complaint.is_news(at(6)));
        assert!(complaint.is_news(at(64)), "a reminder");
        assert!(complaint.is_over(at(65)));
        assert!(complaint.is_news(at(66)));
    }
}
