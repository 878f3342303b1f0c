//! A spool that a daemon has open: what its start has found, and its end.

use std::future::Future;

use mail::QueueId;

use crate::error::SpoolError;

/// The deliveries in doubt of messages that still wait.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InDoubt {
    /// How many there are.
    pub deliveries: u64,
    /// How many recipients they have: so many duplicates are possible.
    pub recipients: u64,
    /// Their messages, each once; at most the first thousand.
    pub messages: Vec<QueueId>,
}

/// A spool between its opening and its closing.
pub trait Running: Send + Sync + 'static {
    /// Messages in the queue.
    fn messages(&self) -> u64;

    /// The deliveries that were under way when the last process ended, so that they may take place twice.
    fn in_doubt_at_start(&self) -> &InDoubt;

    /// Somebody has been told of [`Running::in_doubt_at_start`]. Until then the next start tells of them, too, so that
    /// one that fails half-way keeps nothing secret.
    fn doubts_told(&self);

    /// How many durable transactions had vanished from the store when it was opened: 0, unless the disk or somebody has
    /// damaged it.
    fn vanished_at_start(&self) -> u64;

    /// Writes what was handed over before, tidies up and gives the spool free for another process. Whatever is asked of
    /// it afterwards fails with [`SpoolError::Closed`].
    fn close(&self) -> impl Future<Output = Result<(), SpoolError>> + Send;
}
