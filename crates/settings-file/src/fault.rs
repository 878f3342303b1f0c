//! What is wrong in a configuration file, where it is, and what would be right.
//!
//! Shared by all TOML files of the relay, so that their faults are worded alike:
//! `policy.toml:12:1: unknown key "dnae", did you mean "dane"? allowed here: "dane", "match", …`;
//! ``danerelay.toml:7:9: `delivery.port` cannot be 0; allowed: a port from 1 to 65535, without quotes``.

use std::fmt;
use std::ops::Range;

use thiserror::Error;

/// One fault in a file. The administrator has to fix it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file}:{line}:{column}: {fault}")]
pub struct FileError {
    /// The file as the administrator named it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong. Keys are dotted from the top of the file; values are as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A key that does not exist in its table.
    UnknownKey {
        /// The key as written, without its table.
        key: String,
        /// The keys that do exist.
        allowed: Vec<String>,
    },
    /// A value that is none of the allowed words.
    UnknownWord {
        /// The key.
        key: String,
        /// The value.
        word: String,
        /// The allowed words.
        allowed: Vec<String>,
    },
    /// A value that does not have the right form.
    Form {
        /// The key.
        key: String,
        /// The value; empty if there is none.
        value: String,
        /// The form, in words.
        allowed: String,
    },
    /// A value with another fault.
    Value {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// What is wrong with it, and what is allowed.
        reason: String,
    },
    /// A key that its table must have.
    MissingKey(String),
    /// A key that is set twice.
    Duplicate {
        /// The key.
        key: String,
        /// The line where it is set first.
        line: usize,
    },
    /// The text is not valid TOML; the string says why.
    NotToml(String),
    /// A fault that concerns more than one key; the string says what is wrong.
    Wrong(String),
    /// The file has so many faults that the rest are not shown.
    More,
}

impl FileError {
    /// A fault at `span` (octet offsets) in `source`, with its line and column.
    pub fn at(file: &str, source: &str, span: &Range<usize>, fault: Fault) -> Self {
        let (line, column) = position(source, span.start);
        Self {
            file: file.to_owned(),
            line,
            column,
            fault,
        }
    }
}

/// The text of a file, which must be UTF-8 (TOML 1.0, "Encoding").
pub fn text(file: &str, octets: Vec<u8>) -> Result<String, FileError> {
    String::from_utf8(octets).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let source = String::from_utf8_lossy(error.as_bytes().get(..good).unwrap_or_default()).into_owned();
        let octet = error.as_bytes().get(good).copied().unwrap_or_default();
        let message = format!("the octet 0x{octet:02X} is no UTF-8; allowed: text in UTF-8");
        FileError::at(file, &source, &(good..good), Fault::Wrong(message))
    })
}

/// Line and column, both from 1, of an octet offset; the column counts characters.
pub fn position(source: &str, offset: usize) -> (usize, usize) {
    let before = source.get(..offset.min(source.len())).unwrap_or(source);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.get(line_start..).map_or(0, |text| text.chars().count()) + 1;
    (line, column)
}

/// The first line of a text, shortened, without anything that a terminal would interpret.
pub fn one_line(text: &str) -> String {
    /// In characters: enough to find it again.
    const SHOWN: usize = 60;
    let mut characters = text.lines().next().unwrap_or_default().chars();
    let mut line: String = characters.by_ref().take(SHOWN).flat_map(visible).collect();
    if characters.next().is_some() || text.lines().nth(1).is_some() {
        line.push('…');
    }
    line
}

/// Escapes C0 and C1 control characters, and characters that change the direction of writing.
fn visible(character: char) -> impl Iterator<Item = char> {
    let turns = matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let (plain, escaped) = if turns || character.is_control() {
        (None, Some(character.escape_default()))
    } else {
        (Some(character), None)
    };
    plain.into_iter().chain(escaped.into_iter().flatten())
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey { key, allowed } => {
                write!(f, "unknown key {key:?}")?;
                suggest(f, key, allowed)?;
                write!(f, " allowed here: {}", quoted(allowed))
            }
            Self::UnknownWord { key, word, allowed } => {
                cannot_be(f, key, word)?;
                suggest(f, word.trim_matches('"'), allowed)?;
                write!(f, " allowed: {}", quoted(allowed))
            }
            Self::Form { key, value, allowed } => {
                cannot_be(f, key, value)?;
                write!(f, "; allowed: {allowed}")
            }
            Self::Value { key, value, reason } => {
                cannot_be(f, key, value)?;
                write!(f, ": {reason}")
            }
            Self::MissingKey(key) => write!(f, "the key {key:?} is missing here"),
            Self::Duplicate { key, line } => {
                write!(f, "`{key}` is set twice; the first is in line {line}")
            }
            Self::NotToml(words) => write!(f, "this is no TOML: {words}"),
            Self::Wrong(message) => f.write_str(message),
            Self::More => f.write_str("further errors are not shown"),
        }
    }
}

fn cannot_be(f: &mut fmt::Formatter<'_>, key: &str, value: &str) -> fmt::Result {
    if value.is_empty() {
        write!(f, "`{key}` has no value")
    } else {
        write!(f, "`{key}` cannot be {value}")
    }
}

fn suggest(f: &mut fmt::Formatter<'_>, found: &str, allowed: &[String]) -> fmt::Result {
    match nearest(found, allowed.iter().map(String::as_str)) {
        Some(near) => write!(f, ", did you mean {near:?}?"),
        None => f.write_str(";"),
    }
}

/// The words, each in quotes.
pub(crate) fn quoted(words: &[impl fmt::Debug]) -> String {
    words
        .iter()
        .map(|word| format!("{word:?}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The word most similar to `found`, if any is similar enough.
pub fn nearest<'a>(found: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Below this share of common letters a suggestion would only distract.
    const ALIKE: f64 = 0.5;
    words
        .into_iter()
        .map(|word| (strsim::normalized_damerau_levenshtein(found, word), word))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        // If several are equally similar, the first one.
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )]
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let source = "a = 1\nbü = 2\n";
        assert_eq!(position(source, 0), (1, 1));
        assert_eq!(position(source, 6), (2, 1));
        assert_eq!(position(source, source.find("= 2").unwrap()), (2, 4));
        assert_eq!(position(source, 9999), (3, 1));
        assert_eq!(position("", 0), (1, 1));
    }

    #[test]
    fn the_nearest_word_is_near() {
        let words = ["dane", "dnssec", "tls"];
        assert_eq!(nearest("dnae", words), Some("dane"));
        assert_eq!(nearest("dnsec", words), Some("dnssec"));
        assert_eq!(nearest("hostname", words), None);
    }

    #[test]
    fn octets_that_are_no_text_are_named_with_their_place() {
        assert_eq!(text("f", b"a = 1\n".to_vec()).unwrap(), "a = 1\n");
        assert_eq!(
            text("f", b"a = 1\nb = \"\xe9\"\n".to_vec())
                .unwrap_err()
                .to_string(),
            "f:2:6: the octet 0xE9 is no UTF-8; allowed: text in UTF-8"
        );
    }

    #[test]
    fn values_are_shown_in_one_short_line() {
        assert_eq!(one_line("\"a\""), "\"a\"");
        assert_eq!(one_line("[\n1,\n2]"), "[…");
        assert_eq!(one_line(&"x".repeat(200)).chars().count(), 61);
        assert_eq!(one_line("a\u{1b}[2J\u{202e}"), "a\\u{1b}[2J\\u{202e}");
    }
}
