//! The results of transactions for their recipients.

use std::sync::Arc;

use smtp::Reply;
use spool::{Damage, LeasedRecipient};

use crate::failure::SessionFailure;

/// The result of a transaction for one recipient.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// The server took responsibility, with this reply to the final dot, which all recipients share.
    Accepted(Arc<Reply>),
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

/// Who has to report success to a sender who asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuccessReport {
    /// The next hop: it offers DSN and was told who wants which reports (RFC 3461 §5.2.1).
    TheirAffair,
    /// We do, because it was not (RFC 3461 §5.2.2).
    Ours,
}

/// A recipient and its result.
#[derive(Debug, Clone)]
pub struct Judged<'a> {
    /// The recipient.
    pub recipient: &'a LeasedRecipient,
    /// The result.
    pub verdict: Verdict,
    /// Who reports success, if it was one.
    pub success_report: SuccessReport,
}

/// The results of sending a message over one session.
#[derive(Debug)]
pub struct Ended<'a> {
    /// Each recipient once, in no particular order, but for those in `left`.
    pub judged: Vec<Judged<'a>>,
    /// Recipients beyond the server's limits for a session (RFC 9422): nothing is known against them, and the host may be
    /// asked again over another session.
    pub left: Vec<&'a LeasedRecipient>,
    /// Whether another command can be sent over the session: every reply was read, and both sides agree on what comes next.
    pub usable: bool,
}

impl<'a> Judged<'a> {
    pub(super) fn failed(recipient: &'a LeasedRecipient, failure: SessionFailure) -> Self {
        Self {
            recipient,
            verdict: Verdict::Failed(failure),
            success_report: SuccessReport::Ours,
        }
    }
}
