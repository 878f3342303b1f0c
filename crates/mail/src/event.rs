//! Log events: one event, one line, in which no foreign octet can forge a field or a line.
//!
//! An [`Event`] is a name and an ordered list of fields. [`Event::to_text`] writes `key=value, key=value`,
//! [`Event::to_json`] one JSON object. Whoever makes an event says of each value what it is ([`Value`]); escaping
//! follows from that.

use std::fmt::{self, Write as _};
use std::time::Duration;

use crate::address::is_atext;

/// Where events go. Implementations neither block for long nor fail: a log that cannot be written is their concern.
pub trait EventLog: Send + Sync {
    /// Writes one event.
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
}

impl Event {
    /// An event without fields.
    pub fn new(level: Level, name: &'static str) -> Self {
        Self {
            level,
            name,
            fields: Vec::new(),
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

    /// `key=value, key=value`; all but deliveries end in `event=NAME`.
    pub fn to_text(&self) -> String {
        let mut line = String::with_capacity(512);
        for (key, value) in &self.fields {
            if !line.is_empty() {
                line.push_str(", ");
            }
            line.push_str(key);
            line.push('=');
            value.write_text(&mut line);
        }
        if self.name != "delivery" {
            let separator = if line.is_empty() { "" } else { ", " };
            let _ = write!(line, "{separator}event={}", self.name);
        }
        line
    }

    /// One JSON object; `timestamp` is RFC 3339 in UTC.
    pub fn to_json(&self, timestamp: &str) -> String {
        let mut line = String::with_capacity(768);
        line.push_str("{\"ts\":");
        write_json_string(&mut line, timestamp);
        let _ = write!(line, ",\"level\":\"{}\",\"event\":\"{}\"", self.level, self.name);
        for (key, value) in &self.fields {
            let _ = write!(line, ",\"{key}\":");
            value.write_json(&mut line);
        }
        line.push('}');
        line
    }
}

impl Value {
    fn write_text(&self, line: &mut String) {
        match self {
            Self::Absent => line.push('-'),
            Self::Word(text) => {
                escape_into(line, text, |c| (' '..='~').contains(&c) && !",=\"\\".contains(c));
            }
            Self::Address(text) => escape_into(line, text, |c| {
                c.is_ascii() && (is_atext(c) || c == '.' || c == '@')
            }),
            Self::Path(text) => {
                line.push('<');
                escape_into(line, text, |c| {
                    c.is_ascii() && (is_atext(c) || c == '.' || c == '@')
                });
                line.push('>');
            }
            Self::Quoted(text) => write_quoted(line, text),
            Self::Integer(number) => {
                let _ = write!(line, "{number}");
            }
            Self::Seconds(duration) => {
                let _ = write!(line, "{:.2}", duration.as_secs_f64());
            }
            Self::Stages(stages) => {
                for (position, stage) in stages.iter().enumerate() {
                    let separator = if position == 0 { "" } else { "/" };
                    let _ = write!(line, "{separator}{:.2}", stage.as_secs_f64());
                }
            }
        }
    }

    fn write_json(&self, line: &mut String) {
        match self {
            Self::Absent => line.push_str("null"),
            Self::Word(text) | Self::Quoted(text) | Self::Address(text) | Self::Path(text) => {
                write_json_string(line, text);
            }
            Self::Integer(_) | Self::Seconds(_) => self.write_text(line),
            Self::Stages(stages) => {
                line.push('[');
                for (position, stage) in stages.iter().enumerate() {
                    let separator = if position == 0 { "" } else { "," };
                    let _ = write!(line, "{separator}{:.2}", stage.as_secs_f64());
                }
                line.push(']');
            }
        }
    }
}

/// Writes each character that is not `plain` as `\xHH`, octet by octet.
fn escape_into(line: &mut String, text: &str, plain: impl Fn(char) -> bool) {
    for c in text.chars() {
        if plain(c) {
            line.push(c);
        } else {
            let mut octets = [0; 4];
            for octet in c.encode_utf8(&mut octets).bytes() {
                let _ = write!(line, "\\x{octet:02X}");
            }
        }
    }
}

fn write_quoted(line: &mut String, text: &str) {
    line.push('"');
    for c in text.chars() {
        match c {
            '\\' | '"' => {
                line.push('\\');
                line.push(c);
            }
            c if is_unprintable(c) => escape_into(line, c.encode_utf8(&mut [0; 4]), |_| false),
            c => line.push(c),
        }
    }
    line.push('"');
}

/// What must not stand as itself in front of a reader: control characters, line and paragraph separators, and marks that
/// are invisible or turn the direction of writing.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{FEFF}')
        || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// A JSON string in which only printable characters stand as themselves (RFC 8259 §7).
fn write_json_string(line: &mut String, text: &str) {
    line.push('"');
    for c in text.chars() {
        match c {
            '\\' | '"' => {
                line.push('\\');
                line.push(c);
            }
            c if is_unprintable(c) => {
                let _ = write!(line, "\\u{:04x}", u32::from(c));
            }
            c => line.push(c),
        }
    }
    line.push('"');
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
