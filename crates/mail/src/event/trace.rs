//! The dialogue of a delivery, step by step: for `[log] trace`, and for commands that show it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::QueueId;
use crate::record::{Level, Put, Record, Value};

/// One step of a delivery that is traced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceStep {
    /// The message; `None` if a server is only examined.
    pub id: Option<QueueId>,
    /// Where the mail goes.
    pub next_hop: String,
    /// The receiving host, as `relay=` names it.
    pub host: Option<String>,
    /// The time since the start of the attempt; written in seconds.
    #[serde(with = "seconds")]
    pub at: Duration,
    /// What happened.
    pub step: StepKind,
    /// In words, or the words of the server or of this relay. Others' text is not escaped here.
    pub text: String,
}

/// What happened in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// What is delivered, and to whom.
    Message,
    /// What the policy says.
    Policy,
    /// The DNSSEC status of the MX answer, and what MTA-STS says.
    Mx,
    /// A host: what DNS says about it, and what it must achieve.
    Host,
    /// A host or a whole destination that is not connected to.
    NotTried,
    /// A connection was waited for.
    Waited,
    /// A connection of an earlier message is used.
    Reused,
    /// A connection is begun.
    Connect,
    /// It is there.
    Connected,
    /// It was given up, because another address was faster.
    GivenUp,
    /// A TLS handshake, its beginning and its result.
    Tls,
    /// A certificate that the server presented.
    Certificate,
    /// A published TLSA record, and whether it matches.
    Tlsa,
    /// What this relay said.
    Client,
    /// What the server said.
    Server,
    /// The content was sent; it is not shown.
    Content,
    /// The connection met its requirement.
    Verified,
    /// What failed.
    Failed,
    /// The connection has ended, or is kept for another message.
    Closed,
    /// The line of the log about a recipient.
    Outcome,
    /// Nothing is settled: the message is tried again.
    Again,
    /// Steps are missing here.
    LeftOut,
}

impl StepKind {
    /// The value of `step=`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Policy => "policy",
            Self::Mx => "mx",
            Self::Host => "host",
            Self::NotTried => "not-tried",
            Self::Waited => "waited",
            Self::Reused => "reused",
            Self::Connect => "connect",
            Self::Connected => "connected",
            Self::GivenUp => "given-up",
            Self::Tls => "tls",
            Self::Certificate => "certificate",
            Self::Tlsa => "tlsa",
            Self::Client => "client",
            Self::Server => "server",
            Self::Content => "content",
            Self::Verified => "verified",
            Self::Failed => "failed",
            Self::Closed => "closed",
            Self::Outcome => "outcome",
            Self::Again => "again",
            Self::LeftOut => "left-out",
        }
    }
}

/// What somebody who follows a delivery is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Traced {
    /// A step.
    Step(TraceStep),
    /// An attempt has ended.
    Ended {
        /// Where the mail went.
        next_hop: String,
        /// Whether each recipient has its outcome. If not, the message is tried again.
        settled: bool,
    },
}

/// A line for people: seconds, what happened, the text. It has to be made printable.
impl fmt::Display for TraceStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = format!("{}.{:03}", self.at.as_secs(), self.at.subsec_millis());
        write!(f, "{seconds:>8}  {:<11}  {}", self.step.as_str(), self.text)
    }
}

impl Record for TraceStep {
    fn level(&self) -> Level {
        Level::Info
    }

    fn name(&self) -> &'static str {
        "trace"
    }

    fn is_lost_first(&self) -> bool {
        true
    }

    fn fields(&self, put: &mut Put<'_>) {
        if let Some(id) = self.id {
            put("id", Value::Word(&id.to_string()));
        }
        put("next_hop", Value::Word(&self.next_hop));
        put("host", Value::word(self.host.as_deref()));
        put("at", Value::Milliseconds(self.at));
        put("step", Value::Word(self.step.as_str()));
        put("text", Value::Quoted(&self.text));
    }
}

/// A duration as a number of seconds.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(time.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::event::Event;

    #[test]
    fn one_step_for_people_the_log_and_programs() {
        let step = TraceStep {
            id: Some("01JDB3N5V0000000000000000A".parse().unwrap()),
            next_hop: "a.example".to_owned(),
            host: Some("mx.a.example [192.0.2.1]".to_owned()),
            at: Duration::from_millis(12_345),
            step: StepKind::Server,
            text: "250 \"ok\"\u{1b}[2J".to_owned(),
        };
        assert_eq!(step.to_string(), "  12.345  server       250 \"ok\"\u{1b}[2J");
        let written = serde_json::to_string(&Traced::Step(step.clone())).unwrap();
        assert_eq!(
            serde_json::from_str::<Traced>(&written).unwrap(),
            Traced::Step(step.clone())
        );
        let event = Event::Trace(step);
        assert_eq!(
            event.to_text(),
            "id=01JDB3N5V0000000000000000A, next_hop=a.example, host=mx.a.example [192.0.2.1], at=12.345, \
             step=server, text=\"250 \\\"ok\\\"\\x1B[2J\", event=trace"
        );
        assert_eq!(
            event.to_json("T"),
            "{\"ts\":\"T\",\"level\":\"info\",\"event\":\"trace\",\"id\":\"01JDB3N5V0000000000000000A\",\
             \"next_hop\":\"a.example\",\"host\":\"mx.a.example [192.0.2.1]\",\"at\":12.345,\"step\":\"server\",\
             \"text\":\"250 \\\"ok\\\"\\u001b[2J\"}"
        );
        for negative in ["-1", "1e300", "\"x\""] {
            let broken = written.replace("12.345", negative);
            assert!(serde_json::from_str::<Traced>(&broken).is_err(), "{broken}");
        }
    }
}
