//! Why something that the settings ask for cannot be set up.

use std::io;

use dns::ResolverError;
use mail::{AddressError, DomainError};
use rustls::pki_types::pem;

use super::clients::ClientsError;
use super::resolver::ResolverPlanError;
use super::tls::TlsError;
use super::tlsrpt::SendingError;
use crate::access::{self, is_lasting};
use crate::exit::Verdict;

/// Why something that the settings ask for cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WiringError {
    /// The system's host name cannot be read.
    #[error("the system's name cannot be read: {}; set `hostname`", access::words(.0))]
    NoHostname(io::Error),
    /// The system's host name is not valid for a mail server.
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
    /// The host name cannot be used in EHLO.
    #[error("hostname: {0}")]
    Ehlo(AddressError),
    /// The resolver's settings cannot be determined.
    #[error(transparent)]
    ResolverPlan(#[from] ResolverPlanError),
    /// The resolver configuration is invalid.
    #[error("dns: {0}")]
    Resolver(#[from] ResolverError),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Clients cannot be served as configured.
    #[error(transparent)]
    Clients(#[from] ClientsError),
    /// TLS reports cannot be sent as configured.
    #[error(transparent)]
    Tlsrpt(#[from] SendingError),
    /// The system refuses threads or signals.
    #[error("the system does not let the daemon run: {}", access::words(.0))]
    System(io::Error),
}

impl WiringError {
    /// The exit status for it. It is 1 if trying again may help, so that systemd tries again.
    pub(crate) fn verdict(&self) -> Verdict {
        let lasts = match self {
            Self::ResolverPlan(ResolverPlanError::AnchorUnreadable { cause, .. }) => is_lasting(cause),
            Self::Tls(cause) | Self::ResolverPlan(ResolverPlanError::Tls(cause)) => is_lasting_tls(cause),
            Self::Clients(cause) => cause.is_lasting(),
            Self::Tlsrpt(cause) => cause.is_lasting(),
            Self::System(_) => false,
            Self::NoHostname(_)
            | Self::Hostname { .. }
            | Self::Postmaster(_)
            | Self::Ehlo(_)
            | Self::ResolverPlan(ResolverPlanError::Anchor { .. })
            | Self::Resolver(_) => true,
        };
        if lasts { Verdict::Unusable } else { Verdict::Bad }
    }
}

fn is_lasting_tls(error: &TlsError) -> bool {
    match error {
        TlsError::Unreadable {
            cause: pem::Error::Io(error),
            ..
        } => is_lasting(error),
        TlsError::Unreadable { .. }
        | TlsError::Root { .. }
        | TlsError::NoRoots(_)
        | TlsError::Settings(_)
        | TlsError::NameServers(_) => true,
    }
}
