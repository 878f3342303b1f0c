//! What the writer and the callers' side both see.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::checkpoints::Checkpoints;
use super::recent::Recent;
use super::space::Space;
use super::steps::{self, Place};
use spool::SpoolError;
use spool::leases::LeaseTable;

/// The state of the spool in this process.
#[derive(Debug)]
pub(super) struct Shared {
    /// Writing failed and has not been found to work again.
    pub(super) broken: AtomicBool,
    pub(super) checkpoints: Checkpoints,
    /// Messages in the queue.
    pub(super) messages: AtomicU64,
    /// Transactions known to be durable since the spool was made.
    pub(super) commits: AtomicU64,
    /// The most messages, or 0.
    pub(super) queue_messages: u64,
    pub(super) space: Arc<Space>,
    pub(super) leases: LeaseTable,
    pub(super) recent: Recent,
    /// Errors to come, first one first, each at a place of its own.
    #[cfg(test)]
    pub(super) faults: std::sync::Mutex<std::collections::VecDeque<(Place, rusqlite::ffi::ErrorCode)>>,
}

impl Shared {
    pub(super) fn new(
        directory: PathBuf,
        limits: Limits,
        leases: LeaseTable,
        counters: Counters,
        checkpoints: Checkpoints,
    ) -> Arc<Self> {
        Arc::new(Self {
            broken: AtomicBool::new(false),
            checkpoints,
            messages: AtomicU64::new(counters.messages),
            commits: AtomicU64::new(counters.commits),
            queue_messages: limits.queue_messages,
            space: Arc::new(Space::new(directory, limits.spool_free)),
            leases,
            recent: Recent::default(),
            #[cfg(test)]
            faults: std::sync::Mutex::default(),
        })
    }

    /// Whether a new message would be refused, and why.
    pub(super) fn accepting(&self) -> Result<(), SpoolError> {
        if self.broken.load(Ordering::Relaxed) {
            let error =
                std::io::Error::other("an earlier write failed, and the disk does not work again yet");
            return Err(error.into());
        }
        if self.is_too_many(self.messages.load(Ordering::Relaxed)) {
            return Err(SpoolError::TooManyMessages);
        }
        self.space.check()
    }

    /// Whether there is no room for one more beside so many messages.
    pub(super) fn is_too_many(&self, messages: u64) -> bool {
        self.queue_messages != 0 && messages >= self.queue_messages
    }

    /// Remembers what is durable.
    pub(super) fn count(&self, counters: Counters) {
        self.messages.store(counters.messages, Ordering::Relaxed);
        self.commits.store(counters.commits, Ordering::Relaxed);
    }

    /// Tests let the process die here, or order an error for this place.
    #[cfg(test)]
    pub(super) fn fault(&self, place: Place) -> rusqlite::Result<()> {
        steps::reach(place);
        let mut faults = self
            .faults
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        match faults.front() {
            Some((at, code)) if *at == place => {
                let code = rusqlite::ffi::Error {
                    code: *code,
                    extended_code: 0,
                };
                faults.pop_front();
                Err(rusqlite::Error::SqliteFailure(code, None))
            }
            Some(_) | None => Ok(()),
        }
    }

    #[cfg(not(test))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "faults exist in tests only"
    )]
    pub(super) fn fault(&self, place: Place) -> rusqlite::Result<()> {
        steps::reach(place);
        Ok(())
    }
}

/// What bounds the queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The most messages, or 0.
    pub(super) queue_messages: u64,
    /// Octets to stay free on the disk.
    pub(super) spool_free: u64,
}

/// The row of the table of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counters {
    /// Transactions since the spool was made.
    pub(super) commits: u64,
    /// Messages in the queue.
    pub(super) messages: u64,
}
