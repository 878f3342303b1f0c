//! The states of a message in the spool, as types: what is committed, what is waiting, what is leased, and the results.

use bytes::Bytes;
use jiff::Timestamp;
use mail::sighting::Spot;
use mail::{
    DaneVerdict, DomainPart, EnhancedStatus, Envelope, LedgerEntry, MailParameters, Mailbox, NextHop, Notice,
    Outcome, QueueId, Reason, RecipientParameters, ReplyCode, ReversePath, Sighting, Status, TlsSession,
};

use crate::content::Content;
use crate::leases::LeaseGuard;

/// What the listener knows about a message when its content is complete.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// The name it will have.
    pub id: QueueId,
    /// Paths and parameters; at least one recipient.
    pub envelope: Envelope,
    /// When it was accepted; kept in milliseconds.
    pub created: Timestamp,
}

/// A message that is durable: the client may be told 250.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its name.
    pub id: QueueId,
    /// Octets of content.
    pub size: u64,
    /// The parts to deliver, one for each distinct next hop, in the order of the recipients.
    pub pending: Vec<Pending>,
}

/// The waiting recipients of one message that share a next hop: what the scheduler keeps in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The message.
    pub id: QueueId,
    /// Where it goes.
    pub next_hop: NextHop,
    /// The earliest time at which one of the recipients is due.
    pub due: Timestamp,
    /// How many recipients wait.
    pub recipients: u32,
    /// Octets of content.
    pub size: u64,
}

/// A recipient's position in the envelope of its message, from 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecipientIndex(pub u32);

/// The exclusive right to deliver to the waiting recipients of one message at one next hop.
///
/// It ends with [`crate::Spool::settle`], with [`crate::Spool::release`] or by being dropped; the latter two change nothing
/// in the spool.
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
    /// The parameters of the message as a whole.
    pub parameters: MailParameters,
    /// Octets of content.
    pub size: u64,
    /// All non-final recipients at this next hop, in the order of the envelope; never empty.
    pub recipients: Vec<LeasedRecipient>,
    /// How many recipients the message was accepted for, at all next hops together.
    pub accepted_recipients: u32,
    /// The content, damaged or not.
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
    /// What its sender wants to hear about it.
    pub parameters: RecipientParameters,
    /// Finished attempts, 0 for a new message.
    pub attempts: u32,
    /// When it was due: the time of acceptance, or the next attempt given by the last settlement.
    pub due: Timestamp,
    /// Whether its sender has been told, or is about to be told, that it is late.
    pub delay_noticed: bool,
}

/// What an attempt means for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The next hop took responsibility.
    Sent,
    /// It is tried again.
    Deferred {
        /// When.
        next_attempt: Timestamp,
        /// Which security failure it waits for, if it is one.
        held_up: Option<Spot>,
    },
    /// It failed.
    Bounced,
    /// It was tried for long enough.
    Expired,
}

impl Ending {
    /// The word for it.
    pub fn status(&self) -> Status {
        match self {
            Self::Sent => Status::Sent,
            Self::Deferred { .. } => Status::Deferred,
            Self::Bounced => Status::Bounced,
            Self::Expired => Status::Expired,
        }
    }

    /// When the recipient is tried again, if it is.
    pub fn next_attempt(&self) -> Option<Timestamp> {
        match self {
            Self::Deferred { next_attempt, .. } => Some(*next_attempt),
            Self::Sent | Self::Bounced | Self::Expired => None,
        }
    }

    /// Which security failure the recipient waits for, if it does.
    pub fn held_up(&self) -> Option<&Spot> {
        match self {
            Self::Deferred { held_up, .. } => held_up.as_ref(),
            Self::Sent | Self::Bounced | Self::Expired => None,
        }
    }
}

/// The result of one attempt for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The recipient.
    pub recipient: RecipientIndex,
    /// What it means.
    pub ending: Ending,
    /// The code of the reply that decided, if there was one.
    pub reply_code: Option<ReplyCode>,
    /// The enhanced status code.
    pub enhanced: EnhancedStatus,
    /// Why, in words.
    pub reason: Reason,
    /// What DANE had to say about it.
    pub verdict: DaneVerdict,
    /// The host that decided, if one was tried; an address where it has no name.
    pub host: Option<DomainPart>,
    /// What the sender is to be told about it; kept with the recipient until a report has told it.
    pub notice: Option<Notice>,
    /// What the ledger is to count; counted once, however often the settlement is written.
    pub entry: LedgerEntry,
}

impl Settlement {
    /// The same as it is logged and reported.
    pub fn outcome(&self) -> Outcome {
        Outcome {
            status: self.ending.status(),
            reply_code: self.reply_code,
            enhanced: self.enhanced,
            reason: self.reason.clone(),
        }
    }
}

/// What came of an attempt: the outcomes for recipients, and what else it has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// One for each recipient that has an outcome.
    pub settlements: Vec<Settlement>,
    /// Security failures and their ends. They are recorded before the settlements, which may refer to them.
    pub sightings: Vec<Sighting>,
    /// What TLS reports count; counted once, however often the settlements are written, and not at all without one.
    pub tls: Vec<TlsSession>,
}

impl From<Vec<Settlement>> for Outcomes {
    /// Outcomes without anything else.
    fn from(settlements: Vec<Settlement>) -> Self {
        Self {
            settlements,
            sightings: Vec::new(),
            tls: Vec::new(),
        }
    }
}

/// What is left after a settlement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// What is still waiting for this next hop.
    pub pending: Option<Pending>,
    /// How the message stands.
    pub after: After,
}

/// How a message stands after a settlement or a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It has left the spool: every recipient is final, and there is nothing to report.
    Gone,
    /// It is still there, and there is nothing to report now.
    Left,
    /// The sender is to be told something now: there are notices, and no other recipient of the message is due who could add
    /// more. So there is one report per message for all that failed in one round. After a report: notices were added while it
    /// was made.
    ReportDue,
}

/// Everything that the sender of one message is to be told, and the right to report it, as a [`Lease`] is the right to
/// deliver.
///
/// It ends with [`crate::Spool::report`] or by being dropped, which changes nothing in the spool.
#[derive(Debug)]
pub struct Notices {
    /// The message.
    pub id: QueueId,
    /// When it was accepted.
    pub created: Timestamp,
    /// Where reports go.
    pub reverse_path: ReversePath,
    /// The parameters of the message as a whole.
    pub parameters: MailParameters,
    /// Octets of content.
    pub size: u64,
    /// The content, damaged or not.
    pub content: Content,
    /// The recipients to report on, in the order of the envelope; never empty.
    pub recipients: Vec<NoticedRecipient>,
    /// Frees the right when it is dropped.
    pub guard: LeaseGuard,
}

/// A recipient to report on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticedRecipient {
    /// Its place in the envelope.
    pub index: RecipientIndex,
    /// The forward-path.
    pub address: Mailbox,
    /// What its sender wants to hear about it.
    pub parameters: RecipientParameters,
    /// How its last attempt ended.
    pub outcome: Outcome,
    /// What is to be told beside that.
    pub notice: Notice,
}

/// A message of our own about outcomes (RFC 5321 §6.1).
#[derive(Debug, Clone)]
pub struct Report {
    /// Its name, envelope and time.
    pub message: NewMessage,
    /// Its content: its maker limits the size, because it is stored beside its envelope whatever its size.
    pub content: Bytes,
}

/// What is left after a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// What the report has to deliver.
    pub pending: Vec<Pending>,
    /// How the message stands that it is about.
    pub after: After,
}

/// What [`crate::Spool::lease`] found.
#[derive(Debug)]
pub enum Leasing {
    /// The right to deliver.
    Leased(Box<Lease>),
    /// Nothing is waiting there: it was delivered, held or deleted.
    Nothing,
    /// A delivery or the administrator has it, and may return it unchanged.
    Taken,
}

impl Leasing {
    /// The lease, if there is one.
    pub fn leased(self) -> Option<Lease> {
        match self {
            Self::Leased(lease) => Some(*lease),
            Self::Nothing | Self::Taken => None,
        }
    }
}

impl Lease {
    /// States that from now on the next hop may have accepted the message without our knowing: to be called just before the
    /// last octets of the content are sent. If the process ends before the settlement is durable, the next start counts this
    /// delivery among those that may be repeated.
    pub fn in_doubt(&self) {
        let recipients = u32::try_from(self.recipients.len()).unwrap_or(u32::MAX);
        self.guard.in_doubt(recipients);
    }
}
