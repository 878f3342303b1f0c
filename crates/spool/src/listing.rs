//! What `queue list` shows: one object a message.

use jiff::Timestamp;
use mail::QueueId;
use serde::Serialize;

/// A message in the queue. Serialised, it is a line of `queue list --json`; times are RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueuedMessage {
    /// Its name.
    pub id: QueueId,
    /// The reverse-path without angle brackets; empty for the null reverse-path.
    pub sender: String,
    /// Octets of content.
    pub size: u64,
    /// When it was accepted.
    pub created: Timestamp,
    /// The attempts of the recipient that has most.
    pub attempts: u32,
    /// The earliest next attempt of its recipients; `None` while none is deferred.
    pub next_attempt: Option<Timestamp>,
    /// All recipients it was accepted for, the final ones too, in the order of the envelope.
    pub recipients: Vec<QueuedRecipient>,
}

/// One recipient of a [`QueuedMessage`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueuedRecipient {
    /// The forward-path.
    pub address: String,
    /// Where it stands.
    pub state: RecipientState,
    /// Where its mail goes.
    pub next_hop: String,
    /// Attempts that have ended.
    pub attempts: u32,
    /// When the next one is due; given while deferred.
    pub next_attempt: Option<Timestamp>,
    /// The SMTP reply that decided the last attempt, if one did.
    pub reply_code: Option<u16>,
    /// The enhanced status of the last attempt.
    pub enhanced: Option<String>,
    /// The reply of the last attempt, or our reason.
    pub reason: Option<String>,
}

/// Where a recipient stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RecipientState {
    /// Not tried yet.
    Queued,
    /// Being delivered now. Only the process that holds the lease knows; others see the state before.
    Leased,
    /// Tried, and to be tried again.
    Deferred,
    /// Kept back by the administrator.
    Held,
    /// The next hop has taken it.
    Sent,
    /// Given up.
    Failed,
}
