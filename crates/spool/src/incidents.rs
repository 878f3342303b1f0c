//! Security failures that settlements have recorded, for incidents.

use std::future::Future;

use jiff::Timestamp;
use mail::sighting::{Ending, Evidence, Spot};
use mail::{Domain, Sighting};
use serde::{Deserialize, Serialize};

use crate::error::SpoolError;

/// The number of an incident; never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IncidentNumber(pub u64);

/// One spot at which mail fails, or failed until lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownIncident {
    /// Its number.
    pub number: IncidentNumber,
    /// Where, and what.
    pub spot: Spot,
    /// Whether it also stands for others below the same registrable domain that found no room: how many is not known.
    pub stands_for_more: bool,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
    /// What was seen last.
    pub evidence: Evidence,
    /// What was seen when it last worked, as of the moment at which it first failed.
    pub before: Option<Before>,
    /// When and how it ended.
    pub ended: Option<(Timestamp, Ending)>,
    /// How often it failed again soon after its end.
    pub reopened: u64,
    /// The next-hop domains whose mail failed there, in order; of very many, those seen last.
    pub domains: Vec<Domain>,
    /// Whether it concerns more domains than those: how many is not known.
    pub has_more_domains: bool,
    /// What waits because of it.
    pub waiting: Waiting,
    /// What the log has said of it.
    pub told: Told,
    /// What people have been told of it otherwise.
    pub noticed: Noticed,
}

/// What a host showed when it last worked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// What it presented, and what was published.
    pub evidence: Evidence,
    /// Since when it had shown that.
    pub since: Timestamp,
    /// When it last did, to a day.
    pub until: Timestamp,
}

/// The mail that waits because of an incident.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Messages.
    pub messages: u64,
    /// Those of them that wait for incidents with higher numbers, too. Of very much mail it is not known.
    pub shared: Vec<Shared>,
    /// Their recipients that wait for it; held ones do not.
    pub recipients: u64,
    /// When the oldest of them was accepted, of those that are returned to a sender.
    pub oldest: Option<Timestamp>,
    /// The same, of those with the null reverse-path.
    pub oldest_report: Option<Timestamp>,
}

/// Messages that wait because of several incidents.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shared {
    /// The others, in order.
    pub with: Vec<IncidentNumber>,
    /// How many messages.
    pub messages: u64,
}

/// What the log has said of an incident.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// When it was last written to the log as open.
    pub open: Option<Timestamp>,
    /// Whether half of the time that is left had passed then.
    pub half: bool,
    /// Whether the log has its end.
    pub ended: bool,
}

/// A way on which people are told of incidents, beside the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// A mail.
    Mail,
    /// A command.
    Command,
    /// A webhook.
    Webhook,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Mail, Self::Command, Self::Webhook];
}

/// How far people have been told of an incident on one way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Not at all.
    #[default]
    Nothing,
    /// That it has begun.
    Opened,
    /// That half of the time has passed until the first message is returned.
    Half,
    /// That it is over.
    Closed,
}

/// How far people have been told of an incident on each way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noticed {
    /// By mail.
    pub mail: Step,
    /// By the command.
    pub command: Step,
    /// By the webhook.
    pub webhook: Step,
}

impl Noticed {
    /// How far on this way.
    pub const fn on(self, way: Way) -> Step {
        match way {
            Way::Mail => self.mail,
            Way::Command => self.command,
            Way::Webhook => self.webhook,
        }
    }

    /// People were told so much on this way.
    pub const fn note(&mut self, way: Way, step: Step) {
        match way {
            Way::Mail => self.mail = step,
            Way::Command => self.command = step,
            Way::Webhook => self.webhook = step,
        }
    }
}

/// A record of security failures. [`crate::Spool::settle`] writes it.
pub trait Incidents: Send + Sync + 'static {
    /// All that is known, in the order of the numbers; their number is bounded. Unreadable ones are left out.
    fn incidents(&self) -> impl Future<Output = Result<Vec<KnownIncident>, SpoolError>> + Send;
}

/// A record of security failures that can be changed apart from settlements.
pub trait KeepIncidents: Incidents {
    /// Records what was seen elsewhere than in a delivery; durable when this returns `Ok`.
    fn note(
        &self,
        sightings: Vec<Sighting>,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), SpoolError>> + Send;

    /// Ends incidents; those that have ended keep their end.
    fn end(
        &self,
        ended: Vec<(IncidentNumber, Ending)>,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), SpoolError>> + Send;

    /// Records what the log has said.
    fn told(&self, told: Vec<(IncidentNumber, Told)>) -> impl Future<Output = Result<(), SpoolError>> + Send;

    /// Records how far people have been told on this way.
    fn noticed(
        &self,
        way: Way,
        steps: Vec<(IncidentNumber, Step)>,
    ) -> impl Future<Output = Result<(), SpoolError>> + Send;
}
