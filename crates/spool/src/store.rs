//! The trait that every backend implements.

use std::future::Future;

use jiff::Timestamp;
use mail::sighting::FailingSpot;
use mail::{NextHop, QueueId};

use crate::error::SpoolError;
use crate::incidents::KeepIncidents;
use crate::incoming::Incoming;
use crate::ledger::Ledger;
use crate::manage::Manage;
use crate::message::{
    Accepted, Lease, Leasing, NewMessage, Notices, Outcomes, Pending, Report, Reported, Settled,
};
use crate::running::Running;
use crate::tls::KeepTlsTallies;

/// A durable queue, as a message passes through it.
///
/// A message is received, then queued; each of its recipients is leased, and then sent, failed, expired or deferred, and a
/// deferred one is leased again; the administrator may hold one and release it. Every step takes the previous state by
/// value. The administrator's side is [`crate::Manage`].
pub trait Spool: Send + Sync + 'static {
    /// Starts receiving content. Fails with [`SpoolError::Full`] or [`SpoolError::TooManyMessages`] before the client sends
    /// anything in vain.
    fn create(&self) -> Result<Incoming, SpoolError>;

    /// Queues a message. It is durable when this returns `Ok`, and not in the spool if this returns an error or its future
    /// is dropped.
    fn commit(
        &self,
        incoming: Incoming,
        message: NewMessage,
    ) -> impl Future<Output = Result<Accepted, SpoolError>> + Send;

    /// A page of what is waiting, ordered by message id, for building the schedule at start.
    ///
    /// `after` is the id of the last item of the previous page. All items of one message are on one page, which may
    /// therefore be longer than `limit`; an empty page is the end.
    fn pending(
        &self,
        after: Option<QueueId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Pending>, SpoolError>> + Send;

    /// Takes all waiting recipients of a message at one next hop, due or not. What somebody else has taken
    /// ([`Leasing::Taken`]) may be returned unchanged, so the caller must ask again.
    ///
    /// A message whose stored content is damaged is leased like any other, with [`crate::Content::Damaged`] if that is
    /// already known: it cannot be sent, but it can be deferred and given up, and its sender can be told.
    fn lease(
        &self,
        id: QueueId,
        next_hop: &NextHop,
    ) -> impl Future<Output = Result<Leasing, SpoolError>> + Send;

    /// Records the outcomes of an attempt, what is to be reported about them, what the ledger and TLS reports count and
    /// which security failures it has seen in one atomic step; durable when this returns `Ok`. Recipients of the lease without a settlement are returned unchanged. The message, its
    /// recipients and its content leave the spool when every recipient is final and nothing is to be reported.
    ///
    /// `now` decides which other recipients of the message are due ([`crate::After::ReportDue`]).
    ///
    /// Outcomes survive a disk that fails for a while: they are kept and written first once it works again, and this returns
    /// only then. Dropping the future does not undo the settlement.
    fn settle(
        &self,
        lease: Lease,
        outcomes: impl Into<Outcomes> + Send,
        now: Timestamp,
    ) -> impl Future<Output = Result<Settled, SpoolError>> + Send;

    /// What fails by what is recorded, for the start.
    fn failing(&self) -> impl Future<Output = Result<Vec<FailingSpot>, SpoolError>> + Send;

    /// The messages with something to report, for the start: the last process may have crashed before a report.
    fn unreported(&self) -> impl Future<Output = Result<Vec<QueueId>, SpoolError>> + Send;

    /// Takes everything that the sender of a message is to be told. `None` if there is nothing, or if somebody has taken it.
    /// Damaged content does not prevent this, as with [`Spool::lease`].
    fn notices(&self, id: QueueId) -> impl Future<Output = Result<Option<Notices>, SpoolError>> + Send;

    /// Queues a report and removes what it tells in one atomic step; durable when this returns `Ok`. Without a report, what
    /// was to be told is dropped. A message whose recipients are all final and reported leaves the spool.
    fn report(
        &self,
        notices: Notices,
        report: Option<Report>,
    ) -> impl Future<Output = Result<Reported, SpoolError>> + Send;

    /// Returns a lease as if it had never been taken; nothing is written.
    fn release(&self, lease: Lease);
}

/// Everything that a daemon needs from its spool.
pub trait Store: Spool + Manage + Ledger + KeepIncidents + KeepTlsTallies + Running {}

impl<S: Spool + Manage + Ledger + KeepIncidents + KeepTlsTallies + Running> Store for S {}
