//! What all connections share: what commands work on, and how many commands of a kind may run at once.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use delivery::{RetrySchedule, SchedulerHandle, Traces};
use dns::Resolver;
use mail::event::{self, Event};
use mail::{Domain, EventLog};
use spool::Unreadable;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::protocol::{Refusal, Reloaded};
use crate::config::schema::Incidents;
use crate::explain::Explainer;
use crate::incidents::Board;
use crate::monitor::Metrics;
use crate::own_mail::Post;
use crate::tlsrpt::Sender;
use crate::wiring::standing::Standing;

/// Lists that may read a page at once, each with one of the spool's few readers; while its client reads, a list has
/// none.
const LISTS: usize = 2;
/// Actions that may run at once: one after the other, so that their counts are clear.
const ACTIONS: usize = 1;

/// Explanations that may run at once: each may connect to all hosts of a destination.
const EXPLANATIONS: usize = 2;

/// Reports that may be made at once: each reads much of the ledger.
const REPORTS: usize = 1;

/// Retries that may be followed at once: each has a client's place for minutes.
pub(super) const FOLLOWED: usize = 8;

/// Asks the daemon to read files again, and to send back the result.
pub(crate) struct ReloadOrder {
    /// Which.
    pub(crate) what: Reading,
    /// Where the result goes.
    pub(crate) answer: oneshot::Sender<Result<Reloaded, Refusal>>,
}

/// Which files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Configuration, policy and everything that they name.
    Everything,
    /// The policy with its lists and exceptions.
    Policy,
}

/// What the daily mail needs beside the rest.
pub(crate) struct Daily<S> {
    /// Puts it into the queue.
    pub(crate) post: Arc<Post<S>>,
    /// Who gets it.
    pub(crate) told: Arc<ArcSwap<Incidents>>,
    /// Mail to these domains and those below them is not counted.
    pub(crate) internal: Vec<Domain>,
    /// The TLS reports that went out.
    pub(crate) metrics: Arc<Metrics>,
}

/// What commands work on.
pub(crate) struct Context<S> {
    /// The queue.
    pub(crate) spool: Arc<S>,
    /// Where the queue is: this tells a client that it has reached the right daemon.
    pub(crate) spool_path: PathBuf,
    /// Is told what to deliver now.
    pub(crate) scheduler: SchedulerHandle,
    /// Who is told what happens in deliveries.
    pub(crate) traces: Arc<Traces>,
    /// Its cached answers can be flushed.
    pub(crate) resolver: Resolver,
    /// Explains what is done for a destination.
    pub(crate) explainer: Explainer,
    /// How incidents stand.
    pub(crate) board: Board<S>,
    /// Writes the daily mail.
    pub(crate) daily: Daily<S>,
    /// Sends TLS reports, if it is said who reports.
    pub(crate) tlsrpt: Option<Arc<Sender<S>>>,
    /// When mail is given up.
    pub(crate) retry: RetrySchedule,
    /// The log.
    pub(crate) log: Arc<dyn EventLog>,
    /// What is not as it should be with the policy.
    pub(crate) standing: Standing,
    /// Where to ask for a reload.
    pub(crate) reload: mpsc::Sender<ReloadOrder>,
}

/// Everything that a connection shares with the others.
pub(super) struct Shared<S> {
    pub(super) context: Context<S>,
    pub(super) lists: Semaphore,
    pub(super) actions: Semaphore,
    pub(super) explanations: Semaphore,
    pub(super) reports: Semaphore,
    pub(super) followed: Semaphore,
}

impl<S> Shared<S> {
    pub(super) fn new(context: Context<S>) -> Self {
        Self {
            context,
            lists: Semaphore::new(LISTS),
            actions: Semaphore::new(ACTIONS),
            explanations: Semaphore::new(EXPLANATIONS),
            reports: Semaphore::new(REPORTS),
            followed: Semaphore::new(FOLLOWED),
        }
    }

    pub(super) fn log(&self, event: &Event) {
        self.context.log.write(event);
    }

    /// Logs once per command how many messages it could not read, and what to do about the first of them.
    pub(super) fn log_unreadable(&self, command: &'static str, unreadable: &Unreadable) {
        if unreadable.is_none() {
            return;
        }
        self.log(&Event::Spool(event::spool::Spool::Unreadable {
            action: command,
            messages: unreadable.messages,
            id: unreadable.id,
            error: unreadable.error.clone(),
        }));
    }
}
