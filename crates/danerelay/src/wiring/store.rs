//! The spool that the settings name. Nothing else in this program knows which kind of store it is.

use std::sync::Arc;

use mail::EventLog;
use spool::{Incidents, Inspect, Ledger, SpoolError, Store, TlsTallies};
use spool_embedded::{EmbeddedSpool, Options, ReadOnlySpool};

use crate::config::Config;

/// Opens the spool for the daemon, or creates it; its reports go to the log.
pub(crate) async fn open(
    config: &Config,
    log: Arc<dyn EventLog>,
) -> Result<Arc<impl Store + use<>>, SpoolError> {
    let spool = EmbeddedSpool::open(&config.spool.path, options(config), log).await?;
    Ok(Arc::new(spool))
}

/// Opens the spool for reading, if the daemon is not running or cannot be asked.
pub(crate) fn open_to_look(
    config: &Config,
) -> Result<impl Inspect + Ledger + Incidents + TlsTallies, SpoolError> {
    ReadOnlySpool::open(&config.spool.path)
}

fn options(config: &Config) -> Options {
    Options {
        queue_messages: config.limits.queue_messages,
        spool_free: config.limits.spool_free.0,
        ledger_days: Some(report_days(config)),
        ledger_apart: config.report.internal_domains.clone(),
        ..Options::default()
    }
}

/// For how many days figures are kept by domain and host.
pub(crate) fn report_days(config: &Config) -> u32 {
    let days = config.report.keep.0.as_secs().div_ceil(24 * 60 * 60);
    u32::try_from(days).unwrap_or(u32::MAX)
}
