//! Datagrams to a daemon on this machine that may end and start anew at any time.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;

/// How long a datagram waits for room. Few fit into the queue of a socket (`net.unix.max_dgram_qlen`: often 10), so
/// that a burst of lines needs some patience, but a daemon that hangs must not hold up the mail.
const PATIENCE: Duration = Duration::from_millis(100);

/// The way to the daemon behind one socket.
pub(super) struct Datagrams {
    path: PathBuf,
    /// None until the first datagram, and after the daemon was lost.
    socket: Option<UnixDatagram>,
    /// How long a datagram may wait.
    patience: Duration,
    /// Whether the one before waited in vain, so that the next one does not wait at all.
    is_hanging: bool,
}

impl Datagrams {
    /// Nothing is opened before there is something to send: the daemon may come up later than this one.
    pub(super) fn to(path: &Path) -> Self {
        Self::with_patience(path, PATIENCE)
    }

    /// As [`Datagrams::to`]; a datagram waits for room for up to `patience`, which is not zero.
    pub(super) fn with_patience(path: &Path, patience: Duration) -> Self {
        Self {
            path: path.to_owned(),
            socket: None,
            patience,
            is_hanging: false,
        }
    }

    /// Where they go.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Sends one datagram, whole or not at all. A connection that has died is made anew, once.
    pub(super) fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        let was_connected = self.socket.is_some();
        match self.send_once(datagram) {
            Err(_) if was_connected && self.socket.is_none() => self.send_once(datagram),
            sent => sent,
        }
    }

    fn send_once(&mut self, datagram: &[u8]) -> io::Result<()> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => connect(&self.path, self.patience)?,
        };
        socket.set_nonblocking(self.is_hanging)?;
        let sent = send_uninterrupted(&socket, datagram);
        match &sent {
            Ok(()) => self.is_hanging = false,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_hanging = true,
            Err(error) if is_too_long(error) => {}
            // The daemon is gone.
            Err(_) => return sent,
        }
        self.socket = Some(socket);
        sent
    }
}

/// Whether it was the datagram that was too long, not the daemon that failed.
pub(super) fn is_too_long(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::MSGSIZE)
}

fn connect(path: &Path, patience: Duration) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(patience))?;
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
