//! Where lines go: standard error or a file.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::config::LogTarget;

/// An open target.
pub(super) struct Sink {
    writer: Box<dyn Write + Send>,
    kind: Kind,
    /// Whether the last write ended within a line, so that the next line must not continue it.
    torn: bool,
}

/// What the target is, as far as it matters to the form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Standard error, connected to the systemd journal.
    Journal,
    /// Standard error, connected to anything else.
    Stderr,
    /// A file.
    File,
}

impl Sink {
    /// Opens the target; a file is made if need be, readable by owner and group, and appended to.
    pub(super) fn open(target: &LogTarget) -> io::Result<Self> {
        match target {
            LogTarget::Stderr if stderr_is_journal() => Ok(Self::new(io::stderr(), Kind::Journal)),
            LogTarget::Stderr => Ok(Self::new(io::stderr(), Kind::Stderr)),
            LogTarget::File(path) => Self::open_file(path),
        }
    }

    fn open_file(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o640)
            .open(path);
        file.map(|file| Self::new(file, Kind::File))
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    }

    /// A target that writes go to unbuffered.
    pub(super) fn new(writer: impl Write + Send + 'static, kind: Kind) -> Self {
        Self {
            writer: Box::new(writer),
            kind,
            torn: false,
        }
    }

    /// What the target is.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// Writes one line, which ends in a newline.
    pub(super) fn write_line(&mut self, line: &str) -> io::Result<()> {
        if self.torn {
            self.write_all(b"\n")?;
        }
        self.write_all(line.as_bytes())
    }

    /// Says on standard error that the file fails. If that fails too, nobody listens.
    pub(super) fn complain(&self, error: &io::Error) {
        match self.kind {
            Kind::Journal | Kind::Stderr => {}
            Kind::File => {
                let _ = writeln!(io::stderr(), "danerelay: the log file cannot be written: {error}");
            }
        }
    }

    /// As [`Write::write_all`], but keeps in mind where it ended.
    fn write_all(&mut self, mut octets: &[u8]) -> io::Result<()> {
        while !octets.is_empty() {
            let written = match self.writer.write(octets) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            octets = octets.get(written..).unwrap_or_default();
            self.torn = !octets.is_empty();
        }
        Ok(())
    }
}

/// systemd names in `JOURNAL_STREAM` the device and inode of the socket that leads to the journal (systemd.exec(5)).
/// Standard error may have been redirected since.
fn stderr_is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    std::fs::metadata("/proc/self/fd/2")
        .is_ok_and(|metadata| stream == format!("{}:{}", metadata.dev(), metadata.ino()))
}
