//! A configuration as loaded.

use std::path::PathBuf;

use settings_file::{Document, FileError};

use super::schema::Config;

/// A configuration and the text from which it was read.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    /// The settings, with absolute paths.
    pub(crate) config: Config,
    /// What the administrator should know although it is not an error.
    pub(crate) warnings: Vec<FileError>,
    /// The path of the file, whether it exists or not.
    pub(crate) path: PathBuf,
    /// Whether the file exists.
    pub(crate) found: bool,
    /// The text of the file; empty if it does not exist.
    pub(crate) text: String,
}

impl Loaded {
    /// Whether the file has this dotted key.
    pub(crate) fn is_written(&self, dotted: &str) -> bool {
        self.document().has(dotted)
    }

    /// A remark about a dotted key, with its place if the file has the key.
    pub(crate) fn remark(&self, dotted: &str, message: &str) -> String {
        let document = self.document();
        if document.has(dotted) {
            document.remark_at(dotted, message.to_owned()).to_string()
        } else {
            message.to_owned()
        }
    }

    /// Where each key is.
    pub(super) fn document(&self) -> Document<'_> {
        Document::new(&self.path, &self.text)
    }
}
