//! Lines into a stream of octets: standard error or a file.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use mail::event::Event;

use super::line::{message, now, severity};
use crate::config::schema::LogFormat;

/// An open stream.
pub(super) struct Stream {
    writer: Box<dyn Write + Send>,
    kind: Kind,
    format: LogFormat,
    /// Whether the last write ended within a line, so that the next line must not continue it.
    torn: bool,
}

/// What the stream leads to.
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
    /// Standard error.
    pub(super) fn stderr(format: LogFormat) -> Self {
        let kind = if stderr_is_journal() {
            Kind::Journal
        } else {
            Kind::Stderr
        };
        Self::new(io::stderr(), kind, format)
    }

    /// A file, which is made if need be, readable by owner and group, and appended to.
    pub(super) fn file(path: &Path, format: LogFormat) -> io::Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o640)
            .open(path);
        file.map(|file| Self::new(file, Kind::File, format))
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    }

    /// A stream that writes go to unbuffered.
    pub(super) fn new(writer: impl Write + Send + 'static, kind: Kind, format: LogFormat) -> Self {
        Self {
            writer: Box::new(writer),
            kind,
            format,
            torn: false,
        }
    }

    /// What the stream leads to.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// Writes one event as a line.
    pub(super) fn write(&mut self, event: &Event) -> io::Result<()> {
        if self.torn {
            self.write_all(b"\n")?;
        }
        self.write_all(line(self.format, self.kind, event).as_bytes())
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

/// The line for an event of now, with its newline: `2026-11-22T09:41:44.123Z info key=value, key=value`. The journal
/// has a clock of its own and reads the level from a prefix (sd-daemon(3)): `<6>key=value, key=value`.
pub(super) fn line(format: LogFormat, kind: Kind, event: &Event) -> String {
    let message = message(format, event);
    match (format, kind) {
        (LogFormat::Json, Kind::Journal | Kind::Stderr | Kind::File) => format!("{message}\n"),
        (LogFormat::Text, Kind::Journal) => format!("<{}>{message}\n", severity(event.level)),
        (LogFormat::Text, Kind::Stderr | Kind::File) => format!("{} {} {message}\n", now(), event.level),
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
