//! What all connections share: what commands work on, and how many of a kind may be under way.

use std::path::PathBuf;
use std::sync::Arc;

use delivery::{RetrySchedule, SchedulerHandle};
use dns::Resolver;
use mail::EventLog;
use mail::event::{self, Event};
use spool::Unreadable;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::protocol::{Refusal, Reloaded};
use crate::explain::Explainer;

/// Lists that may read a page at once, each with one of the spool's few readers; while a client reads, it has none.
const LISTS: usize = 2;
/// Actions that may be under way at once: one after the other, so that their counts are plain.
const ACTIONS: usize = 1;

/// Explanations that may be under way at once: each may connect to all hosts of a destination.
const EXPLANATIONS: usize = 2;

/// Asks the daemon to read everything again, and wants to know what came of it.
pub(crate) type ReloadOrder = oneshot::Sender<Result<Reloaded, Refusal>>;

/// What commands work on.
pub(crate) struct Surroundings<S> {
    /// The queue.
    pub(crate) spool: Arc<S>,
    /// Where the queue is: by this a client knows that it talks to the daemon it means.
    pub(crate) spool_path: PathBuf,
    /// Told of what is to be delivered now.
    pub(crate) scheduler: SchedulerHandle,
    /// Forgets answers.
    pub(crate) resolver: Resolver,
    /// Explains what is done for a destination.
    pub(crate) explainer: Explainer,
    /// When mail is given up.
    pub(crate) retry: RetrySchedule,
    /// The log.
    pub(crate) log: Arc<dyn EventLog>,
    /// Where a reload is asked for.
    pub(crate) reload: mpsc::Sender<ReloadOrder>,
}

/// All that a connection shares with the others.
pub(super) struct Office<S> {
    pub(super) surroundings: Surroundings<S>,
    pub(super) lists: Semaphore,
    pub(super) actions: Semaphore,
    pub(super) explanations: Semaphore,
}

impl<S> Office<S> {
    pub(super) fn new(surroundings: Surroundings<S>) -> Self {
        Self {
            surroundings,
            lists: Semaphore::new(LISTS),
            actions: Semaphore::new(ACTIONS),
            explanations: Semaphore::new(EXPLANATIONS),
        }
    }

    pub(super) fn log(&self, event: &Event) {
        self.surroundings.log.write(event);
    }

    /// Says once for a command how many messages it could not read, and what to do about the first of them.
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
