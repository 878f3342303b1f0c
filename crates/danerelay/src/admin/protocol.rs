//! What is said through the admin socket: one JSON object a line.
//!
//! The daemon begins with a [`Hello`]; the client sends one [`Request`]; the daemon answers with any number of
//! [`Line::Result`] and [`Line::Progress`] and closes after one [`Line::End`] or [`Line::Error`]. The content of a
//! message follows its result line as so many octets, which are not JSON.

use mail::{Domain, QueueId};
use serde::{Deserialize, Serialize};
use spool::{Action, Unreadable};

use super::selectors::Selectors;
use crate::explain::Inquiry;

/// The longest request in octets, its newline included: some ten thousand ids.
pub(crate) const REQUEST_LIMIT: u64 = 1 << 20;

/// Who answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Greeting {
    /// A daemon that listens.
    Hello(Hello),
    /// A daemon that has no time.
    Error(Refusal),
}

/// The daemon's name for itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// Its version.
    pub(crate) version: String,
    /// Its spool directory.
    pub(crate) spool: String,
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Request {
    /// The messages that are selected; a [`spool::QueuedMessage`] each, then [`Listed`].
    List {
        /// Which.
        #[serde(default)]
        selectors: Selectors,
    },
    /// All of one message: a [`super::letter::Letter`] at the end.
    Show {
        /// Which.
        id: QueueId,
    },
    /// The content of one message: [`Contents`] and so many octets, then [`Nothing`].
    Export {
        /// Which.
        id: QueueId,
    },
    /// Counts: a [`spool::Summary`] at the end.
    Summary,
    /// [`Action::Retry`]: [`Acts`] at the end.
    Retry {
        /// Whom.
        selectors: Selectors,
    },
    /// [`Action::Hold`]: likewise.
    Hold {
        /// Whom.
        selectors: Selectors,
    },
    /// [`Action::Release`]: likewise.
    Release {
        /// Whom.
        selectors: Selectors,
    },
    /// [`Action::Delete`]: likewise.
    Delete {
        /// Whom.
        selectors: Selectors,
    },
    /// What the daemon would do for a destination: a [`Report`](crate::explain::Report) at the end.
    Explain(Inquiry),
    /// To read configuration and policy again: [`Reloaded`] at the end.
    Reload,
    /// To forget what was learnt of a name and all below it, or of all names: [`Nothing`] at the end.
    Flush {
        /// Which.
        what: Flushed,
    },
}

/// What is to be forgotten. Everything is said in so many words: a name that is missing is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Flushed {
    /// What was learnt of this name and all below it.
    Name(Domain),
    /// What was learnt of any name.
    All,
}

impl Request {
    /// The request to act on whom the selectors fit.
    pub(crate) fn act(action: Action, selectors: Selectors) -> Self {
        match action {
            Action::Retry => Self::Retry { selectors },
            Action::Hold => Self::Hold { selectors },
            Action::Release => Self::Release { selectors },
            Action::Delete => Self::Delete { selectors },
        }
    }
}

/// The command's word for an action.
pub(crate) fn word(action: Action) -> &'static str {
    match action {
        Action::Retry => "retry",
        Action::Hold => "hold",
        Action::Release => "release",
        Action::Delete => "delete",
    }
}

/// A line of an answer, with results and an end of the command's own.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Line<R, E> {
    /// One of the things asked for.
    Result(R),
    /// How far it is.
    Progress(Acts),
    /// It is done.
    End(E),
    /// It is not done, or not all of it.
    Error(Refusal),
}

/// Where a command has no results, or nothing to say at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Nothing {}

/// The end of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listed {
    /// Messages that are not in it because they cannot be read; they may be some that were not selected.
    #[serde(default, skip_serializing_if = "Unreadable::is_none")]
    pub(crate) unreadable: Unreadable,
}

/// How much content follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contents {
    /// In octets.
    pub(crate) size: u64,
}

/// What an action has come to. `done`, `leased` and `unsuitable` are recipients and add up to those selected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Acts {
    /// Messages in which something was done.
    pub(crate) messages: u64,
    /// For whom it was done.
    pub(crate) done: u64,
    /// Being delivered at that moment, and left alone for that.
    pub(crate) leased: u64,
    /// In a state that the action is not for.
    pub(crate) unsuitable: u64,
    /// Messages that cannot be read, so that nobody knows whether the selectors fit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) unreadable: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Acts {
    /// Adds what a further part has come to.
    pub(crate) fn add(&mut self, acted: &spool::Acted) {
        self.messages = self.messages.saturating_add(acted.messages.len() as u64);
        self.done = self.done.saturating_add(acted.done);
        self.leased = self.leased.saturating_add(acted.leased);
        self.unsuitable = self.unsuitable.saturating_add(acted.unsuitable);
    }

    /// Those that the selectors fitted.
    pub(crate) fn selected(&self) -> u64 {
        self.done
            .saturating_add(self.leased)
            .saturating_add(self.unsuitable)
    }
}

/// What a reload has come to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reloaded {
    /// What the administrator should know although it is no error.
    pub(crate) warnings: Vec<String>,
    /// Keys whose change takes effect at the next start only.
    pub(crate) waiting: Vec<String>,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refusal {
    /// Whose it is to mend.
    pub(crate) kind: RefusalKind,
    /// For people; a line each fault.
    pub(crate) message: String,
}

/// The kinds of [`Refusal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RefusalKind {
    /// The client: this is no request.
    Request,
    /// Nobody: there is no such message.
    Unknown,
    /// The administrator: configuration or policy is wrong.
    Configuration,
    /// The daemon has too much to do, or is about to end.
    Busy,
    /// The spool cannot do it.
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

    /// Somebody else has the place of this client.
    pub(crate) fn given_away() -> Self {
        Self::new(
            RefusalKind::Busy,
            "the daemon ended this request: others needed its place while it waited for this client",
        )
    }

    /// The daemon is about to end.
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
