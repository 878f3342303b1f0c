//! What one attempt came to.

use std::sync::Arc;

use policy::failure::Failure;
use spool::{Damage, LeasedRecipient};

use super::record::HostRecord;

/// What one attempt came to.
pub(crate) struct Attempted<'a> {
    /// One for each recipient of the lease, in its order.
    pub(crate) results: Vec<RecipientResult<'a>>,
    /// Every connection that was tried, in order; a bounded number.
    #[expect(dead_code, reason = "for TLS reports")]
    pub(crate) sessions: Vec<Arc<HostRecord>>,
    /// Why nothing could be sent, if that is so because the stored content is damaged.
    pub(crate) damage: Option<Damage>,
}

/// What one attempt made of one recipient.
#[derive(Debug, Clone)]
pub(crate) struct RecipientResult<'a> {
    pub(crate) recipient: &'a LeasedRecipient,
    pub(crate) ending: Ending,
    pub(crate) record: Arc<HostRecord>,
}

/// How it ended.
#[derive(Debug, Clone)]
pub(crate) enum Ending {
    /// The next hop took responsibility.
    Sent {
        reply: smtp::Reply,
        success_report: SuccessReport,
    },
    /// It did not; what that means is said in the failure.
    Failed(Arc<Failure>),
}

/// Whose it is to report success to a sender who asked for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SuccessReport {
    /// The next hop offered DSN and was told who wants to hear what (RFC 3461 §5.2.1).
    TheirAffair,
    /// It did not (RFC 3461 §5.2.2).
    Ours,
}
