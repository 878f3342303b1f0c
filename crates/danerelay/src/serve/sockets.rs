//! The sockets on which clients connect: systemd's, or our own.

use std::io;
use std::net::SocketAddr;

use listenfd::ListenFd;
use mail::event::{Event, EventLog, Level, Value};
use tokio::net::{TcpListener, TcpSocket};

use super::StartError;
use crate::config::Loaded;

/// Connections that may wait to be accepted; the system's own bound (`net.core.somaxconn`) applies besides.
const BACKLOG: u32 = 4096;

/// Listening sockets and their addresses.
pub(super) type Sockets = Vec<(TcpListener, SocketAddr)>;

/// Takes the sockets that systemd passes, or else listens on the configured addresses.
pub(super) fn open(loaded: &Loaded, log: &dyn EventLog) -> Result<Sockets, StartError> {
    let passed = passed().map_err(StartError::PassedSocket)?;
    let sockets = if passed.is_empty() {
        bind(loaded, log)?
    } else {
        passed
    };
    if sockets.is_empty() {
        return Err(StartError::NoAddress);
    }
    Ok(sockets)
}

/// `sd_listen_fds(3)`.
fn passed() -> io::Result<Sockets> {
    let mut passed = ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..passed.len() {
        if let Some(socket) = passed.take_tcp_listener(index)? {
            socket.set_nonblocking(true)?;
            let address = socket.local_addr()?;
            sockets.push((TcpListener::from_std(socket)?, address));
        }
    }
    Ok(sockets)
}

fn bind(loaded: &Loaded, log: &dyn EventLog) -> Result<Sockets, StartError> {
    let named = loaded.is_written("listen.smtp");
    let mut sockets = Vec::new();
    for address in &loaded.config.listen.smtp {
        match listen(*address) {
            Ok(socket) => sockets.push(socket),
            // Nobody asked for it on a machine without IPv6.
            Err(error) if !named && lacks_family(&error) => log.write(
                &Event::new(Level::Warning, "listen")
                    .with("address", Value::Word(address.to_string()))
                    .with("reason", Value::Quoted(error.to_string())),
            ),
            Err(cause) => {
                return Err(StartError::Listen {
                    address: *address,
                    cause,
                });
            }
        }
    }
    Ok(sockets)
}

fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // So that a restart need not wait for the connections of the daemon before to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let socket = socket.listen(BACKLOG)?;
    let address = socket.local_addr()?;
    Ok((socket, address))
}

/// EADDRNOTAVAIL or EAFNOSUPPORT.
fn lacks_family(error: &io::Error) -> bool {
    const EAFNOSUPPORT: i32 = 97;
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(EAFNOSUPPORT)
}
