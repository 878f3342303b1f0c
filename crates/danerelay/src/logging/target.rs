//! Where events go.

use std::io::{self, Write};
use std::path::Path;

use mail::event::Event;

use super::journald::{self, Journald};
use super::stream::{Kind, Stream};
use super::syslog::{self, Syslog};
use crate::config::schema::{Log, LogTarget};

/// An open target.
pub(super) enum Target {
    /// Standard error or a file.
    Stream(Stream),
    /// The syslog daemon.
    Syslog(Syslog),
    /// The systemd journal.
    Journald(Journald),
}

impl Target {
    /// Opens the target. Only a file can fail here: a daemon that is not there yet may come.
    pub(super) fn open(settings: &Log) -> io::Result<Self> {
        let (facility, format) = (settings.facility, settings.format);
        Ok(match settings.target() {
            LogTarget::Stderr => Self::Stream(Stream::stderr(format)),
            LogTarget::File(path) => Self::Stream(Stream::file(&path, format)?),
            LogTarget::Syslog => Self::Syslog(Syslog::new(Path::new(syslog::SOCKET), facility, format)),
            LogTarget::Journald => {
                Self::Journald(Journald::new(Path::new(journald::SOCKET), facility, format))
            }
        })
    }

    /// Writes one event.
    pub(super) fn write(&mut self, event: &Event) -> io::Result<()> {
        match self {
            Self::Stream(stream) => stream.write(event),
            Self::Syslog(syslog) => syslog.write(event),
            Self::Journald(journald) => journald.write(event),
        }
    }

    /// Says on standard error that the target fails. If that fails too, nobody listens.
    pub(super) fn complain(&self, error: &io::Error) {
        let what = match self {
            Self::Stream(stream) => match stream.kind() {
                Kind::Journal | Kind::Stderr => return,
                Kind::File => "the log file".to_owned(),
            },
            Self::Syslog(syslog) => format!("syslog at {}", syslog.socket().display()),
            Self::Journald(journald) => format!("the journal at {}", journald.socket().display()),
        };
        let _ = writeln!(io::stderr(), "danerelay: {what} cannot be written: {error}");
    }
}
