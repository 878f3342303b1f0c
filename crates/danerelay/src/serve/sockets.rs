//! The sockets on which clients connect: systemd's, or our own.

use std::io;
use std::net::SocketAddr;

use listener::Encryption;
use mail::event::service::Listen;
use mail::event::{Event, EventLog};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use super::error::StartError;
use super::passed::{self, ListeningSocket};
use crate::access::{self, lacks_family};
use crate::config::Loaded;

/// How many connections may wait to be accepted; the system's own limit (`net.core.somaxconn`) applies as well.
const BACKLOG: i32 = 4096;

/// Uses the sockets that systemd passes, or if there are none listens on the configured addresses.
pub(super) fn open(loaded: &Loaded, log: &dyn EventLog) -> Result<Vec<ListeningSocket>, StartError> {
    let passed = passed::passed(loaded, log)?;
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

fn bind(loaded: &Loaded, log: &dyn EventLog) -> Result<Vec<ListeningSocket>, StartError> {
    let listen_on = &loaded.config.listen;
    let clear = listen_on
        .smtp
        .iter()
        .map(|address| (address, Encryption::StartTls));
    let implicit = listen_on
        .smtps
        .iter()
        .map(|address| (address, Encryption::Implicit));
    let named = loaded.is_written("listen.smtp");
    let mut sockets = Vec::new();
    for (address, encryption) in clear.chain(implicit) {
        match listen(*address) {
            Ok((listening, address)) => sockets.push(ListeningSocket {
                listening,
                address,
                encryption,
            }),
            // On a machine without IPv6, nobody asked for this default address.
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

/// Each socket is for one address family: `[::]` does not include `0.0.0.0`, so that both can be used together, and no
/// IPv4 client connects through an address that only looks like IPv6.
fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // So that a restart does not have to wait until the system has forgotten the previous daemon's connections.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let socket = TcpListener::from_std(socket.into())?;
    let address = socket.local_addr()?;
    Ok((socket, address))
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
        // The port that the system chose for IPv4 may be in use: then another one is tried.
        let both = (0..20).any(|_| {
            let (_four, at) = listen((Ipv4Addr::UNSPECIFIED, 0).into()).unwrap();
            listen((Ipv6Addr::UNSPECIFIED, at.port()).into()).is_ok()
        });
        assert!(both);
    }
}
