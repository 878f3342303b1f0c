//! The result of one attempt.

use std::sync::Arc;

use mail::{Sighting, TlsSession};
use policy::failure::Failure;
use spool::{Damage, LeasedRecipient};
use tokio::time::Instant;

use super::record::HostRecord;
use crate::transaction::SuccessReport;

/// The result of one attempt.
pub(crate) struct Attempted<'a> {
    /// One for each recipient of the lease, in its order.
    pub(crate) results: Vec<RecipientResult<'a>>,
    /// What it has done at servers.
    pub(crate) trail: Trail,
    /// Why nothing could be sent, if the stored content is damaged.
    pub(crate) damage: Option<Damage>,
    /// Why the attempt is to be made again, if it ended before it had done anything: the results mean nothing then.
    pub(crate) later: Option<Later>,
}

/// Why an attempt that has done nothing is made again, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Later {
    /// The host gets its next message then.
    Paced(Instant),
    /// Too many wait for a place at the host.
    Crowded,
}

/// What an attempt has done at servers, on all its ways.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    /// All connections that were tried, in order; their number is bounded.
    pub(crate) sessions: Vec<Arc<HostRecord>>,
    /// Security failures and their ends.
    pub(crate) sightings: Vec<Sighting>,
    /// What TLS reports count.
    pub(crate) tls: Vec<TlsSession>,
    /// Whether a server was asked about the message, be it in a session that was kept.
    pub(crate) has_asked: bool,
}

/// The result of one attempt for one recipient.
#[derive(Debug, Clone)]
pub(crate) struct RecipientResult<'a> {
    pub(crate) recipient: &'a LeasedRecipient,
    pub(crate) ending: Ending,
    pub(crate) record: Arc<HostRecord>,
}

/// How the attempt ended for a recipient.
#[derive(Debug, Clone)]
pub(crate) enum Ending {
    /// The next hop took responsibility.
    Sent {
        reply: Arc<smtp::Reply>,
        success_report: SuccessReport,
    },
    /// It did not; the failure says what that means.
    Failed(Arc<Failure>),
    /// Nothing was tried, because the destination fails; the failure is that of other mail.
    NotTried(Arc<Failure>),
}
