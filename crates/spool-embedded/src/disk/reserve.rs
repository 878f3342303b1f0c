//! Space kept in reserve, so that outcomes can still be recorded when the disk is full.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use mail::event::store::Failed;
use rustix::fs::{FallocateFlags, fallocate};

use super::space::Space;
use crate::telling::Teller;

/// The size of the reserve in octets: enough for thousands of outcomes.
const SIZE: u64 = 8 << 20;

/// A file whose only purpose is to be removed.
#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
    given_back: bool,
    teller: Teller,
}

impl Reserve {
    /// Creates it, if the disk has room and the file system supports it.
    pub(crate) fn make(spool: &Path, teller: Teller) -> Self {
        let reserve = Self {
            path: spool.join("reserve"),
            given_back: false,
            teller,
        };
        reserve.put_aside();
        reserve
    }

    fn put_aside(&self) {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&self.path);
        let made = file.and_then(|file| Ok(fallocate(&file, FallocateFlags::empty(), 0, SIZE)?));
        if let Err(error) = made {
            self.teller.failed(Failed::Reserve, &error);
        }
    }

    /// Frees the space; false if there is none left.
    pub(crate) fn give_back(&mut self) -> bool {
        self.given_back = true;
        fs::remove_file(&self.path).is_ok()
    }

    /// Reserves space again, if it was given back and the disk has room again.
    pub(crate) fn renew(&mut self, space: &Space) {
        if self.given_back && space.has_room_beyond(SIZE) {
            self.given_back = false;
            self.put_aside();
        }
    }
}
