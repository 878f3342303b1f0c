//! Entries for the systemd journal, in its native protocol: the message, and each field of the event as a field of the
//! entry, so that `journalctl DANERELAY_TO=info@example.nl` finds it.
//!
//! The protocol is described at <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>: a datagram is an entry, and a field is
//! `NAME=value` and a newline. A value with a newline in it would need another form: ours have none.

use mail::printable::Printable;
use mail::record::{Record, Value};
use mail::render::cut;

use super::message::{add_message, severity};
use crate::config::schema::{LogFacility, LogFormat};

/// The entry for an event. The journal adds time, process and unit.
pub(super) fn entry(format: LogFormat, facility: LogFacility, event: &dyn Record) -> Vec<u8> {
    let mut message = String::with_capacity(768);
    let room = add_message(&mut message, format, event);
    let mut entry = Vec::with_capacity(2048);
    put(&mut entry, "MESSAGE", &message);
    put(&mut entry, "PRIORITY", &severity(event.level()).to_string());
    put(&mut entry, "SYSLOG_IDENTIFIER", "danerelay");
    put(&mut entry, "SYSLOG_FACILITY", &facility.number().to_string());
    put_fields(&mut entry, event, room);
    entry
}

/// `DANERELAY_EVENT` and the fields without quotes, with at most `room` octets of each text. What must not reach a
/// terminal is escaped here, too: `journalctl --output=verbose` shows it.
fn put_fields(entry: &mut Vec<u8>, event: &dyn Record, room: usize) {
    put(entry, "DANERELAY_EVENT", event.name());
    event.fields(&mut |key, value| {
        if let Some(text) = text_of(value, room) {
            put(entry, &field_name(key), &text);
        }
    });
}

/// The journal allows only capital letters, digits and underscores.
fn field_name(key: &str) -> String {
    let key = key.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    format!("DANERELAY_{}", key.to_ascii_uppercase())
}

/// The value as text; `None` if it is absent.
fn text_of(value: Value<'_>, room: usize) -> Option<String> {
    match value {
        Value::Absent => None,
        Value::Word(text) | Value::Quoted(text) | Value::Address(text) | Value::Path(text) => {
            Some(Printable(&cut(text, room)).to_string())
        }
        Value::Integer(number) => Some(number.to_string()),
        Value::Seconds(duration) => Some(format!("{:.2}", duration.as_secs_f64())),
        Value::Milliseconds(duration) => Some(format!("{:.3}", duration.as_secs_f64())),
        Value::Stages(stages) => {
            let stages = stages.iter().map(|stage| format!("{:.2}", stage.as_secs_f64()));
            Some(stages.collect::<Vec<_>>().join("/"))
        }
    }
}

fn put(entry: &mut Vec<u8>, name: &str, value: &str) {
    entry.extend_from_slice(name.as_bytes());
    entry.push(b'=');
    entry.extend_from_slice(value.as_bytes());
    entry.push(b'\n');
}
