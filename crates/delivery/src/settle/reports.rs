//! The report to a sender (RFC 3461 §5.2, RFC 5321 §6.1): a durable step of its own after the settlement that made it
//! due.
//!
//! What is to be reported stays in the spool until the report is queued. So a crash in between delays the report but
//! never duplicates or loses it, and one report covers all recipients that failed in one round.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use dsn::{Action, RecipientReport, Report};
use mail::event::delivery::{ReportKind, ReportMade};
use mail::{DomainPart, Event, EventLog, Mailbox, QueueId, Recipient, ReversePath};
use spool::{Content, NewMessage, NoticedRecipient, Notices, Reported, Spool, SpoolError};

use crate::clock::Clock;

/// Delay warnings wait at most this long for others of the same message.
const GATHERED: Duration = Duration::from_mins(20);

/// How long a delay warning waits for those of the message's other next hops, which are tried at other times: short
/// compared with the age at which mail counts as delayed.
pub(crate) fn delays_gathered(delay_warning: Option<Duration>) -> Duration {
    delay_warning.map_or(Duration::ZERO, |warning| (warning / 12).min(GATHERED))
}

/// How long what a sender is to be told waits for recipients of the same message that are due as well: they may be waiting
/// for their turns for hours.
pub(crate) const OTHERS_AWAITED: Duration = Duration::from_mins(5);

/// Whether to make a report that would contain only delays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DelaysAlone {
    /// Make it.
    Told,
    /// Make it later, when it may contain more.
    Gathered,
}

/// The result of reporting.
pub(crate) enum Telling {
    /// There is nothing to report, or another task is about to do it.
    Nothing,
    /// There are only delays, to be reported later.
    Later,
    /// It is queued.
    Told(Reported),
}

/// Makes reports.
pub(crate) struct Reporter<S> {
    pub(crate) spool: Arc<S>,
    pub(crate) events: Arc<dyn EventLog>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Our name.
    pub(crate) reporting_mta: DomainPart,
    /// The current `From` address; if none, postmaster at our name.
    pub(crate) postmaster: Arc<ArcSwapOption<Mailbox>>,
}

impl<S: Spool> Reporter<S> {
    /// Sends a message's sender a report about everything that is to be reported.
    pub(crate) async fn report(&self, about: QueueId, alone: DelaysAlone) -> Result<Telling, SpoolError> {
        let Some(notices) = self.spool.notices(about).await? else {
            return Ok(Telling::Nothing);
        };
        if alone == DelaysAlone::Gathered && notices.recipients.iter().all(is_delay) {
            return Ok(Telling::Later);
        }
        let report = self.write(&notices).await;
        let event = report.as_ref().map(|report| made(&notices, report));
        let reported = self.spool.report(notices, report).await?;
        if let Some(event) = event {
            self.events.write(&event);
        }
        Ok(Telling::Told(reported))
    }

    /// `None` if nobody may be told: there is never a report on a message with the null reverse-path (RFC 5321 §4.5.5).
    async fn write(&self, notices: &Notices) -> Option<spool::Report> {
        let ReversePath::Mailbox(original_sender) = &notices.reverse_path else {
            return None;
        };
        let report = Report {
            reporting_mta: self.reporting_mta.clone(),
            postmaster: self.postmaster.load().as_deref().cloned(),
            original_sender: original_sender.clone(),
            parameters: notices.parameters.clone(),
            size: notices.size,
            queue_id: notices.id,
            arrived: notices.created,
            recipients: notices.recipients.iter().map(recipient).collect(),
        };
        // A report without the original's header is better than no report, and better than one that returns what the
        // sender never wrote.
        let original = beginning(&notices.content, report.wanted())
            .await
            .unwrap_or_default();
        let (id, now) = (QueueId::generate(), self.clock.now());
        let content = Bytes::from(report.build(&original, id, now)?);
        let message = NewMessage {
            id,
            envelope: report.envelope(),
            created: now,
        };
        Some(spool::Report { message, content })
    }
}

fn is_delay(noticed: &NoticedRecipient) -> bool {
    match noticed.notice.action {
        Action::Delayed { .. } => true,
        Action::Failed | Action::Expired | Action::Relayed => false,
    }
}

fn recipient(noticed: &NoticedRecipient) -> RecipientReport {
    let recipient = Recipient {
        address: noticed.address.clone(),
        parameters: noticed.parameters.clone(),
    };
    RecipientReport::new(recipient, &noticed.outcome, noticed.notice.clone())
}

/// The beginning of the content, at least this many octets if it has them. The content is read to its end, because only
/// that shows whether it is what was written.
async fn beginning(content: &Content, wanted: usize) -> Result<Vec<u8>, SpoolError> {
    let mut reader = content.reader().await?;
    let mut beginning = Vec::new();
    while let Some(chunk) = reader.next().await? {
        if beginning.len() < wanted {
            beginning.extend_from_slice(&chunk);
        }
    }
    Ok(beginning)
}

/// The event that names the report on a message.
fn made(notices: &Notices, report: &spool::Report) -> Event {
    Event::ReportMade(ReportMade {
        id: report.message.id,
        about: notices.id,
        to: notices.reverse_path.clone(),
        kind: kind(&notices.recipients),
    })
}

/// What kind of report it is.
fn kind(recipients: &[NoticedRecipient]) -> ReportKind {
    let mut kinds = recipients.iter().map(|recipient| match recipient.notice.action {
        Action::Failed | Action::Expired => ReportKind::Failed,
        Action::Delayed { .. } => ReportKind::Delayed,
        Action::Relayed => ReportKind::Relayed,
    });
    let first = kinds.next().unwrap_or(ReportKind::Failed);
    if kinds.all(|kind| kind == first) {
        first
    } else {
        ReportKind::Mixed
    }
}
