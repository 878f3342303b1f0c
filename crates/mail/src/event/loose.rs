//! Events that have no type of their own yet.

use std::time::Duration;

use super::Event;
use crate::record::{self, Level, Put, Record};
use crate::source::Source;

/// The value of a field, by kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// As [`record::Value::Absent`].
    Absent,
    /// As [`record::Value::Word`].
    Word(String),
    /// As [`record::Value::Quoted`].
    Quoted(String),
    /// As [`record::Value::Address`].
    Address(String),
    /// As [`record::Value::Path`].
    Path(String),
    /// As [`record::Value::Integer`].
    Integer(u64),
    /// As [`record::Value::Seconds`].
    Seconds(Duration),
    /// As [`record::Value::Stages`].
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

    fn borrowed(&self) -> record::Value<'_> {
        match self {
            Self::Absent => record::Value::Absent,
            Self::Word(text) => record::Value::Word(text),
            Self::Quoted(text) => record::Value::Quoted(text),
            Self::Address(text) => record::Value::Address(text),
            Self::Path(text) => record::Value::Path(text),
            Self::Integer(number) => record::Value::Integer(*number),
            Self::Seconds(time) => record::Value::Seconds(*time),
            Self::Stages(stages) => record::Value::Stages(stages),
        }
    }
}

/// An event by its fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Loose {
    level: Level,
    name: &'static str,
    fields: Vec<(&'static str, Value)>,
    source: Option<Source>,
}

impl Event {
    /// An event without fields.
    pub fn new(level: Level, name: &'static str) -> Self {
        Self::Loose(Loose {
            level,
            name,
            fields: Vec::new(),
            source: None,
        })
    }

    /// Adds a field at the end.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: Value) -> Self {
        if let Self::Loose(event) = &mut self {
            event.fields.push((key, value));
        }
        self
    }

    /// Says who can cause such an event any number of times.
    #[must_use]
    pub fn caused_by(mut self, source: Source) -> Self {
        if let Self::Loose(event) = &mut self {
            event.source = Some(source);
        }
        self
    }
}

impl Record for Loose {
    fn level(&self) -> Level {
        self.level
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn source(&self) -> Option<Source> {
        self.source
    }

    fn fields(&self, put: &mut Put<'_>) {
        for (key, value) in &self.fields {
            put(key, value.borrowed());
        }
    }
}
