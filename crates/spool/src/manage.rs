//! The administrator's side of the queue.

use std::future::Future;
use std::ops::ControlFlow;

use jiff::Timestamp;
use mail::QueueId;
use serde::Serialize;

use crate::content::Content;
use crate::error::SpoolError;
use crate::listing::{Declared, QueuedMessage, Summary, Unreadable};
use crate::message::{Pending, RecipientIndex};

/// What the administrator can do with recipients in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Try deferred recipients now.
    Retry,
    /// Keep back those that wait.
    Hold,
    /// Release held recipients, and try them now.
    Release,
    /// Remove deferred or held recipients from the queue; nobody is told.
    Delete,
}

/// Recipients of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// The message.
    pub id: QueueId,
    /// The recipients, each once.
    pub recipients: Vec<RecipientIndex>,
}

/// The result of an action. The numbers count recipients and add up to those selected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Acted {
    /// Recipients for which it was done.
    pub done: u64,
    /// Being delivered at the moment, and therefore left alone.
    pub leased: u64,
    /// In a state that the action does not apply to: final, gone, held or not held.
    pub unsuitable: u64,
    /// The messages in which something was changed.
    #[serde(skip)]
    pub messages: Vec<QueueId>,
    /// What is waiting in the touched parts of messages, due now or later. These parts could not be leased meanwhile, so all
    /// of it must be put into the schedule again.
    #[serde(skip)]
    pub pending: Vec<Pending>,
}

/// A queue that can be looked at.
pub trait Inspect: Send + Sync + 'static {
    /// Shows every message in the order of acceptance until `visit` breaks off; holds a few hundred in memory. Only the
    /// message with this id, if one is given. Unreadable messages are skipped and counted.
    fn list(
        &self,
        id: Option<QueueId>,
        visit: impl FnMut(QueuedMessage) -> ControlFlow<()> + Send + 'static,
    ) -> impl Future<Output = Result<Unreadable, SpoolError>> + Send;

    /// Shows the messages accepted after this one, likewise; it need not be in the queue any more. A caller who shows the
    /// results to somebody slow continues this way, and holds nothing open meanwhile.
    fn list_after(
        &self,
        after: QueueId,
        visit: impl FnMut(QueuedMessage) -> ControlFlow<()> + Send + 'static,
    ) -> impl Future<Output = Result<Unreadable, SpoolError>> + Send;

    /// Counts by state, octets, the oldest message, ages at this time, and the `most` next hops and reasons with the most
    /// messages.
    fn summary(
        &self,
        most: usize,
        now: Timestamp,
    ) -> impl Future<Output = Result<Summary, SpoolError>> + Send;

    /// What was declared about a message; `None` if there is no such message.
    fn declared(&self, id: QueueId) -> impl Future<Output = Result<Option<Declared>, SpoolError>> + Send;

    /// The content of a message; `None` if there is no such message.
    fn content(&self, id: QueueId) -> impl Future<Output = Result<Option<Content>, SpoolError>> + Send;
}

/// A queue that can be changed.
pub trait Manage: Inspect {
    /// Applies an action to recipients in one atomic step; durable when this returns `Ok`. What is leased is left alone, and
    /// what is being changed cannot be leased meanwhile. At most some thousand recipients at a time.
    fn act(
        &self,
        action: Action,
        selected: Vec<Selected>,
        now: Timestamp,
    ) -> impl Future<Output = Result<Acted, SpoolError>> + Send;

    /// Deletes a message with unreadable data, by its id alone, together with its recipients and its content; nobody is
    /// told. Durable when this returns `Ok`. While a part of it is being delivered, it is left alone.
    ///
    /// Fails with [`SpoolError::Corrupt`], and changes nothing, if a page of the database with a part of it is malformed:
    /// nothing can be written to such a page.
    fn discard(&self, id: QueueId) -> impl Future<Output = Result<Acted, SpoolError>> + Send;
}
