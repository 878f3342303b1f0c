//! Where lines go.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::datagram::Datagrams;
use super::frame::Frame;
use super::queue::Batch;
use super::stderr;
use super::stream::{Kind, Stream};
use crate::config::schema::{Log, LogTarget};

/// Where the syslog daemon listens.
const SYSLOG: &str = "/dev/log";
/// Where the journal listens.
const JOURNALD: &str = "/run/systemd/journal/socket";

/// An open target.
pub(super) struct Target {
    frame: Frame,
    transport: Transport,
}

enum Transport {
    Stream(Stream),
    Datagrams(Datagrams),
}

impl Target {
    /// Opens the target. Only a file can fail here, or take long: a daemon that is not running yet may still start.
    pub(super) fn open(settings: &Log) -> io::Result<Self> {
        let (facility, format) = (settings.facility, settings.format);
        Ok(match &settings.target {
            LogTarget::Stderr => {
                let (stream, kind) = Stream::stderr()?;
                Self::stream(stream, Frame::Line { format, kind })
            }
            LogTarget::File(path) => {
                let kind = Kind::File;
                Self::stream(Stream::file(path)?, Frame::Line { format, kind })
            }
            LogTarget::Syslog => Self::daemon(Path::new(SYSLOG), Frame::Syslog { format, facility }),
            LogTarget::Journald => Self::daemon(Path::new(JOURNALD), Frame::Journald { format, facility }),
        })
    }

    /// A stream of lines.
    pub(super) fn stream(stream: Stream, frame: Frame) -> Self {
        let transport = Transport::Stream(stream);
        Self { frame, transport }
    }

    /// A daemon that listens at `socket`, now or later.
    pub(super) fn daemon(socket: &Path, frame: Frame) -> Self {
        let transport = Transport::Datagrams(Datagrams::to(socket));
        Self { frame, transport }
    }

    /// The format of its lines.
    pub(super) fn frame(&self) -> Frame {
        self.frame
    }

    /// Writes the batch from `written` on, as far as possible.
    pub(super) fn write(&mut self, batch: &Batch, written: &mut usize) -> io::Result<()> {
        match &mut self.transport {
            Transport::Stream(stream) => stream.write(batch, written),
            Transport::Datagrams(datagrams) => datagrams.write(batch, written),
        }
    }

    /// Reports on standard error that the target fails, if somebody reads that.
    pub(super) fn complain(&self, error: &io::Error) {
        let what = match (&self.transport, self.frame) {
            (Transport::Stream(_), Frame::Line { kind, .. }) if kind != Kind::File => return,
            (Transport::Stream(_), _) => "the log file".to_owned(),
            (Transport::Datagrams(datagrams), frame) => {
                format!("{} at {}", frame.name(), datagrams.path().display())
            }
        };
        stderr::say(
            &format!("danerelay: {what} cannot be written: {error}\n"),
            Some(Duration::ZERO),
        );
    }
}
