//! The sockets on which clients connect: systemd's, or our own.

use std::io;
use std::net::SocketAddr;

use listenfd::ListenFd;
use mail::event::service::Listen;
use mail::event::{Event, EventLog};
use rustix::io::Errno;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::TcpListener;

use super::StartError;
use crate::access;
use crate::config::Loaded;

/// Connections that may wait to be accepted; the system's own bound (`net.core.somaxconn`) applies besides.
const BACKLOG: i32 = 4096;

/// Listening sockets and their addresses.
pub(super) type Sockets = Vec<(TcpListener, SocketAddr)>;

/// What systemd passes is not what it says: the administrator's to mend.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PassedError {
    /// The number of sockets is none.
    #[error("`LISTEN_FDS` is {0:?} in the environment; allowed: the number of sockets that are passed")]
    Number(String),
    /// A descriptor that is no TCP socket.
    #[error("descriptor {0} is no TCP socket; allowed: ListenStream=ADDRESS:PORT in the socket unit")]
    NoTcp(usize),
    /// A socket that does not listen.
    #[error(
        "the socket of descriptor {0} does not listen; allowed: ListenStream=, with Accept=no, in the socket unit"
    )]
    Deaf(usize),
    /// The system refuses its use.
    #[error("descriptor {number}: {}", access::words(cause))]
    System {
        /// The descriptor.
        number: usize,
        /// What the system says.
        cause: io::Error,
    },
}

/// The first descriptor that systemd passes (`sd_listen_fds(3)`).
const FIRST: usize = 3;

/// Takes the sockets that systemd passes, or else listens on the configured addresses.
pub(super) fn open(loaded: &Loaded, log: &dyn EventLog) -> Result<Sockets, StartError> {
    let passed = passed(log)?;
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
fn passed(log: &dyn EventLog) -> Result<Sockets, PassedError> {
    let of = |name| {
        std::env::var(name)
            .ok()
            .filter(|value: &String| !value.is_empty())
    };
    if let Some(count) = of("LISTEN_FDS").filter(|count| count.parse::<u16>().is_err()) {
        return Err(PassedError::Number(count));
    }
    if let Some(process) = of("LISTEN_PID").filter(|process| *process != std::process::id().to_string()) {
        log.write(&Event::Listen(Listen::PassedToAnother(process)));
    }
    let mut passed = ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..passed.len() {
        let number = FIRST + index;
        let Some(socket) = passed
            .take_tcp_listener(index)
            .map_err(|_| PassedError::NoTcp(number))?
        else {
            continue;
        };
        let refused = |cause| PassedError::System { number, cause };
        if !SockRef::from(&socket).is_listener().map_err(refused)? {
            return Err(PassedError::Deaf(number));
        }
        socket.set_nonblocking(true).map_err(refused)?;
        let address = socket.local_addr().map_err(refused)?;
        sockets.push((TcpListener::from_std(socket).map_err(refused)?, address));
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
            Err(error) if !named && (lacks_family(&error) || lacks_address(&error)) => {
                log.write(&Event::Listen(Listen::NoAddress {
                    address: *address,
                    reason: access::words(&error),
                }));
            }
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

/// Each address is of one family: `[::]` does not take the place of `0.0.0.0`, so that both may stand side by side, and
/// no IPv4 client comes by an address that only looks like IPv6.
fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // So that a restart need not wait for the connections of the daemon before to be forgotten.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let socket = TcpListener::from_std(socket.into())?;
    let address = socket.local_addr()?;
    Ok((socket, address))
}

/// Whether the system does not have that family at all.
pub(super) fn lacks_family(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error())
}

/// Whether this machine has no such address.
fn lacks_address(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[tokio::test]
    async fn both_families_listen_on_one_port() {
        // Others may have taken the port that the system gives for IPv4: then another one is tried.
        let both = (0..20).any(|_| {
            let (_four, at) = listen((Ipv4Addr::UNSPECIFIED, 0).into()).unwrap();
            listen((Ipv6Addr::UNSPECIFIED, at.port()).into()).is_ok()
        });
        assert!(both);
    }
}
