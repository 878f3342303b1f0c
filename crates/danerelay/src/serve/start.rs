//! Opening everything, and joining it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use delivery::Surroundings;
use dns::Resolver;
use listener::{Listener, ListenerConfig};
use mail::Domain;
use mail::event::{Event, EventLog, Level, Value};
use policy::Policy;
use spool::EmbeddedSpool;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::notify::Status;
use super::self_test::{self, Watch, mode_word};
use super::{StartError, notify, resolver, settings, sockets, tls, unvalidated, words};
use crate::config::{Config, Loaded};
use crate::logging::Logger;
use crate::policy_file::LoadedPolicy;

/// The daemon while it runs.
pub(super) struct Daemon {
    /// The configuration file as named on the command line.
    pub(super) named: Option<PathBuf>,
    /// The configuration in force.
    pub(super) loaded: Loaded,
    /// The settings with which the daemon started: those that cannot change while it runs.
    pub(super) started_with: toml::Table,
    /// The names below which signatures are not demanded at present.
    pub(super) unvalidated: Vec<Domain>,
    pub(super) resolver: Resolver,
    pub(super) hostname: Domain,
    pub(super) log: Arc<Logger>,
    pub(super) policy: Arc<ArcSwap<Policy>>,
    pub(super) listener_config: watch::Sender<Arc<ListenerConfig>>,
    pub(super) spool: EmbeddedSpool,
    /// Tells the parts to end.
    pub(super) stop_parts: watch::Sender<bool>,
    pub(super) parts: Parts,
    /// What `systemctl status` shows.
    pub(super) status: Arc<Status>,
}

/// The tasks that must run as long as the daemon does.
pub(super) struct Parts {
    listener: JoinHandle<()>,
    delivery: JoinHandle<()>,
}

impl Parts {
    /// Waits for the first part to end, and names it.
    pub(super) async fn ended(&mut self) -> &'static str {
        tokio::select! {
            _ = &mut self.listener => "listener",
            _ = &mut self.delivery => "delivery",
        }
    }

    /// Waits for all parts to end.
    pub(super) async fn finish(&mut self) {
        for part in [&mut self.listener, &mut self.delivery] {
            if !part.is_finished() {
                // A panic has been logged where it happened.
                let _ = part.await;
            }
        }
    }
}

/// Opens everything and begins to accept mail.
pub(super) async fn start(
    named: Option<&Path>,
    loaded: Loaded,
    policy: LoadedPolicy,
    log: Arc<Logger>,
) -> Result<Daemon, StartError> {
    warn(&loaded.warnings, "config", &*log);
    warn(&policy.warnings, "policy", &*log);
    let config = &loaded.config;
    let hostname = settings::hostname(config)?;
    let (listener_config, listener_settings) =
        watch::channel(Arc::new(settings::listener(config, &hostname)?));
    let unvalidated = unvalidated::today(&config.dns, &policy.policy);
    let plan = resolver::plan(config, &unvalidated)?;
    let resolver = Resolver::new(plan.config.clone())?;
    let tls = tls::client(&config.tls)?;
    let spool = open_spool(config).await?;
    let (sockets, addresses): (Vec<_>, Vec<SocketAddr>) = sockets::open(&loaded, &*log)?.into_iter().unzip();
    let started = started(&loaded, &policy, &plan, &addresses);
    let dns = format!("DNS: {}, not tested yet", mode_word(plan.config.mode));
    let status = Arc::new(Status::new(words(&addresses), &dns));

    let (stop, stopped) = watch::channel(false);
    let policy = Arc::new(ArcSwap::from_pointee(policy.policy));
    let events: Arc<dyn EventLog> = Arc::<Logger>::clone(&log);
    // Before the first delivery: its look-ups wait for the test.
    let watch = Watch::new(
        resolver.clone(),
        plan,
        self_test::names(&config.dns),
        Arc::clone(&events),
        Arc::clone(&status),
    )?;
    let surroundings = Surroundings {
        spool: Arc::new(spool.clone()),
        resolver: resolver.clone(),
        policy: Arc::clone(&policy),
        tls,
        events: Arc::clone(&events),
    };
    let delivery_config = settings::delivery(config, &hostname, addresses);
    let (scheduler, delivery) =
        delivery::start(delivery_config, surroundings, stopped.clone()).map_err(StartError::Ehlo)?;
    let listener = Listener::new(
        Arc::new(spool.clone()),
        listener_settings,
        events,
        move |accepted| {
            scheduler.accepted(accepted.pending);
        },
    );
    tokio::spawn(watch.run(stopped.clone()));
    let listener = tokio::spawn(async move { listener.run(sockets, stopped).await });
    log.write(&started);
    if !unvalidated.is_empty() {
        log.write(&unvalidated::event(&unvalidated, resolver.mode()));
    }
    notify::ready(&status);
    Ok(Daemon {
        named: named.map(Path::to_owned),
        started_with: loaded.as_table(),
        loaded,
        unvalidated,
        resolver,
        hostname,
        log,
        policy,
        listener_config,
        spool,
        stop_parts: stop,
        parts: Parts { listener, delivery },
        status,
    })
}

/// Looks at what the configuration names, without changing or occupying anything.
pub(super) fn check(config: &Config) -> Result<(), StartError> {
    let hostname = settings::hostname(config)?;
    settings::listener(config, &hostname)?;
    Resolver::new(resolver::plan(config, &config.dns.domain_insecure)?.config)?;
    tls::client(&config.tls)?;
    Ok(())
}

async fn open_spool(config: &Config) -> Result<EmbeddedSpool, StartError> {
    let path = &config.spool.path;
    EmbeddedSpool::open(path, settings::spool(config))
        .await
        .map_err(|cause| StartError::Spool {
            path: path.clone(),
            cause,
        })
}

/// The event that says with what the daemon runs.
fn started(loaded: &Loaded, policy: &LoadedPolicy, plan: &resolver::Plan, addresses: &[SocketAddr]) -> Event {
    let built_in = || "built-in".to_owned();
    let config = if loaded.found {
        loaded.path.display().to_string()
    } else {
        built_in()
    };
    let policy = policy
        .file
        .as_ref()
        .map_or_else(built_in, |file| file.display().to_string());
    Event::new(Level::Info, "started")
        .with("version", Value::Word(env!("CARGO_PKG_VERSION").to_owned()))
        .with("listen", Value::Quoted(words(addresses)))
        .with("dns", Value::Word(mode_word(plan.config.mode).to_owned()))
        .with("reason", Value::Quoted(plan.reason.clone()))
        .with("servers", Value::Quoted(words(&plan.config.servers)))
        .with(
            "spool",
            Value::Quoted(loaded.config.spool.path.display().to_string()),
        )
        .with("config", Value::Quoted(config))
        .with("policy", Value::Quoted(policy))
}

/// Writes each warning as an event of this name.
pub(super) fn warn<T: std::fmt::Display>(warnings: &[T], name: &'static str, log: &dyn EventLog) {
    for warning in warnings {
        log.write(&Event::new(Level::Warning, name).with("reason", Value::Quoted(warning.to_string())));
    }
}
