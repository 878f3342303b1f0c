//! Text for a terminal of 80 columns.

use mail::printable::Printable;
use mail::wrap;

use crate::terminal::{Palette, Style};

/// The width of a line in columns.
const WIDTH: usize = 80;
/// The indentation of a paragraph.
const INDENT: &str = "    ";
/// The fields of a delivery line that are highlighted.
const HIGHLIGHTED: [&str; 2] = ["dane=", "status="];

/// A delivery line, broken between its fields where possible, without anything that a terminal would interpret.
pub(super) fn delivery_line(line: &str, palette: Palette) -> String {
    let line = Printable(line).to_string();
    let pieces = fields(&line).into_iter().flat_map(|field| {
        let is_highlighted = HIGHLIGHTED.iter().any(|key| field.starts_with(key));
        let style = if is_highlighted { Style::Bold } else { Style::Plain };
        let fits = columns(field) + INDENT.len() <= WIDTH;
        let words: Vec<&str> = if fits {
            vec![field]
        } else {
            field.split(' ').collect()
        };
        words.into_iter().map(move |word| (word, style))
    });
    let mut lines = String::new();
    let mut column = 0;
    for (word, style) in pieces {
        let length = columns(word);
        if column > 0 && column + 1 + length > WIDTH {
            lines.push('\n');
            column = 0;
        }
        if column == 0 {
            lines.push_str(INDENT);
            column = INDENT.len();
        } else {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(&palette.style(word, style));
        column += length;
    }
    lines
}

/// Running text.
pub(super) fn paragraph(text: &str) -> String {
    wrap(text, WIDTH, INDENT, INDENT).join("\n")
}

/// A command to type, quoted for a shell; if it needs more than one line, its parts stay whole.
pub(super) fn command(parts: &[&[&str]]) -> String {
    let mut text = String::new();
    let mut line = String::new();
    for part in parts {
        let words: Vec<String> = part.iter().map(|word| quoted(word)).collect();
        let words = words.join(" ");
        if line.is_empty() {
            line = format!("{INDENT}{words}");
        // A space and a backslash may follow it.
        } else if columns(&line) + 1 + columns(&words) + 2 <= WIDTH {
            line = format!("{line} {words}");
        } else {
            text = format!("{text}{line} \\\n");
            line = format!("{INDENT}{INDENT}{words}");
        }
    }
    text + &line
}

/// The word, quoted for a shell if necessary.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-=+:@%,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// The fields of a log line, each with the comma after it; a comma in quotes does not end a field.
fn fields(line: &str) -> Vec<&str> {
    let (mut fields, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped, mut comma) = (false, false, false);
    for (place, c) in line.char_indices() {
        if comma && c == ' ' {
            fields.push(line.get(start..place).unwrap_or_default());
            start = place + 1;
        }
        comma = c == ',' && !quoted;
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
    }
    fields.push(line.get(start..).unwrap_or_default());
    fields
}

/// Every character used here is exactly one column wide.
fn columns(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LINE: &str = "id=01J, from=<a@b>, to=x@y.demo, mode=dane opportunistic, \
                        dane=\"Fail (TLS handshake: a, \\\"b\\\", c)\", tls=-, status=deferred, size=1";

    #[test]
    fn a_delivery_line_is_broken_between_fields_and_two_of_them_stand_out() {
        let plain = delivery_line(LINE, Palette::Plain);
        assert_eq!(
            plain,
            "    id=01J, from=<a@b>, to=x@y.demo, mode=dane opportunistic,\n    \
             dane=\"Fail (TLS handshake: a, \\\"b\\\", c)\", tls=-, status=deferred, size=1"
        );
        let painted = delivery_line(LINE, Palette::Colours);
        assert!(
            painted.contains("\u{1b}[1mstatus=deferred,\u{1b}[0m size=1"),
            "{painted:?}"
        );
        let bare = painted.replace("\u{1b}[1m", "").replace("\u{1b}[0m", "");
        assert_eq!(bare, plain);
        let hostile = delivery_line("status=sent, reply=\"\u{1b}[2J\u{202e}\"", Palette::Colours);
        assert_eq!(
            hostile,
            "    \u{1b}[1mstatus=sent,\u{1b}[0m reply=\"\\x1B[2J\\xE2\\x80\\xAE\""
        );
    }

    #[test]
    fn a_field_that_is_too_long_is_broken_between_words() {
        let long = format!("id=1, reason=\"{}\"", "word ".repeat(30));
        let lines = delivery_line(&long, Palette::Plain);
        assert!(lines.lines().count() > 1);
        assert!(lines.lines().all(|line| line.len() <= WIDTH), "{lines}");
    }

    #[test]
    fn a_command_can_be_pasted() {
        let place = format!("/tmp/{}", "x".repeat(50));
        assert_eq!(
            command(&[&["/usr/bin/danerelay"], &["-c", &place], &["dns", "a b", "TLSA"]]),
            format!("    /usr/bin/danerelay \\\n        -c {place} \\\n        dns 'a b' TLSA")
        );
        assert_eq!(command(&[&["ls"], &["-l"]]), "    ls -l");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
