//! Why the daemon cannot start.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use spool::SpoolError;

use super::lock_holder::Holder;
use super::passed::PassedError;
use crate::access::{self, Use, is_lasting, lacks_family};
use crate::config::LogTarget;
use crate::exit::{Verdict, of_spool};
use crate::ownership::OwnershipError;
use crate::wiring::WiringError;

/// Why the daemon cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The log's target cannot be opened.
    #[error("`log.target`: {}", log_words(target, cause))]
    Log {
        /// The target.
        target: LogTarget,
        /// The system's error.
        cause: io::Error,
    },
    /// An address is in use, does not belong to this machine, or needs a privilege.
    #[error("cannot listen on {address}: {}", listen_words(cause))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        cause: io::Error,
    },
    /// What systemd passes is not what it claims to be.
    #[error("socket activation: {0}")]
    PassedSocket(#[from] PassedError),
    /// There is no address to listen on.
    #[error(
        "there is no address to listen on: `listen.smtp` and `listen.smtps` are empty, and systemd passes no sockets"
    )]
    NoAddress,
    /// Something that the settings ask for cannot be set up.
    #[error(transparent)]
    Wiring(#[from] WiringError),
    /// Owners and modes prevent use of the spool, or would do so later.
    #[error("the spool {}: {cause}", path.display())]
    Ownership {
        /// Its directory.
        path: PathBuf,
        /// The reason.
        cause: OwnershipError,
    },
    /// The spool cannot be used.
    #[error("the spool {}: {}", path.display(), spool_words(path, cause))]
    Spool {
        /// Its directory.
        path: PathBuf,
        /// The spool's error.
        cause: SpoolError,
    },
}

impl StartError {
    /// The exit status for it. It is 1 if trying again may help, so that systemd tries again.
    pub(crate) fn verdict(&self) -> Verdict {
        let lasts = match self {
            Self::Log { cause, .. } => is_lasting(cause),
            Self::Listen { cause, .. } => is_lasting(cause) || lacks_family(cause),
            Self::Wiring(cause) => return cause.verdict(),
            Self::Spool { cause, .. } => return of_spool(cause),
            Self::PassedSocket(_) | Self::NoAddress | Self::Ownership { .. } => true,
        };
        if lasts { Verdict::Unusable } else { Verdict::Bad }
    }
}

fn log_words(target: &LogTarget, cause: &io::Error) -> String {
    match target {
        LogTarget::File(path) => format!("{}: {}", path.display(), access::explain(path, Use::Write, cause)),
        LogTarget::Stderr | LogTarget::Syslog | LogTarget::Journald => access::words(cause),
    }
}

fn listen_words(cause: &io::Error) -> String {
    let words = access::words(cause);
    match cause.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "{words}: ports below 1024 need the capability CAP_NET_BIND_SERVICE (AmbientCapabilities= in the unit)"
        ),
        io::ErrorKind::AddrInUse => format!("{words}: another program listens there"),
        io::ErrorKind::AddrNotAvailable => format!("{words}: no interface of this machine has it now"),
        _ => words,
    }
}

/// Adds who holds the lock, and which owners and modes deny access; the spool itself does not know this.
fn spool_words(path: &Path, cause: &SpoolError) -> String {
    match cause {
        SpoolError::Locked { path, .. } => {
            let lock = path.join("lock");
            format!("its lock {} is {}", lock.display(), Holder::of(&lock))
        }
        SpoolError::Io(error) => access::explain(path, Use::Keep, error),
        other => other.to_string(),
    }
}
