//! Writes lines to a stream of octets: standard error or a file.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::queue::Batch;

/// An open stream.
pub(super) struct Stream(Box<dyn Write + Send>);

/// What a stream leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Standard error, connected to the systemd journal.
    Journal,
    /// Standard error, connected to anything else.
    Stderr,
    /// A file.
    File,
}

impl Stream {
    /// Standard error, and what it leads to.
    pub(super) fn stderr() -> io::Result<(Self, Kind)> {
        let kind = if stderr_is_journal() {
            Kind::Journal
        } else {
            Kind::Stderr
        };
        // A separate descriptor: writers that use `Stderr` would have to wait for a line that is blocked.
        let stderr = io::stderr().as_fd().try_clone_to_owned()?;
        Ok((Self::new(File::from(stderr)), kind))
    }

    /// A file, created if necessary, readable by owner and group, and appended to. The previous daemon may have ended
    /// in the middle of a line.
    pub(super) fn file(path: &Path) -> io::Result<Self> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let open = || {
            OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o640)
                .open(path)
        };
        let mut file = open().map_err(named)?;
        if ends_within_a_line(path, &file) {
            file.write_all(b"\n").map_err(named)?;
        }
        Ok(Self::new(file))
    }

    /// A stream to which writes are unbuffered.
    pub(super) fn new(writer: impl Write + Send + 'static) -> Self {
        Self(Box::new(writer))
    }

    /// Writes the batch from `written` on, as far as possible.
    pub(super) fn write(&mut self, batch: &Batch, written: &mut usize) -> io::Result<()> {
        loop {
            let rest = batch.from(*written);
            if rest.is_empty() {
                return Ok(());
            }
            match self.0.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(more) => *written = written.saturating_add(more),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// As far as can be determined: the file may not be a regular one, or may not be readable for us.
fn ends_within_a_line(path: &Path, opened: &File) -> bool {
    if !opened.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return false;
    }
    let mut last = [b'\n'];
    let read = File::open(path).and_then(|mut file| {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)
    });
    read.is_ok() && last != [b'\n']
}

/// systemd puts the device and inode of the socket that leads to the journal into `JOURNAL_STREAM` (systemd.exec(5)).
/// Standard error may have been redirected since.
fn stderr_is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    std::fs::metadata("/proc/self/fd/2")
        .is_ok_and(|metadata| stream == format!("{}:{}", metadata.dev(), metadata.ino()))
}
