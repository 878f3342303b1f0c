//! Formats an event as a target requires.

use std::fmt::Write as _;

use jiff::Zoned;
use mail::record::Record;

use super::journald::entry;
use super::message::{Now, add_message, severity};
use super::stream::Kind;
use crate::config::schema::{LogFacility, LogFormat};

/// The format of lines.
#[derive(Debug, Clone, Copy)]
pub(super) enum Frame {
    /// Lines of text: `2026-11-22T09:41:44.123Z info key=value, key=value`, or one JSON object. The journal has a clock
    /// of its own and reads the level from a prefix (sd-daemon(3)): `<6>key=value, key=value`.
    Line {
        /// Text or JSON.
        format: LogFormat,
        /// What the stream leads to.
        kind: Kind,
    },
    /// Messages to the syslog daemon, in the form in which syslog(3) sends them:
    /// `<22>Nov  2 09:41:44 danerelay[1234]: key=value, key=value` (RFC 3164 §4.1), in local time. Without the name of
    /// the host, which the daemon knows.
    Syslog {
        /// Text or JSON.
        format: LogFormat,
        /// The facility.
        facility: LogFacility,
    },
    /// Entries of the systemd journal.
    Journald {
        /// Text or JSON.
        format: LogFormat,
        /// The facility.
        facility: LogFacility,
    },
}

impl Frame {
    /// The line for an event at the present time, at most [`LINE`](super::message::LINE) octets long; for a journal
    /// entry, this limit applies to its message.
    pub(super) fn of(self, event: &dyn Record) -> Vec<u8> {
        match self {
            Self::Line { format, kind } => line(format, kind, event).into_bytes(),
            Self::Syslog { format, facility } => record(format, facility, event).into_bytes(),
            Self::Journald { format, facility } => entry(format, facility, event),
        }
    }

    /// The name of the target.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Line { .. } => "the log file",
            Self::Syslog { .. } => "syslog",
            Self::Journald { .. } => "the journal",
        }
    }
}

fn line(format: LogFormat, kind: Kind, event: &dyn Record) -> String {
    let mut line = String::with_capacity(768);
    let begun = match (format, kind) {
        (LogFormat::Json, Kind::Journal | Kind::Stderr | Kind::File) => Ok(()),
        (LogFormat::Text, Kind::Journal) => write!(line, "<{}>", severity(event.level())),
        (LogFormat::Text, Kind::Stderr | Kind::File) => {
            write!(line, "{Now} {} ", event.level())
        }
    };
    debug_assert!(begun.is_ok(), "writing to a string does not fail");
    add_message(&mut line, format, event);
    line.push('\n');
    line
}

fn record(format: LogFormat, facility: LogFacility, event: &dyn Record) -> String {
    let mut line = String::with_capacity(768);
    let begun = write!(
        line,
        "<{priority}>{time} danerelay[{pid}]: ",
        priority = facility.number() * 8 + severity(event.level()),
        time = Zoned::now().strftime("%b %e %H:%M:%S"),
        pid = std::process::id(),
    );
    debug_assert!(begun.is_ok(), "writing to a string does not fail");
    add_message(&mut line, format, event);
    line
}
