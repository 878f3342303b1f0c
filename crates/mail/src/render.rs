//! An event as a line: what a value may look like, and how long it may become.

use std::fmt::{self, Write as _};
use std::time::Duration;

use crate::address::is_atext;
use crate::event::{Event, Value};
use crate::printable::{escape_octets, is_unprintable, json_character};

/// In which form an event is written.
#[derive(Clone, Copy)]
pub enum Form<'a> {
    /// `key=value, key=value`; all but deliveries end in `event=NAME`.
    Text,
    /// One JSON object, with this time: RFC 3339 in UTC.
    Json(&'a dyn fmt::Display),
}

/// How many octets of each text are tried, one after the other, until a line is short enough.
const TRIED: [usize; 5] = [1024, 512, 192, 64, 16];
/// Room for what ends a line: the mark of a cut, the event's name, a bracket.
const END: usize = 64;
/// Stands where a text was cut; of characters that no kind of value escapes.
pub const CUT: &str = "...cut";

/// Writes the event behind what `line` has already, in at most `most` octets: where it would be longer, long texts are
/// cut and marked with [`CUT`]. Says how many octets of each text were allowed, escapes included.
pub fn fit(event: &Event, form: Form<'_>, line: &mut String, most: usize) -> usize {
    let start = line.len();
    let end = start.saturating_add(most);
    for room in TRIED {
        if write(event, form, line, (room, usize::MAX)).is_ok() && line.len() <= end {
            return room;
        }
        line.truncate(start);
    }
    // More fields than any event has: those at the end are left out.
    let [.., least] = TRIED;
    let _ = write(event, form, line, (least, end));
    least
}

/// The whole event, however long.
pub(crate) fn whole(event: &Event, form: Form<'_>) -> String {
    let mut line = String::with_capacity(768);
    let _ = write(event, form, &mut line, (usize::MAX, usize::MAX));
    line
}

/// A text of which at most `room` octets are kept, marked where it was cut.
pub fn cut(text: &str, room: usize) -> String {
    if text.len() <= room {
        return text.to_owned();
    }
    let kept = text.get(..text.floor_char_boundary(room)).unwrap_or_default();
    format!("{kept}{CUT}")
}

/// `room` octets for each text, and nothing behind `end`.
fn write(event: &Event, form: Form<'_>, line: &mut String, (room, end): (usize, usize)) -> fmt::Result {
    let start = line.len();
    if let Form::Json(timestamp) = form {
        let (level, name) = (event.level, event.name);
        write!(
            line,
            "{{\"ts\":\"{timestamp}\",\"level\":\"{level}\",\"event\":\"{name}\""
        )?;
    }
    for (key, value) in &event.fields {
        let before = line.len();
        match form {
            Form::Text => {
                let separator = if before == start { "" } else { ", " };
                line.extend([separator, key, "="]);
                write_text(value, line, room)?;
            }
            Form::Json(_) => {
                line.extend([",\"", key, "\":"]);
                write_json(value, line, room)?;
            }
        }
        if line.len().saturating_add(END) > end {
            line.truncate(before);
            break;
        }
    }
    match form {
        Form::Json(_) => line.push('}'),
        Form::Text if event.name == "delivery" => {}
        Form::Text => {
            let separator = if line.len() == start { "" } else { ", " };
            write!(line, "{separator}event={}", event.name)?;
        }
    }
    Ok(())
}

fn write_text(value: &Value, line: &mut String, room: usize) -> fmt::Result {
    match value {
        Value::Absent => line.push('-'),
        Value::Word(text) => {
            let plain = |c: char| matches!(c, ' '..='~') && !matches!(c, ',' | '=' | '"' | '\\');
            write_cut(line, text, room, plain, escape_octets)?;
        }
        Value::Address(text) => write_cut(line, text, room, is_of_address, escape_octets)?,
        Value::Path(text) => {
            line.push('<');
            write_cut(line, text, room, is_of_address, escape_octets)?;
            line.push('>');
        }
        Value::Quoted(text) => {
            line.push('"');
            let plain = |c: char| !matches!(c, '\\' | '"') && !is_unprintable(c);
            write_cut(line, text, room, plain, quoted_character)?;
            line.push('"');
        }
        Value::Integer(number) => write!(line, "{number}")?,
        Value::Seconds(duration) => write_seconds(line, *duration)?,
        Value::Stages(stages) => write_stages(line, stages, '/')?,
    }
    Ok(())
}

fn write_json(value: &Value, line: &mut String, room: usize) -> fmt::Result {
    match value {
        Value::Absent => line.push_str("null"),
        Value::Word(text) | Value::Quoted(text) | Value::Address(text) | Value::Path(text) => {
            line.push('"');
            let plain = |c: char| !matches!(c, '\\' | '"') && !is_unprintable(c);
            write_cut(line, text, room, plain, json_character)?;
            line.push('"');
        }
        Value::Integer(number) => write!(line, "{number}")?,
        Value::Seconds(duration) => write_seconds(line, *duration)?,
        Value::Stages(stages) => {
            line.push('[');
            write_stages(line, stages, ',')?;
            line.push(']');
        }
    }
    Ok(())
}

/// What stands in an address without quotes.
fn is_of_address(c: char) -> bool {
    c.is_ascii() && (is_atext(c) || c == '.' || c == '@')
}

fn quoted_character(line: &mut String, c: char) -> fmt::Result {
    if matches!(c, '\\' | '"') {
        line.push('\\');
        line.push(c);
        return Ok(());
    }
    escape_octets(line, c)
}

fn write_stages(line: &mut String, stages: &[Duration], separator: char) -> fmt::Result {
    for (position, stage) in stages.iter().enumerate() {
        if position > 0 {
            line.push(separator);
        }
        write_seconds(line, *stage)?;
    }
    Ok(())
}

/// With two decimals, rounded.
fn write_seconds(line: &mut String, duration: Duration) -> fmt::Result {
    let rounded = duration.saturating_add(Duration::from_millis(5));
    write!(line, "{}.{:02}", rounded.as_secs(), rounded.subsec_millis() / 10)
}

/// Writes what is `plain` as it is and all else by `escape`, at most `room` octets and no half of an escape.
fn write_cut(
    line: &mut String,
    text: &str,
    room: usize,
    plain: impl Fn(char) -> bool,
    escape: impl Fn(&mut String, char) -> fmt::Result,
) -> fmt::Result {
    let end = line.len().saturating_add(room);
    // Nearly all of them.
    if text.len() <= room
        && text
            .bytes()
            .all(|octet| octet.is_ascii() && plain(char::from(octet)))
    {
        line.push_str(text);
        return Ok(());
    }
    for c in text.chars() {
        let before = line.len();
        if plain(c) {
            line.push(c);
        } else {
            escape(line, c)?;
        }
        if line.len() > end {
            line.truncate(before);
            line.push_str(CUT);
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Level;

    /// The longest texts that strangers choose, of characters that are escaped.
    fn hostile(length: usize) -> Event {
        let text = "\u{202e}\"\\\u{e0041}".repeat(length / 10);
        let keys = [
            "id", "from", "to", "mode", "dane", "tls", "tlsvalid", "relay", "reply", "mx", "base", "tlsa",
            "reason",
        ];
        let event =
            keys.iter()
                .enumerate()
                .fold(
                    Event::new(Level::Info, "delivery"),
                    |event, (number, key)| match number % 4 {
                        0 => event.with(key, Value::Word(text.clone())),
                        1 => event.with(key, Value::Path(text.clone())),
                        2 => event.with(key, Value::Address(text.clone())),
                        _ => event.with(key, Value::Quoted(text.clone())),
                    },
                );
        event
            .with("delay", Value::Seconds(Duration::from_secs(1_000_000)))
            .with("delays", Value::Stages(vec![Duration::from_secs(1_000_000); 4]))
            .with("size", Value::Integer(u64::MAX))
    }

    #[test]
    fn a_line_is_never_longer_than_allowed_and_stays_a_line() {
        for length in [10, 100, 1000, 100_000] {
            let event = hostile(length);
            let mut text = String::from("prefix ");
            fit(&event, Form::Text, &mut text, 2000);
            assert!(text.len() <= 2007 && text.starts_with("prefix id="), "{text}");
            assert!(text.contains(", size=18446744073709551615"), "{text}");
            let mut json = String::new();
            fit(&event, Form::Json(&"T"), &mut json, 2000);
            assert!(json.len() <= 2000, "{json}");
            assert!(json.ends_with(",\"size\":18446744073709551615}"), "{json}");
            assert!(!text.contains(is_unprintable) && !json.contains(is_unprintable));
        }
    }

    #[test]
    fn what_fits_is_not_cut() {
        let event = Event::new(Level::Info, "accepted").with("reply", Value::Quoted("é".repeat(500)));
        let mut line = String::new();
        fit(&event, Form::Text, &mut line, 2000);
        assert_eq!(line, event.to_text());
        let event = Event::new(Level::Info, "accepted").with("reply", Value::Quoted("é".repeat(5000)));
        line.clear();
        assert_eq!(fit(&event, Form::Text, &mut line, 2000), 1024);
        assert_eq!(
            line,
            format!("reply=\"{}...cut\", event=accepted", "é".repeat(512))
        );
    }

    #[test]
    fn more_fields_than_there_is_room_for_are_left_out_whole() {
        let event = (0..500).fold(Event::new(Level::Info, "spool"), |event, number| {
            event.with("key", Value::Integer(number))
        });
        let mut line = String::new();
        fit(&event, Form::Text, &mut line, 500);
        assert!(line.len() <= 500 && line.ends_with(", event=spool"), "{line}");
        line.clear();
        fit(&event, Form::Json(&"T"), &mut line, 500);
        assert!(line.len() <= 500 && line.ends_with('}'), "{line}");
    }
}
