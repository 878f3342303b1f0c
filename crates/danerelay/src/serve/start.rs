//! Opens everything, and connects the parts.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use delivery::{SchedulerHandle, Surroundings, SystemClock, Traces};
use dns::Resolver;
use listener::{Listener, ListenerConfig};
use mail::event::admin::Admin;
use mail::event::settings::Subject;
use mail::event::{Event, EventLog};
use mail::{Domain, Mailbox};
use mta_sts::Policies;
use policy::Policy;
use spool::{Accepted, Manage, Running as _, Store};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::announce::{self, listed, warn};
use super::errand::Errand;
use super::error::StartError;
use super::notify::Status;
use super::watch::Watch;
use super::watched::Keeping;
use super::{keeping, monitoring, notify, sockets, tlsrpt};
use crate::admin::{self, Daily, Door, ReloadOrder};
use crate::config::schema::Incidents as IncidentSettings;
use crate::config::{Config, Loaded};
use crate::explain::Explainer;
use crate::incidents::{self, Board, Courier, Listening, Web};
use crate::logging::Logger;
use crate::monitor::{Metering, Metrics, Sources};
use crate::own_mail::Post;
use crate::tlsrpt::Sender;
use crate::wiring::descriptors::Descriptors;
use crate::wiring::policy::{Files, LoadedPolicy};
use crate::wiring::stamps::Stamps;
use crate::wiring::standing::Standing;
use crate::wiring::{self, WiringError, clients, resolver, settings, tls, unvalidated};

/// The daemon while it runs.
pub(super) struct Daemon<S> {
    /// The configuration file as named on the command line.
    pub(super) named: Option<PathBuf>,
    /// The configuration in force.
    pub(super) loaded: Loaded,
    /// The settings with which the daemon started, for those that cannot change while it runs.
    pub(super) started_with: Config,
    /// The names below which signatures are not required at present.
    pub(super) unvalidated: watch::Sender<Vec<Domain>>,
    pub(super) resolver: Resolver,
    /// Triggers another reading of the system's list of name servers.
    pub(super) servers: Arc<Notify>,
    pub(super) hostname: Domain,
    pub(super) log: Arc<Logger>,
    /// The same, by a way on which it is seen what is wrong on our own side.
    pub(super) events: Arc<dyn EventLog>,
    /// Who is told of incidents.
    pub(super) told: Arc<ArcSwap<IncidentSettings>>,
    pub(super) policy: Arc<ArcSwap<Policy>>,
    pub(super) scheduler: SchedulerHandle,
    /// Who is told what happens in deliveries.
    pub(super) traces: Arc<Traces>,
    /// The `From` address of reports to senders.
    pub(super) postmaster: Arc<ArcSwapOption<Mailbox>>,
    /// The state of the files used to serve clients, at the time they were read.
    pub(super) stamps: Stamps,
    pub(super) listener_config: watch::Sender<Arc<ListenerConfig>>,
    pub(super) spool: Arc<S>,
    /// Where administrators' requests for a reload arrive.
    pub(super) reloads: mpsc::Receiver<ReloadOrder>,
    /// Tells the parts to stop.
    pub(super) stop_parts: watch::Sender<bool>,
    pub(super) parts: Parts,
    /// What keeps the policy current.
    pub(super) keeping: Keeping,
    /// New lists that are being fetched before the policy is read.
    pub(super) errand: Option<Errand>,
    /// When to read again what was refused for want of a new list.
    pub(super) again: Option<Instant>,
    /// What `systemctl status` shows.
    pub(super) status: Arc<Status>,
}

/// The tasks that run as long as the daemon does; without the first two it would be useless.
pub(super) struct Parts {
    listener: JoinHandle<()>,
    delivery: JoinHandle<()>,
    incidents: JoinHandle<()>,
    admin: Option<JoinHandle<()>>,
}

impl Parts {
    /// Waits until one of the essential parts has ended, and names it.
    pub(super) async fn ended(&mut self) -> &'static str {
        tokio::select! {
            _ = &mut self.listener => "listener",
            _ = &mut self.delivery => "delivery",
        }
    }

    /// Waits until all parts have ended.
    pub(super) async fn finish(&mut self) {
        let parts = [
            Some(&mut self.listener),
            Some(&mut self.delivery),
            Some(&mut self.incidents),
            self.admin.as_mut(),
        ];
        for part in parts.into_iter().flatten() {
            if !part.is_finished() {
                // A panic has already been logged.
                let _ = part.await;
            }
        }
    }
}

/// Opens everything and starts accepting mail.
#[allow(
    clippy::too_many_lines,
    reason = "each part is made once, from those before it"
)]
pub(super) async fn start(
    named: Option<&Path>,
    loaded: Loaded,
    (policy, files): (LoadedPolicy, Files),
    (log, metrics): (Arc<Logger>, Arc<Metrics>),
) -> Result<Daemon<impl Store>, StartError> {
    warn(&loaded.warnings, Subject::Config, &*log);
    warn(&policy.warnings, Subject::Policy, &*log);
    let config = &loaded.config;
    warn(
        &Descriptors::of_this_process().shortages(config),
        Subject::Descriptors,
        &*log,
    );
    let hostname = settings::hostname(config)?;
    let stamps = Stamps::of(clients::files(config));
    let (listener_config, listener_settings) =
        watch::channel(Arc::new(settings::listener(config, &hostname)?));
    let unvalidated = unvalidated::today(&config.dns, &policy.policy);
    let plan = resolver::plan(config, &unvalidated).map_err(WiringError::from)?;
    let resolver = Resolver::new(plan.config.clone()).map_err(WiringError::from)?;
    let tls = tls::client(&config.tls).map_err(WiringError::from)?;
    let web = tls::https_client(config).map_err(WiringError::from)?;
    let web = Web::new(web, resolver.clone());
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
    let status = Arc::new(Status::new(listed(&addresses), &dns));

    let (stop, stopped) = watch::channel(false);
    let policy = Arc::new(ArcSwap::from_pointee(policy.policy));
    let without_dnssec = watch::Sender::new(unvalidated.clone());
    // Before the first delivery, whose look-ups wait for the test.
    let watch = Watch::new(
        resolver.clone(),
        plan,
        (&config.dns, without_dnssec.subscribe()),
        Arc::clone(&events),
        Arc::clone(&status),
    );
    let servers = watch.rereading();
    let delivery_config = settings::delivery(config, &hostname, addresses);
    let postmaster = Arc::clone(&delivery_config.postmaster);
    let explainer = Explainer {
        resolver: resolver.clone(),
        names: resolver::names(&config.dns),
        mta_sts: mta_sts.clone(),
        policy: Arc::clone(&policy),
        delivery: delivery_config.clone(),
        tls: Some(tls.clone()),
    };
    let traces = Arc::new(Traces::default());
    traces.log(&config.log.trace);
    let surroundings = Surroundings {
        spool: Arc::clone(&spool),
        resolver: resolver.clone(),
        mta_sts: mta_sts.clone(),
        policy: Arc::clone(&policy),
        tls: tls.counted_by(metrics.handshakes()),
        events: Arc::clone(&events),
        clock: Arc::new(SystemClock),
        incidents: own.changed(),
        sessions: tlsrpt::watch(config, &resolver, &events, &stopped)?,
        traces: Arc::clone(&traces),
    };
    let (scheduler, delivery) =
        delivery::start(delivery_config, surroundings, stopped.clone()).map_err(WiringError::Ehlo)?;
    let keeping = keeping::start((config, &spool, &scheduler), &explainer, files, &events, &stopped)
        .map_err(WiringError::from)?;
    let board = Board::new(Arc::clone(&spool), &own, config.delivery.max_age.0);
    let sender = tlsrpt::sender(config, &hostname, (&spool, &scheduler), (&resolver, &events))?;
    if let Some(sender) = sender.clone() {
        let settings = (config.clone(), hostname.to_string());
        tokio::spawn(tlsrpt::run(sender, settings, stopped.clone()));
    }
    let told = Arc::new(ArcSwap::from_pointee(config.incidents.clone()));
    let post = post(&spool, &scheduler, &hostname);
    let daily = Daily {
        post: Arc::clone(&post),
        told: Arc::clone(&told),
        internal: config.report.internal_domains.clone(),
        metrics: Arc::clone(&metrics),
    };
    let parts = (&scheduler, &traces, &keeping.standing);
    let kept = (&spool, board.clone(), sender, daily);
    let (admin, reloads) = open_admin(config, kept, parts, explainer, &events).await;
    let admin = admin.map(|(door, room)| tokio::spawn(admin::serve(door, room, stopped.clone())));
    let announced = scheduler.clone();
    let schedule = move |accepted: Accepted| announced.schedule(accepted.pending);
    let listener = Arc::new(Listener::new(
        Arc::clone(&spool),
        listener_settings,
        Arc::clone(&events),
        schedule,
    ));
    if let Some(address) = config.admin.http.0 {
        let clients = Arc::clone(&listener);
        let sources = Sources {
            hostname: hostname.clone(),
            internal: config.report.internal_domains.clone(),
            spool: Arc::clone(&spool),
            scheduler: scheduler.clone(),
            resolver: resolver.clone(),
            board: board.clone(),
            policy: Arc::clone(&policy),
            standing: keeping.standing.clone(),
            clients: Box::new(move || clients.connections()),
            metrics,
        };
        monitoring::start(address, sources, &events, &stopped).await;
    }
    tokio::spawn(watch.run(stopped.clone()));
    if let Some(mta_sts) = mta_sts {
        tokio::spawn(refresh(mta_sts, stopped.clone()));
    }
    let courier = Courier::new(Arc::clone(&told), web, post, Arc::clone(&events));
    let incidents = incidents::Watch::new(
        (board, keeping.standing.clone()),
        courier,
        Arc::clone(&events),
        config.state_directory.join("notices"),
    );
    let incidents = tokio::spawn(incidents.run(stopped.clone()));
    let listener = tokio::spawn(async move { listener.run(sockets, stopped).await });
    announce::started(&started, &unvalidated, resolver.mode(), &*log);
    // Not earlier: if the start fails half-way, the next one has to report it.
    spool.doubts_told();
    notify::ready(&status);
    tokio::spawn(notify::watchdog(Arc::clone(&status), scheduler.clone()));
    let mut daemon = Daemon {
        keeping,
        errand: None,
        again: None,
        named: named.map(Path::to_owned),
        started_with: loaded.config.clone(),
        loaded,
        unvalidated: without_dnssec,
        resolver,
        servers,
        hostname,
        log,
        events,
        told,
        policy,
        scheduler,
        traces,
        postmaster,
        stamps,
        listener_config,
        spool,
        reloads,
        stop_parts: stop,
        parts: Parts {
            listener,
            delivery,
            incidents,
            admin,
        },
        status,
    };
    daemon.announce_ends();
    Ok(daemon)
}

/// Keeps policies fresh until the daemon stops.
async fn refresh(policies: Policies, mut stopped: watch::Receiver<bool>) {
    tokio::select! {
        () = mta_sts::refresh::refresh(policies) => {}
        // An error means that the sender is gone.
        _ = stopped.wait_for(|stop| *stop) => {}
    }
}

/// Puts our own mail into the queue.
fn post<S: Store>(spool: &Arc<S>, scheduler: &SchedulerHandle, hostname: &Domain) -> Arc<Post<S>> {
    let scheduler = scheduler.clone();
    Arc::new(Post {
        spool: Arc::clone(spool),
        accepted: Box::new(move |accepted: Accepted| scheduler.schedule(accepted.pending)),
        relay: hostname.to_string(),
    })
}

/// What sends TLS reports, where they are collected.
type Reporter<S> = Option<Arc<Sender<S>>>;

/// An open admin socket with what its commands work on.
type AdminParts<S> = (Door, admin::Surroundings<S>);

/// The admin socket, if there is to be one, what its commands work on, and where they ask for a reload.
async fn open_admin<S: Manage>(
    config: &Config,
    (spool, board, tlsrpt, daily): (&Arc<S>, Board<S>, Reporter<S>, Daily<S>),
    (scheduler, traces, standing): (&SchedulerHandle, &Arc<Traces>, &Standing),
    explainer: Explainer,
    log: &Arc<dyn EventLog>,
) -> (Option<AdminParts<S>>, mpsc::Receiver<ReloadOrder>) {
    let (reload, reloads) = mpsc::channel(1);
    let Some(door) = open_door(&config.admin.socket, &**log).await else {
        return (None, reloads);
    };
    let surroundings = admin::Surroundings {
        spool: Arc::clone(spool),
        spool_path: config.spool.path.clone(),
        board,
        daily,
        tlsrpt,
        scheduler: scheduler.clone(),
        traces: Arc::clone(traces),
        resolver: explainer.resolver.clone(),
        explainer,
        retry: settings::retry(config),
        log: Arc::clone(log),
        standing: standing.clone(),
        reload,
    };
    (Some((door, surroundings)), reloads)
}

/// Mail does not wait for an admin socket that cannot be opened.
async fn open_door(socket: &Path, log: &dyn EventLog) -> Option<Door> {
    if socket.as_os_str().is_empty() {
        return None;
    }
    match Door::open(socket).await {
        Ok(door) => {
            if door.has_replaced_another() {
                let socket = socket.display().to_string();
                log.write(&Event::Admin(Admin::SocketReplaced(socket)));
            }
            Some(door)
        }
        Err(error) => {
            log.write(&Event::Admin(Admin::NoSocket(error.to_string())));
            None
        }
    }
}

async fn open_spool(config: &Config, log: Arc<dyn EventLog>) -> Result<Arc<impl Store + use<>>, StartError> {
    wiring::store::open(config, log)
        .await
        .map_err(|cause| StartError::Spool {
            path: config.spool.path.clone(),
            cause,
        })
}
