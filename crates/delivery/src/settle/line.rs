//! The lines of the delivery log.

use std::time::Duration;

use jiff::Timestamp;
use mail::event::delivery::{Delivery, Undeliverable};
use mail::{Cause, Event, Mailbox, QueueId, ReversePath};
use spool::{Ending, Lease, LeasedRecipient, Settlement};
use tokio::time::Instant;

use super::settler::Settled;
use crate::attempt::{HostRecord, RecipientResult};
use crate::clock::since;
use crate::connections::TlsOutcome;

/// When each phase of an attempt began.
#[derive(Clone, Copy)]
pub(crate) struct Began {
    pub(crate) due: Timestamp,
    pub(crate) leased: Timestamp,
    pub(crate) at: Instant,
}

/// The log line of a recipient, and a second one if a report cannot be delivered.
pub(crate) fn lines(lease: &Lease, settled: &Settled<'_>, began: &Began) -> impl Iterator<Item = Event> {
    let Settled { result, settlement } = settled;
    let line = DeliveryLine {
        id: lease.id,
        from: &lease.reverse_path,
        recipient: result.recipient,
        size: lease.size,
        record: &result.record,
        settlement,
        delays: delays(lease.created, began, result),
    };
    std::iter::once(line.event()).chain(undeliverable(lease, &result.recipient.address, settlement))
}

/// One line of the delivery log.
struct DeliveryLine<'a> {
    id: QueueId,
    from: &'a ReversePath,
    recipient: &'a LeasedRecipient,
    size: u64,
    record: &'a HostRecord,
    settlement: &'a Settlement,
    delays: Delays,
}

/// The delays in Postfix's format: before the queue manager, in the queue, connection set-up, transmission.
#[derive(Debug, Clone, Copy)]
struct Delays {
    total: Duration,
    stages: [Duration; 4],
}

impl DeliveryLine<'_> {
    /// The event.
    fn event(&self) -> Event {
        let (record, connection) = (self.record, self.record.connection.as_ref());
        let tls = connection.map(|connection| &connection.tls);
        Event::Delivery(Box::new(Delivery {
            id: self.id,
            from: self.from.clone(),
            to: self.recipient.address.clone(),
            mode: record.mode.as_str(),
            dane: self.settlement.verdict.clone(),
            tls: tls.and_then(TlsOutcome::session).map(ToString::to_string),
            tls_fail: tls.and_then(TlsOutcome::missing).and_then(Cause::tlsfail),
            tls_valid: connection
                .and_then(|connection| connection.valid)
                .map(|code| code.to_string()),
            host: record.host().cloned(),
            address: connection.map(|connection| connection.address),
            port: record.port,
            outcome: self.settlement.outcome(),
            mx: record.mx,
            base: record.base.clone(),
            tlsa: record.tlsa.as_deref().map(str::to_owned),
            sts: record.sts,
            delay: self.delays.total,
            delays: self.delays.stages,
            attempt: self.recipient.attempts.saturating_add(1),
            size: self.size,
            is_told: self.settlement.notice.is_some(),
            security: self.settlement.entry.key.security,
        }))
    }
}

/// Before the queue manager, in the queue, connection set-up (including look-ups), transmission.
fn delays(created: Timestamp, began: &Began, result: &RecipientResult<'_>) -> Delays {
    let before = since(created, began.due);
    let queued = since(began.due, began.leased);
    let now = Instant::now();
    let ready = result.record.times().map_or(now, |(_, ready)| ready);
    let setup = ready.saturating_duration_since(began.at);
    let transmission = now.saturating_duration_since(ready);
    Delays {
        total: before + queued + setup + transmission,
        stages: [before, queued, setup, transmission],
    }
}

/// A report that cannot be delivered ends here: nobody is told, except in the log (RFC 5321 §6.1).
fn undeliverable(lease: &Lease, recipient: &Mailbox, settlement: &Settlement) -> Option<Event> {
    match (&lease.reverse_path, &settlement.ending) {
        (ReversePath::Null, Ending::Bounced | Ending::Expired) => Some(Event::Undeliverable(Undeliverable {
            id: lease.id,
            to: recipient.clone(),
            outcome: settlement.outcome(),
        })),
        (ReversePath::Null, Ending::Sent | Ending::Deferred { .. }) | (ReversePath::Mailbox(_), _) => None,
    }
}
