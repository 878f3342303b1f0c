//! The form of a line.

use jiff::Timestamp;
use mail::event::{Event, Level};

use super::sink::Kind;
use crate::config::schema::LogFormat;

/// How an event becomes a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `2026-11-22T09:41:44.123Z info key=value, key=value`.
    Stamped,
    /// `<6>key=value, key=value`: the journal has a clock of its own and reads the level from the prefix
    /// (sd-daemon(3)).
    Journal,
    /// One JSON object.
    Json,
}

impl Form {
    /// The form for a target.
    pub(super) fn of(format: LogFormat, target: Kind) -> Self {
        match (format, target) {
            (LogFormat::Json, _) => Self::Json,
            (LogFormat::Text, Kind::Journal) => Self::Journal,
            (LogFormat::Text, Kind::Stderr | Kind::File) => Self::Stamped,
        }
    }

    /// The line for an event of now, with its newline.
    pub(super) fn line(self, event: &Event) -> String {
        match self {
            Self::Stamped => format!("{} {} {}\n", now(), event.level, event.to_text()),
            Self::Journal => format!("<{}>{}\n", severity(event.level), event.to_text()),
            Self::Json => format!("{}\n", event.to_json(&now())),
        }
    }
}

/// RFC 3339 in UTC with milliseconds.
fn now() -> String {
    format!("{:.3}", Timestamp::now())
}

/// The severity of RFC 5424 §6.2.1.
fn severity(level: Level) -> u8 {
    match level {
        Level::Debug => 7,
        Level::Info => 6,
        Level::Warning => 4,
        Level::Error => 3,
    }
}
