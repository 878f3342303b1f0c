//! Where the queue and the ledger are read: from the daemon, or from the spool of a stopped one.

use std::future::Future;
use std::io;

use spool::{Incidents, Inspect, Ledger, TlsTallies};

use crate::commands::client::{AdminError, Client};
use crate::commands::output::notice;
use crate::config::Config;
use crate::failure::Failure;
use crate::wiring::{self, WiringError};

/// A way to read the queue.
pub(in crate::commands) enum Source<S> {
    /// The daemon, which knows which recipients are being delivered.
    Daemon(Client),
    /// The spool itself.
    Spool(S),
}

/// The daemon if one answers, otherwise the spool.
pub(in crate::commands) fn open(
    config: &Config,
) -> Result<Source<impl Inspect + Ledger + Incidents + TlsTallies>, Failure> {
    let trouble = match Client::connect(config) {
        Ok(client) => return Ok(Source::Daemon(client)),
        Err(trouble) => trouble,
    };
    match &trouble {
        // This is normal if no socket is configured.
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
    let spool = wiring::store::open_to_look(config).map_err(|cause| Failure::Unopened {
        path: config.spool.path.clone(),
        cause,
    })?;
    Ok(Source::Spool(spool))
}

/// Runs the reading of the spool to its end.
pub(in crate::commands) fn wait<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(WiringError::System)?;
    runtime.block_on(work)
}

fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
    )
}
