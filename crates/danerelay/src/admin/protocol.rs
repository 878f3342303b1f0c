//! The protocol of the admin socket: one JSON object per line.
//!
//! The daemon begins with a [`Hello`]; the client sends one [`Request`]; the daemon answers with any number of
//! [`Line::Result`] and [`Line::Progress`] and closes after one [`Line::End`] or [`Line::Error`]. The content of a
//! message follows its result line as that many octets, which are not JSON.

use mail::{Domain, Mailbox, QueueId};
use report::summary::{Question, Scope};
use serde::{Deserialize, Serialize};
use spool::{Action, Unreadable};

use super::selectors::Selectors;
use crate::explain::Inquiry;

/// The maximum length of a request in octets, including its newline: some ten thousand ids.
pub(crate) const REQUEST_LIMIT: u64 = 1 << 20;

/// The first line from the daemon.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Greeting {
    /// The daemon is ready for a request.
    Hello(Hello),
    /// The daemon is too busy.
    Error(Refusal),
}

/// How the daemon identifies itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// Its version.
    pub(crate) version: String,
    /// Its spool directory.
    pub(crate) spool: String,
}

/// A client's request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Request {
    /// The selected messages: a [`spool::QueuedMessage`] each, then [`Listed`].
    List {
        /// Which messages.
        #[serde(default)]
        selectors: Selectors,
    },
    /// Everything about one message: a [`super::details::MessageDetails`] at the end.
    Show {
        /// Which message.
        id: QueueId,
    },
    /// The content of one message: [`Contents`] and that many octets, then [`Nothing`].
    Export {
        /// Which message.
        id: QueueId,
    },
    /// Counts: a [`spool::Summary`] at the end.
    Summary,
    /// What holds mail up: a [`report::incidents::Incident`] each, those too that are over, then [`Nothing`].
    Incidents,
    /// [`Action::Retry`]: [`Acts`] at the end.
    Retry {
        /// Which messages and recipients.
        selectors: Selectors,
    },
    /// [`Action::Retry`] of one message: a [`Traced`](mail::event::trace::Traced) for each step of its deliveries, then
    /// [`TracedRetry`].
    #[serde(rename = "retry-trace")]
    RetryTrace {
        /// Which message, and which of its recipients.
        selectors: Selectors,
    },
    /// [`Action::Hold`]: [`Acts`] at the end.
    Hold {
        /// Which messages and recipients.
        selectors: Selectors,
    },
    /// [`Action::Release`]: [`Acts`] at the end.
    Release {
        /// Which messages and recipients.
        selectors: Selectors,
    },
    /// [`Action::Delete`]: [`Acts`] at the end.
    Delete {
        /// Which messages and recipients.
        selectors: Selectors,
    },
    /// What the daemon would do for a destination: a [`Report`](crate::explain::Report) at the end.
    Explain(Inquiry),
    /// The figures of the ledger: a [`report::summary::Item`] for each row, then a [`report::summary::Head`].
    Report(Question),
    /// What DANE did: a [`report::summary::Protection`] at the end.
    Protection(Scope),
    /// Mail or show the summary of yesterday (UTC): [`DailyMail`] at the end.
    Daily {
        /// Where it goes.
        #[serde(default)]
        to: DailyTo,
    },
    /// What is counted for TLS reports: a [`Collected`](crate::tlsrpt::Collected) each, then [`spool::TlsDay`] of each day.
    Tlsrpt {
        /// For the report of this domain alone.
        #[serde(default)]
        domain: Option<Domain>,
    },
    /// Send the report for a domain about the running day now: [`ReportSent`] at the end.
    #[serde(rename = "tlsrpt-send")]
    TlsrptSend {
        /// The domain.
        domain: Domain,
    },
    /// Read configuration and policy again: [`Reloaded`] at the end.
    Reload,
    /// Read the policy with its lists and exceptions again: [`Reloaded`] at the end.
    Policy,
    /// What is not as it should be with the policy: a [`PolicyTrouble`](crate::wiring::standing::PolicyTrouble) at the end.
    Standing,
    /// Forget what was learned about a name and everything below it, or about all names: [`Nothing`] at the end.
    Flush {
        /// What to forget.
        what: Flushed,
    },
}

/// What to forget. It must be stated explicitly: a missing name does not mean all names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Flushed {
    /// What was learned about this name and everything below it.
    Name(Domain),
    /// What was learned about all names.
    All,
}

/// Where the daily mail goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DailyTo {
    /// To `incidents.mail`.
    #[default]
    Postmaster,
    /// To this mailbox.
    Mailbox(Mailbox),
    /// Nowhere: the client wants its text.
    Client,
}

impl Request {
    /// The request to perform the action on everything that the selectors match.
    pub(crate) fn act(action: Action, selectors: Selectors) -> Self {
        match action {
            Action::Retry => Self::Retry { selectors },
            Action::Hold => Self::Hold { selectors },
            Action::Release => Self::Release { selectors },
            Action::Delete => Self::Delete { selectors },
        }
    }
}

/// The command's name for an action.
pub(crate) fn word(action: Action) -> &'static str {
    match action {
        Action::Retry => "retry",
        Action::Hold => "hold",
        Action::Release => "release",
        Action::Delete => "delete",
    }
}

/// A line of an answer; results and end have types that depend on the command.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Line<R, E> {
    /// One of the requested items.
    Result(R),
    /// The progress so far.
    Progress(Acts),
    /// The command is done.
    End(E),
    /// The command failed, or was not completed.
    Error(Refusal),
}

/// For commands that have no results, or nothing to report at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Nothing {}

/// The end of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listed {
    /// Messages that are missing because they cannot be read; some of them may not have been selected.
    #[serde(default, skip_serializing_if = "Unreadable::is_none")]
    pub(crate) unreadable: Unreadable,
}

/// How much content follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contents {
    /// In octets.
    pub(crate) size: u64,
}

/// The result of an action. `done`, `leased` and `unsuitable` count recipients and add up to those selected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Acts {
    /// Messages that were changed.
    pub(crate) messages: u64,
    /// Recipients for which the action was done.
    pub(crate) done: u64,
    /// Recipients that were left alone because they were just being delivered.
    pub(crate) leased: u64,
    /// Recipients whose state does not allow the action.
    pub(crate) unsuitable: u64,
    /// Messages that cannot be read, so that it is not known whether the selectors match.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) unreadable: u64,
}

/// The end of a retry whose deliveries were followed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TracedRetry {
    /// What was done.
    pub(crate) acts: Acts,
    /// The next hops to which something was due that has not been tried in time.
    pub(crate) waiting: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Acts {
    /// Adds the result of a further part.
    pub(crate) fn add(&mut self, acted: &spool::Acted) {
        self.messages = self.messages.saturating_add(acted.messages.len() as u64);
        self.done = self.done.saturating_add(acted.done);
        self.leased = self.leased.saturating_add(acted.leased);
        self.unsuitable = self.unsuitable.saturating_add(acted.unsuitable);
    }

    /// The recipients that the selectors matched.
    pub(crate) fn selected(&self) -> u64 {
        self.done
            .saturating_add(self.leased)
            .saturating_add(self.unsuitable)
    }
}

/// The result of a reload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reloaded {
    /// What the administrator should know although it is no error.
    pub(crate) warnings: Vec<String>,
    /// Those of them that are about exceptions which commands have added.
    #[serde(default)]
    pub(crate) about_added: Vec<String>,
    /// Keys whose change takes effect only at the next start.
    pub(crate) waiting: Vec<String>,
}

/// Where a report went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReportSent {
    /// To which mailbox, or which web server.
    pub(crate) to: String,
    /// As which message, if it goes by mail.
    pub(crate) id: Option<QueueId>,
}

/// The daily mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DailyMail {
    /// What became of it.
    pub(crate) end: DailyEnd,
    /// Entries of the ledger that cannot be read, and are missing in it.
    pub(crate) unreadable: u64,
}

/// What became of the daily mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DailyEnd {
    /// It is in the queue.
    Queued {
        /// For whom.
        to: String,
        /// As which message.
        id: QueueId,
    },
    /// Its text.
    Text(String),
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refusal {
    /// Who has to fix it.
    pub(crate) kind: RefusalKind,
    /// For people; one line per fault.
    pub(crate) message: String,
}

/// The kinds of [`Refusal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RefusalKind {
    /// The client: this is not a valid request.
    Request,
    /// Nobody: there is no such message.
    Unknown,
    /// The administrator: the configuration or the policy is wrong.
    Configuration,
    /// The daemon is too busy or shutting down, or cannot do it now for another reason: to be tried again.
    Busy,
    /// The spool reports an error.
    Spool,
}

impl Refusal {
    /// A refusal of this kind.
    pub(crate) fn new(kind: RefusalKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// There is no such message.
    pub(crate) fn unknown(id: QueueId) -> Self {
        Self::new(
            RefusalKind::Unknown,
            format!("there is no message {id} in the queue"),
        )
    }

    /// Another client has got this client's place.
    pub(crate) fn given_away() -> Self {
        Self::new(
            RefusalKind::Busy,
            "the daemon ended this request: others needed its place while it waited for this client",
        )
    }

    /// The daemon is shutting down.
    pub(crate) fn stopping() -> Self {
        Self::new(RefusalKind::Busy, "the daemon is stopping")
    }
}

impl From<spool::SpoolError> for Refusal {
    fn from(error: spool::SpoolError) -> Self {
        Self::new(RefusalKind::Spool, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_request_is_one_plain_object() {
        let id: QueueId = "01JDB3N5V0000000000000000A".parse().unwrap();
        let selectors = Selectors {
            id: vec![id],
            recipient_domain: Some(mail::DomainPart::parse("example.nl").unwrap()),
            older_than: Some("4h".parse().unwrap()),
            ..Selectors::default()
        };
        let request = Request::act(Action::Hold, selectors);
        let text = serde_json::to_string(&request).unwrap();
        assert_eq!(
            text,
            r#"{"command":"hold","selectors":{"id":["01JDB3N5V0000000000000000A"],"recipient_domain":"example.nl","older_than":"4h"}}"#
        );
        assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), request);
        for short in [
            r#"{"command":"list"}"#,
            r#"{"command":"summary"}"#,
            r#"{"command":"policy"}"#,
            r#"{"command":"daily"}"#,
            r#"{"command":"daily","to":"client"}"#,
            r#"{"command":"daily","to":{"mailbox":"a@b.example"}}"#,
            r#"{"command":"standing"}"#,
            r#"{"command":"incidents"}"#,
            r#"{"command":"retry-trace","selectors":{"all":true}}"#,
            r#"{"command":"flush","what":"all"}"#,
            r#"{"command":"flush","what":{"name":"a.example"}}"#,
            r#"{"command":"explain","destination":"someone@a.example"}"#,
            r#"{"command":"explain","destination":"[192.0.2.1]","connect":true}"#,
        ] {
            serde_json::from_str::<Request>(short).unwrap();
        }
    }

    #[test]
    fn what_is_not_known_is_no_request() {
        for text in [
            "",
            "{}",
            "[]",
            "17",
            r#"{"command":"shutdown"}"#,
            r#"{"command":"hold"}"#,
            r#"{"command":"hold","selectors":{"domain":"a.example"}}"#,
            r#"{"command":"hold","selectors":{"id":["17"]}}"#,
            r#"{"command":"list","selector":{"all":true}}"#,
            r#"{"command":"flush"}"#,
            r#"{"command":"flush","what":null}"#,
            r#"{"command":"flush","what":{"name":null}}"#,
            r#"{"command":"flush","what":{"name":"a..b"}}"#,
            r#"{"command":"daily","to":{"mailbox":"nobody"}}"#,
            r#"{"command":"explain"}"#,
            r#"{"command":"explain","destination":"a..b"}"#,
            r#"{"command":"explain","destination":"a.example","port":25}"#,
        ] {
            assert!(serde_json::from_str::<Request>(text).is_err(), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(serde_json::from_str::<Request>(&deep).is_err());
    }
}
