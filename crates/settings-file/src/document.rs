//! The place of every key in the text of a configuration file.

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::DeTable;

use crate::fault::{Fault, FileError, one_line, position};

/// A file as read: its text and the tables in it.
pub struct Document<'text> {
    path: &'text Path,
    text: &'text str,
    root: Spanned<DeTable<'text>>,
}

/// Where a key and its value are.
#[derive(Default)]
struct Place {
    key: Range<usize>,
    value: Range<usize>,
}

impl<'text> Document<'text> {
    /// Finds the tables of a TOML text; if the text is not valid TOML, those that can be recognized.
    pub fn new(path: &'text Path, text: &'text str) -> Self {
        let (root, _) = DeTable::parse_recoverable(text);
        Self { path, text, root }
    }

    /// A fault reported at a dotted key, or at the start of the file if the key is not in the file.
    pub fn remark_at(&self, dotted: &str, message: String) -> FileError {
        let place = self.find(dotted).unwrap_or_default();
        self.at(&place.key, Fault::Wrong(message))
    }

    /// A value that does not have the form `allowed`.
    pub fn other_form(&self, dotted: &str, allowed: &str) -> FileError {
        let (value, span) = self.value(dotted);
        let (key, allowed) = (dotted.to_owned(), allowed.to_owned());
        self.at(&span, Fault::Form { key, value, allowed })
    }

    /// A value with another fault; `reason` also says what is allowed.
    pub fn wrong_value(&self, dotted: &str, reason: String) -> FileError {
        let (value, span) = self.value(dotted);
        let key = dotted.to_owned();
        self.at(&span, Fault::Value { key, value, reason })
    }

    /// Resolves a path relative to this file.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("/")).join(path)
    }

    /// The line of a dotted key, from 1, if it is in the file.
    pub fn line_of(&self, dotted: &str) -> Option<usize> {
        self.find(dotted)
            .map(|place| position(self.text, place.key.start).0)
    }

    /// Whether a dotted key is in the file.
    pub fn has(&self, dotted: &str) -> bool {
        self.find(dotted).is_some()
    }

    /// The value as written, on one line, and its place.
    fn value(&self, dotted: &str) -> (String, Range<usize>) {
        let span = self.find(dotted).unwrap_or_default().value;
        let written = self.text.get(span.clone()).unwrap_or_default();
        (one_line(written), span)
    }

    fn at(&self, span: &Range<usize>, fault: Fault) -> FileError {
        FileError::at(&self.path.to_string_lossy(), self.text, span, fault)
    }

    fn find(&self, dotted: &str) -> Option<Place> {
        let mut table = self.root.get_ref();
        let mut place = None;
        let mut keys = dotted.split('.').peekable();
        while let Some(key) = keys.next() {
            let (name, value) = table.get_key_value(key)?;
            place = Some(Place {
                key: name.span(),
                value: value.span(),
            });
            if keys.peek().is_some() {
                table = value.get_ref().as_table()?;
            }
        }
        place
    }
}
