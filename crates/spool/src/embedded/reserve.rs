//! Space put aside, so that outcomes can still be recorded when the disk is full.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};

/// Octets put aside: thousands of outcomes.
const SIZE: u64 = 8 << 20;

/// A file whose only use is to be removed.
#[derive(Debug)]
pub(super) struct Reserve(PathBuf);

impl Reserve {
    /// Makes it, if the disk has room and the file system can.
    pub(super) fn make(spool: &Path) -> Self {
        let path = spool.join("reserve");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path);
        let made = file.and_then(|file| Ok(fallocate(&file, FallocateFlags::empty(), 0, SIZE)?));
        if let Err(error) = made {
            tracing::warn!(%error, "no space could be put aside in the spool");
        }
        Self(path)
    }

    /// Frees the space; false if there is none any more.
    pub(super) fn give_back(&self) -> bool {
        fs::remove_file(&self.0).is_ok()
    }
}
