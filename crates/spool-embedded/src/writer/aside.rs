//! Outcomes that cannot be recorded although everything else can.

use mail::QueueId;
use mail::event::store::Failed;
use spool::SpoolError;
use spool::leases::LeaseGuard;

use super::job::{ReportJob, SettleJob, Work};
use crate::telling::Teller;

/// So many are set aside. More cannot be a matter of single messages: then nothing is accepted until they are recorded.
const MOST: usize = 16;

/// What is set aside. Until the next start nobody delivers those messages again, or reports on them.
#[derive(Debug, Default)]
pub(crate) struct Aside {
    held: Vec<LeaseGuard>,
    /// The message whose step has failed by itself.
    suspect: Option<QueueId>,
}

impl Aside {
    /// A step has failed by itself. It is set aside if that happens again after the database was reopened and checked; otherwise
    /// it comes back.
    pub(super) fn take(&mut self, step: Work, error: &SpoolError, teller: &Teller) -> Option<Work> {
        let id = match &step {
            Work::Settle(job) => job.lease.id,
            Work::Report(job) => job.notices.id,
            Work::Commit(_) | Work::Act(_) | Work::Tidy(_) | Work::Incidents(_) | Work::TlsTold(_) => {
                return Some(step);
            }
        };
        let is_again = self.suspect.replace(id) == Some(id);
        if !is_again || self.held.len() >= MOST {
            return Some(step);
        }
        // Who waits may be gone.
        let guard = match step {
            Work::Settle(job) => {
                let SettleJob { lease, reply, .. } = *job;
                let _ = reply.send(Err(error.clone()));
                lease.guard
            }
            Work::Report(job) => {
                let ReportJob { notices, reply, .. } = *job;
                let _ = reply.send(Err(error.clone()));
                notices.guard
            }
            step => return Some(step),
        };
        teller.failed(Failed::SetAside, &format!("{id}: {error}"));
        self.held.push(guard);
        None
    }

    /// Everything that waited has been written.
    pub(super) fn written(&mut self) {
        self.suspect = None;
    }
}
