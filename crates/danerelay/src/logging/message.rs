//! What every form of a line has in it: the message, short enough; the severity; the time.

use std::fmt;

use jiff::Timestamp;
use mail::record::{Level, Record};
use mail::render::{Form, fit};

use crate::config::schema::LogFormat;

/// The longest line, in octets, with all that stands around it.
pub(super) const LINE: usize = 2048;

/// `key=value, key=value`, or one JSON object, so that the whole line and its newline are short enough. How many octets of
/// each text were allowed for that.
pub(super) fn add_message(line: &mut String, format: LogFormat, event: &dyn Record) -> usize {
    let most = LINE.saturating_sub(line.len()).saturating_sub(1);
    match format {
        LogFormat::Text => fit(event, Form::Text, line, most),
        LogFormat::Json => fit(event, Form::Json(&Now), line, most),
    }
}

/// The severity of RFC 5424 §6.2.1.
pub(super) fn severity(level: Level) -> u8 {
    match level {
        Level::Debug => 7,
        Level::Info => 6,
        Level::Warning => 4,
        Level::Error => 3,
    }
}

/// The time at which it is written: RFC 3339 in UTC with milliseconds.
pub(super) struct Now;

impl fmt::Display for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", Timestamp::now())
    }
}
