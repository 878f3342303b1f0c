//! A configuration as loaded.

use std::path::PathBuf;

use settings_file::{Document, FileError};

use super::schema::Config;

/// A configuration with the text that it was read from.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The settings, with absolute paths.
    pub(crate) config: Config,
    /// What the administrator should know although it is no error.
    pub(crate) warnings: Vec<FileError>,
    /// The file, or where it would have been.
    pub(crate) path: PathBuf,
    /// Whether there is such a file.
    pub(crate) found: bool,
    /// The text of the file; empty where there is none.
    pub(crate) text: String,
}

impl Loaded {
    /// Whether the file has this dotted key.
    pub(crate) fn is_written(&self, dotted: &str) -> bool {
        self.document().has(dotted)
    }

    /// A remark on a dotted key, with its place where the file has it.
    pub(crate) fn remark(&self, dotted: &str, message: &str) -> String {
        let document = self.document();
        if document.has(dotted) {
            document.remark_at(dotted, message.to_owned()).to_string()
        } else {
            message.to_owned()
        }
    }

    /// Where each key stands.
    pub(super) fn document(&self) -> Document<'_> {
        Document::new(&self.path, &self.text)
    }
}
