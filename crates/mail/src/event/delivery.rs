//! What became of recipients.

use std::net::IpAddr;
use std::time::Duration;

use crate::record::{Level, Put, Record, Value, yes_or_no};
use crate::{
    DaneVerdict, DeliverySecurity, Domain, Mailbox, Outcome, QueueId, ReversePath, Security, Status,
};

/// One attempt for one recipient. The fields from `to` to `dsn` come in the order that existing log tools expect.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// The message.
    pub id: QueueId,
    /// Its reverse-path.
    pub from: ReversePath,
    /// The recipient.
    pub to: Mailbox,
    /// The policy's DANE mode, as the policy file writes it.
    pub mode: &'static str,
    /// What DANE found.
    pub dane: DaneVerdict,
    /// Version and cipher suite of the session, in OpenSSL's names: `TLSv1.3:TLS_AES_256_GCM_SHA384`.
    pub tls: Option<String>,
    /// Why there is no TLS session although one was wanted.
    pub tls_fail: Option<String>,
    /// How the certificate was verified, in OpenSSL's number and words.
    pub tls_valid: Option<String>,
    /// The name of the host.
    pub host: Option<Domain>,
    /// The address that was connected to.
    pub address: Option<IpAddr>,
    /// The port of the next hop.
    pub port: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// The DNSSEC status of the MX records.
    pub mx: Option<Security>,
    /// The TLSA base domain.
    pub base: Option<Domain>,
    /// The TLSA record that matched, or those that did not match.
    pub tlsa: Option<String>,
    /// What the destination's MTA-STS policy says, or that it could not be had.
    pub sts: Option<&'static str>,
    /// The time from the message's arrival until now.
    pub delay: Duration,
    /// The time before the queue manager, in the queue, for connection set-up, and for transmission.
    pub delays: [Duration; 4],
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The size of the content, in octets.
    pub size: u64,
    /// Whether a report tells the sender.
    pub is_told: bool,
    /// What secured the delivery. It is counted, not logged.
    pub security: DeliverySecurity,
}

impl Delivery {
    /// `mx1.example.org [192.0.2.1]`, or the name alone where no connection was made.
    fn relay(&self) -> Option<String> {
        match (&self.host, self.address) {
            (Some(name), Some(address)) => Some(format!("{name} [{address}]")),
            (Some(name), None) => Some(name.to_string()),
            (None, Some(address)) => Some(format!("[{address}] [{address}]")),
            (None, None) => None,
        }
    }

    /// What the log says about a report: always for a recipient's final outcome, otherwise if there is one.
    fn report(&self) -> Option<bool> {
        match self.outcome.status {
            Status::Bounced | Status::Expired => Some(self.is_told),
            Status::Sent | Status::Deferred => self.is_told.then_some(true),
        }
    }
}

impl Record for Delivery {
    fn level(&self) -> Level {
        Level::Info
    }

    fn name(&self) -> &'static str {
        "delivery"
    }

    fn fields(&self, put: &mut Put<'_>) {
        let outcome = &self.outcome;
        put("id", Value::Word(&self.id.to_string()));
        put("from", Value::Path(self.from.as_str()));
        put("to", Value::Address(self.to.as_str()));
        put("mode", Value::Word(&format!("dane {}", self.mode)));
        match &self.dane {
            DaneVerdict::NotReached => put("dane", Value::Absent),
            verdict => put("dane", Value::Quoted(&verdict.to_string())),
        }
        put("tls", Value::word(self.tls.as_deref()));
        put("tlsvalid", Value::quoted(self.tls_valid.as_deref()));
        put("relay", Value::word(self.relay().as_deref()));
        put(
            "dsn",
            outcome
                .reply_code
                .map_or(Value::Absent, |code| Value::Integer(code.get().into())),
        );
        put("status", Value::Word(outcome.status.as_str()));
        put("enhanced", Value::Word(&outcome.enhanced.to_string()));
        put("port", Value::Integer(self.port.into()));
        // Without a code the reply was one to other mail, and is a part of our reason.
        let reply = outcome.reply_code.and_then(|_| outcome.reason.reply());
        put("reply", Value::quoted(reply));
        put("mx", Value::word(self.mx.map(Security::as_str)));
        put("base", Value::word(self.base.as_ref().map(Domain::as_str)));
        put("tlsa", Value::quoted(self.tlsa.as_deref()));
        put("sts", Value::word(self.sts));
        put("delay", Value::Seconds(self.delay));
        put("delays", Value::Stages(&self.delays));
        put("attempt", Value::Integer(self.attempt.into()));
        put("size", Value::Integer(self.size));
        if let (None, Some(fail)) = (&self.tls, &self.tls_fail) {
            // Alerts are one word; some of our own reasons are more, and stand in quotes as all text does.
            let value = if fail.contains(' ') {
                Value::Quoted
            } else {
                Value::Word
            };
            put("tlsfail", value(fail));
        }
        let reason = match reply {
            None => Some(&*outcome.reason),
            Some(_) => outcome.reason.ours(),
        };
        if let Some(reason) = reason {
            put("reason", Value::Quoted(reason));
        }
        if let Some(is_told) = self.report() {
            put("dsn_sent", yes_or_no(is_told));
        }
    }
}

/// A report that could not be delivered to anybody: only the reader of the log learns of it (RFC 5321 §6.1).
#[derive(Debug, Clone, PartialEq)]
pub struct Undeliverable {
    /// The report.
    pub id: QueueId,
    /// Whom it was for.
    pub to: Mailbox,
    /// How it ended.
    pub outcome: Outcome,
}

impl Record for Undeliverable {
    fn level(&self) -> Level {
        Level::Warning
    }

    fn name(&self) -> &'static str {
        "undeliverable"
    }

    fn fields(&self, put: &mut Put<'_>) {
        put("id", Value::Word(&self.id.to_string()));
        put("to", Value::Address(self.to.as_str()));
        put("status", Value::Word(self.outcome.status.as_str()));
        put("enhanced", Value::Word(&self.outcome.enhanced.to_string()));
        put("reason", Value::Quoted(&self.outcome.reason));
        put("dsn_sent", yes_or_no(false));
    }
}

/// A report on a message was put into the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportMade {
    /// The report.
    pub id: QueueId,
    /// The message that it is about.
    pub about: QueueId,
    /// The sender of that message.
    pub to: ReversePath,
    /// What it says.
    pub kind: ReportKind,
}

/// What a report says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportKind {
    /// Mail that failed for good.
    Failed,
    /// Mail that is late.
    Delayed,
    /// Mail that was given to a server that sends no reports.
    Relayed,
    /// Several of these.
    Mixed,
}

impl ReportKind {
    /// The word of the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Relayed => "relayed",
            Self::Mixed => "mixed",
        }
    }
}

impl Record for ReportMade {
    fn level(&self) -> Level {
        Level::Info
    }

    fn name(&self) -> &'static str {
        "dsn"
    }

    fn fields(&self, put: &mut Put<'_>) {
        put("id", Value::Word(&self.id.to_string()));
        put("about", Value::Word(&self.about.to_string()));
        put("to", Value::Address(self.to.as_str()));
        put("kind", Value::Word(self.kind.as_str()));
    }
}

/// The clock went back, so that waiting messages are now due far in the future.
#[derive(Debug, Clone, PartialEq)]
pub struct ClockWentBack {
    /// How many transactions are moved to an earlier time because of it.
    pub messages: u64,
}

impl Record for ClockWentBack {
    fn level(&self) -> Level {
        Level::Warning
    }

    fn name(&self) -> &'static str {
        "clock"
    }

    fn fields(&self, put: &mut Put<'_>) {
        put("messages", Value::Integer(self.messages));
        let reason = "the clock went back; waiting mail is tried again within the longest retry interval";
        put("reason", Value::Quoted(reason));
    }
}

/// A destination fails, takes fewer connections than it was offered, or is sent no more messages a minute; told at most once
/// a minute for each.
#[derive(Debug, Clone, PartialEq)]
pub struct DestinationHeldUp {
    /// The next hop, as in the queue.
    pub next_hop: String,
    /// How it does.
    pub how: HeldUp,
    /// How many deliveries it gets at a time now.
    pub limit: u64,
    /// Attempts that it turned away since the last line, because too many connections were open.
    pub refused: u64,
    /// Messages that were deferred without an attempt since the last line.
    pub not_tried: u64,
    /// Messages that wait for it.
    pub waiting: u64,
    /// While it fails: the last failure, as the deferred messages say it.
    pub reason: Option<String>,
}

/// How a destination does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldUp {
    /// It fails, and is probed by one message now and then.
    Failing,
    /// It works, within a limit.
    Limited,
    /// It gets so many messages a minute, and more of them wait.
    Paced,
}

impl HeldUp {
    /// The word of the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Limited => "limited",
            Self::Paced => "paced",
        }
    }
}

impl Record for DestinationHeldUp {
    fn level(&self) -> Level {
        Level::Info
    }

    fn name(&self) -> &'static str {
        "destination"
    }

    fn fields(&self, put: &mut Put<'_>) {
        put("next_hop", Value::Word(&self.next_hop));
        put("state", Value::Word(self.how.as_str()));
        put("limit", Value::Integer(self.limit));
        put("refused", Value::Integer(self.refused));
        put("not_tried", Value::Integer(self.not_tried));
        put("waiting", Value::Integer(self.waiting));
        if let Some(reason) = &self.reason {
            put("reason", Value::Quoted(reason));
        }
    }
}

/// Logins at a route's server.
#[derive(Debug, Clone, PartialEq)]
pub enum LoginState {
    /// They fail, and mail waits.
    Failing {
        /// The file with the login.
        file: String,
        /// Why.
        reason: String,
    },
    /// They work again.
    Works {
        /// The file with the login.
        file: String,
        /// How many failed.
        failed: u64,
        /// For how long.
        lasted: Duration,
    },
}

impl Record for LoginState {
    fn level(&self) -> Level {
        match self {
            Self::Failing { .. } => Level::Error,
            Self::Works { .. } => Level::Info,
        }
    }

    fn name(&self) -> &'static str {
        "login"
    }

    fn fields(&self, put: &mut Put<'_>) {
        match self {
            Self::Failing { file, reason } => {
                put("status", Value::Word("failing"));
                put("file", Value::Quoted(file));
                put("reason", Value::Quoted(reason));
            }
            Self::Works { file, failed, lasted } => {
                put("status", Value::Word("works"));
                put("file", Value::Quoted(file));
                put("failed", Value::Integer(*failed));
                put("lasted", Value::Seconds(*lasted));
            }
        }
    }
}
