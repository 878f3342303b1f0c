//! What an event is made of: its level, its name, and its fields.

use std::fmt;
use std::time::Duration;

use crate::source::Source;

/// What is written to the log. Which key has which value is defined by the type.
pub trait Record {
    /// How severe it is.
    fn level(&self) -> Level;

    /// `delivery`, `accepted`, `resolver`, `policy`, …
    fn name(&self) -> &'static str;

    /// Who can cause it any number of times, so that the log limits it; `None` if it is always written.
    fn source(&self) -> Option<Source> {
        None
    }

    /// Whether it is a detail, lost before anything else if the log cannot be written.
    fn is_lost_first(&self) -> bool {
        false
    }

    /// Passes the fields on in the order in which they are written.
    fn fields(&self, put: &mut Put<'_>);
}

/// Receives a field: its key and its value.
pub type Put<'a> = dyn FnMut(&'static str, Value<'_>) + 'a;

/// How severe an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For debugging.
    Debug,
    /// Normal operation.
    Info,
    /// Something that the administrator should see.
    Warning,
    /// Something that the administrator must fix.
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

/// The value of a field, by kind; the kind decides how it is escaped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// `-` in text, `null` in JSON.
    Absent,
    /// Words of ours or names from DNS, written without quotes; what could end the field is escaped.
    Word(&'a str),
    /// Any text, written in double quotes.
    Quoted(&'a str),
    /// A mailbox, written without quotes.
    Address(&'a str),
    /// A path or message-id, written in angle brackets.
    Path(&'a str),
    /// A whole number.
    Integer(u64),
    /// Seconds with two decimals.
    Seconds(Duration),
    /// Seconds with three decimals.
    Milliseconds(Duration),
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

/// A boolean as a word.
pub(crate) fn yes_or_no(answer: bool) -> Value<'static> {
    Value::Word(if answer { "yes" } else { "no" })
}
