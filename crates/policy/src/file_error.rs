//! What is wrong in a configuration file, where, and what would be right.
//!
//! Shared by every TOML file of the relay, so that all of them complain in the same words:
//! `policy.toml:12:1: unknown key "dnae", did you mean "dane"? allowed here: "dane", "match", …`.

use std::fmt;
use std::ops::Range;

use thiserror::Error;

/// One fault in a file. It is the administrator's to mend.
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

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A key that has no meaning in its table.
    UnknownKey {
        /// The key as written.
        key: String,
        /// The keys that have one.
        allowed: Vec<String>,
    },
    /// A word that is none of those allowed.
    UnknownWord {
        /// The word as written.
        word: String,
        /// The words that are.
        allowed: Vec<String>,
    },
    /// A key that its table must have.
    MissingKey(String),
    /// A value of the wrong type or range, or text that is no TOML; the words say what is expected.
    Wrong(String),
    /// The file has so many faults that the rest is not shown.
    More,
}

impl FileError {
    /// Names the place of `span` (octet offsets) in `source`.
    pub fn at(file: &str, source: &str, span: &Range<usize>, fault: Fault) -> Self {
        let (line, column) = position(source, span.start);
        Self {
            file: file.to_owned(),
            line,
            column,
            fault,
        }
    }

    /// Translates the error of deserialising `source`.
    pub fn from_toml(file: &str, source: &str, error: &toml::de::Error) -> Self {
        let span = error.span().unwrap_or(0..0);
        Self::at(file, source, &span, Fault::from_message(error.message()))
    }
}

/// Line and column, both from 1, of an octet offset; the column counts characters.
pub fn position(source: &str, offset: usize) -> (usize, usize) {
    let before = source.get(..offset.min(source.len())).unwrap_or(source);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.get(line_start..).map_or(0, |text| text.chars().count()) + 1;
    (line, column)
}

impl Fault {
    /// Reads serde's fixed wordings (`unknown field`, `unknown variant`, `missing field`), in which names stand
    /// between backticks; any other message is kept.
    fn from_message(message: &str) -> Self {
        let mut names = message.split('`').skip(1).step_by(2).map(str::to_owned);
        if message.starts_with("unknown field ") {
            Self::UnknownKey {
                key: names.next().unwrap_or_default(),
                allowed: names.collect(),
            }
        } else if message.starts_with("unknown variant ") {
            Self::UnknownWord {
                word: names.next().unwrap_or_default(),
                allowed: names.collect(),
            }
        } else if message.starts_with("missing field ") {
            Self::MissingKey(names.next().unwrap_or_default())
        } else {
            Self::Wrong(message.trim_end().replace('\n', ", "))
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey { key, allowed } => {
                write!(f, "unknown key {key:?}")?;
                suggest(f, key, allowed)?;
                write!(f, " allowed here: {}", quoted(allowed))
            }
            Self::UnknownWord { word, allowed } => {
                write!(f, "wrong value {word:?}")?;
                suggest(f, word, allowed)?;
                write!(f, " allowed: {}", quoted(allowed))
            }
            Self::MissingKey(key) => write!(f, "the key {key:?} is missing here"),
            Self::Wrong(message) => f.write_str(message),
            Self::More => f.write_str("further errors are not shown"),
        }
    }
}

fn suggest(f: &mut fmt::Formatter<'_>, found: &str, allowed: &[String]) -> fmt::Result {
    match nearest(found, allowed.iter().map(String::as_str)) {
        Some(near) => write!(f, ", did you mean {near:?}?"),
        None => f.write_str(";"),
    }
}

fn quoted(words: &[String]) -> String {
    words
        .iter()
        .map(|word| format!("{word:?}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The word most like `found`, if any is like it at all.
pub fn nearest<'a>(found: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Below this share of common letters a suggestion is a distraction.
    const ALIKE: f64 = 0.5;
    words
        .into_iter()
        .map(|word| (strsim::normalized_damerau_levenshtein(found, word), word))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
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
    fn a_single_allowed_key_is_named_too() {
        let fault = Fault::from_message("unknown field `fil`, expected `file`");
        assert_eq!(
            fault.to_string(),
            r#"unknown key "fil", did you mean "file"? allowed here: "file""#
        );
    }
}
