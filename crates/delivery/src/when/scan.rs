//! The scan at start: what is in the spool, page by page, while new mail is already delivered.

use std::sync::Arc;
use std::time::Duration;

use mail::{Event, EventLog, QueueId, event};
use spool::{Pending, Spool, SpoolError};
use tokio::sync::mpsc;

/// The maximum number of messages in one page.
const PAGE: usize = 1_000;
/// The number of pages read ahead.
const PAGES: usize = 2;
/// How long to wait after an error of the spool before trying again.
pub(super) const SPOOL_TROUBLE: Duration = Duration::from_secs(30);

/// What it found.
pub(super) enum Found {
    Pending(Vec<Pending>),
    Unreported(Vec<QueueId>),
}

/// Starts it. The channel ends with it.
pub(super) fn start<S: Spool>(spool: Arc<S>, events: Arc<dyn EventLog>) -> mpsc::Receiver<Found> {
    let (pages, found) = mpsc::channel(PAGES);
    tokio::spawn(scan(spool, pages, events));
    found
}

/// Reads the spool once: first what waits, in order, page by page; then which senders are still to be told. Errors are
/// logged, and reading is tried again.
async fn scan<S: Spool>(spool: Arc<S>, found: mpsc::Sender<Found>, events: Arc<dyn EventLog>) {
    let mut after = None;
    loop {
        match spool.pending(after, PAGE).await {
            Ok(page) => {
                let Some(last) = page.last() else { break };
                after = Some(last.id);
                if found.send(Found::Pending(page)).await.is_err() {
                    return;
                }
            }
            Err(error) => wait_for_the_spool(&error, &*events).await,
        }
    }
    loop {
        match spool.unreported().await {
            Ok(messages) => {
                // Nobody is receiving: the daemon is shutting down.
                let _ = found.send(Found::Unreported(messages)).await;
                return;
            }
            Err(error) => wait_for_the_spool(&error, &*events).await,
        }
    }
}

async fn wait_for_the_spool(error: &SpoolError, events: &dyn EventLog) {
    events.write(&Event::Spool(event::spool::Spool::Unread(error.to_string())));
    tokio::time::sleep(SPOOL_TROUBLE).await;
}
