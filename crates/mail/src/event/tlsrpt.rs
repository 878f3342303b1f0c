//! TLS reports to the receiving side (RFC 8460), and the collector that may make them in our place.

use crate::record::{Level, Put, Record, Value};
use crate::{Domain, QueueId};

/// What became of the report for one domain about one day.
#[derive(Debug, Clone, PartialEq)]
pub struct TlsReport {
    /// For which domain: a next hop, or a TLSA base domain.
    pub domain: Domain,
    /// About which day in UTC, `2026-11-29`.
    pub day: String,
    /// Sessions in it that met their policy.
    pub met: u64,
    /// Sessions that did not.
    pub failed: u64,
    /// What became of it.
    pub end: ReportEnd,
}

/// What became of a report.
#[derive(Debug, Clone, PartialEq)]
pub enum ReportEnd {
    /// It is in the queue as this message, for this mailbox.
    Queued(QueueId, String),
    /// The web server at this address took it.
    Posted(String),
    /// It could not be sent, for this reason, and is tried again.
    Failed(String),
    /// It is not sent, for this reason.
    Dropped(String),
}

impl Record for TlsReport {
    fn level(&self) -> Level {
        match self.end {
            ReportEnd::Queued(..) | ReportEnd::Posted(_) => Level::Info,
            ReportEnd::Failed(_) | ReportEnd::Dropped(_) => Level::Warning,
        }
    }

    fn name(&self) -> &'static str {
        "tlsrpt"
    }

    fn fields(&self, put: &mut Put<'_>) {
        let id = match &self.end {
            ReportEnd::Queued(id, _) => Some(id.to_string()),
            ReportEnd::Posted(_) | ReportEnd::Failed(_) | ReportEnd::Dropped(_) => None,
        };
        put("id", Value::word(id.as_deref()));
        let status = match &self.end {
            ReportEnd::Queued(..) => "queued",
            ReportEnd::Posted(_) => "sent",
            ReportEnd::Failed(_) => "failed",
            ReportEnd::Dropped(_) => "dropped",
        };
        put("status", Value::Word(status));
        put("domain", Value::Word(self.domain.as_str()));
        put("day", Value::Word(&self.day));
        put("met", Value::Integer(self.met));
        put("failed", Value::Integer(self.failed));
        match &self.end {
            ReportEnd::Queued(_, to) | ReportEnd::Posted(to) => put("to", Value::Quoted(to)),
            ReportEnd::Failed(reason) | ReportEnd::Dropped(reason) => put("reason", Value::Quoted(reason)),
        }
    }
}

/// Whether reports can be sent at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsReports {
    /// They are to be sent, but cannot be, for this reason, which the administrator has to remove. They wait.
    NotSent(String),
    /// They can be sent again.
    SentAgain,
}

impl Record for TlsReports {
    fn level(&self) -> Level {
        match self {
            Self::NotSent(_) => Level::Error,
            Self::SentAgain => Level::Info,
        }
    }

    fn name(&self) -> &'static str {
        "tlsrpt"
    }

    fn fields(&self, put: &mut Put<'_>) {
        match self {
            Self::NotSent(reason) => {
                put("status", Value::Word("not-sending"));
                put("reason", Value::Quoted(reason));
            }
            Self::SentAgain => put("status", Value::Word("sending")),
        }
    }
}

/// Results that did not reach the collector of the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotCollected {
    /// How many datagrams, since this was last told.
    pub lost: u64,
    /// Why the last one was lost.
    pub error: String,
}

impl Record for NotCollected {
    fn level(&self) -> Level {
        Level::Warning
    }

    fn name(&self) -> &'static str {
        "tlsrpt"
    }

    fn fields(&self, put: &mut Put<'_>) {
        put("status", Value::Word("not-collected"));
        put("lost", Value::Integer(self.lost));
        put("error", Value::Quoted(&self.error));
    }
}
