//! How things stand, taken now and then, so that a request costs nothing however much is queued.

use delivery::Standings;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use policy::{ListedException, Policy};
use report::incidents::Incident;
use spool::{DiskSpace, LedgerRoom, Summary};

use super::lately::Extremes;
use crate::wiring::standing::PolicyTrouble;

/// The most exceptions that are shown, those that end first.
const EXCEPTIONS: usize = 50;

/// How things stood at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Census {
    /// When it was taken; `None` until the first one is there.
    pub(super) at: Option<Timestamp>,
    /// When queue and incidents could both be read for the last time; `None` if they never could.
    pub(super) read: Option<Timestamp>,
    /// The queue, or why it cannot be counted.
    pub(super) queue: Counted<Summary>,
    /// The incidents that go on, those that return mail first at the top, or why they cannot be told.
    pub(super) incidents: Counted<Vec<Incident>>,
    /// The room in the ledger, or why it is not known.
    pub(super) ledger: Counted<LedgerRoom>,
    /// The destinations; `None` if the scheduler does not answer.
    pub(super) standings: Option<Standings>,
    /// The busiest and the slowest of the last hour.
    pub(super) extremes: Extremes,
    /// Dated exceptions that are in force.
    pub(super) exceptions: Exceptions,
    /// What is not as it should be with the policy.
    pub(super) policy: PolicyTrouble,
}

/// What could be counted.
#[derive(Debug, Clone, Default)]
pub(super) enum Counted<T> {
    /// Nothing has been counted yet.
    #[default]
    NotYet,
    /// This.
    Found(T),
    /// It cannot be counted, and why.
    Failed(String),
}

impl<T> Counted<T> {
    /// What was found, if anything was.
    pub(super) fn found(&self) -> Option<&T> {
        match self {
            Self::Found(found) => Some(found),
            Self::NotYet | Self::Failed(_) => None,
        }
    }
}

impl<T, E: std::fmt::Display> From<Result<T, E>> for Counted<T> {
    fn from(result: Result<T, E>) -> Self {
        match result {
            Ok(found) => Self::Found(found),
            Err(error) => Self::Failed(error.to_string()),
        }
    }
}

/// What the disk of the spool allows.
#[derive(Debug, Clone)]
pub(super) struct Vitals {
    /// Why no mail is accepted, if none is.
    pub(super) refuses: Option<String>,
    /// The room, if it could be found out.
    pub(super) disk: Option<DiskSpace>,
}

/// Dated exceptions that are in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Exceptions {
    /// How many there are.
    pub(super) count: u64,
    /// Those that end first.
    pub(super) soonest: Vec<Exception>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exception {
    /// `domain example.dk`.
    pub(super) names: String,
    /// What is excepted: `dane = "off"`.
    pub(super) what: String,
    /// Its last day.
    pub(super) until: Date,
    /// The administrator's reason.
    pub(super) reason: String,
    /// File and line.
    pub(super) place: String,
}

impl Exceptions {
    /// Those of a policy that hold on this day.
    pub(super) fn of(policy: &Policy, today: Date) -> Self {
        let mut all: Vec<&ListedException> = policy
            .exceptions()
            .filter(|exception| exception.entry.until >= today)
            .collect();
        let count = all.len() as u64;
        all.sort_by_key(|exception| exception.entry.until);
        Self {
            count,
            soonest: all.into_iter().take(EXCEPTIONS).map(Exception::of).collect(),
        }
    }

    /// When the first of them ends: at the end of its last day, as the days are here.
    pub(super) fn first_end(&self) -> Option<Timestamp> {
        let last = self.soonest.first()?.until.tomorrow().ok()?;
        let end = last.to_zoned(TimeZone::system()).ok()?;
        Some(end.timestamp())
    }
}

impl Exception {
    fn of(listed: &ListedException) -> Self {
        let dane = listed.dane.map(|mode| format!("dane = \"{}\"", mode.as_str()));
        let dnssec = listed.without_dnssec.then(|| "dnssec = \"off\"".to_owned());
        let what: Vec<String> = dane.into_iter().chain(dnssec).collect();
        Self {
            names: listed.to_string(),
            what: what.join(", "),
            until: listed.entry.until,
            reason: listed.entry.reason.to_string(),
            place: format!("{}:{}", listed.entry.file, listed.entry.line),
        }
    }
}

/// Those that go on; the first in which mail is returned comes first.
pub(super) fn open(mut incidents: Vec<Incident>) -> Vec<Incident> {
    incidents.retain(Incident::is_open);
    incidents.sort_by_key(|incident| {
        let end = incident.first_return;
        (end.is_none(), end, incident.first_seen)
    });
    incidents
}
