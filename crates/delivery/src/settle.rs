//! From what an attempt made of a recipient to what the spool is told and the log says.

use jiff::Timestamp;
use mail::{DaneVerdict, EnhancedStatus, Outcome, ReversePath, Status};
use spool::LeasedRecipient;

use crate::attempt::{Ending, RecipientResult};
use crate::config::RetrySchedule;
use crate::failure::shortened;

/// What becomes of one recipient.
#[derive(Debug, Clone)]
pub(crate) struct Settling {
    pub(crate) outcome: Outcome,
    pub(crate) verdict: DaneVerdict,
    /// Given exactly when the outcome is deferred.
    pub(crate) next_attempt: Option<Timestamp>,
}

/// The message as its settlement needs it.
pub(crate) struct Age<'a> {
    pub(crate) created: Timestamp,
    pub(crate) reverse_path: &'a ReversePath,
    pub(crate) now: Timestamp,
}

impl RetrySchedule {
    /// Decides what becomes of a recipient. `jitter` lies in 0..=1.
    pub(crate) fn settle(
        &self,
        age: &Age<'_>,
        recipient: &LeasedRecipient,
        result: &RecipientResult,
        jitter: f64,
    ) -> Settling {
        let failure = match &result.ending {
            Ending::Sent(reply) => {
                let outcome = Outcome {
                    status: Status::Sent,
                    reply_code: Some(reply.code),
                    enhanced: reply.enhanced().unwrap_or(EnhancedStatus::new(2, 0, 0)),
                    reason: shortened(reply),
                };
                return Settling {
                    outcome,
                    verdict: result.record.verdict(),
                    next_attempt: None,
                };
            }
            Ending::Failed(failure) => failure,
        };
        let expiry = self.expiry(age.created, age.reverse_path);
        let attempts = recipient.attempts.saturating_add(1);
        let next_attempt = self.next_attempt(attempts, age.now, expiry, jitter);
        let (status, next_attempt) = match next_attempt {
            _ if failure.is_permanent() => (Status::Bounced, None),
            Some(next_attempt) => (Status::Deferred, Some(next_attempt)),
            None => (Status::Expired, None),
        };
        let outcome = Outcome {
            status,
            reply_code: failure.reply_code,
            enhanced: failure.reported_status(),
            reason: failure.reason.clone(),
        };
        Settling {
            outcome,
            verdict: failure.verdict.clone(),
            next_attempt,
        }
    }
}
