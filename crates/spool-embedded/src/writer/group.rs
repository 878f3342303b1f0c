//! One group of steps in one transaction.

use mail::QueueId;
use rusqlite::Connection;
use spool::Acted;

use super::acting::{self, Hands};
use super::job::{ActJob, CommitJob, IncidentsJob, ReportJob, SettleJob, TidyJob, TlsToldJob};
use super::written::Written;
use crate::shared::Shared;
use crate::sql::incidents;
use crate::sql::ledger::tidying::{self, Tidying};
use crate::sql::messages;
use crate::sql::outcomes::{self, After};
use crate::sql::tls;
use crate::steps::Place;

/// The jobs that can share a group, each with its result once it is written.
#[derive(Debug)]
pub(super) enum Step {
    Commit(Box<CommitJob>, Option<Insertion>),
    Settle(Box<SettleJob>, Option<After>),
    Report(Box<ReportJob>, Option<After>),
    Act(Box<ActJob>, Option<(Acted, Hands)>),
    Tidy(Box<TidyJob>, Option<usize>),
    Incidents(Box<IncidentsJob>, Option<()>),
    TlsTold(Box<TlsToldJob>, Option<Insertion>),
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

/// Writes a group and makes it durable, or changes nothing. `withdrawn` are messages that are deleted first.
pub(super) fn transact(
    connection: &Connection,
    shared: &Shared,
    (withdrawn, group): (&[QueueId], &mut [Step]),
    written: &mut Written<'_>,
) -> rusqlite::Result<()> {
    shared.faults.at(Place::Begin)?;
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let commit = |counters| {
        messages::write_counters(connection, counters)?;
        shared.faults.at(Place::Commit)?;
        connection.prepare_cached("COMMIT")?.execute([])?;
        shared.faults.at(Place::Committed)
    };
    let mut fill = || {
        for id in withdrawn {
            written.deleted(*id, messages::delete(connection, *id)?);
        }
        for step in &mut *group {
            apply(connection, shared, step, written)?;
        }
        written.counting.write(connection)?;
        written.counters.commits = written.counters.commits.saturating_add(1);
        Ok(written.counters)
    };
    let done = fill().and_then(commit);
    if done.is_err() {
        // Some errors roll back by themselves; then this fails, which can be ignored.
        let _ = connection.execute_batch("ROLLBACK");
    }
    done
}

fn apply(
    connection: &Connection,
    shared: &Shared,
    step: &mut Step,
    written: &mut Written<'_>,
) -> rusqlite::Result<()> {
    match step {
        Step::Commit(job, done) => {
            *done = Some(if shared.is_too_many(written.counters.messages) {
                Insertion::TooMany
            } else if written.insert(connection, &job.message)? {
                Insertion::Done
            } else {
                Insertion::Duplicate
            });
        }
        Step::Settle(job, done) => {
            let after = outcomes::settle(
                connection,
                &mut written.counting,
                &job.lease,
                &job.outcomes,
                job.now,
            )?;
            written.after(job.lease.id, after);
            *done = Some(after);
        }
        Step::Report(job, done) => {
            if let Some((report, _)) = &job.report {
                // It already exists if this is written for the second time.
                written.insert(connection, report)?;
            }
            let after = outcomes::told(connection, &job.notices)?;
            written.after(job.notices.id, after);
            *done = Some(after);
        }
        Step::Tidy(job, done) => {
            if let Tidying::Keys(..) = job.step {
                // A key that this group counts under must not be removed, nor remembered when it is.
                written.counting.forget();
            }
            *done = Some(tidying::tidy(connection, &job.step)?);
        }
        Step::Act(job, done) => *done = Some(acting::act(connection, job, shared, written)?),
        Step::Incidents(job, done) => *done = Some(incidents::change(connection, &job.change, job.now)?),
        Step::TlsTold(job, done) => {
            job.in_doubt = job.in_doubt.filter(|number| *number <= written.counters.commits);
            *done = Some(match &job.report {
                // It was durable.
                _ if job.in_doubt.is_some() => Insertion::Done,
                Some(_) if shared.is_too_many(written.counters.messages) => Insertion::TooMany,
                Some((report, _)) if !written.insert(connection, report)? => Insertion::Duplicate,
                Some(_) | None => {
                    tls::telling::tell(connection, &job.told)?;
                    Insertion::Done
                }
            });
        }
    }
    Ok(())
}
