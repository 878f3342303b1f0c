//! Datagrams to a local daemon that may stop and restart at any time: syslog or the journal.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;

use super::queue::Batch;

/// How long a datagram waits for room before this counts as a failure. A socket's queue holds few of them
/// (`net.unix.max_dgram_qlen`: often 10), so a burst of lines needs some patience.
const PATIENCE: Duration = Duration::from_secs(1);

/// The connection to the daemon behind one socket.
pub(super) struct Datagrams {
    path: PathBuf,
    /// `None` until the first datagram, and after the connection was lost.
    socket: Option<UnixDatagram>,
}

impl Datagrams {
    /// Nothing is opened before there is something to send: the daemon may start later than this one.
    pub(super) fn to(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            socket: None,
        }
    }

    /// The path of the socket.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Sends the lines of the batch from `written` on, one datagram each, as far as possible.
    pub(super) fn write(&mut self, batch: &Batch, written: &mut usize) -> io::Result<()> {
        while let Some(line) = batch.line_at(*written) {
            match self.send(line) {
                Ok(()) => {}
                // A socket with almost no buffer: trying again would not make it larger.
                Err(error) if Errno::from_io_error(&error) == Some(Errno::MSGSIZE) => {}
                Err(error) => return Err(error),
            }
            *written = written.saturating_add(line.len());
        }
        Ok(())
    }

    /// Sends one datagram, completely or not at all. If the connection is dead, reconnects once.
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        let was_connected = self.socket.is_some();
        match self.send_once(datagram) {
            Err(_) if was_connected && self.socket.is_none() => self.send_once(datagram),
            sent => sent,
        }
    }

    fn send_once(&mut self, datagram: &[u8]) -> io::Result<()> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => connect(&self.path)?,
        };
        let sent = send_uninterrupted(&socket, datagram);
        let daemon_is_gone = sent.as_ref().is_err_and(|error| {
            error.kind() != io::ErrorKind::WouldBlock && Errno::from_io_error(error) != Some(Errno::MSGSIZE)
        });
        if !daemon_is_gone {
            self.socket = Some(socket);
        }
        sent
    }
}

fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.connect(path)?;
    Ok(socket)
}

fn send_uninterrupted(socket: &UnixDatagram, datagram: &[u8]) -> io::Result<()> {
    loop {
        match socket.send(datagram) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            sent => return sent.map(drop),
        }
    }
}
