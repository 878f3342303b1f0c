//! Starts the parts of the daemon, and connects them: first what delivers, then what clients, administrators and monitors
//! connect to.

use std::path::Path;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use delivery::{SchedulerHandle, Surroundings, SystemClock, Traces};
use listener::Listener;
use mail::Mailbox;
use mail::event::admin::Admin;
use mail::event::{Event, EventLog};
use mta_sts::Policies;
use spool::{Accepted, Running as _, Store};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::announce;
use super::daemon::{Daemon, Parts};
use super::error::StartError;
use super::open::{Inputs, Opened, open};
use super::watched::{Keeping, Watched};
use super::{keeping, monitoring, notify, tlsrpt};
use crate::admin::{self, AdminSocket, Daily, ReloadOrder};
use crate::config::schema::Incidents as IncidentSettings;
use crate::explain::Explainer;
use crate::incidents::{self, Board, Courier};
use crate::monitor::Sources;
use crate::own_mail::Post;
use crate::tlsrpt::Sender;
use crate::wiring::{WiringError, resolver, settings};

/// What delivers, and what looks after the policy that it delivers by.
struct Delivering {
    scheduler: SchedulerHandle,
    task: JoinHandle<()>,
    /// Who is told what happens in deliveries.
    traces: Arc<Traces>,
    /// The `From` address of reports to senders.
    postmaster: Arc<ArcSwapOption<Mailbox>>,
    explainer: Explainer,
    keeping: Keeping,
}

/// What the relay reports by itself: incidents to administrators, and sessions to those whom they are about.
struct Reporting<S> {
    /// How incidents stand.
    board: Board<S>,
    /// Who is told of them.
    told: Arc<ArcSwap<IncidentSettings>>,
    /// Puts our own mail into the queue.
    post: Arc<Post<S>>,
    /// Sends TLS reports, if it is said who reports.
    reports: Option<Arc<Sender<S>>>,
}

/// Opens everything and starts accepting mail.
pub(super) async fn start(inputs: Inputs) -> Result<Daemon<impl Store>, StartError> {
    let opened = open(inputs).await?;
    let (stop, stopped) = watch::channel(false);
    let delivering = deliver(&opened, &stopped)?;
    let reporting = reporting(&opened, &delivering, &stopped)?;
    let (admin, reloads) = administer(&opened, &delivering, &reporting, &stopped).await;
    let listener = Arc::new(listener(&opened, &delivering));
    monitor(&opened, &delivering, &reporting, &listener, &stopped).await;
    let incidents = incidents(&opened, &delivering, reporting, &stopped);
    let servers = opened.watch.rereading();
    tokio::spawn(opened.watch.run(stopped.clone()));
    if let Some(policies) = opened.mta_sts {
        tokio::spawn(refresh(policies, stopped.clone()));
    }
    let sockets = opened.sockets;
    let accepting = tokio::spawn(async move { listener.run(sockets, stopped).await });
    let names = opened.unvalidated.borrow().clone();
    announce::started(&opened.started, &names, opened.resolver.mode(), &*opened.log);
    // Not earlier: if the start fails half-way, the next one has to report it.
    opened.spool.doubts_told();
    notify::ready(&opened.status);
    let watchdog = notify::watchdog(Arc::clone(&opened.status), delivering.scheduler.clone());
    tokio::spawn(watchdog);
    let mut daemon = Daemon {
        named: opened.named,
        started_with: opened.loaded.config.clone(),
        loaded: opened.loaded,
        unvalidated: opened.unvalidated,
        resolver: opened.resolver,
        servers,
        hostname: opened.hostname,
        log: opened.log,
        events: opened.events,
        told: incidents.told,
        policy: opened.policy,
        scheduler: delivering.scheduler,
        traces: delivering.traces,
        postmaster: delivering.postmaster,
        clients: Watched::of(opened.clients),
        listener_config: opened.listener_config,
        spool: opened.spool,
        reloads,
        stop_parts: stop,
        parts: Parts {
            listener: accepting,
            delivery: delivering.task,
            incidents: incidents.task,
            admin,
        },
        keeping: delivering.keeping,
        list_fetch: None,
        looking: None,
        again: None,
        status: opened.status,
    };
    daemon.announce_ends();
    Ok(daemon)
}

/// Starts what delivers.
fn deliver<S: Store>(opened: &Opened<S>, stopped: &watch::Receiver<bool>) -> Result<Delivering, StartError> {
    let (config, events) = (&opened.loaded.config, &opened.events);
    let settings = settings::delivery(config, &opened.hostname, opened.addresses.clone());
    let postmaster = Arc::clone(&settings.postmaster);
    let explainer = Explainer {
        resolver: opened.resolver.clone(),
        names: resolver::names(&config.dns),
        mta_sts: opened.mta_sts.clone(),
        policy: Arc::clone(&opened.policy),
        delivery: settings.clone(),
        tls: Some(opened.tls.clone()),
    };
    let traces = Arc::new(Traces::default());
    traces.log(&config.log.trace);
    let surroundings = Surroundings {
        spool: Arc::clone(&opened.spool),
        resolver: opened.resolver.clone(),
        mta_sts: opened.mta_sts.clone(),
        policy: Arc::clone(&opened.policy),
        tls: opened.tls.clone().counted_by(opened.metrics.handshakes()),
        events: Arc::clone(events),
        clock: Arc::new(SystemClock),
        incidents: opened.own.changed(),
        sessions: tlsrpt::watch(config, &opened.resolver, events, stopped)?,
        traces: Arc::clone(&traces),
    };
    let (scheduler, task) =
        delivery::start(settings, surroundings, stopped.clone()).map_err(WiringError::Ehlo)?;
    let files = opened.files.clone();
    let keeping = keeping::start(
        (config, &opened.spool, &scheduler),
        &explainer,
        files,
        events,
        stopped,
    )
    .map_err(WiringError::from)?;
    Ok(Delivering {
        scheduler,
        task,
        traces,
        postmaster,
        explainer,
        keeping,
    })
}

/// Starts what sends TLS reports, and makes what incidents and mail of our own need.
fn reporting<S: Store>(
    opened: &Opened<S>,
    delivering: &Delivering,
    stopped: &watch::Receiver<bool>,
) -> Result<Reporting<S>, StartError> {
    let (config, spool, scheduler) = (&opened.loaded.config, &opened.spool, &delivering.scheduler);
    let reports = tlsrpt::sender(
        config,
        &opened.hostname,
        (spool, scheduler),
        (&opened.resolver, &opened.events),
    )?;
    if let Some(sender) = reports.clone() {
        let settings = (config.clone(), opened.hostname.to_string());
        tokio::spawn(tlsrpt::run(sender, settings, stopped.clone()));
    }
    let announced = scheduler.clone();
    Ok(Reporting {
        board: Board::new(Arc::clone(spool), &opened.own, config.delivery.max_age.0),
        told: Arc::new(ArcSwap::from_pointee(config.incidents.clone())),
        post: Arc::new(Post {
            spool: Arc::clone(spool),
            accepted: Box::new(move |accepted: Accepted| announced.schedule(accepted.pending)),
            relay: opened.hostname.to_string(),
        }),
        reports,
    })
}

/// Starts the admin socket, if there is to be one. Also gives where its commands ask for a reload.
async fn administer<S: Store>(
    opened: &Opened<S>,
    delivering: &Delivering,
    reporting: &Reporting<S>,
    stopped: &watch::Receiver<bool>,
) -> (Option<JoinHandle<()>>, mpsc::Receiver<ReloadOrder>) {
    let config = &opened.loaded.config;
    let (reload, reloads) = mpsc::channel(1);
    let Some(admin_socket) = open_admin_socket(&config.admin.socket, &*opened.events).await else {
        return (None, reloads);
    };
    let context = admin::Context {
        spool: Arc::clone(&opened.spool),
        spool_path: config.spool.path.clone(),
        board: reporting.board.clone(),
        daily: Daily {
            post: Arc::clone(&reporting.post),
            told: Arc::clone(&reporting.told),
            internal: config.report.internal_domains.clone(),
            metrics: Arc::clone(&opened.metrics),
        },
        tlsrpt: reporting.reports.clone(),
        scheduler: delivering.scheduler.clone(),
        traces: Arc::clone(&delivering.traces),
        resolver: opened.resolver.clone(),
        explainer: delivering.explainer.clone(),
        retry: settings::retry(config),
        log: Arc::clone(&opened.events),
        standing: delivering.keeping.standing.clone(),
        reload,
    };
    let task = tokio::spawn(admin::serve(admin_socket, context, stopped.clone()));
    (Some(task), reloads)
}

/// Accepts mail, which the scheduler is told of.
fn listener<S: Store>(opened: &Opened<S>, delivering: &Delivering) -> Listener<S> {
    let scheduler = delivering.scheduler.clone();
    Listener::new(
        Arc::clone(&opened.spool),
        opened.listener_config.subscribe(),
        Arc::clone(&opened.events),
        move |accepted: Accepted| scheduler.schedule(accepted.pending),
    )
}

/// Starts metrics, health and the status page, if they are to be had.
async fn monitor<S: Store>(
    opened: &Opened<S>,
    delivering: &Delivering,
    reporting: &Reporting<S>,
    listener: &Arc<Listener<S>>,
    stopped: &watch::Receiver<bool>,
) {
    let config = &opened.loaded.config;
    let Some(address) = config.admin.http.0 else {
        return;
    };
    let clients = Arc::clone(listener);
    let sources = Sources {
        hostname: opened.hostname.clone(),
        internal: config.report.internal_domains.clone(),
        spool: Arc::clone(&opened.spool),
        scheduler: delivering.scheduler.clone(),
        resolver: opened.resolver.clone(),
        board: reporting.board.clone(),
        policy: Arc::clone(&opened.policy),
        standing: delivering.keeping.standing.clone(),
        clients: Box::new(move || clients.connections()),
        metrics: Arc::clone(&opened.metrics),
    };
    monitoring::start(address, sources, &opened.events, stopped).await;
}

/// What watches incidents, and who is told.
struct Incidents {
    task: JoinHandle<()>,
    told: Arc<ArcSwap<IncidentSettings>>,
}

/// Starts what watches incidents.
fn incidents<S: Store>(
    opened: &Opened<S>,
    delivering: &Delivering,
    reporting: Reporting<S>,
    stopped: &watch::Receiver<bool>,
) -> Incidents {
    let (told, events) = (reporting.told, &opened.events);
    let courier = Courier::new(
        Arc::clone(&told),
        opened.web.clone(),
        reporting.post,
        Arc::clone(events),
    );
    let watch = incidents::Watch::new(
        (reporting.board, delivering.keeping.standing.clone()),
        courier,
        Arc::clone(events),
        opened.loaded.config.state_directory.join("notices"),
    );
    let task = tokio::spawn(watch.run(stopped.clone()));
    Incidents { task, told }
}

/// Keeps policies fresh until the daemon stops.
async fn refresh(policies: Policies, mut stopped: watch::Receiver<bool>) {
    tokio::select! {
        () = mta_sts::refresh::refresh(policies) => {}
        // An error means that the sender is gone.
        _ = stopped.wait_for(|stop| *stop) => {}
    }
}

/// Mail does not wait for an admin socket that cannot be opened.
async fn open_admin_socket(socket: &Path, log: &dyn EventLog) -> Option<AdminSocket> {
    if socket.as_os_str().is_empty() {
        return None;
    }
    match AdminSocket::open(socket).await {
        Ok(admin_socket) => {
            if admin_socket.has_replaced_another() {
                let socket = socket.display().to_string();
                log.write(&Event::Admin(Admin::SocketReplaced(socket)));
            }
            Some(admin_socket)
        }
        Err(error) => {
            log.write(&Event::Admin(Admin::NoSocket(error.to_string())));
            None
        }
    }
}
