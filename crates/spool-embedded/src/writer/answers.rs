//! The replies to callers whose steps are durable.

use mail::QueueId;
use spool::{Reported, Settled, SpoolError};

use super::group::{Insertion, Step};
use super::job::{CommitJob, ReportJob, SettleJob, TlsToldJob, rest};
use crate::sql::new_message::Stored;
use crate::sql::outcomes::After;

/// Answers one step; returns the message if it is queued but nobody is left to be told.
pub(super) fn answer(step: Step) -> Option<QueueId> {
    match step {
        Step::Commit(job, Some(insertion)) => return answer_commit(*job, insertion),
        Step::Settle(job, Some(after)) => answer_settle(*job, after),
        Step::Report(job, Some(after)) => answer_report(*job, after),
        Step::Tidy(job, Some(removed)) => drop(job.reply.send(Ok(removed))),
        Step::Act(job, Some((acted, hands))) => {
            // Released before anyone can know that it is done.
            drop(hands);
            let _ = job.reply.send(Ok(acted));
        }
        Step::Incidents(job, Some(())) => drop(job.reply.send(Ok(()))),
        Step::TlsTold(job, Some(insertion)) => answer_tls_told(*job, insertion),
        // What was written has a result; if a reply is dropped, the caller is told that the spool is closed.
        Step::Commit(_, None)
        | Step::Settle(_, None)
        | Step::Report(_, None)
        | Step::Act(_, None)
        | Step::Tidy(_, None)
        | Step::Incidents(_, None)
        | Step::TlsTold(_, None) => {}
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

/// Whether the message is done, and whether there is something to report.
fn state(after: After) -> (bool, bool) {
    match after {
        After::Gone(_) => (true, false),
        After::Left { report_due } => (false, report_due),
    }
}
