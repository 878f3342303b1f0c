//! The report to a sender whose mail failed for good (RFC 5321 §6.1): made here, queued by the settlement.

use bytes::Bytes;
use dsn::{Action, Diagnostic, RecipientReport, Report};
use jiff::Timestamp;
use mail::{DomainPart, Mailbox, QueueId, ReversePath, Status};
use spool::{Content, Lease, LeasedRecipient, NewMessage, SpoolError};

use crate::attempt::RecipientResult;
use crate::settle::Settling;

/// As much of the original as is read for its header.
const ORIGINAL: usize = 64 * 1024;

/// Who reports.
#[derive(Debug, Clone)]
pub(crate) struct Reporter {
    /// Our name.
    pub(crate) reporting_mta: DomainPart,
    /// Who is shown in `From`; `None`: postmaster at our name.
    pub(crate) postmaster: Option<Mailbox>,
}

/// What became of each recipient of a lease, in its order.
pub(crate) struct Attempted<'a> {
    pub(crate) lease: &'a Lease,
    pub(crate) results: &'a [RecipientResult],
    pub(crate) settlings: &'a [Settling],
    pub(crate) now: Timestamp,
}

impl Attempted<'_> {
    /// Whether the sender is to hear of this recipient.
    pub(crate) fn is_reported(&self, settling: &Settling) -> bool {
        let failed = match settling.outcome.status {
            Status::Bounced | Status::Expired => true,
            Status::Sent | Status::Deferred => false,
        };
        failed && matches!(self.lease.reverse_path, ReversePath::Mailbox(_))
    }

    fn recipients(&self) -> Vec<RecipientReport> {
        self.lease
            .recipients
            .iter()
            .zip(self.results)
            .zip(self.settlings)
            .filter(|(_, settling)| self.is_reported(settling))
            .map(|((recipient, result), settling)| self.recipient(recipient, result, settling))
            .collect()
    }

    fn recipient(
        &self,
        recipient: &LeasedRecipient,
        result: &RecipientResult,
        settling: &Settling,
    ) -> RecipientReport {
        RecipientReport {
            address: recipient.address.clone(),
            original_recipient: None,
            action: Action::of(settling.outcome.status, self.now),
            status: settling.outcome.enhanced,
            diagnostic: Diagnostic::from_outcome(&settling.outcome),
            remote_mta: result.record.remote_mta(),
            verdict: settling.verdict.clone(),
            tlsa_base: result.record.base().cloned(),
            last_attempt: Some(self.now),
        }
    }
}

impl Reporter {
    /// The report on all recipients that failed for good; `None` if there are none, or nobody to tell: never is there a
    /// report on a message with the null reverse-path (RFC 5321 §4.5.5).
    pub(crate) async fn report(&self, attempted: &Attempted<'_>) -> Option<spool::Report> {
        let recipients = attempted.recipients();
        let ReversePath::Mailbox(original_sender) = &attempted.lease.reverse_path else {
            return None;
        };
        if recipients.is_empty() {
            return None;
        }
        let report = Report {
            reporting_mta: self.reporting_mta.clone(),
            postmaster: self.postmaster.clone(),
            original_sender: original_sender.clone(),
            envelope_id: None,
            queue_id: attempted.lease.id,
            arrived: attempted.lease.created,
            recipients,
        };
        // A report without the original's header is better than none.
        let original = beginning(&attempted.lease.content).await.unwrap_or_default();
        let id = QueueId::generate();
        let content = Bytes::from(report.build(&original, id, attempted.now)?);
        let message = NewMessage {
            id,
            envelope: report.envelope(),
            created: attempted.now,
        };
        Some(spool::Report { message, content })
    }
}

async fn beginning(content: &Content) -> Result<Vec<u8>, SpoolError> {
    let mut reader = content.reader().await?;
    let mut beginning = Vec::new();
    while let Some(chunk) = reader.next().await? {
        beginning.extend_from_slice(&chunk);
        if beginning.len() >= ORIGINAL {
            break;
        }
    }
    Ok(beginning)
}
