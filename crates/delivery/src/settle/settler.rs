//! From the result of an attempt for a recipient to what the spool stores, the ledger counts, the sender is told and
//! the log says.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mail::{
    Action, Cause, CauseKind, DaneResult, DaneVerdict, DeliverySecurity, EnhancedStatus, LedgerEntry,
    LedgerKey, Notice, NotifyEvent, Reason, ReplyCode, ReversePath, Status, TlsTag,
};
use policy::failure::Failure;
use spool::{LeasedRecipient, Settlement};

use crate::attempt::{Ending, HostRecord, RecipientResult};
use crate::clock::{earlier, since};
use crate::config::RetrySchedule;
use crate::failure::shortened;
use crate::transaction::SuccessReport;
use crate::when::Term;

/// What is needed to settle a message.
pub(crate) struct Settler<'a> {
    pub(crate) retry: &'a RetrySchedule,
    pub(crate) delay_warning: Option<Duration>,
    pub(crate) created: Timestamp,
    pub(crate) reverse_path: &'a ReversePath,
    /// What it says about TLS on its way.
    pub(crate) tag: TlsTag,
    /// Octets of its content.
    pub(crate) size: u64,
    pub(crate) now: Timestamp,
}

/// A recipient, its result of an attempt, and its outcome for the spool.
pub(crate) struct Settled<'a> {
    pub(crate) result: RecipientResult<'a>,
    pub(crate) settlement: Settlement,
}

/// What the result of an attempt means for one recipient.
struct Conclusion {
    ending: spool::Ending,
    reply_code: Option<ReplyCode>,
    enhanced: EnhancedStatus,
    reason: Reason,
    verdict: DaneVerdict,
    cause: Option<Cause>,
    /// The event that can be reported, if the recipient's NOTIFY asks for it.
    news: Option<(NotifyEvent, Action)>,
}

impl Settler<'_> {
    /// Decides the outcome for a recipient. `jitter` is in 0..=1.
    pub(crate) fn settle<'a>(&self, result: RecipientResult<'a>, jitter: f64) -> Settled<'a> {
        let (failure, reply_code) = match &result.ending {
            Ending::Sent {
                reply,
                success_report,
            } => {
                let concluded = sent(reply, *success_report, result.record.verdict());
                return self.settled(result, concluded);
            }
            // Without a connection the reply was one to other mail: the host is left alone.
            Ending::Failed(failure) if result.record.connection.is_none() => (failure, None),
            Ending::Failed(failure) => (failure, failure.cause.reply_code()),
            // The reply was one to other mail.
            Ending::NotTried(failure) => (failure, None),
        };
        let term = self.term(result.recipient);
        let attempts = result.recipient.attempts.saturating_add(1);
        let next_attempt = self.retry.next_attempt(attempts, self.now, term, jitter);
        let concluded = self.unsent(&result, (failure, reply_code), (term, next_attempt));
        self.settled(result, concluded)
    }

    /// Decides it for a recipient that was not tried, because it waits for its turn: it is given up, or its sender is told that
    /// it is late; otherwise there is nothing to record. `steady` is for how long the clock could be trusted.
    pub(crate) fn settle_waiting<'a>(
        &self,
        recipient: &'a LeasedRecipient,
        (failure, record): (&Arc<Failure>, &Arc<HostRecord>),
        steady: Duration,
    ) -> Option<Settled<'a>> {
        if recipient.due > self.now {
            return None;
        }
        let term = self.term(recipient);
        let waits_since = recipient.due.max(earlier(self.now, steady));
        let age = since(term.accepted, self.now);
        let expiry = self.retry.outwaits(term, recipient.attempts, waits_since);
        let next_attempt = if self.now >= expiry {
            None
        } else if self.is_late(recipient, age) && self.is_told(recipient, NotifyEvent::Delay) {
            // It keeps its place.
            Some(recipient.due)
        } else {
            return None;
        };
        let term = Term { expiry, ..term };
        let result = RecipientResult {
            recipient,
            ending: Ending::NotTried(Arc::clone(failure)),
            record: Arc::clone(record),
        };
        let concluded = self.unsent(&result, (failure, None), (term, next_attempt));
        Some(self.settled(result, concluded))
    }

    /// Whether an attempt that fails now is the last one for this recipient.
    pub(crate) fn is_last(&self, recipient: &LeasedRecipient) -> bool {
        let attempts = recipient.attempts.saturating_add(1);
        let term = self.term(recipient);
        self.retry.next_attempt(attempts, self.now, term, 0.0).is_none()
    }

    fn term(&self, recipient: &LeasedRecipient) -> Term {
        let attempts = recipient.attempts;
        let term = self
            .retry
            .term(self.created, self.reverse_path, attempts, self.now);
        self.retry.term_of(self.tag, term)
    }

    /// What it means that a recipient's mail was not sent: without a next attempt it is given up.
    fn unsent(
        &self,
        result: &RecipientResult<'_>,
        (failure, reply_code): (&Failure, Option<ReplyCode>),
        (term, next_attempt): (Term, Option<Timestamp>),
    ) -> Conclusion {
        let (ending, news) = match next_attempt {
            _ if failure.is_permanent() => (
                spool::Ending::Bounced,
                Some((NotifyEvent::Failure, Action::Failed)),
            ),
            None => (
                spool::Ending::Expired,
                Some((NotifyEvent::Failure, Action::Expired)),
            ),
            Some(next_attempt) => {
                let will_retry_until = term.expiry.max(next_attempt);
                let news = self
                    .is_late(result.recipient, since(term.accepted, self.now))
                    .then_some((NotifyEvent::Delay, Action::Delayed { will_retry_until }));
                let held_up = result.record.held_up.clone();
                let deferred = spool::Ending::Deferred {
                    next_attempt,
                    held_up,
                };
                (deferred, news)
            }
        };
        Conclusion {
            ending,
            reply_code,
            enhanced: failure.reported_status(),
            reason: failure.reason.clone(),
            verdict: failure.verdict(),
            cause: Some(failure.cause.clone()),
            news,
        }
    }

    fn settled<'a>(&self, result: RecipientResult<'a>, concluded: Conclusion) -> Settled<'a> {
        let recipient = result.recipient;
        let entry = self.entry(&concluded, &result);
        let news = concluded
            .news
            .filter(|(event, _)| self.is_told(recipient, *event));
        let notice = news.map(|(_, action)| Notice {
            action,
            remote_mta: result.record.remote_mta(),
            verdict: concluded.verdict.clone(),
            cause: concluded.cause,
            tlsa_base: result.record.base().cloned(),
            last_attempt: self.now,
        });
        let settlement = Settlement {
            recipient: recipient.index,
            ending: concluded.ending,
            reply_code: concluded.reply_code,
            enhanced: concluded.enhanced,
            reason: concluded.reason,
            verdict: concluded.verdict,
            host: result.record.decided(),
            notice,
            entry,
        };
        Settled { result, settlement }
    }

    /// Whether to tell the sender, for the first time, that a recipient is delayed.
    fn is_late(&self, recipient: &LeasedRecipient, age: Duration) -> bool {
        !recipient.delay_noticed && self.delay_warning.is_some_and(|warning| age >= warning)
    }

    /// Reports go to senders that asked for them, and never about a message with the null reverse-path (RFC 5321
    /// §4.5.5).
    fn is_told(&self, recipient: &LeasedRecipient, event: NotifyEvent) -> bool {
        match self.reverse_path {
            ReversePath::Null => false,
            ReversePath::Mailbox(_) => recipient.parameters.wants(event),
        }
    }

    fn entry(&self, concluded: &Conclusion, result: &RecipientResult<'_>) -> LedgerEntry {
        let status = concluded.ending.status();
        let softened = match &concluded.verdict {
            DaneVerdict::Softfail(cause) => Some(cause),
            DaneVerdict::NotReached
            | DaneVerdict::Verify
            | DaneVerdict::VerifyHostOnly
            | DaneVerdict::EncryptNoUsable
            | DaneVerdict::Skip(_)
            | DaneVerdict::Fail(_) => None,
        };
        LedgerEntry {
            at: self.now,
            key: LedgerKey {
                domain: Some(result.recipient.address.domain().clone()),
                host: result.record.host().cloned(),
                family: result.record.family(),
                status,
                security: match status {
                    Status::Sent => result.record.security(),
                    Status::Deferred | Status::Bounced | Status::Expired => DeliverySecurity::None,
                },
                dane: DaneResult::from(&concluded.verdict),
                cause: match &concluded.cause {
                    Some(cause) => Some(cause.into()),
                    None => softened.map(CauseKind::from),
                },
            },
            octets: if status.is_final() { self.size } else { 0 },
        }
    }
}

/// The next hop took the message.
fn sent(reply: &smtp::Reply, report: SuccessReport, verdict: DaneVerdict) -> Conclusion {
    Conclusion {
        ending: spool::Ending::Sent,
        reply_code: Some(reply.code),
        enhanced: reply.enhanced().unwrap_or(EnhancedStatus::new(2, 0, 0)),
        reason: Reason::of_reply(shortened(reply)),
        verdict,
        cause: None,
        // A next hop that supports the extension has been told what the sender asked for (RFC 3461 §5.2.2).
        news: match report {
            SuccessReport::TheirAffair => None,
            SuccessReport::Ours => Some((NotifyEvent::Success, Action::Relayed)),
        },
    }
}
