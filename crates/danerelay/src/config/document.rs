//! The place of each key in the text of a configuration file.

use std::ops::Range;
use std::path::Path;

use policy::file_error::{Fault, FileError, position};
use toml::Spanned;
use toml::de::DeTable;

/// A file as read: its text and the tables in it.
pub(crate) struct Document<'text> {
    path: &'text Path,
    text: &'text str,
    root: Spanned<DeTable<'text>>,
}

impl<'text> Document<'text> {
    /// The tables of a TOML text; where the text is not TOML, those that can be made out.
    pub(crate) fn new(path: &'text Path, text: &'text str) -> Self {
        let (root, _) = DeTable::parse_recoverable(text);
        Self { path, text, root }
    }

    /// A fault at a dotted key; at the start of the file where the key is not written.
    pub(crate) fn fault_at(&self, dotted: &str, message: String) -> FileError {
        let span = self.find(dotted).unwrap_or_default();
        let path = self.path.to_string_lossy();
        FileError::at(&path, self.text, &span, Fault::Wrong(message))
    }

    /// The line of a dotted key, from 1, where it is written.
    pub(crate) fn line_of(&self, dotted: &str) -> Option<usize> {
        self.find(dotted).map(|span| position(self.text, span.start).0)
    }

    /// Whether a dotted key is written in the file.
    pub(crate) fn has(&self, dotted: &str) -> bool {
        self.find(dotted).is_some()
    }

    fn find(&self, dotted: &str) -> Option<Range<usize>> {
        let mut table = self.root.get_ref();
        let mut span = None;
        let mut keys = dotted.split('.').peekable();
        while let Some(key) = keys.next() {
            let (name, value) = table.get_key_value(key)?;
            span = Some(name.span());
            if keys.peek().is_some() {
                table = value.get_ref().as_table()?;
            }
        }
        span
    }
}
