//! The states of a message in the spool, as types: what goes in, what waits, what is leased, what comes back.

use bytes::Bytes;
use jiff::Timestamp;
use mail::{BodyType, Envelope, Mailbox, NextHop, Outcome, QueueId, ReversePath};

use crate::content::Content;
use crate::leases::LeaseGuard;

/// What the listener knows about a message once its content is complete.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// The name it will have.
    pub id: QueueId,
    /// Reverse-path, recipients and body type; at least one recipient.
    pub envelope: Envelope,
    /// When it was accepted; kept in milliseconds.
    pub created: Timestamp,
}

/// A message that is durable: 250 may be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its name.
    pub id: QueueId,
    /// Octets of content.
    pub size: u64,
    /// What there is to deliver, one for each distinct next hop, in the order of the recipients.
    pub pending: Vec<Pending>,
}

/// The recipients of one message that share a next hop and still wait: what the scheduler keeps in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The message.
    pub id: QueueId,
    /// Where it goes.
    pub next_hop: NextHop,
    /// The earliest time at which one of the recipients is to be tried.
    pub due: Timestamp,
    /// How many recipients wait.
    pub recipients: u32,
    /// Octets of content.
    pub size: u64,
}

/// A recipient's place in the envelope of its message, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecipientIndex(pub u32);

/// The exclusive right to deliver the waiting recipients of one message at one next hop.
///
/// It ends by [`crate::Spool::settle`], [`crate::Spool::release`] or by being dropped; the latter two change
/// nothing in the spool.
#[derive(Debug)]
pub struct Lease {
    /// The message.
    pub id: QueueId,
    /// The next hop.
    pub next_hop: NextHop,
    /// When the message was accepted.
    pub created: Timestamp,
    /// Where reports go.
    pub reverse_path: ReversePath,
    /// Whether the content may hold octets above 127.
    pub body: BodyType,
    /// Octets of content.
    pub size: u64,
    /// All recipients at this next hop that are not final, in the order of the envelope; never empty.
    pub recipients: Vec<LeasedRecipient>,
    /// How many recipients the message was accepted for, all next hops together.
    pub accepted_recipients: u32,
    /// The content.
    pub content: Content,
    /// Frees the lease when it is dropped.
    pub guard: LeaseGuard,
}

/// A recipient under a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeasedRecipient {
    /// Its place in the envelope.
    pub index: RecipientIndex,
    /// The forward-path.
    pub address: Mailbox,
    /// Attempts that have ended, 0 for a new message.
    pub attempts: u32,
    /// When it was to be tried: the time of acceptance, or the last settlement's next attempt.
    pub due: Timestamp,
}

/// What one attempt made of one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The recipient.
    pub recipient: RecipientIndex,
    /// How the attempt ended.
    pub outcome: Outcome,
    /// When to try again; given exactly when the outcome is deferred.
    pub next_attempt: Option<Timestamp>,
}

/// A message of our own about outcomes, queued in the same step as they are recorded (RFC 5321 §6.1).
#[derive(Debug, Clone)]
pub struct Report {
    /// Its name, envelope and time.
    pub message: NewMessage,
    /// Its content: bounded by its maker, for it is stored beside its envelope whatever its size.
    pub content: Bytes,
}

/// What is left after a settlement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// What still waits for this next hop.
    pub pending: Option<Pending>,
    /// What the report has to deliver; empty without one.
    pub report: Vec<Pending>,
    /// Whether every recipient of the message is final; it has then left the spool.
    pub message_done: bool,
}
