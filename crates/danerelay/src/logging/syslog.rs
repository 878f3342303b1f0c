//! Messages to the syslog daemon, in the form in which syslog(3) sends them.

use std::io;
use std::path::Path;

use jiff::Zoned;
use mail::event::Event;

use super::datagram::{Datagrams, is_too_long};
use super::line::{message, severity, shortened};
use crate::config::schema::{LogFacility, LogFormat};

/// Where the daemon listens.
pub(super) const SOCKET: &str = "/dev/log";

/// The way to the daemon.
pub(super) struct Syslog {
    datagrams: Datagrams,
    facility: LogFacility,
    format: LogFormat,
}

impl Syslog {
    /// To the daemon that listens at `socket`, now or later.
    pub(super) fn new(socket: &Path, facility: LogFacility, format: LogFormat) -> Self {
        Self {
            datagrams: Datagrams::to(socket),
            facility,
            format,
        }
    }

    /// Where the messages go.
    pub(super) fn socket(&self) -> &Path {
        self.datagrams.path()
    }

    /// Sends one event as a message; with long texts cut where the socket does not take it whole.
    pub(super) fn write(&mut self, event: &Event) -> io::Result<()> {
        match self.datagrams.send(self.record(event).as_bytes()) {
            Err(error) if is_too_long(&error) => {
                self.datagrams.send(self.record(&shortened(event)).as_bytes())
            }
            sent => sent,
        }
    }

    /// `<22>Nov  2 09:41:44 danerelay[1234]: key=value, key=value` (RFC 3164 §4.1), in local time. Without the name of
    /// the host, which the daemon knows.
    fn record(&self, event: &Event) -> String {
        format!(
            "<{priority}>{time} danerelay[{pid}]: {message}",
            priority = self.facility.number() * 8 + severity(event.level),
            time = Zoned::now().strftime("%b %e %H:%M:%S"),
            pid = std::process::id(),
            message = message(self.format, event),
        )
    }
}
