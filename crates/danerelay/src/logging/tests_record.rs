//! Events with arbitrary fields, for the tests of the log.

use mail::Source;
use mail::record::{Level, Put, Record, Value};

/// An event with these fields.
pub(super) struct Fields<'a> {
    level: Level,
    name: &'static str,
    source: Option<Source>,
    put: Vec<(&'static str, Value<'a>)>,
}

/// One with an id.
pub(super) fn event(level: Level, id: &str) -> Fields<'_> {
    Fields::new(level, "accepted").with("id", Value::Word(id))
}

impl<'a> Fields<'a> {
    pub(super) fn new(level: Level, name: &'static str) -> Self {
        Self {
            level,
            name,
            source: None,
            put: Vec::new(),
        }
    }

    pub(super) fn with(mut self, key: &'static str, value: Value<'a>) -> Self {
        self.put.push((key, value));
        self
    }

    pub(super) fn caused_by(mut self, source: Source) -> Self {
        self.source = Some(source);
        self
    }
}

impl Record for Fields<'_> {
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
        for (key, value) in &self.put {
            put(key, *value);
        }
    }
}
