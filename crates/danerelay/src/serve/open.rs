//! Makes and opens what the daemon works with, before any of its parts starts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use delivery::TlsClient;
use dns::Resolver;
use listener::{Encryption, ListenerConfig};
use mail::Domain;
use mail::event::settings::Subject;
use mail::event::{Event, EventLog};
use mail::words::list;
use mta_sts::Policies;
use policy::Policy;
use spool::Store;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::announce::{self, warn};
use super::error::StartError;
use super::notify::Status;
use super::sockets;
use super::watch::Watch;
use crate::config::{Config, Loaded};
use crate::incidents::{Listening, OwnSide, Web};
use crate::logging::Logger;
use crate::monitor::{Metering, Metrics};
use crate::wiring::descriptors::Descriptors;
use crate::wiring::policy::{Files, LoadedPolicy};
use crate::wiring::{self, WiringError, clients, resolver, settings, tls, unvalidated};

/// What was read and opened before: the files and the log.
pub(super) struct Inputs {
    /// The configuration file as named on the command line.
    pub(super) named: Option<PathBuf>,
    pub(super) loaded: Loaded,
    pub(super) policy: LoadedPolicy,
    /// Those that the policy was read from.
    pub(super) files: Files,
    pub(super) log: Arc<Logger>,
    pub(super) metrics: Arc<Metrics>,
}

/// Everything that the parts of the daemon are made from.
pub(super) struct Opened<S> {
    pub(super) named: Option<PathBuf>,
    pub(super) loaded: Loaded,
    pub(super) hostname: Domain,
    pub(super) policy: Arc<ArcSwap<Policy>>,
    /// Those that the policy was read from.
    pub(super) files: Files,
    pub(super) log: Arc<Logger>,
    /// The same, by a way on which it is seen what is wrong on our own side.
    pub(super) events: Arc<dyn EventLog>,
    /// What is seen there.
    pub(super) own: OwnSide,
    pub(super) metrics: Arc<Metrics>,
    pub(super) spool: Arc<S>,
    pub(super) resolver: Resolver,
    /// Looks after the resolver; its look-ups wait for the first test.
    pub(super) watch: Watch,
    /// The names below which signatures are not required at present.
    pub(super) unvalidated: watch::Sender<Vec<Domain>>,
    pub(super) tls: TlsClient,
    pub(super) web: Web,
    pub(super) mta_sts: Option<Policies>,
    pub(super) listener_config: watch::Sender<Arc<ListenerConfig>>,
    /// The files used to serve clients, as they were just before they were read.
    pub(super) clients: Files,
    pub(super) sockets: Vec<(TcpListener, Encryption)>,
    /// Theirs.
    pub(super) addresses: Vec<SocketAddr>,
    /// What `systemctl status` shows.
    pub(super) status: Arc<Status>,
    /// What the log will say once everything has started.
    pub(super) started: Event,
}

/// Opens everything.
pub(super) async fn open(inputs: Inputs) -> Result<Opened<impl Store>, StartError> {
    warn_of(&inputs);
    let Inputs {
        named,
        loaded,
        policy,
        files,
        log,
        metrics,
    } = inputs;
    let config = &loaded.config;
    let hostname = settings::hostname(config)?;
    let clients = Files::of(clients::files(config));
    let listener_config = watch::Sender::new(Arc::new(settings::listener(config, &hostname)?));
    let names = unvalidated::today(&config.dns, &policy.policy);
    let plan = resolver::plan(config, &names).map_err(WiringError::from)?;
    let unvalidated = watch::Sender::new(names);
    let resolver = Resolver::new(plan.config.clone()).map_err(WiringError::from)?;
    let tls = tls::client(&config.tls).map_err(WiringError::from)?;
    let https = tls::https_client(config).map_err(WiringError::from)?;
    let metering = Metering::to(Arc::clone(&log), Arc::clone(&metrics));
    let listening = Arc::new(Listening::to(Arc::new(metering)));
    let own = listening.own().clone();
    let events: Arc<dyn EventLog> = listening;
    let mta_sts = wiring::mta_sts::open(config, &resolver, &events).map_err(WiringError::from)?;
    let spool = open_spool(config, Arc::clone(&events)).await?;
    announce::recovery(&*spool, &*log);
    let (sockets, addresses): (Vec<_>, Vec<SocketAddr>) = sockets::open(&loaded, &*log)?
        .into_iter()
        .map(|socket| ((socket.listening, socket.encryption), socket.address))
        .unzip();
    let started = announce::event(&loaded, &policy, &plan, &addresses);
    let dns = format!("DNS: {}, not tested yet", plan.mode_word());
    let status = Arc::new(Status::new(list(&addresses), &dns));
    let watch = Watch::new(
        resolver.clone(),
        plan,
        (&config.dns, unvalidated.subscribe()),
        Arc::clone(&events),
        Arc::clone(&status),
    );
    Ok(Opened {
        named,
        web: Web::new(https, resolver.clone()),
        loaded,
        hostname,
        policy: Arc::new(ArcSwap::from_pointee(policy.policy)),
        files,
        log,
        events,
        own,
        metrics,
        spool,
        resolver,
        watch,
        unvalidated,
        tls,
        mta_sts,
        listener_config,
        clients,
        sockets,
        addresses,
        status,
        started,
    })
}

/// Logs what is doubtful about what was read.
fn warn_of(inputs: &Inputs) {
    let log = &*inputs.log;
    warn(&inputs.loaded.warnings, Subject::Config, log);
    warn(&inputs.policy.warnings, Subject::Policy, log);
    let shortages = Descriptors::of_this_process().shortages(&inputs.loaded.config);
    warn(&shortages, Subject::Descriptors, log);
}

async fn open_spool(config: &Config, log: Arc<dyn EventLog>) -> Result<Arc<impl Store + use<>>, StartError> {
    wiring::store::open(config, log)
        .await
        .map_err(|cause| StartError::Spool {
            path: config.spool.path.clone(),
            cause,
        })
}
