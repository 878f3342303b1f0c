//! Why the daemon cannot start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use dns::ResolverError;
use mail::{AddressError, DomainError};
use spool::SpoolError;

use super::resolver::ResolverPlanError;
use super::tls::TlsError;

/// Why the daemon cannot start. All but the last are the administrator's to mend.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The log's target cannot be opened.
    #[error("log.target: {0}")]
    Log(io::Error),
    /// The system does not tell its name.
    #[error("the system's name cannot be read: {0}; set `hostname`")]
    NoHostname(io::Error),
    /// The system's name is none for a mail server.
    #[error("the system's name {name:?} is no domain name: {cause}; set `hostname`")]
    Hostname {
        /// The name.
        name: String,
        /// What is wrong with it.
        cause: DomainError,
    },
    /// There is no address for the postmaster at this host name.
    #[error("postmaster@hostname is no mailbox: {0}; set `delivery.postmaster`")]
    Postmaster(AddressError),
    /// The host name cannot be said in EHLO.
    #[error("hostname: {0}")]
    Ehlo(AddressError),
    /// An address is taken, is not this machine's, or needs a privilege.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        cause: io::Error,
    },
    /// systemd passes something that is no listening TCP socket.
    #[error("a socket passed by systemd cannot be used: {0}")]
    PassedSocket(io::Error),
    /// There is nowhere to listen.
    #[error("there is no address to listen on: `listen.smtp` is empty, and systemd passes no sockets")]
    NoAddress,
    /// Whom to ask is not clear.
    #[error(transparent)]
    ResolverPlan(#[from] ResolverPlanError),
    /// Whom to ask cannot be asked in this way.
    #[error("dns: {0}")]
    Resolver(#[from] ResolverError),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The spool cannot be used.
    #[error("the spool {}: {cause}", path.display())]
    Spool {
        /// Its directory.
        path: PathBuf,
        /// What the spool says.
        cause: SpoolError,
    },
    /// The system has no threads or signals for us.
    #[error("the system does not let the daemon run: {0}")]
    System(io::Error),
}
