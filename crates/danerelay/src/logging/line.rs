//! What is said of an event, in whatever frame the target wants around it.

use jiff::Timestamp;
use mail::event::{Event, Level, Value};

use crate::config::schema::LogFormat;

/// The longest text that a shortened event keeps of a field, in characters.
const KEPT: usize = 256;
/// Stands where a text was cut; of characters that no kind of value escapes.
const CUT: &str = "...cut";

/// `key=value, key=value`, or one JSON object; without control characters and without a newline at the end.
pub(super) fn message(format: LogFormat, event: &Event) -> String {
    match format {
        LogFormat::Text => event.to_text(),
        LogFormat::Json => event.to_json(&now()),
    }
}

/// RFC 3339 in UTC with milliseconds.
pub(super) fn now() -> String {
    format!("{:.3}", Timestamp::now())
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

/// The same event with long texts cut and marked, for a target that takes only so much.
pub(super) fn shortened(event: &Event) -> Event {
    let fields = event.fields.iter();
    Event {
        fields: fields
            .map(|(key, value)| (*key, shortened_value(value)))
            .collect(),
        ..*event
    }
}

fn shortened_value(value: &Value) -> Value {
    match value {
        Value::Word(text) => Value::Word(cut(text)),
        Value::Quoted(text) => Value::Quoted(cut(text)),
        Value::Address(text) => Value::Address(cut(text)),
        Value::Path(text) => Value::Path(cut(text)),
        Value::Absent | Value::Integer(_) | Value::Seconds(_) | Value::Stages(_) => value.clone(),
    }
}

fn cut(text: &str) -> String {
    let mut kept: String = text.chars().take(KEPT).collect();
    if kept.len() < text.len() {
        kept.push_str(CUT);
    }
    kept
}
