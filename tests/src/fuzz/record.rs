//! Events of any fields.

use std::time::Duration;

use mail::record::{Level, Put, Record, Value};

/// An event with these fields.
#[derive(Debug)]
pub(super) struct Fields {
    pub(super) name: &'static str,
    pub(super) fields: Vec<(&'static str, Field)>,
}

/// A value, as [`Value`].
#[derive(Debug)]
pub(super) enum Field {
    Absent,
    Word(String),
    Quoted(String),
    Address(String),
    Path(String),
    Integer(u64),
    Seconds(Duration),
    Stages(Vec<Duration>),
}

impl Field {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Absent => Value::Absent,
            Self::Word(text) => Value::Word(text),
            Self::Quoted(text) => Value::Quoted(text),
            Self::Address(text) => Value::Address(text),
            Self::Path(text) => Value::Path(text),
            Self::Integer(number) => Value::Integer(*number),
            Self::Seconds(time) => Value::Seconds(*time),
            Self::Stages(stages) => Value::Stages(stages),
        }
    }
}

impl Record for Fields {
    fn level(&self) -> Level {
        Level::Info
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn fields(&self, put: &mut Put<'_>) {
        for (key, field) in &self.fields {
            put(key, field.value());
        }
    }
}
