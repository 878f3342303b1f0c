//! An event as a line: how values are written, and how long the line may become.

use std::fmt::{self, Write as _};
use std::time::Duration;

use crate::address::is_atext;
use crate::printable::{escape_octets, is_unprintable, json_character};
use crate::record::{Record, Value};

/// The form in which an event is written.
#[derive(Clone, Copy)]
pub enum Form<'a> {
    /// `key=value, key=value`; all but deliveries end in `event=NAME`.
    Text,
    /// One JSON object, with this time: RFC 3339 in UTC.
    Json(&'a dyn fmt::Display),
}

/// How many octets of each text are kept, tried one after the other until the line is short enough.
const TRIED: [usize; 5] = [1024, 512, 192, 64, 16];
/// Room for the end of a line: the mark of a cut, the event's name, a bracket.
const END: usize = 64;
/// Marks where a text was cut; its characters are not escaped in any kind of value.
pub const CUT: &str = "...cut";

/// Appends the event to `line`, using at most `most` octets: if it would be longer, long texts are cut and marked with
/// [`CUT`]. Returns how many octets of each text were allowed, escapes included.
pub fn fit(event: &dyn Record, form: Form<'_>, line: &mut String, most: usize) -> usize {
    let start = line.len();
    let end = start.saturating_add(most);
    for room in TRIED {
        if write(event, form, line, (room, usize::MAX)).is_ok() && line.len() <= end {
            return room;
        }
        line.truncate(start);
    }
    // More fields than any event has: the last ones are left out.
    let [.., least] = TRIED;
    let _ = write(event, form, line, (least, end));
    least
}

/// The whole event, however long it is.
pub fn whole(event: &dyn Record, form: Form<'_>) -> String {
    let mut line = String::with_capacity(768);
    let _ = write(event, form, &mut line, (usize::MAX, usize::MAX));
    line
}

/// A text cut to at most `room` octets, and marked if it was cut.
pub fn cut(text: &str, room: usize) -> String {
    if text.len() <= room {
        return text.to_owned();
    }
    let kept = text.get(..text.floor_char_boundary(room)).unwrap_or_default();
    format!("{kept}{CUT}")
}

/// Allows `room` octets for each text, and writes nothing beyond `end`.
fn write(event: &dyn Record, form: Form<'_>, line: &mut String, (room, end): (usize, usize)) -> fmt::Result {
    let start = line.len();
    if let Form::Json(timestamp) = form {
        let (level, name) = (event.level(), event.name());
        write!(
            line,
            "{{\"ts\":\"{timestamp}\",\"level\":\"{level}\",\"event\":\"{name}\""
        )?;
    }
    let mut written = Ok(());
    let mut is_full = false;
    event.fields(&mut |key, value| {
        if is_full || written.is_err() {
            return;
        }
        let before = line.len();
        written = write_field((key, value), form, line, (start, room));
        if line.len().saturating_add(END) > end {
            line.truncate(before);
            is_full = true;
        }
    });
    written?;
    match form {
        Form::Json(_) => line.push('}'),
        Form::Text if event.name() == "delivery" => {}
        Form::Text => {
            let separator = if line.len() == start { "" } else { ", " };
            write!(line, "{separator}event={}", event.name())?;
        }
    }
    Ok(())
}

fn write_field(
    (key, value): (&str, Value<'_>),
    form: Form<'_>,
    line: &mut String,
    (start, room): (usize, usize),
) -> fmt::Result {
    match form {
        Form::Text => {
            let separator = if line.len() == start { "" } else { ", " };
            line.extend([separator, key, "="]);
            write_text(value, line, room)
        }
        Form::Json(_) => {
            line.extend([",\"", key, "\":"]);
            write_json(value, line, room)
        }
    }
}

fn write_text(value: Value<'_>, line: &mut String, room: usize) -> fmt::Result {
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
        Value::Seconds(duration) => write_seconds(line, duration)?,
        Value::Milliseconds(time) => write!(line, "{}.{:03}", time.as_secs(), time.subsec_millis())?,
        Value::Stages(stages) => write_stages(line, stages, '/')?,
    }
    Ok(())
}

fn write_json(value: Value<'_>, line: &mut String, room: usize) -> fmt::Result {
    match value {
        Value::Absent => line.push_str("null"),
        Value::Word(text) | Value::Quoted(text) | Value::Address(text) | Value::Path(text) => {
            line.push('"');
            let plain = |c: char| !matches!(c, '\\' | '"') && !is_unprintable(c);
            write_cut(line, text, room, plain, json_character)?;
            line.push('"');
        }
        Value::Integer(number) => write!(line, "{number}")?,
        Value::Seconds(duration) => write_seconds(line, duration)?,
        Value::Milliseconds(time) => write!(line, "{}.{:03}", time.as_secs(), time.subsec_millis())?,
        Value::Stages(stages) => {
            line.push('[');
            write_stages(line, stages, ',')?;
            line.push(']');
        }
    }
    Ok(())
}

/// What may appear in an address without quotes.
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

/// Writes what is `plain` unchanged and everything else with `escape`, at most `room` octets and never half an escape.
fn write_cut(
    line: &mut String,
    text: &str,
    room: usize,
    plain: impl Fn(char) -> bool,
    escape: impl Fn(&mut String, char) -> fmt::Result,
) -> fmt::Result {
    let end = line.len().saturating_add(room);
    // The common case.
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
    use crate::record::{Level, Put};

    const LONG: [Duration; 4] = [Duration::from_secs(1_000_000); 4];

    /// Any fields.
    struct Fields<'a>(&'static str, Vec<(&'static str, Value<'a>)>);

    impl Record for Fields<'_> {
        fn level(&self) -> Level {
            Level::Info
        }

        fn name(&self) -> &'static str {
            self.0
        }

        fn fields(&self, put: &mut Put<'_>) {
            for (key, value) in &self.1 {
                put(key, *value);
            }
        }
    }

    /// Texts that strangers choose, consisting of characters that are escaped.
    fn hostile(text: &str) -> Fields<'_> {
        let keys = [
            "id", "from", "to", "mode", "dane", "tls", "tlsvalid", "relay", "reply", "mx", "base", "tlsa",
            "reason",
        ];
        let mut fields: Vec<_> = keys
            .iter()
            .enumerate()
            .map(|(number, key)| {
                let value = match number % 4 {
                    0 => Value::Word(text),
                    1 => Value::Path(text),
                    2 => Value::Address(text),
                    _ => Value::Quoted(text),
                };
                (*key, value)
            })
            .collect();
        fields.push(("delay", Value::Seconds(Duration::from_secs(1_000_000))));
        fields.push(("delays", Value::Stages(&LONG)));
        fields.push(("size", Value::Integer(u64::MAX)));
        Fields("delivery", fields)
    }

    #[test]
    fn a_line_is_never_longer_than_allowed_and_stays_a_line() {
        for length in [10, 100, 1000, 100_000] {
            let hostile_text = "\u{202e}\"\\\u{e0041}".repeat(length / 10);
            let event = hostile(&hostile_text);
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
        let reply = "é".repeat(500);
        let event = Fields("accepted", vec![("reply", Value::Quoted(&reply))]);
        let mut line = String::new();
        fit(&event, Form::Text, &mut line, 2000);
        assert_eq!(line, whole(&event, Form::Text));
        let reply = "é".repeat(5000);
        let event = Fields("accepted", vec![("reply", Value::Quoted(&reply))]);
        line.clear();
        assert_eq!(fit(&event, Form::Text, &mut line, 2000), 1024);
        assert_eq!(
            line,
            format!("reply=\"{}...cut\", event=accepted", "é".repeat(512))
        );
    }

    #[test]
    fn more_fields_than_there_is_room_for_are_left_out_whole() {
        let event = Fields(
            "spool",
            (0..500).map(|number| ("key", Value::Integer(number))).collect(),
        );
        let mut line = String::new();
        fit(&event, Form::Text, &mut line, 500);
        assert!(line.len() <= 500 && line.ends_with(", event=spool"), "{line}");
        line.clear();
        fit(&event, Form::Json(&"T"), &mut line, 500);
        assert!(line.len() <= 500 && line.ends_with('}'), "{line}");
    }

    #[test]
    fn nothing_forges_a_field_or_a_line() {
        let hostile = "x\r\nid=1, status=sent\", a=\"b\\\u{1b}[2J\u{61c}\u{202e}\u{2028}";
        for value in [
            Value::Word(hostile),
            Value::Quoted(hostile),
            Value::Address(hostile),
            Value::Path(hostile),
        ] {
            let event = Fields("delivery", vec![("key", value)]);
            let text = whole(&event, Form::Text);
            assert!(!text.chars().any(char::is_control), "{text:?}");
            assert!(!text.contains(['\u{61c}', '\u{202e}', '\u{2028}']), "{text:?}");
            match value {
                Value::Quoted(_) => assert!(!text.contains("sent\", a"), "{text}"),
                _ => assert!(!text.contains(", status"), "{text}"),
            }
            let json = whole(&event, Form::Json(&"2026-01-01T00:00:00Z"));
            assert!(!json.chars().any(char::is_control), "{json:?}");
        }
    }

    #[test]
    fn both_forms_of_each_kind_of_value() {
        let stages = [Duration::ZERO, Duration::from_millis(1250)];
        let event = Fields(
            "accepted",
            vec![
                ("id", Value::Word("01J")),
                ("from", Value::Path("a b@c")),
                ("reply", Value::Quoted("say \"hi\"")),
                ("delays", Value::Stages(&stages)),
                ("size", Value::Integer(7)),
                ("tls", Value::Absent),
            ],
        );
        assert_eq!(
            whole(&event, Form::Text),
            "id=01J, from=<a\\x20b@c>, reply=\"say \\\"hi\\\"\", delays=0.00/1.25, size=7, tls=-, event=accepted"
        );
        assert_eq!(
            whole(&event, Form::Json(&"T")),
            "{\"ts\":\"T\",\"level\":\"info\",\"event\":\"accepted\",\"id\":\"01J\",\"from\":\"a b@c\",\
             \"reply\":\"say \\\"hi\\\"\",\"delays\":[0.00,1.25],\"size\":7,\"tls\":null}"
        );
    }
}
