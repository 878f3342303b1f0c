//! The line of the delivery log.

use std::time::Duration;

use mail::event::{Level, Value};
use mail::{DaneVerdict, Event, QueueId, ReversePath, Status};
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

/// Where the time went, as Postfix tells it: before the queue manager, in the queue, connection set-up,
/// transmission.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delays {
    pub(crate) total: Duration,
    pub(crate) stages: [Duration; 4],
}

impl DeliveryLine<'_> {
    /// The event; `to` to `dsn` stand in the order that existing log tooling reads.
    pub(crate) fn event(&self) -> Event {
        let outcome = &self.settlement.outcome;
        let tls = self.record.connection.as_ref().map(|connection| &connection.tls);
        let mut event = Event::new(Level::Info, "delivery")
            .with("id", Value::Word(self.id.to_string()))
            .with("from", Value::Path(self.from.as_str().to_owned()))
            .with("to", Value::Address(self.recipient.address.as_str().to_owned()))
            .with("mode", Value::Word(format!("dane {}", self.record.mode)))
            .with("dane", dane_value(&self.settlement.verdict))
            .with("tls", Value::word(tls.and_then(|tls| tls.session.clone())))
            .with(
                "tlsvalid",
                Value::quoted(tls.and_then(|tls| tls.valid).map(|code| code.to_string())),
            )
            .with("relay", Value::word(self.record.relay()))
            .with(
                "dsn",
                Value::integer(outcome.reply_code.map(|code| u64::from(code.get()))),
            )
            .with("status", Value::Word(outcome.status.to_string()))
            .with("enhanced", Value::Word(outcome.enhanced.to_string()))
            .with("port", Value::Integer(u64::from(self.record.port)))
            .with(
                "reply",
                Value::quoted(outcome.reply_code.map(|_| outcome.reason.to_string())),
            )
            .with(
                "mx",
                Value::word(self.record.mx.map(|security| security.to_string())),
            )
            .with(
                "base",
                Value::word(self.record.base.as_ref().map(ToString::to_string)),
            )
            .with("tlsa", Value::quoted(self.record.tlsa.clone()))
            .with("sts", Value::Absent)
            .with("delay", Value::Seconds(self.delays.total))
            .with("delays", Value::Stages(self.delays.stages.to_vec()))
            .with("attempt", Value::Integer(u64::from(self.recipient.attempts) + 1))
            .with("size", Value::Integer(self.size));
        if let Some(fail) = tls
            .filter(|tls| tls.session.is_none())
            .and_then(|tls| tls.fail.clone())
        {
            event = event.with("tlsfail", Value::Word(fail));
        }
        if outcome.reply_code.is_none() {
            event = event.with("reason", Value::Quoted(outcome.reason.to_string()));
        }
        let is_told = self.settlement.notice.is_some();
        match outcome.status {
            Status::Bounced | Status::Expired => event.with("dsn_sent", yes_or_no(is_told)),
            Status::Sent | Status::Deferred if is_told => event.with("dsn_sent", yes_or_no(true)),
            Status::Sent | Status::Deferred => event,
        }
    }
}

fn yes_or_no(answer: bool) -> Value {
    Value::Word(if answer { "yes" } else { "no" }.to_owned())
}

fn dane_value(verdict: &DaneVerdict) -> Value {
    match verdict {
        DaneVerdict::NotReached => Value::Absent,
        verdict => Value::Quoted(verdict.to_string()),
    }
}
