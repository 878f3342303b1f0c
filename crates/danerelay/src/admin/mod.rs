//! The administrator's door into the running daemon: a Unix stream socket, `admin.socket`.
//!
//! * [`protocol`]: what is said through it, a line of JSON at a time. [`selectors`]: whom a command is about.
//!   [`letter`]: one message with all that is known of it.
//! * [`door`]: the socket in the file system. [`server`]: who comes in. [`places`]: how many, and who makes room for whom.
//!   [`peer`]: who it is.
//! * [`answers`]: what is written back. [`walk`]: the way through the queue. [`looking`]: commands that change
//!   nothing. [`explaining`]: what is done for a destination. [`acting`]: commands that change something; each of these is
//!   logged with who asked.
//!
//! Whoever may open the socket may do everything. Nothing that comes in through it ends the daemon, and nobody who
//! reads slowly or goes away keeps anything from others.

mod acting;
mod answers;
mod door;
mod explaining;
pub(crate) mod letter;
mod looking;
mod peer;
mod places;
pub(crate) mod protocol;
pub(crate) mod selectors;
mod server;
pub(crate) mod walk;

use std::path::PathBuf;
use std::sync::Arc;

use delivery::{RetrySchedule, SchedulerHandle};
use dns::Resolver;
use mail::EventLog;
use mail::event::{self, Event};
use spool::Unreadable;
use tokio::sync::{Semaphore, mpsc, oneshot};

pub(crate) use door::Door;
pub(crate) use looking::{DESTINATIONS, aged, letter_of};
pub(crate) use server::serve;

use crate::explain::Explainer;
use protocol::{Refusal, Reloaded};

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
struct Office<S> {
    surroundings: Surroundings<S>,
    lists: Semaphore,
    actions: Semaphore,
    explanations: Semaphore,
}

impl<S> Office<S> {
    fn new(surroundings: Surroundings<S>) -> Self {
        Self {
            surroundings,
            lists: Semaphore::new(LISTS),
            actions: Semaphore::new(ACTIONS),
            explanations: Semaphore::new(EXPLANATIONS),
        }
    }

    fn log(&self, event: &Event) {
        self.surroundings.log.write(event);
    }

    /// Says once for a command how many messages it could not read, and what to do about the first of them.
    fn log_unreadable(&self, command: &'static str, unreadable: &Unreadable) {
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
