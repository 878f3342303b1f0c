//! A message that has waited for its turn for long.

use std::sync::Arc;
use std::time::Duration;

use mail::cause::{Cause, Limit, OurFault};
use policy::failure::Failure;
use spool::Spool;

use super::{Delivery, Left, put_off, written};
use crate::attempt::HostRecord;
use crate::settle::reports::DelaysAlone;
use crate::trace::{Step, Trace};
use crate::when::Job;

impl<S: Spool> Delivery<S> {
    /// Warns the sender of a message that has waited for its turn for long, or gives it up; else it goes on waiting, in its old
    /// place. `steady` is for how long neither the clock has jumped ahead nor the machine slept.
    pub(crate) async fn overdue(&self, job: Job, limit: Limit, steady: Duration) -> Left {
        let untold = Trace::off();
        let (lease, began) = match self.lease(&job, &untold).await {
            Ok(leased) => leased,
            Err(left) => return left,
        };
        let failure = Arc::new(Failure::from(Cause::Ours(OurFault::NoTurn(limit))));
        let (mode, port) = self.look_ups(&lease, began, &untold).not_made();
        let record = Arc::new(HostRecord::without_route(mode, port));
        let settler = self.settler(&lease);
        let recipients = lease.recipients.iter();
        let settled = recipients
            .filter_map(|recipient| settler.settle_waiting(recipient, (&failure, &record), steady))
            .collect();
        let (settlements, events) = written(&lease, settled, &began);
        if settlements.is_empty() {
            let pending = put_off(&lease, began.due);
            self.spool.release(lease);
            return Left {
                pending: vec![pending],
                ..Left::default()
            };
        }
        let trace = self.traces.watched(job.id, &job.next_hop);
        trace.tell(|| Step::Message(&lease));
        trace.tell(|| Step::NotTried(&failure));
        match self.record(lease, settlements.into(), events, &trace).await {
            // The message itself is still due, which must not keep the report back.
            Ok(settled) => Left {
                deferred: settled.pending,
                ..self.report(job.id, DelaysAlone::Gathered).await
            },
            Err(left) => left,
        }
    }
}
