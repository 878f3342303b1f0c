//! What is handed to the writer.

use jiff::Timestamp;
use mail::QueueId;
use spool::{
    Accepted, Acted, Action, Lease, Notices, Outcomes, Pending, Reported, Selected, Settled, Settlement,
    SpoolError, TlsTold,
};
use tokio::sync::oneshot;

use crate::sql::columns::whole_milliseconds;
use crate::sql::incidents::Change;
use crate::sql::ledger::tidying::{STEP, Tidying};
use crate::sql::new_message::{MessageRows, weight_of_rows};

/// Where the answer goes.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, SpoolError>>;

/// What the writer is asked for.
#[derive(Debug)]
pub(crate) enum Job {
    /// Make this durable.
    Write(Work),
    /// Write what was handed over before, clean up and end.
    Close(Reply<()>),
}

/// A step to be made durable.
#[derive(Debug)]
pub(crate) enum Work {
    /// Queue a message.
    Commit(Box<CommitJob>),
    /// Record outcomes.
    Settle(Box<SettleJob>),
    /// Record what was told.
    Report(Box<ReportJob>),
    /// Do what the administrator asks.
    Act(Box<ActJob>),
    /// Remove what is old from the ledger.
    Tidy(Box<TidyJob>),
    /// Change what is recorded of incidents.
    Incidents(Box<IncidentsJob>),
    /// Take what a TLS report tells from what is counted, and queue it.
    TlsTold(Box<TlsToldJob>),
}

impl From<Work> for Job {
    fn from(work: Work) -> Self {
        Self::Write(work)
    }
}

/// A new message to be made durable.
#[derive(Debug)]
pub(crate) struct CommitJob {
    pub(crate) message: MessageRows,
    pub(crate) reply: Reply<()>,
}

/// The outcomes of an attempt.
#[derive(Debug)]
pub(crate) struct SettleJob {
    pub(crate) lease: Lease,
    pub(crate) outcomes: Outcomes,
    pub(crate) now: Timestamp,
    pub(crate) reply: Reply<Settled>,
}

/// What was told to a sender.
#[derive(Debug)]
pub(crate) struct ReportJob {
    pub(crate) notices: Notices,
    pub(crate) report: Option<(MessageRows, Accepted)>,
    pub(crate) reply: Reply<Reported>,
}

/// A request of the administrator.
#[derive(Debug)]
pub(crate) struct ActJob {
    pub(crate) action: Action,
    pub(crate) selected: Vec<Selected>,
    /// A damaged message to be deleted, whatever its rows contain.
    pub(crate) discarded: Option<QueueId>,
    pub(crate) now: Timestamp,
    pub(crate) reply: Reply<Acted>,
}

/// A step of removing what is old from the ledger.
#[derive(Debug)]
pub(crate) struct TidyJob {
    pub(crate) step: Tidying,
    /// How many rows it has removed.
    pub(crate) reply: Reply<usize>,
}

/// A change of what is recorded of incidents, apart from settlements.
#[derive(Debug)]
pub(crate) struct IncidentsJob {
    pub(crate) change: Change,
    pub(crate) now: Timestamp,
    pub(crate) reply: Reply<()>,
}

/// What a TLS report tells.
#[derive(Debug)]
pub(crate) struct TlsToldJob {
    pub(crate) told: TlsTold,
    /// The report, if it goes by mail.
    pub(crate) report: Option<(MessageRows, Accepted)>,
    /// The number of a transaction that has failed, but may be durable. If the database counts as many transactions, it is.
    pub(crate) in_doubt: Option<u64>,
    pub(crate) reply: Reply<Option<Accepted>>,
}

impl Work {
    /// Whether it has to be written whatever happens, because what it records cannot be had again.
    pub(crate) fn cannot_be_refused(&self) -> bool {
        match self {
            Self::Settle(_) | Self::Report(_) => true,
            Self::TlsTold(job) => job.in_doubt.is_some() || job.report.is_none(),
            Self::Commit(_) | Self::Act(_) | Self::Tidy(_) | Self::Incidents(_) => false,
        }
    }

    /// Whether nobody waits for it any more: the client is gone, and would not learn that its message is queued.
    pub(crate) fn is_forsaken(&self) -> bool {
        match self {
            Self::Commit(job) => job.reply.is_closed(),
            Self::Settle(_)
            | Self::Report(_)
            | Self::Act(_)
            | Self::Tidy(_)
            | Self::Incidents(_)
            | Self::TlsTold(_) => false,
        }
    }

    /// Tells whoever waits that it was not done.
    pub(crate) fn fail(self, error: SpoolError) {
        // Who asked may be gone.
        match self {
            Self::Commit(job) => drop(job.reply.send(Err(error))),
            Self::Settle(job) => drop(job.reply.send(Err(error))),
            Self::Report(job) => drop(job.reply.send(Err(error))),
            Self::Act(job) => drop(job.reply.send(Err(error))),
            Self::Tidy(job) => drop(job.reply.send(Err(error))),
            Self::Incidents(job) => drop(job.reply.send(Err(error))),
            Self::TlsTold(job) => drop(job.reply.send(Err(error))),
        }
    }

    /// Roughly how many octets it adds to the log.
    pub(crate) fn weight(&self) -> usize {
        let weight_of = |report: &Option<(MessageRows, Accepted)>| {
            report.as_ref().map_or(0, |(message, _)| message.weight())
        };
        match self {
            Self::Commit(job) => job.message.weight(),
            Self::Settle(job) => {
                let outcomes = &job.outcomes;
                let rows = outcomes
                    .settlements
                    .len()
                    .saturating_add(outcomes.sightings.len());
                weight_of_rows(rows.saturating_add(outcomes.tls.len()))
            }
            Self::Report(job) => {
                weight_of_rows(job.notices.recipients.len()).saturating_add(weight_of(&job.report))
            }
            Self::Act(job) => weight_of_rows(job.selected.iter().map(|one| one.recipients.len()).sum()),
            Self::Tidy(_) => weight_of_rows(STEP),
            Self::Incidents(job) => weight_of_rows(job.change.rows()),
            Self::TlsTold(job) => {
                weight_of_rows(job.told.tallies.len()).saturating_add(weight_of(&job.report))
            }
        }
    }
}

/// Puts settlements in the order of the lease's recipients, and checks that each names one of them, and none twice.
pub(crate) fn check(lease: &Lease, settlements: &mut [Settlement]) -> Result<(), SpoolError> {
    settlements.sort_unstable_by_key(|settlement| settlement.recipient);
    let mut leased = lease.recipients.iter();
    let wrong = settlements
        .iter()
        .find(|settlement| !leased.any(|recipient| recipient.index == settlement.recipient));
    match wrong {
        Some(settlement) => Err(SpoolError::WrongSettlement(settlement.recipient.0)),
        None => Ok(()),
    }
}

/// What is still waiting under this lease after these settlements, which are in the order of its recipients.
pub(crate) fn rest(lease: &Lease, settlements: &[Settlement]) -> Option<Pending> {
    let mut settled = settlements.iter().peekable();
    let mut waiting = lease
        .recipients
        .iter()
        .filter_map(
            |recipient| match settled.next_if(|one| one.recipient == recipient.index) {
                Some(settlement) => settlement.ending.next_attempt().map(whole_milliseconds),
                None => Some(recipient.due),
            },
        )
        .peekable();
    waiting.peek()?;
    let (recipients, due) = waiting.fold((0_u32, Timestamp::MAX), |(count, earliest), due| {
        (count.saturating_add(1), earliest.min(due))
    });
    Some(Pending {
        id: lease.id,
        next_hop: lease.next_hop.clone(),
        due,
        recipients,
        size: lease.size,
    })
}
