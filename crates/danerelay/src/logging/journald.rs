//! Entries for the systemd journal, in its native protocol: the message, and each field of the event as a field of the
//! entry, so that `journalctl DANERELAY_TO=info@example.nl` finds it.
//!
//! The protocol is that of <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>: a datagram is an entry; a field is
//! `NAME=value` and a newline, or, if the value has a newline in it, the name, a newline, the length as 64 bits with
//! the lowest octet first, the value and a newline.

use std::io;
use std::path::Path;

use mail::event::{Event, Value};

use super::datagram::{Datagrams, is_too_long};
use super::line::{message, severity, shortened};
use crate::config::schema::{LogFacility, LogFormat};

/// Where the journal listens.
pub(super) const SOCKET: &str = "/run/systemd/journal/socket";

/// The way to the journal.
pub(super) struct Journald {
    datagrams: Datagrams,
    facility: LogFacility,
    format: LogFormat,
}

impl Journald {
    /// To the journal that listens at `socket`, now or later.
    pub(super) fn new(socket: &Path, facility: LogFacility, format: LogFormat) -> Self {
        Self {
            datagrams: Datagrams::to(socket),
            facility,
            format,
        }
    }

    /// Where the entries go.
    pub(super) fn socket(&self) -> &Path {
        self.datagrams.path()
    }

    /// Sends one event as an entry; where the socket does not take it whole, the message alone, long texts cut.
    pub(super) fn write(&mut self, event: &Event) -> io::Result<()> {
        let mut entry = self.message_alone(event);
        put_fields(&mut entry, event);
        match self.datagrams.send(&entry) {
            Err(error) if is_too_long(&error) => self.datagrams.send(&self.message_alone(&shortened(event))),
            sent => sent,
        }
    }

    /// What every entry has. The journal adds time, process and unit.
    fn message_alone(&self, event: &Event) -> Vec<u8> {
        let mut entry = Vec::with_capacity(2048);
        put(&mut entry, "MESSAGE", &message(self.format, event));
        put(&mut entry, "PRIORITY", &severity(event.level).to_string());
        put(&mut entry, "SYSLOG_IDENTIFIER", "danerelay");
        put(&mut entry, "SYSLOG_FACILITY", &self.facility.number().to_string());
        entry
    }
}

/// `DANERELAY_EVENT` and the fields as they are, without quotes or escapes.
fn put_fields(entry: &mut Vec<u8>, event: &Event) {
    put(entry, "DANERELAY_EVENT", event.name);
    for (key, value) in &event.fields {
        if let Some(text) = text_of(value) {
            put(entry, &field_name(key), &text);
        }
    }
}

/// The journal allows capital letters, digits and underscores.
fn field_name(key: &str) -> String {
    let key = key.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    format!("DANERELAY_{}", key.to_ascii_uppercase())
}

/// The value by itself; none where it is absent.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Absent => None,
        Value::Word(text) | Value::Quoted(text) | Value::Address(text) | Value::Path(text) => {
            Some(text.clone())
        }
        Value::Integer(number) => Some(number.to_string()),
        Value::Seconds(duration) => Some(format!("{:.2}", duration.as_secs_f64())),
        Value::Stages(stages) => {
            let stages = stages.iter().map(|stage| format!("{:.2}", stage.as_secs_f64()));
            Some(stages.collect::<Vec<_>>().join("/"))
        }
    }
}

fn put(entry: &mut Vec<u8>, name: &str, value: &str) {
    entry.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        entry.push(b'\n');
        entry.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        entry.push(b'=');
    }
    entry.extend_from_slice(value.as_bytes());
    entry.push(b'\n');
}
