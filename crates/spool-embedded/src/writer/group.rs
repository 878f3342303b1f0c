//! One group of steps in one transaction.

use mail::QueueId;
use rusqlite::Connection;
use spool::Acted;

use super::acting::{self, Hands};
use super::job::{ActJob, CommitJob, IncidentsJob, ReportJob, SettleJob, TidyJob, TlsToldJob, Work};
use super::written::Written;
use crate::error::is_of_one_step;
use crate::shared::Shared;
use crate::sql::incidents;
use crate::sql::ledger::tidying::{self, Tidying};
use crate::sql::messages;
use crate::sql::new_message::MessageRows;
use crate::sql::outcomes::{self, After};
use crate::sql::tls;
use crate::steps::Place;

/// A step with its result, once it is written.
#[derive(Debug)]
pub(super) enum Done {
    Commit(Box<CommitJob>, Insertion),
    Settle(Box<SettleJob>, After),
    Report(Box<ReportJob>, After),
    Act(Box<ActJob>, Acted, Hands),
    Tidy(Box<TidyJob>, usize),
    Incidents(Box<IncidentsJob>),
    TlsTold(Box<TlsToldJob>, Insertion),
}

/// What came of a new message.
#[derive(Debug, Clone, Copy)]
pub(super) enum Insertion {
    Done,
    /// Its id is taken.
    Duplicate,
    /// The limit of messages is reached.
    TooMany,
}

/// A group of which nothing was written.
#[derive(Debug)]
pub(super) struct RolledBack {
    /// The step that failed by itself.
    pub(super) culprit: Option<Work>,
    /// All others.
    pub(super) group: Vec<Work>,
    pub(super) error: rusqlite::Error,
}

impl Done {
    /// The step, as it was before it was written.
    fn undone(self) -> Work {
        match self {
            Self::Commit(job, _) => Work::Commit(job),
            Self::Settle(job, _) => Work::Settle(job),
            Self::Report(job, _) => Work::Report(job),
            Self::Act(job, _, _) => Work::Act(job),
            Self::Tidy(job, _) => Work::Tidy(job),
            Self::Incidents(job) => Work::Incidents(job),
            Self::TlsTold(job, _) => Work::TlsTold(job),
        }
    }
}

/// Writes a group and makes it durable, or changes nothing. `withdrawn` are messages that are deleted first.
pub(super) fn transact(
    connection: &Connection,
    shared: &Shared,
    (withdrawn, group): (&[QueueId], Vec<Work>),
    written: &mut Written<'_>,
) -> Result<Vec<Done>, RolledBack> {
    let mut done = Vec::with_capacity(group.len());
    let mut left = group.into_iter();
    let mut failed = None;
    let mut write = || {
        begin(connection, shared, withdrawn, written)?;
        for work in left.by_ref() {
            match apply(connection, shared, work, written) {
                Ok(one) => done.push(one),
                Err((work, error)) => {
                    failed = Some(work);
                    return Err(error);
                }
            }
        }
        commit(connection, shared, written)
    };
    match write() {
        Ok(()) => Ok(done),
        Err(error) => {
            // Some errors roll back by themselves; then this fails, which can be ignored.
            let _ = connection.execute_batch("ROLLBACK");
            let done = done.into_iter().map(Done::undone);
            let culprit = failed.take_if(|_| is_of_one_step(&error));
            Err(RolledBack {
                culprit,
                group: done.chain(failed).chain(left).collect(),
                error,
            })
        }
    }
}

fn begin(
    connection: &Connection,
    shared: &Shared,
    withdrawn: &[QueueId],
    written: &mut Written<'_>,
) -> rusqlite::Result<()> {
    shared.faults.at(Place::Begin)?;
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    for id in withdrawn {
        written.deleted(*id, messages::delete(connection, *id)?);
    }
    Ok(())
}

fn commit(connection: &Connection, shared: &Shared, written: &mut Written<'_>) -> rusqlite::Result<()> {
    written.counting.write(connection)?;
    written.counters.commits = written.counters.commits.saturating_add(1);
    messages::write_counters(connection, written.counters)?;
    shared.faults.at(Place::Commit)?;
    connection.prepare_cached("COMMIT")?.execute([])?;
    shared.faults.at(Place::Committed)
}

/// Writes one step; after an error it is there again.
fn apply(
    connection: &Connection,
    shared: &Shared,
    work: Work,
    written: &mut Written<'_>,
) -> Result<Done, (Work, rusqlite::Error)> {
    match work {
        Work::Commit(job) => match queue(connection, shared, &job.message, written) {
            Ok(insertion) => Ok(Done::Commit(job, insertion)),
            Err(error) => Err((Work::Commit(job), error)),
        },
        Work::Settle(job) => match settle(connection, &job, written) {
            Ok(after) => Ok(Done::Settle(job, after)),
            Err(error) => Err((Work::Settle(job), error)),
        },
        Work::Report(job) => match report(connection, &job, written) {
            Ok(after) => Ok(Done::Report(job, after)),
            Err(error) => Err((Work::Report(job), error)),
        },
        Work::Act(job) => match acting::act(connection, &job, shared, written) {
            Ok((acted, hands)) => Ok(Done::Act(job, acted, hands)),
            Err(error) => Err((Work::Act(job), error)),
        },
        Work::Tidy(job) => match tidy(connection, &job, written) {
            Ok(removed) => Ok(Done::Tidy(job, removed)),
            Err(error) => Err((Work::Tidy(job), error)),
        },
        Work::Incidents(job) => match incidents::change(connection, &job.change, job.now) {
            Ok(()) => Ok(Done::Incidents(job)),
            Err(error) => Err((Work::Incidents(job), error)),
        },
        Work::TlsTold(mut job) => match tell_tls(connection, shared, &mut job, written) {
            Ok(insertion) => Ok(Done::TlsTold(job, insertion)),
            Err(error) => Err((Work::TlsTold(job), error)),
        },
    }
}

fn queue(
    connection: &Connection,
    shared: &Shared,
    message: &MessageRows,
    written: &mut Written<'_>,
) -> rusqlite::Result<Insertion> {
    if shared.is_too_many(written.counters.messages) {
        Ok(Insertion::TooMany)
    } else if written.insert(connection, message)? {
        Ok(Insertion::Done)
    } else {
        Ok(Insertion::Duplicate)
    }
}

fn settle(connection: &Connection, job: &SettleJob, written: &mut Written<'_>) -> rusqlite::Result<After> {
    let (lease, counting) = (&job.lease, &mut written.counting);
    let after = outcomes::settle(connection, counting, lease, &job.outcomes, job.now)?;
    written.after(lease.id, after);
    Ok(after)
}

fn report(connection: &Connection, job: &ReportJob, written: &mut Written<'_>) -> rusqlite::Result<After> {
    if let Some((report, _)) = &job.report {
        // It already exists if this is written for the second time.
        written.insert(connection, report)?;
    }
    let after = outcomes::told(connection, &job.notices)?;
    written.after(job.notices.id, after);
    Ok(after)
}

fn tidy(connection: &Connection, job: &TidyJob, written: &mut Written<'_>) -> rusqlite::Result<usize> {
    if let Tidying::Keys(..) = job.step {
        // A key that this group counts under must not be removed, nor remembered when it is.
        written.counting.forget();
    }
    tidying::tidy(connection, &job.step)
}

fn tell_tls(
    connection: &Connection,
    shared: &Shared,
    job: &mut TlsToldJob,
    written: &mut Written<'_>,
) -> rusqlite::Result<Insertion> {
    job.in_doubt = job.in_doubt.filter(|number| *number <= written.counters.commits);
    if job.in_doubt.is_some() {
        // It was durable.
        return Ok(Insertion::Done);
    }
    let queued = match &job.report {
        Some((report, _)) => queue(connection, shared, report, written)?,
        None => Insertion::Done,
    };
    match queued {
        Insertion::Done => tls::telling::tell(connection, &job.told)?,
        Insertion::Duplicate | Insertion::TooMany => {}
    }
    Ok(queued)
}
