//! The lock file that keeps out a second daemon.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use spool::SpoolError;

/// An exclusive lock on a spool directory, held as long as this value lives, and never longer than the process.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "open, it holds the lock")] File);

impl Lock {
    /// Takes the lock, and writes our process id into the file, so that others can see it.
    pub(crate) fn take(spool: &Path) -> Result<Self, SpoolError> {
        let path = spool.join("lock");
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path);
        let mut file = opened
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {}", path.display(), error.kind())))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Err(SpoolError::Locked {
                    path: spool.to_owned(),
                    pid: holder(&mut file),
                });
            }
            Err(error) => return Err(std::io::Error::from(error).into()),
        }
        file.set_len(0)?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self(file))
    }
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
