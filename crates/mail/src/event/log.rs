//! The log about itself, and what libraries report.

use crate::record::{Level, Put, Record, Value};
use crate::source::Source;

/// Trouble of the log.
#[derive(Debug, Clone, PartialEq)]
pub enum LogTrouble {
    /// Its target cannot be reopened; the log keeps writing where it did.
    Unopened(String),
    /// So many lines are missing at this point.
    Lost(u64),
}

impl Record for LogTrouble {
    fn level(&self) -> Level {
        Level::Error
    }

    fn name(&self) -> &'static str {
        "log"
    }

    fn fields(&self, put: &mut Put<'_>) {
        match self {
            Self::Unopened(error) => {
                let reason = format!("log.target: {error}; the log stays where it was");
                put("reason", Value::Quoted(&reason));
            }
            Self::Lost(lost) => {
                put("lost", Value::Integer(*lost));
                put("reason", Value::Quoted("the log's target was too slow"));
            }
        }
    }
}

/// Events that were left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Throttled {
    /// Who caused them, in words.
    pub source: String,
    /// How many.
    pub more: u64,
}

impl Record for Throttled {
    fn level(&self) -> Level {
        Level::Warning
    }

    fn name(&self) -> &'static str {
        "throttled"
    }

    fn fields(&self, put: &mut Put<'_>) {
        put("source", Value::Quoted(&self.source));
        put("more", Value::Integer(self.more));
        put(
            "reason",
            Value::Quoted("further lines of this source were left out"),
        );
    }
}

/// What a library reports.
#[derive(Debug, Clone, PartialEq)]
pub struct Library {
    /// How severe it is.
    pub level: Level,
    /// The name of the crate.
    pub library: &'static str,
    /// The module.
    pub module: String,
    /// What it says.
    pub message: String,
}

impl Record for Library {
    fn level(&self) -> Level {
        self.level
    }

    fn name(&self) -> &'static str {
        "library"
    }

    fn source(&self) -> Option<Source> {
        Some(Source::Library(self.library))
    }

    fn fields(&self, put: &mut Put<'_>) {
        put("module", Value::Word(&self.module));
        put("message", Value::Quoted(&self.message));
    }
}
