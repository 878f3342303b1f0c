//! The trait that every backend implements.

use std::future::Future;

use jiff::Timestamp;
use mail::{NextHop, QueueId};

use crate::error::SpoolError;
use crate::incoming::Incoming;
use crate::ledger::Ledger;
use crate::manage::Manage;
use crate::message::{
    Accepted, Lease, Leasing, NewMessage, Notices, Pending, Report, Reported, Settled, Settlement,
};
use crate::running::Running;

/// A durable queue: the way of a message through it.
///
/// A message is incoming, then queued; each of its recipients is leased, and then sent, failed, expired or deferred, and
/// a deferred one is leased again; the administrator may hold one and release it. Every step takes the state before by
/// value. The administrator's side is [`crate::Manage`].
pub trait Spool: Send + Sync + 'static {
    /// Begins to take in content. Fails with [`SpoolError::Full`] or [`SpoolError::TooManyMessages`] before the client
    /// sends anything in vain.
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

    /// Takes all waiting recipients of a message at one next hop, due or not. What somebody else has in hand
    /// ([`Leasing::Taken`]) may come back as it was, so whoever asks is to ask again.
    ///
    /// A message whose stored content is damaged is leased like any other, with [`crate::Content::Damaged`] where that is
    /// seen already: it cannot be sent, but it can be deferred and given up, and its sender can be told.
    fn lease(
        &self,
        id: QueueId,
        next_hop: &NextHop,
    ) -> impl Future<Output = Result<Leasing, SpoolError>> + Send;

    /// Records the outcomes of an attempt, what is to be told of them and what the ledger counts of them in one atomic
    /// step; durable when this returns `Ok`. Recipients of the lease without a settlement go back as they were. The
    /// message, its recipients and its content leave the spool when every recipient is final and nothing is to be told.
    ///
    /// `now` decides what else of the message is due ([`Settled::report_due`]).
    ///
    /// Outcomes outlive a disk that fails for a while: they are kept and written first once it works again, and
    /// this returns only then. Dropping the future does not undo the settlement.
    fn settle(
        &self,
        lease: Lease,
        settlements: Vec<Settlement>,
        now: Timestamp,
    ) -> impl Future<Output = Result<Settled, SpoolError>> + Send;

    /// The messages of which there is something to tell, for the start: a crash may have come before a report.
    fn unreported(&self) -> impl Future<Output = Result<Vec<QueueId>, SpoolError>> + Send;

    /// Takes all that is to be told to the sender of a message. `None` if there is nothing, or if somebody has taken it.
    /// Damaged content does not keep it back, as with [`Spool::lease`].
    fn notices(&self, id: QueueId) -> impl Future<Output = Result<Option<Notices>, SpoolError>> + Send;

    /// Queues a report and forgets what it tells in one atomic step; durable when this returns `Ok`. Without a report,
    /// what was to be told is forgotten. A message of which all is final and told leaves the spool.
    fn report(
        &self,
        notices: Notices,
        report: Option<Report>,
    ) -> impl Future<Output = Result<Reported, SpoolError>> + Send;

    /// Gives a lease back as if it had never been taken; nothing is written.
    fn release(&self, lease: Lease);
}

/// All that a daemon needs of its spool.
pub trait Store: Spool + Manage + Ledger + Running {}

impl<S: Spool + Manage + Ledger + Running> Store for S {}
