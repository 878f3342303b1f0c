//! The sockets that systemd passes (`sd_listen_fds(3)`).

use std::io;
use std::net::SocketAddr;

use listener::Encryption;
use listenfd::ListenFd;
use mail::event::service::Listen;
use mail::event::{Event, EventLog};
use socket2::SockRef;
use tokio::net::TcpListener;

use crate::access;
use crate::config::Loaded;

/// The first descriptor that systemd passes (`sd_listen_fds(3)`).
const FIRST: usize = 3;

/// The name of a socket for TLS from the first octet (`FileDescriptorName=`).
const IMPLICIT_TLS: &str = "smtps";

/// A socket on which clients connect.
pub(super) struct ListeningSocket {
    pub(super) listening: TcpListener,
    pub(super) address: SocketAddr,
    /// How its connections begin.
    pub(super) encryption: Encryption,
}

/// What systemd passes is not what it claims to be: the administrator has to fix it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PassedError {
    /// The number of sockets is not a number.
    #[error("`LISTEN_FDS` is {0:?} in the environment; allowed: the number of sockets that are passed")]
    Number(String),
    /// A descriptor is not a TCP socket.
    #[error("descriptor {0} is no TCP socket; allowed: ListenStream=ADDRESS:PORT in the socket unit")]
    NoTcp(usize),
    /// A socket is not listening.
    #[error(
        "the socket of descriptor {0} does not listen; allowed: ListenStream=, with Accept=no, in the socket unit"
    )]
    Deaf(usize),
    /// A socket for TLS, but there is no certificate.
    #[error(
        "descriptor {0} has the name {IMPLICIT_TLS}, and there is no certificate; allowed with `listen.tls_certificate`"
    )]
    NoCertificate(usize),
    /// The system reports an error for it.
    #[error("descriptor {number}: {}", access::words(cause))]
    System {
        /// The descriptor.
        number: usize,
        /// The system's error.
        cause: io::Error,
    },
}

/// See `sd_listen_fds(3)`.
pub(super) fn passed(loaded: &Loaded, log: &dyn EventLog) -> Result<Vec<ListeningSocket>, PassedError> {
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
    let names = of("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let has_certificate = !loaded.config.listen.tls_certificate.as_os_str().is_empty();
    let mut passed = ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..passed.len() {
        let number = FIRST + index;
        let encryption = match names.next() {
            Some(IMPLICIT_TLS) if !has_certificate => return Err(PassedError::NoCertificate(number)),
            Some(IMPLICIT_TLS) => Encryption::Implicit,
            Some(_) | None => Encryption::StartTls,
        };
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
        sockets.push(ListeningSocket {
            listening: TcpListener::from_std(socket).map_err(refused)?,
            address,
            encryption,
        });
    }
    Ok(sockets)
}
