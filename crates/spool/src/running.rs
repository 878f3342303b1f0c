//! A spool that a daemon has open: what was found at its start, and its end.

use std::future::Future;

use mail::{Observed, QueueId};

use crate::error::SpoolError;

/// The deliveries in doubt of messages that are still waiting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InDoubt {
    /// How many there are.
    pub deliveries: u64,
    /// How many recipients they have: this many duplicates are possible.
    pub recipients: u64,
    /// Their messages, each once; at most the first thousand.
    pub messages: Vec<QueueId>,
}

/// The room on the disk of the spool, in octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// What is free.
    pub free: u64,
    /// What must stay free: with less, nothing is accepted.
    pub kept: u64,
}

/// A spool between its opening and its closing.
pub trait Running: Send + Sync + 'static {
    /// Messages in the queue.
    fn messages(&self) -> u64;

    /// The deliveries that were in progress when the last process ended, and may therefore be repeated.
    fn in_doubt_at_start(&self) -> &InDoubt;

    /// [`Running::in_doubt_at_start`] has been reported. Until this is called the next start reports them, too, so that a
    /// start that fails half-way hides nothing.
    fn doubts_told(&self);

    /// How many durable transactions were missing from the store when it was opened: 0, unless the disk or somebody has
    /// damaged it.
    fn vanished_at_start(&self) -> u64;

    /// How long it took to make messages durable: what clients wait for before they read 250. Those that failed are not
    /// counted.
    fn commit_times(&self) -> Observed;

    /// Whether a new message would be accepted, and if not, why.
    fn accepts(&self) -> Result<(), SpoolError>;

    /// The room on the disk; `None` if that cannot be found out.
    fn disk(&self) -> Option<DiskSpace>;

    /// Writes what was handed over before, cleans up and releases the spool for another process. All later requests fail
    /// with [`SpoolError::Closed`].
    fn close(&self) -> impl Future<Output = Result<(), SpoolError>> + Send;
}
