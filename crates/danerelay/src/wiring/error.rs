//! Why what the settings name cannot be built.

use std::io;

use dns::ResolverError;
use mail::{AddressError, DomainError};
use rustls::pki_types::pem;

use super::clients::ClientsError;
use super::resolver::ResolverPlanError;
use super::tls::TlsError;
use crate::access::{self, is_lasting};
use crate::exit::Verdict;

/// Why what the settings name cannot be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WiringError {
    /// The system does not tell its name.
    #[error("the system's name cannot be read: {}; set `hostname`", access::words(.0))]
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
    /// Whom to ask is not clear.
    #[error(transparent)]
    ResolverPlan(#[from] ResolverPlanError),
    /// Whom to ask cannot be asked in this way.
    #[error("dns: {0}")]
    Resolver(#[from] ResolverError),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Clients cannot be served as configured.
    #[error(transparent)]
    Clients(#[from] ClientsError),
    /// The system has no threads or signals for us.
    #[error("the system does not let the daemon run: {}", access::words(.0))]
    System(io::Error),
}

impl WiringError {
    /// What the exit status says of it. What another try may mend is 1, so that systemd tries again.
    pub(crate) fn verdict(&self) -> Verdict {
        let lasts = match self {
            Self::ResolverPlan(ResolverPlanError::AnchorUnreadable { cause, .. }) => is_lasting(cause),
            Self::Tls(cause) | Self::ResolverPlan(ResolverPlanError::Tls(cause)) => is_lasting_tls(cause),
            Self::Clients(cause) => cause.is_lasting(),
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
