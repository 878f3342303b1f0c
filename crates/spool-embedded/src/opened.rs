//! An open spool, as its callers use it.

use std::sync::Arc;

use mail::QueueId;
use spool::blocking::blocking;
use spool::incoming::{Complete, Room};
use spool::{InDoubt, Incoming, SpoolError};
use tokio::sync::{mpsc, oneshot};

use crate::disk::bodies::Directories;
use crate::disk::doubts::DoubtsFile;
use crate::reading::pool::Readers;
use crate::shared::Shared;
use crate::sql::new_message::{Body, Stored};
use crate::writer::job::{Job, Reply};

/// An open spool. The writer ends when the last clone is dropped.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) jobs: mpsc::Sender<Job>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) directories: Directories,
    pub(crate) readers: Arc<Readers>,
    pub(crate) doubts: Arc<DoubtsFile>,
    /// What the start has found.
    pub(crate) in_doubt: InDoubt,
    pub(crate) vanished: u64,
}

impl Opened {
    /// [`SpoolError::Closed`] once it is.
    pub(crate) fn check_open(&self) -> Result<(), SpoolError> {
        if self.jobs.is_closed() {
            return Err(SpoolError::Closed);
        }
        Ok(())
    }

    /// Whether a new message would be refused now, and why: because the spool is closed, too full or broken. Cheap enough to
    /// call for every transaction.
    pub(crate) fn accepting(&self) -> Result<(), SpoolError> {
        self.check_open()?;
        self.shared.accepting()
    }

    /// Hands over a job with a channel for the reply, and waits for the reply.
    pub(crate) async fn ask<T, J: Into<Job>>(
        &self,
        job: impl FnOnce(Reply<T>) -> J,
    ) -> Result<T, SpoolError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.jobs.send(job(reply).into()).await;
        sent.map_err(|_| SpoolError::Closed)?;
        answer.await.unwrap_or(Err(SpoolError::Closed))
    }

    /// Moves content to its final place, so that its message can be committed.
    pub(crate) async fn put(&self, id: QueueId, incoming: Incoming) -> Result<Body, SpoolError> {
        let (size, sum) = (incoming.size(), incoming.checksum());
        let stored = match incoming.complete().await? {
            Complete::Memory(octets) => {
                // In the log, and with the next checkpoint in the database.
                self.shared.space.take(size.saturating_mul(2))?;
                Stored::Inline(octets)
            }
            Complete::File(file) => {
                let directories = self.directories.clone();
                Stored::File(blocking(move || directories.publish(id, file)).await?)
            }
        };
        Ok(Body { size, sum, stored })
    }
}
