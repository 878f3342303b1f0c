//! The MTA-STS policies of others: where they are kept, and how they are fetched.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;

use delivery::route::StsLookups;
use dns::Resolver;
use mail::event::mta_sts::MtaSts;
use mail::{Event, EventLog};
use mta_sts::fetch::HttpsFetch;
use mta_sts::{Limits, Policies, Sources, SystemClock};

use super::settings::networks;
use super::tls::{self, TlsError};
use crate::config::Config;

/// The most octets of all policies in memory: a thousand of the largest, or many more than `cache_entries` of usual ones.
const OCTETS: usize = 64 * 1024 * 1024;
/// The file in the state directory.
const FILE: &str = "mta-sts.cache";
/// Of the state directory, if it has to be made.
const MODE: u32 = 0o750;

/// The policies of a daemon, kept in its state directory; `None` if it makes nothing of them. Mail does not wait for a
/// directory that cannot be used: policies are then fetched again after a restart.
pub(crate) fn open(
    config: &Config,
    resolver: &Resolver,
    events: &Arc<dyn EventLog>,
) -> Result<Option<Policies>, TlsError> {
    let Some(sources) = sources(config, resolver, events)? else {
        return Ok(None);
    };
    let (directory, limits) = (&config.state_directory, limits(config));
    let opened =
        make(directory).and_then(|()| Policies::open(sources.clone(), limits, &directory.join(FILE)));
    Ok(Some(opened.unwrap_or_else(|error| {
        let reason = format!("{}: {error}", directory.display());
        events.write(&Event::MtaSts(MtaSts::NotKept(reason)));
        Policies::in_memory(sources, limits)
    })))
}

/// The same for a command, which keeps nothing and writes no log. It knows the policies that the daemon has kept, if it may
/// read them.
pub(crate) fn for_command(config: &Config, resolver: &Resolver) -> Result<Option<Policies>, TlsError> {
    let nobody: Arc<dyn EventLog> = Arc::new(());
    let sources = sources(config, resolver, &nobody)?;
    let (limits, file) = (limits(config), config.state_directory.join(FILE));
    Ok(sources.map(|sources| {
        Policies::of_file(sources.clone(), limits, &file)
            .unwrap_or_else(|_| Policies::in_memory(sources, limits))
    }))
}

/// The same for a check, which wants to see what is published now, whatever this relay makes of policies.
pub(crate) fn live(config: &Config, resolver: &Resolver) -> Result<Policies, TlsError> {
    let nobody: Arc<dyn EventLog> = Arc::new(());
    Ok(Policies::in_memory(
        all_sources(config, resolver, &nobody)?,
        limits(config),
    ))
}

fn sources(
    config: &Config,
    resolver: &Resolver,
    events: &Arc<dyn EventLog>,
) -> Result<Option<Sources>, TlsError> {
    if !config.mta_sts.enabled {
        return Ok(None);
    }
    all_sources(config, resolver, events).map(Some)
}

fn all_sources(
    config: &Config,
    resolver: &Resolver,
    events: &Arc<dyn EventLog>,
) -> Result<Sources, TlsError> {
    let lookups = Arc::new(StsLookups {
        resolver: resolver.clone(),
        ignored: networks(&config.delivery.ignore_addresses),
    });
    let client = tls::https_client(config)?;
    Ok(Sources {
        txt: Arc::clone(&lookups) as _,
        fetch: Arc::new(HttpsFetch::new(client, lookups)),
        clock: Arc::new(SystemClock),
        events: Arc::clone(events),
    })
}

fn limits(config: &Config) -> Limits {
    Limits {
        entries: usize::try_from(config.mta_sts.cache_entries).unwrap_or(usize::MAX),
        octets: OCTETS,
    }
}

fn make(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(MODE).create(directory)
}
