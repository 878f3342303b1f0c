//! Text for a terminal of 80 columns.

use std::ffi::OsString;
use std::io::{self, IsTerminal};

use mail::printable::Printable;

/// The width of a line in columns.
const WIDTH: usize = 80;
/// The indentation of a paragraph.
const INDENT: &str = "    ";
/// The fields of a delivery line that are highlighted.
const HIGHLIGHTED: [&str; 2] = ["dane=", "status="];

/// How some words are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Bold,
    Good,
    Bad,
}

/// Whether words can be highlighted.
#[derive(Clone, Copy)]
pub(super) struct Paint {
    colours: bool,
}

impl Paint {
    /// For standard output: only if it is a terminal, and its user has not set `NO_COLOR` (no-color.org).
    pub(super) fn for_stdout() -> Self {
        Self {
            colours: colours(io::stdout().is_terminal(), |name| {
                std::env::var_os(name).unwrap_or_default()
            }),
        }
    }

    /// The text in this look.
    pub(super) fn paint(self, text: &str, look: Look) -> String {
        if !self.colours {
            return text.to_owned();
        }
        let code = match look {
            Look::Bold => "1",
            Look::Good => "1;32",
            Look::Bad => "1;31",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// A delivery line, broken between its fields where possible, without anything that a terminal would interpret.
    pub(super) fn delivery_line(self, line: &str) -> String {
        let line = Printable(line).to_string();
        let pieces = fields(&line).into_iter().flat_map(|field| {
            let look = HIGHLIGHTED
                .iter()
                .any(|key| field.starts_with(key))
                .then_some(Look::Bold);
            let fits = columns(field) + INDENT.len() <= WIDTH;
            let words: Vec<&str> = if fits {
                vec![field]
            } else {
                field.split(' ').collect()
            };
            words.into_iter().map(move |word| (word, look))
        });
        fill(pieces, |word, look| {
            look.map_or_else(|| word.to_owned(), |look| self.paint(word, look))
        })
    }
}

fn colours(is_terminal: bool, variable: impl Fn(&str) -> OsString) -> bool {
    is_terminal && variable("NO_COLOR").is_empty() && variable("TERM") != "dumb"
}

/// Running text.
pub(super) fn paragraph(text: &str) -> String {
    fill(text.split_whitespace().map(|word| (word, ())), |word, ()| {
        word.to_owned()
    })
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

/// Breaks words into lines.
fn fill<'a, L: Copy>(words: impl Iterator<Item = (&'a str, L)>, show: impl Fn(&str, L) -> String) -> String {
    let mut lines = String::new();
    let mut column = 0;
    for (word, look) in words {
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
        lines.push_str(&show(word, look));
        column += length;
    }
    lines
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
        let plain = Paint { colours: false };
        assert_eq!(
            plain.delivery_line(LINE),
            "    id=01J, from=<a@b>, to=x@y.demo, mode=dane opportunistic,\n    \
             dane=\"Fail (TLS handshake: a, \\\"b\\\", c)\", tls=-, status=deferred, size=1"
        );
        let painted = Paint { colours: true }.delivery_line(LINE);
        assert!(
            painted.contains("\u{1b}[1mstatus=deferred,\u{1b}[0m size=1"),
            "{painted:?}"
        );
        let bare = painted.replace("\u{1b}[1m", "").replace("\u{1b}[0m", "");
        assert_eq!(bare, plain.delivery_line(LINE));
        let hostile = Paint { colours: true }.delivery_line("status=sent, reply=\"\u{1b}[2J\u{202e}\"");
        assert_eq!(
            hostile,
            "    \u{1b}[1mstatus=sent,\u{1b}[0m reply=\"\\x1B[2J\\xE2\\x80\\xAE\""
        );
    }

    #[test]
    fn only_a_terminal_gets_colours_and_only_where_they_are_wanted() {
        let with = |name: &'static str, value: &'static str| {
            move |asked: &str| OsString::from(if asked == name { value } else { "" })
        };
        assert!(colours(true, with("TERM", "xterm")));
        assert!(colours(true, with("NO_COLOR", "")));
        assert!(!colours(false, with("TERM", "xterm")));
        assert!(!colours(true, with("TERM", "dumb")));
        assert!(!colours(true, with("NO_COLOR", "1")));
    }

    #[test]
    fn a_field_that_is_too_long_is_broken_between_words() {
        let long = format!("id=1, reason=\"{}\"", "word ".repeat(30));
        let lines = Paint { colours: false }.delivery_line(&long);
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
