//! The sockets that systemd passes (`sd_listen_fds(3)`).

use std::io;
use std::net::SocketAddr;

use listenfd::ListenFd;
use mail::event::service::Listen;
use mail::event::{Event, EventLog};
use socket2::SockRef;
use tokio::net::TcpListener;

use crate::access;

/// The first descriptor that systemd passes (`sd_listen_fds(3)`).
const FIRST: usize = 3;

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

/// `sd_listen_fds(3)`.
pub(super) fn passed(log: &dyn EventLog) -> Result<Sockets, PassedError> {
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
