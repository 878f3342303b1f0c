//! Where the queue is looked at: at the daemon, or in the spool of a stopped one.

use std::io;

use spool_embedded::ReadOnlySpool;

use crate::cli::client::{AdminError, Client};
use crate::cli::output::notice;
use crate::config::Config;
use crate::failure::Failure;

/// A way to the queue.
pub(super) enum Source {
    /// The daemon, which knows what is being delivered.
    Daemon(Client),
    /// The spool itself.
    Spool(ReadOnlySpool),
}

impl Source {
    /// The daemon where one answers, else the spool.
    pub(super) fn open(config: &Config) -> Result<Self, Failure> {
        let trouble = match Client::connect(config) {
            Ok(client) => return Ok(Self::Daemon(client)),
            Err(trouble) => trouble,
        };
        match &trouble {
            // As it should be, for a daemon that does not run.
            AdminError::NotConfigured => {}
            AdminError::NoDaemon { cause, .. } if is_absence(cause) => {}
            AdminError::NoDaemon { .. }
            | AdminError::Forbidden(_)
            | AdminError::OtherSpool { .. }
            | AdminError::BrokenOff { .. }
            | AdminError::Garbled { .. }
            | AdminError::Refused(_) => notice(&format!(
                "{trouble}; reading the spool itself, where it cannot be seen what is being delivered now"
            )),
        }
        Ok(Self::Spool(ReadOnlySpool::open(&config.spool.path)?))
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
    )
}
