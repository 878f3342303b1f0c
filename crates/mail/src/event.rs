//! Log events: one event, one line, in which no foreign octet can forge a field or a line.
//!
//! An [`Event`] is a name and an ordered list of fields. [`Event::to_text`] writes `key=value, key=value`,
//! [`Event::to_json`] one JSON object, and [`crate::render`] either within a bound. Whoever makes an event says of each
//! value what it is ([`Value`]); escaping follows from that. Where others can cause it as often as they like, it says who
//! ([`Source`]).

use std::fmt;
use std::time::Duration;

use crate::render::{Form, whole};
use crate::source::Source;

/// Where events go. Implementations neither wait for anything nor fail: a log that cannot be written is their concern.
pub trait EventLog: Send + Sync {
    /// Writes one event, unless it has a [`Source`] that has caused too many.
    fn write(&self, event: &Event);
}

/// How loud an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For those who look for a fault.
    Debug,
    /// The ordinary course of things.
    Info,
    /// Something that the administrator should see.
    Warning,
    /// Something that the administrator must mend.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// The value of a field, by kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `-` in text, `null` in JSON.
    Absent,
    /// Words of ours or names from DNS, written without quotes; what could end the field is escaped.
    Word(String),
    /// Anything, written in double quotes.
    Quoted(String),
    /// A mailbox, written without quotes.
    Address(String),
    /// A path or message-id, written in angle brackets.
    Path(String),
    /// A whole number.
    Integer(u64),
    /// Seconds with two decimals.
    Seconds(Duration),
    /// Seconds with two decimals each, separated by `/`.
    Stages(Vec<Duration>),
}

impl Value {
    /// A word, or absent.
    pub fn word(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::Absent, |text| Self::Word(text.into()))
    }

    /// A quoted text, or absent.
    pub fn quoted(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::Absent, |text| Self::Quoted(text.into()))
    }

    /// A whole number, or absent.
    pub fn integer(number: Option<impl Into<u64>>) -> Self {
        number.map_or(Self::Absent, |number| Self::Integer(number.into()))
    }
}

/// One event of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// How loud it is.
    pub level: Level,
    /// `delivery`, `accepted`, `resolver`, `policy`, …
    pub name: &'static str,
    /// The fields in the order in which they are written.
    pub fields: Vec<(&'static str, Value)>,
    /// Who can cause it any number of times, so that the log takes only so many; `None` of what is always written.
    pub source: Option<Source>,
}

impl Event {
    /// An event without fields.
    pub fn new(level: Level, name: &'static str) -> Self {
        Self {
            level,
            name,
            fields: Vec::new(),
            source: None,
        }
    }

    /// Adds a field at the end.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: Value) -> Self {
        self.fields.push((key, value));
        self
    }

    /// The field of that name, if the event has one.
    pub fn field(&self, key: &str) -> Option<&Value> {
        self.fields
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value)
    }

    /// Says who can cause such an event any number of times.
    #[must_use]
    pub fn caused_by(mut self, source: Source) -> Self {
        self.source = Some(source);
        self
    }

    /// `key=value, key=value`; all but deliveries end in `event=NAME`.
    pub fn to_text(&self) -> String {
        whole(self, Form::Text)
    }

    /// One JSON object; `timestamp` is RFC 3339 in UTC.
    pub fn to_json(&self, timestamp: &str) -> String {
        whole(self, Form::Json(&timestamp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(value: Value) -> Event {
        Event::new(Level::Info, "delivery").with("key", value)
    }

    #[test]
    fn nothing_forges_a_field_or_a_line() {
        let hostile = "x\r\nid=1, status=sent\", a=\"b\\\u{1b}[2J\u{61c}\u{202e}\u{2028}";
        for value in [
            Value::Word(hostile.into()),
            Value::Quoted(hostile.into()),
            Value::Address(hostile.into()),
            Value::Path(hostile.into()),
        ] {
            let text = event(value.clone()).to_text();
            assert!(!text.chars().any(char::is_control), "{text:?}");
            assert!(!text.contains(['\u{61c}', '\u{202e}', '\u{2028}']), "{text:?}");
            match value {
                Value::Quoted(_) => assert!(!text.contains("sent\", a"), "{text}"),
                _ => assert!(!text.contains(", status"), "{text}"),
            }
            let json = event(value).to_json("2026-01-01T00:00:00Z");
            assert!(!json.chars().any(char::is_control), "{json:?}");
        }
    }

    #[test]
    fn text_form() {
        let event = Event::new(Level::Info, "accepted")
            .with("id", Value::Word("01J".into()))
            .with("from", Value::Path("a b@c".into()))
            .with("reply", Value::Quoted("say \"hi\"".into()))
            .with(
                "delays",
                Value::Stages(vec![Duration::ZERO, Duration::from_millis(1250)]),
            )
            .with("size", Value::Integer(7))
            .with("tls", Value::Absent);
        assert_eq!(
            event.to_text(),
            "id=01J, from=<a\\x20b@c>, reply=\"say \\\"hi\\\"\", delays=0.00/1.25, size=7, tls=-, event=accepted"
        );
        assert_eq!(
            event.to_json("T"),
            "{\"ts\":\"T\",\"level\":\"info\",\"event\":\"accepted\",\"id\":\"01J\",\"from\":\"a b@c\",\
             \"reply\":\"say \\\"hi\\\"\",\"delays\":[0.00,1.25],\"size\":7,\"tls\":null}"
        );
    }
}
