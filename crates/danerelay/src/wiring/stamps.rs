//! By what is noticed that files have changed.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The state of some files: when one of them changes, all are read again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stamps(Vec<Option<Stamp>>);

/// Seconds and nanoseconds of the last change, size, and which file it is.
type Stamp = (i64, i64, u64, u64);

impl Stamps {
    /// Checks one more file; one that cannot be checked counts as missing.
    pub(crate) fn add(&mut self, file: &Path) {
        let found = std::fs::metadata(file).ok();
        let stamp = found.map(|found| (found.mtime(), found.mtime_nsec(), found.len(), found.ino()));
        self.0.push(stamp);
    }
}
