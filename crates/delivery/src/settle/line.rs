//! The line of the delivery log.

use std::time::Duration;

use mail::event::delivery::Delivery;
use mail::{Cause, Event, QueueId, ReversePath};
use spool::{LeasedRecipient, Settlement};

use crate::attempt::HostRecord;

/// One line of the delivery log.
pub(crate) struct DeliveryLine<'a> {
    pub(crate) id: QueueId,
    pub(crate) from: &'a ReversePath,
    pub(crate) recipient: &'a LeasedRecipient,
    pub(crate) size: u64,
    pub(crate) record: &'a HostRecord,
    pub(crate) settlement: &'a Settlement,
    pub(crate) delays: Delays,
}

/// The delays in Postfix's format: before the queue manager, in the queue, connection set-up, transmission.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delays {
    pub(crate) total: Duration,
    pub(crate) stages: [Duration; 4],
}

impl DeliveryLine<'_> {
    /// The event.
    pub(crate) fn event(&self) -> Event {
        let (record, connection) = (self.record, self.record.connection.as_ref());
        let tls = connection.map(|connection| &connection.tls);
        Event::Delivery(Box::new(Delivery {
            id: self.id,
            from: self.from.clone(),
            to: self.recipient.address.clone(),
            mode: record.mode.as_str(),
            dane: self.settlement.verdict.clone(),
            tls: tls.and_then(|tls| tls.session.clone()),
            tls_fail: tls.and_then(|tls| tls.fail.as_ref()).and_then(Cause::tlsfail),
            tls_valid: tls.and_then(|tls| tls.valid).map(|code| code.to_string()),
            host: record.host().cloned(),
            address: connection.map(|connection| connection.address),
            port: record.port,
            outcome: self.settlement.outcome.clone(),
            mx: record.mx,
            base: record.base.clone(),
            tlsa: record.tlsa.clone(),
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
