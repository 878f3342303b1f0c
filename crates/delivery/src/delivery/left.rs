//! What a delivery or a report leaves to be done.

use spool::Pending;

/// What remains to be done after a delivery or a report.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// What is left of the job itself.
    pub(crate) deferred: Option<Pending>,
    /// What else is to be delivered, each part at its time.
    pub(crate) pending: Vec<Pending>,
    /// Why the job itself is to be done again.
    pub(crate) job: Option<JobAgain>,
    /// Why a report on the message is to be made later.
    pub(crate) report: Option<ReportAgain>,
    /// Whether the reason is that the message's stored envelope is damaged.
    pub(crate) damaged: bool,
}

/// Why a job is to be done again, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobAgain {
    /// The spool may be working again by then.
    Trouble,
    /// The other holder of the lease may have released it by then.
    Taken,
    /// In the next free place at the destination.
    Refused,
}

/// Why a report is to be made later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReportAgain {
    /// The spool may be working again by then.
    Trouble,
    /// More recipients may be late by then.
    Gathered,
    /// The other recipients that are due may have been tried by then.
    Others,
}
