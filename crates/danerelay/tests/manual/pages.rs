//! The pages of the manual.

use std::fs;
use std::path::{Path, PathBuf};

/// A page.
pub(crate) struct Page {
    /// Relative to the repository.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// A block between fences.
pub(crate) struct Block<'a> {
    /// The word behind the opening fence, such as `toml`.
    pub(crate) language: &'a str,
    pub(crate) text: String,
    /// The line of the page on which it begins, from 1.
    pub(crate) line: usize,
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// One page.
pub(crate) fn page(path: &str) -> Page {
    let path = PathBuf::from(path);
    let text = fs::read_to_string(root().join(&path)).unwrap();
    Page { path, text }
}

/// All pages.
pub(crate) fn all() -> Vec<Page> {
    let mut paths = vec!["README.md".to_owned(), "CHANGELOG.md".to_owned()];
    for directory in ["docs", "docs/conformance"] {
        for entry in fs::read_dir(root().join(directory)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if Path::new(&name).extension().is_some_and(|end| end == "md") {
                paths.push(format!("{directory}/{name}"));
            }
        }
    }
    paths.sort();
    paths.iter().map(|path| page(path)).collect()
}

impl Page {
    /// Its blocks, in order.
    pub(crate) fn blocks(&self) -> Vec<Block<'_>> {
        let mut blocks: Vec<Block<'_>> = Vec::new();
        let mut is_open = false;
        for (number, line) in (1..).zip(self.text.lines()) {
            match line.strip_prefix("```") {
                Some(_) if is_open => is_open = false,
                Some(language) => {
                    is_open = true;
                    blocks.push(Block {
                        language,
                        text: String::new(),
                        line: number,
                    });
                }
                None if is_open => {
                    let block = blocks.last_mut().unwrap();
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                None => {}
            }
        }
        assert!(!is_open, "{}: a block does not end", self.path.display());
        blocks
    }

    /// Its lines outside of blocks, with their numbers.
    pub(crate) fn prose(&self) -> Vec<(usize, &str)> {
        let mut is_open = false;
        let mut lines = Vec::new();
        for (number, line) in (1..).zip(self.text.lines()) {
            if line.starts_with("```") {
                is_open = !is_open;
            } else if !is_open {
                lines.push((number, line));
            }
        }
        lines
    }
}
