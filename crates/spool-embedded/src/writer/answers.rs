//! The replies to callers whose steps are durable.

use mail::QueueId;
use spool::{Reported, Settled, SpoolError};

use super::group::{Done, Insertion};
use super::job::{CommitJob, ReportJob, SettleJob, TlsToldJob, rest};
use crate::sql::new_message::Stored;
use crate::sql::outcomes::After;

/// Answers one step; returns the message if it is queued but nobody is left to be told.
pub(super) fn answer(done: Done) -> Option<QueueId> {
    match done {
        Done::Commit(job, insertion) => return answer_commit(*job, insertion),
        Done::Settle(job, after) => answer_settle(*job, after),
        Done::Report(job, after) => answer_report(*job, after),
        Done::Tidy(job, removed) => drop(job.reply.send(Ok(removed))),
        Done::Act(job, acted, hands) => {
            // Released before anyone can know that it is done.
            drop(hands);
            let _ = job.reply.send(Ok(acted));
        }
        Done::Incidents(job) => drop(job.reply.send(Ok(()))),
        Done::TlsTold(job, insertion) => answer_tls_told(*job, insertion),
    }
    None
}

fn answer_commit(job: CommitJob, insertion: Insertion) -> Option<QueueId> {
    let CommitJob { mut message, reply } = job;
    match insertion {
        Insertion::Done => {
            if let Stored::File(published) = &mut message.body.stored {
                published.keep();
            }
            return reply.send(Ok(())).is_err().then_some(message.id);
        }
        Insertion::Duplicate => drop(reply.send(Err(SpoolError::Duplicate(message.id)))),
        Insertion::TooMany => drop(reply.send(Err(SpoolError::TooManyMessages))),
    }
    None
}

fn answer_settle(job: SettleJob, after: After) {
    let SettleJob {
        lease,
        outcomes,
        now: _,
        reply,
    } = job;
    let pending = rest(&lease, &outcomes.settlements);
    // The lease is released before anyone can know that it was settled.
    lease.guard.settled();
    let after = after.into();
    let _ = reply.send(Ok(Settled { pending, after }));
}

fn answer_report(job: ReportJob, after: After) {
    let ReportJob {
        notices,
        report,
        reply,
    } = job;
    drop(notices);
    let pending = report.map(|(_, accepted)| accepted.pending).unwrap_or_default();
    let after = after.into();
    let _ = reply.send(Ok(Reported { pending, after }));
}

fn answer_tls_told(job: TlsToldJob, insertion: Insertion) {
    let TlsToldJob {
        told: _,
        report,
        in_doubt: _,
        reply,
    } = job;
    let accepted = report.map(|(_, accepted)| accepted);
    let _ = reply.send(match (insertion, accepted) {
        (Insertion::Done, accepted) => Ok(accepted),
        (Insertion::Duplicate, Some(accepted)) => Err(SpoolError::Duplicate(accepted.id)),
        (Insertion::TooMany | Insertion::Duplicate, _) => Err(SpoolError::TooManyMessages),
    });
}
