//! Log events.

use std::time::Duration;

use mail::render::{Form, fit, whole};
use serde_json::Value as Json;

use super::input::Input;
use super::record::{Field, Fields};

const KEYS: [&str; 8] = ["id", "to", "from", "status", "dane", "reason", "delay", "relay"];

/// Kinds and texts of up to eight fields: the line is one line without control characters or marks that turn the
/// direction of writing, it has exactly these fields, and each value can be read back, from the text and the JSON. Where it
/// must be short, it is, and still a line with these fields.
pub fn event(octets: &[u8]) {
    let mut input = Input::new(octets);
    let name = input.choice(&["delivery", "accepted"]);
    let mut event = Fields {
        name,
        fields: Vec::new(),
    };
    for key in KEYS {
        if !input.is_empty() {
            event.fields.push((key, field(&mut input)));
        }
    }
    let text = whole(&event, Form::Text);
    harmless(&text);
    let mut fields = fields(&text);
    if name != "delivery" {
        assert_eq!(fields.pop(), Some(("event", name)));
    }
    assert_eq!(fields.len(), event.fields.len(), "{text}");
    for ((key, value), (found, written)) in event.fields.iter().zip(fields) {
        assert_eq!(found, *key, "{text}");
        assert_eq!(read_back(value, written), original(value), "{text}");
    }
    json(&event);
    short(&event);
}

fn short(event: &Fields) {
    const MOST: usize = 500;
    for form in [Form::Text, Form::Json(&"2026-11-22T10:00:00Z")] {
        let mut line = String::new();
        fit(event, form, &mut line, MOST);
        harmless(&line);
        assert!(line.len() <= MOST, "{line}");
        match form {
            Form::Text => {
                let more = usize::from(event.name != "delivery");
                assert_eq!(fields(&line).len(), event.fields.len() + more, "{line}");
            }
            Form::Json(_) => {
                let object: serde_json::Map<String, Json> = serde_json::from_str(&line).expect("JSON");
                assert_eq!(object.len(), event.fields.len() + 3, "{line}");
            }
        }
    }
}

fn field(input: &mut Input<'_>) -> Field {
    match input.octet() % 8 {
        0 => Field::Absent,
        1 => Field::Integer(u64::from(input.octet())),
        2 => Field::Seconds(Duration::from_millis(u64::from(input.octet()) * 77)),
        3 => Field::Stages(vec![Duration::from_millis(u64::from(input.octet())); 4]),
        4 => Field::Word(input.text()),
        5 => Field::Quoted(input.text()),
        6 => Field::Address(input.text()),
        _ => Field::Path(input.text()),
    }
}

fn harmless(line: &str) {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{ad}' | '\u{e0000}'..='\u{e007f}')
    };
    assert!(!line.contains(hidden), "{line:?}");
}

/// Takes a line apart as a reader of logs does: at `, ` outside quotes.
fn fields(line: &str) -> Vec<(&str, &str)> {
    let mut fields = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let end = field_end(rest);
        let (field, after) = rest.split_at(end);
        fields.push(field.split_once('=').expect("key=value"));
        rest = after.strip_prefix(", ").unwrap_or(after);
    }
    fields
}

fn field_end(line: &str) -> usize {
    let mut quoted = false;
    let mut escaped = false;
    for (offset, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => return offset,
            _ => {}
        }
    }
    assert!(!quoted && !escaped, "{line}");
    line.len()
}

/// The text of a value that has one.
fn original(value: &Field) -> Option<String> {
    match value {
        Field::Word(text) | Field::Quoted(text) | Field::Address(text) | Field::Path(text) => {
            Some(text.clone())
        }
        Field::Absent | Field::Integer(_) | Field::Seconds(_) | Field::Stages(_) => None,
    }
}

fn read_back(value: &Field, written: &str) -> Option<String> {
    match value {
        Field::Word(_) | Field::Address(_) => Some(unescaped(written)),
        Field::Quoted(_) => Some(unescaped(written.strip_prefix('"')?.strip_suffix('"')?)),
        Field::Path(_) => Some(unescaped(written.strip_prefix('<')?.strip_suffix('>')?)),
        Field::Absent => {
            assert_eq!(written, "-");
            None
        }
        Field::Integer(_) | Field::Seconds(_) | Field::Stages(_) => {
            assert!(written.split('/').all(|number| number.parse::<f64>().is_ok()));
            None
        }
    }
}

/// `\xHH` is an octet, `\` before anything else only protects it.
fn unescaped(text: &str) -> String {
    let mut octets = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'\\', [b'x', hex @ ..]) => {
                let (digits, after) = hex.split_at(2);
                octets.push(u8::from_str_radix(str::from_utf8(digits).unwrap(), 16).unwrap());
                after
            }
            (b'\\', [protected, after @ ..]) => {
                octets.push(*protected);
                after
            }
            _ => {
                octets.push(*first);
                after
            }
        };
    }
    String::from_utf8(octets).expect("no character is cut")
}

fn json(event: &Fields) {
    let line = whole(event, Form::Json(&"2026-11-22T10:00:00Z"));
    harmless(&line);
    let object: serde_json::Map<String, Json> = serde_json::from_str(&line).expect("JSON");
    assert_eq!(object.len(), event.fields.len() + 3, "{line}");
    assert_eq!(object["event"], event.name);
    for (key, value) in &event.fields {
        let found = &object[*key];
        match value {
            Field::Absent => assert!(found.is_null()),
            Field::Integer(number) => assert_eq!(found.as_u64(), Some(*number)),
            Field::Seconds(_) => assert!(found.is_f64(), "{line}"),
            Field::Stages(stages) => assert_eq!(found.as_array().unwrap().len(), stages.len()),
            Field::Word(text) | Field::Quoted(text) | Field::Address(text) | Field::Path(text) => {
                assert_eq!(found.as_str(), Some(&**text));
            }
        }
    }
}
