//! One group of steps in one transaction.

use std::path::PathBuf;

use mail::QueueId;
use rusqlite::Connection;

use super::acting::{self, Hands};
use super::bodies::Directories;
use super::job::{ActJob, CommitJob, MessageRows, ReportJob, SettleJob};
use super::settling::{self, After};
use super::shared::{Counters, Shared};
use super::steps::Place;
use super::tables::{self, Deleted};
use spool::Acted;

/// The jobs that can share a group, each with what came of it once it is written.
#[derive(Debug)]
pub(super) enum Step {
    Commit(Box<CommitJob>, Option<Insertion>),
    Settle(Box<SettleJob>, Option<After>),
    Report(Box<ReportJob>, Option<After>),
    Act(Box<ActJob>, Option<(Acted, Hands)>),
}

/// What came of a new message.
#[derive(Debug, Clone, Copy)]
pub(super) enum Insertion {
    Done,
    /// Its id is taken.
    Duplicate,
    /// There are as many messages as there may be.
    TooMany,
}

/// How the spool stands with a group written, which is not durable yet.
#[derive(Debug)]
pub(super) struct Written<'a> {
    directories: &'a Directories,
    /// Files whose messages are gone once the group is durable.
    pub(super) gone: Vec<PathBuf>,
    pub(super) next_body: i64,
    pub(super) counters: Counters,
}

impl<'a> Written<'a> {
    /// As it stands before the group.
    pub(super) fn new(directories: &'a Directories, next_body: i64, counters: Counters) -> Self {
        Self {
            directories,
            gone: Vec::new(),
            next_body,
            counters,
        }
    }

    /// A message was deleted.
    pub(super) fn deleted(&mut self, id: QueueId, deleted: Deleted) {
        if deleted != Deleted::Nothing {
            self.counters.messages = self.counters.messages.saturating_sub(1);
        }
        // Without a row there may be a file of which nobody knew whether its message is durable.
        if deleted != Deleted::Row {
            self.gone.push(self.directories.body(id));
        }
    }

    fn after(&mut self, id: QueueId, after: After) {
        match after {
            After::Gone(deleted) => self.deleted(id, deleted),
            After::Left { .. } => {}
        }
    }

    fn insert(&mut self, connection: &Connection, message: &MessageRows) -> rusqlite::Result<bool> {
        let inserted = tables::insert(connection, message, self.next_body)?;
        if inserted {
            self.next_body = self.next_body.saturating_add(1);
            self.counters.messages = self.counters.messages.saturating_add(1);
        }
        Ok(inserted)
    }
}

/// Writes a group and makes it durable, or changes nothing. `withdrawn` are messages to be deleted first.
pub(super) fn transact(
    connection: &Connection,
    shared: &Shared,
    (withdrawn, group): (&[QueueId], &mut [Step]),
    written: &mut Written<'_>,
) -> rusqlite::Result<()> {
    shared.fault(Place::Begin)?;
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let commit = |counters| {
        tables::write_counters(connection, counters)?;
        shared.fault(Place::Commit)?;
        connection.prepare_cached("COMMIT")?.execute([])?;
        shared.fault(Place::Committed)
    };
    let mut fill = || {
        for id in withdrawn {
            written.deleted(*id, tables::delete(connection, *id)?);
        }
        for step in &mut *group {
            apply(connection, shared, step, written)?;
        }
        written.counters.commits = written.counters.commits.saturating_add(1);
        Ok(written.counters)
    };
    let done = fill().and_then(commit);
    if done.is_err() {
        // Some errors have rolled back by themselves, then this one fails and means nothing.
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
            let after = settling::settle(connection, job)?;
            written.after(job.lease.id, after);
            *done = Some(after);
        }
        Step::Report(job, done) => {
            if let Some((report, _)) = &job.report {
                // Already there when this is written for the second time.
                written.insert(connection, report)?;
            }
            let after = settling::told(connection, job)?;
            written.after(job.notices.id, after);
            *done = Some(after);
        }
        Step::Act(job, done) => *done = Some(acting::act(connection, job, shared, written)?),
    }
    Ok(())
}
