//! What an event is made of: its level, its name, and its fields.

use std::fmt;
use std::time::Duration;

use crate::source::Source;

/// What is written to the log. What is to be written by which key belongs to the type.
pub trait Record {
    /// How loud it is.
    fn level(&self) -> Level;

    /// `delivery`, `accepted`, `resolver`, `policy`, …
    fn name(&self) -> &'static str;

    /// Who can cause it any number of times, so that the log takes only so many; `None` of what is always written.
    fn source(&self) -> Option<Source> {
        None
    }

    /// Hands over the fields in the order in which they are written.
    fn fields(&self, put: &mut Put<'_>);
}

/// Takes a field: its key and its value.
pub type Put<'a> = dyn FnMut(&'static str, Value<'_>) + 'a;

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

/// The value of a field, by kind: escaping follows from that.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// `-` in text, `null` in JSON.
    Absent,
    /// Words of ours or names from DNS, written without quotes; what could end the field is escaped.
    Word(&'a str),
    /// Anything, written in double quotes.
    Quoted(&'a str),
    /// A mailbox, written without quotes.
    Address(&'a str),
    /// A path or message-id, written in angle brackets.
    Path(&'a str),
    /// A whole number.
    Integer(u64),
    /// Seconds with two decimals.
    Seconds(Duration),
    /// Seconds with two decimals each, separated by `/`.
    Stages(&'a [Duration]),
}

impl<'a> Value<'a> {
    /// A word, or absent.
    pub fn word(text: Option<&'a str>) -> Self {
        text.map_or(Self::Absent, Self::Word)
    }

    /// A quoted text, or absent.
    pub fn quoted(text: Option<&'a str>) -> Self {
        text.map_or(Self::Absent, Self::Quoted)
    }

    /// A path, or absent.
    pub fn path(text: Option<&'a str>) -> Self {
        text.map_or(Self::Absent, Self::Path)
    }
}

/// What the words of an enum are.
pub(crate) fn yes_or_no(answer: bool) -> Value<'static> {
    Value::Word(if answer { "yes" } else { "no" })
}
