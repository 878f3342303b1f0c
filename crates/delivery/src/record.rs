//! What the log says about the host behind an outcome, and the delivery event itself.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use dane::TlsaRecord;
use mail::event::{Level, Value};
use mail::{DaneVerdict, Domain, DomainPart, Event, QueueId, ReversePath, Security};
use policy::settings::DaneMode;
use spool::LeasedRecipient;

use crate::route::{Route, RouteHost};
use crate::settle::Settling;
use crate::tls::{DanePeer, TlsFacts};

/// TLSA records that a line names where none of them matched.
const RECORDS: usize = 4;

/// What the log says about one host and the connection to it.
#[derive(Debug, Clone)]
pub(crate) struct HostRecord {
    mode: DaneMode,
    mx: Option<Security>,
    port: u16,
    name: Option<Domain>,
    base: Option<Domain>,
    tlsa: Option<String>,
    connection: Option<Connection>,
}

/// What the log says about one connection.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) address: IpAddr,
    pub(crate) tls: TlsFacts,
    pub(crate) verdict: DaneVerdict,
    /// When the connection was begun.
    pub(crate) began: Instant,
    /// When it could send, or had failed.
    pub(crate) ready: Instant,
}

impl HostRecord {
    /// No host at all.
    pub(crate) fn none(route: &Route) -> Self {
        Self {
            mode: route.policy.dane,
            mx: route.mx,
            port: route.port,
            name: None,
            base: None,
            tlsa: None,
            connection: None,
        }
    }

    /// A host that was not connected to.
    pub(crate) fn passed_over(route: &Route, host: &RouteHost) -> Self {
        let dane = host.dane.as_ref();
        Self {
            mode: host.mode,
            name: host.name.clone(),
            base: dane.map(|dane| dane.base.clone()),
            tlsa: dane.map(published),
            ..Self::none(route)
        }
    }

    /// A host that was connected to.
    pub(crate) fn connected(route: &Route, host: &RouteHost, connection: Connection) -> Self {
        let matched = connection.tls.matched.clone();
        let record = Self::passed_over(route, host);
        Self {
            tlsa: matched.or(record.tlsa.clone()),
            connection: Some(connection),
            ..record
        }
    }

    /// When the connection was begun and when it could send.
    pub(crate) fn times(&self) -> Option<(Instant, Instant)> {
        self.connection
            .as_ref()
            .map(|connection| (connection.began, connection.ready))
    }

    /// The host that was connected to, as a report names it.
    pub(crate) fn remote_mta(&self) -> Option<DomainPart> {
        let connection = self.connection.as_ref()?;
        let literal = DomainPart::Literal(connection.address);
        Some(self.name.clone().map_or(literal, DomainPart::Name))
    }

    /// The TLSA base domain, where there are secure records.
    pub(crate) fn base(&self) -> Option<&Domain> {
        self.base.as_ref()
    }

    /// What the log says when the message went through.
    pub(crate) fn verdict(&self) -> DaneVerdict {
        self.connection
            .as_ref()
            .map_or(DaneVerdict::NotReached, |connection| connection.verdict.clone())
    }

    /// `mx1.example.org [192.0.2.1]`, or the name alone where no connection was made.
    fn relay(&self) -> Option<String> {
        let address = self.connection.as_ref().map(|connection| connection.address);
        match (&self.name, address) {
            (Some(name), Some(address)) => Some(format!("{name} [{address}]")),
            (Some(name), None) => Some(name.to_string()),
            (None, Some(address)) => Some(format!("[{address}] [{address}]")),
            (None, None) => None,
        }
    }
}

/// The records of a host, shortened: the usable ones, or all where none is.
fn published(dane: &DanePeer) -> String {
    let usable = dane.set.usable().iter();
    let unusable = dane.set.unusable().iter().map(|(record, _)| record);
    let records: Vec<&TlsaRecord> = if dane.set.is_usable() {
        usable.collect()
    } else {
        unusable.collect()
    };
    let shown: Vec<String> = records
        .iter()
        .take(RECORDS)
        .map(|record| record.fingerprint().to_string())
        .collect();
    let list = shown.join(", ");
    match records.len().saturating_sub(RECORDS) {
        0 => list,
        more => format!("{list} and {more} more"),
    }
}

/// One line of the delivery log.
pub(crate) struct DeliveryLine<'a> {
    pub(crate) id: QueueId,
    pub(crate) from: &'a ReversePath,
    pub(crate) recipient: &'a LeasedRecipient,
    pub(crate) size: u64,
    pub(crate) record: &'a HostRecord,
    pub(crate) settling: &'a Settling,
    pub(crate) delays: Delays,
    /// Whether the sender is told.
    pub(crate) reported: bool,
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
        let outcome = &self.settling.outcome;
        let tls = self.record.connection.as_ref().map(|connection| &connection.tls);
        let mut event = Event::new(Level::Info, "delivery")
            .with("id", Value::Word(self.id.to_string()))
            .with("from", Value::Path(self.from.as_str().to_owned()))
            .with("to", Value::Address(self.recipient.address.as_str().to_owned()))
            .with("mode", Value::Word(format!("dane {}", self.record.mode)))
            .with("dane", dane_value(&self.settling.verdict))
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
                Value::quoted(outcome.reply_code.map(|_| outcome.reason.clone())),
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
            event = event.with("reason", Value::Quoted(outcome.reason.clone()));
        }
        match outcome.status {
            mail::Status::Bounced | mail::Status::Expired => event.with(
                "dsn_sent",
                Value::Word(if self.reported { "yes" } else { "no" }.to_owned()),
            ),
            mail::Status::Sent | mail::Status::Deferred => event,
        }
    }
}

fn dane_value(verdict: &DaneVerdict) -> Value {
    match verdict {
        DaneVerdict::NotReached => Value::Absent,
        verdict => Value::Quoted(verdict.to_string()),
    }
}
