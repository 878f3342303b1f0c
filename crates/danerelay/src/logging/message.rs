//! What all line formats have in common: the message, of limited length; the severity; the time.

use std::fmt;

use jiff::Timestamp;
use mail::record::{Level, Record};
use mail::render::{Form, fit};

use crate::config::schema::LogFormat;

/// The maximum length of a line in octets, including everything around the message.
pub(super) const LINE: usize = 2048;

/// `key=value, key=value`, or one JSON object, such that the whole line with its newline is within the limit. Returns
/// how many octets of each text were allowed for that.
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

/// The time of writing: RFC 3339 in UTC with milliseconds.
pub(super) struct Now;

impl fmt::Display for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", Timestamp::now())
    }
}
