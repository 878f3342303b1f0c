//! What the writer and the callers share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mail::{Domain, Histogram};
use parking_lot::Mutex;
use spool::SpoolError;
use spool::leases::LeaseTable;

use crate::disk::space::Space;
use crate::log::checkpoints::Checkpoints;
use crate::reading::recent::Recent;
use crate::sql::messages::Counters;
use crate::steps::Faults;
use crate::telling::Teller;
use crate::writer::complaint::Complaint;

/// From a disk with a battery behind its cache to one that is in trouble.
const COMMIT_TIMES: &[Duration] = &[
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2_500),
    Duration::from_secs(10),
];

/// The state of the spool in this process.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Set when writing has failed and is not yet known to work again.
    pub(crate) broken: AtomicBool,
    pub(crate) checkpoints: Checkpoints,
    /// Messages in the queue.
    pub(crate) messages: AtomicU64,
    /// Transactions known to be durable since the spool was created.
    pub(crate) commits: AtomicU64,
    /// The most messages, or 0.
    pub(crate) queue_messages: u64,
    pub(crate) space: Arc<Space>,
    pub(crate) leases: LeaseTable,
    pub(crate) recent: Recent,
    /// Those of the checkpoints, too.
    pub(crate) faults: Faults,
    /// What the log has been told of failed writes.
    pub(crate) complaint: Mutex<Complaint>,
    pub(crate) teller: Teller,
    /// How long messages took to become durable.
    pub(crate) commit_times: Histogram,
    /// The domains that keep totals of their own in the ledger.
    pub(crate) apart: Arc<[Domain]>,
}

/// What bounds the queue, and the domains that the ledger keeps apart.
#[derive(Debug)]
pub(crate) struct Limits {
    /// The most messages, or 0.
    pub(crate) queue_messages: u64,
    /// Octets to stay free on the disk.
    pub(crate) spool_free: u64,
    pub(crate) apart: Arc<[Domain]>,
}

impl Shared {
    /// `directory`: the directory whose file system must have room.
    pub(crate) fn new(
        directory: PathBuf,
        limits: Limits,
        leases: LeaseTable,
        counters: Counters,
        (checkpoints, faults): (Checkpoints, Faults),
        teller: Teller,
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
            faults,
            complaint: Mutex::new(Complaint::to(teller.clone())),
            teller,
            commit_times: Histogram::new(COMMIT_TIMES),
            apart: limits.apart,
        })
    }

    /// Whether a new message would be refused, and why.
    pub(crate) fn accepting(&self) -> Result<(), SpoolError> {
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

    /// Whether one more message would exceed the limit, with so many messages.
    pub(crate) fn is_too_many(&self, messages: u64) -> bool {
        self.queue_messages != 0 && messages >= self.queue_messages
    }

    /// After a checkpoint: less room is to be kept for the next one.
    pub(crate) fn note_owed(&self) {
        if let Some(owed) = self.checkpoints.owed() {
            self.space.owe(owed);
        }
    }

    /// Remembers what is durable.
    pub(crate) fn count(&self, counters: Counters) {
        self.messages.store(counters.messages, Ordering::Relaxed);
        self.commits.store(counters.commits, Ordering::Relaxed);
    }
}
