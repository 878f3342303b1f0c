//! The results of a transaction for its recipients.

use smtp::Reply;
use spool::{Damage, LeasedRecipient};

use crate::failure::SessionFailure;

/// The result of a transaction for one recipient.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// The server took responsibility, with this reply to the final dot.
    Accepted(Reply),
    /// It did not.
    Failed(SessionFailure),
    /// It was sent the whole content, but its reply did not say what happened to it: it may have accepted the message.
    Open(SessionFailure),
    /// The content cannot be sent to anybody: it is damaged in the spool.
    Damaged(Damage),
}

impl Verdict {
    /// What is wrong with the content, if that is why the transaction failed.
    pub(crate) fn damage(&self) -> Option<Damage> {
        match self {
            Self::Damaged(damage) => Some(*damage),
            Self::Accepted(_) | Self::Failed(_) | Self::Open(_) => None,
        }
    }
}

/// A recipient and its result of a transaction.
#[derive(Debug)]
pub struct Judged<'a> {
    /// The recipient.
    pub recipient: &'a LeasedRecipient,
    /// The result.
    pub verdict: Verdict,
}

/// The results of a transaction.
#[derive(Debug)]
pub struct Ended<'a> {
    /// Each recipient once, in no particular order.
    pub judged: Vec<Judged<'a>>,
    /// Whether the session can be used for another transaction.
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
