//! The daemon while it runs: what its orders work on, and the tasks that it consists of.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use delivery::{SchedulerHandle, Traces};
use dns::Resolver;
use listener::ListenerConfig;
use mail::event::EventLog;
use mail::{Domain, Mailbox};
use policy::Policy;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::list_fetch::ListFetch;
use super::notify::Status;
use super::watched::{Keeping, Looking, Watched};
use crate::admin::ReloadOrder;
use crate::config::schema::Incidents as IncidentSettings;
use crate::config::{Config, Loaded};
use crate::logging::Logger;

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
    /// The files used to serve clients.
    pub(super) clients: Watched,
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
    pub(super) list_fetch: Option<ListFetch>,
    /// A look at the files that are watched.
    pub(super) looking: Option<Looking>,
    /// When to read again what was refused for want of a new list.
    pub(super) again: Option<Instant>,
    /// What `systemctl status` shows.
    pub(super) status: Arc<Status>,
}

/// The tasks that run as long as the daemon does; without the first two it would be useless.
pub(super) struct Parts {
    pub(super) listener: JoinHandle<()>,
    pub(super) delivery: JoinHandle<()>,
    pub(super) incidents: JoinHandle<()>,
    pub(super) admin: Option<JoinHandle<()>>,
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
