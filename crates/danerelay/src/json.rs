//! JSON as `serde_json` writes it, except that characters that a terminal would interpret, or that are invisible, are
//! escaped.

use std::fmt;
use std::io::{self, Write};

use mail::printable::{is_unprintable, json_escape};
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// Writes a value on one line, without the newline.
pub(crate) fn write(output: impl Write, value: &impl Serialize) -> serde_json::Result<()> {
    value.serialize(&mut Serializer::with_formatter(output, Plain))
}

/// A value on one line, without the newline.
pub(crate) fn line(value: &impl Serialize) -> serde_json::Result<String> {
    let mut octets = Vec::new();
    write(&mut octets, value)?;
    String::from_utf8(octets).map_err(|error| serde_json::Error::io(io::Error::other(error)))
}

/// The compact format, which also escapes what `serde_json` by itself does not.
struct Plain;

impl Formatter for Plain {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if !fragment.contains(is_unprintable) {
            return writer.write_all(fragment.as_bytes());
        }
        write!(writer, "{}", Escaped(fragment))
    }
}

struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        json_escape(f, self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn no_reader_sees_what_is_not_to_be_seen() {
        let text = "\u{9b}31m\u{7f}\u{202e}\u{200b}\u{e0041}\u{1b}\"\\\n ü";
        let line = line(&serde_json::json!({ "key\u{202e}": [text] })).unwrap();
        assert!(!line.contains(is_unprintable), "{line:?}");
        assert!(
            line.contains("\\u009b31m\\u007f\\u202e\\u200b\\udb40\\udc41\\u001b\\\"\\\\\\n ü"),
            "{line}"
        );
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read, serde_json::json!({ "key\u{202e}": [text] }));
    }
}
