//! The trait that every backend implements.

use std::future::Future;

use mail::{NextHop, QueueId};

use crate::error::SpoolError;
use crate::incoming::Incoming;
use crate::message::{Accepted, Lease, NewMessage, Pending, Report, Settled, Settlement};

/// A durable queue.
///
/// A message is incoming, then queued; each of its recipients is leased, and then sent, failed or deferred, and a
/// deferred one is leased again. Every step takes the state before by value.
pub trait Spool: Send + Sync + 'static {
    /// Begins to take in content. Fails with [`SpoolError::Full`] before the client sends anything in vain.
    fn create(&self) -> Result<Incoming, SpoolError>;

    /// Queues a message. It is durable when this returns `Ok`, and not in the spool when it returns an error or
    /// its future is dropped.
    fn commit(
        &self,
        incoming: Incoming,
        message: NewMessage,
    ) -> impl Future<Output = Result<Accepted, SpoolError>> + Send;

    /// A page of what waits, ordered by message id, for building the schedule at start.
    ///
    /// `after` is the id of the last item of the page before. All items of one message come in one page, which
    /// may therefore be longer than `limit`; an empty page is the end.
    fn pending(
        &self,
        after: Option<QueueId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Pending>, SpoolError>> + Send;

    /// Takes all waiting recipients of a message at one next hop, due or not. `None` if nothing is left to do
    /// there, or if it is leased already.
    fn lease(
        &self,
        id: QueueId,
        next_hop: &NextHop,
    ) -> impl Future<Output = Result<Option<Lease>, SpoolError>> + Send;

    /// Records the outcomes of an attempt in one atomic step; durable when this returns `Ok`. Recipients of the
    /// lease without a settlement go back as they were. A report is queued in the same step, or neither happens. The message, its recipients and its content leave the
    /// spool when every recipient is final.
    ///
    /// Outcomes outlive a disk that fails for a while: they are kept and written first once it works again, and
    /// this returns only then. Dropping the future does not undo the settlement.
    fn settle(
        &self,
        lease: Lease,
        settlements: Vec<Settlement>,
        report: Option<Report>,
    ) -> impl Future<Output = Result<Settled, SpoolError>> + Send;

    /// Gives a lease back as if it had never been taken; nothing is written.
    fn release(&self, lease: Lease);
}
