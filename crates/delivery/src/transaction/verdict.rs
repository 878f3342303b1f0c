//! What a transaction made of its recipients.

use smtp::Reply;
use spool::{Damage, LeasedRecipient};

use crate::failure::SessionFailure;

/// What a transaction made of one recipient.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// The server took responsibility, with this reply to the final dot.
    Accepted(Reply),
    /// It did not.
    Failed(SessionFailure),
    /// It was sent the whole content, and this came instead of a reply that says what became of it: it may have taken
    /// the message.
    Open(SessionFailure),
    /// Nobody can be sent the content: what is stored of it is damaged.
    Damaged(Damage),
}

impl Verdict {
    /// What is wrong with the content, if that is why it failed.
    pub(crate) fn damage(&self) -> Option<Damage> {
        match self {
            Self::Damaged(damage) => Some(*damage),
            Self::Accepted(_) | Self::Failed(_) | Self::Open(_) => None,
        }
    }
}

/// A recipient and what a transaction made of it.
#[derive(Debug)]
pub struct Judged<'a> {
    /// The recipient.
    pub recipient: &'a LeasedRecipient,
    /// What became of it.
    pub verdict: Verdict,
}

/// What a transaction made of its recipients.
#[derive(Debug)]
pub struct Ended<'a> {
    /// Each recipient once, in no order.
    pub judged: Vec<Judged<'a>>,
    /// Whether the session is good for another transaction.
    pub usable: bool,
}

impl<'a> Judged<'a> {
    pub(super) fn failed(recipient: &'a LeasedRecipient, failure: SessionFailure) -> Self {
        Self {
            recipient,
            verdict: Verdict::Failed(failure),
        }
    }
}
