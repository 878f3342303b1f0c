//! By what is noticed that files have changed.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The state of some files: when one of them changes, all are read again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stamps(Vec<Option<Stamp>>);

/// Seconds and nanoseconds of the last change, size, and which file it is.
type Stamp = (i64, i64, u64, u64);

impl Stamps {
    /// Checks the files; one that cannot be checked counts as missing.
    pub(crate) fn of<'a>(files: impl IntoIterator<Item = &'a Path>) -> Self {
        let stamp = |path: &Path| {
            let found = std::fs::metadata(path).ok()?;
            Some((found.mtime(), found.mtime_nsec(), found.len(), found.ino()))
        };
        Self(files.into_iter().map(stamp).collect())
    }
}
