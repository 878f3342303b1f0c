//! Security failures as they are seen in attempts, and their end: what incidents are made of.
//!
//! [`spot`]: where something fails, and what: one incident for each such pair. [`evidence`]: what was presented and what was
//! published. [`ending`]: what has to be proven before an incident is over.
//!
//! Attempts pass them on when they are settled; the spool keeps them in the same transaction.

pub mod ending;
pub mod evidence;
pub mod spot;

use jiff::Timestamp;

use crate::Domain;

pub use ending::{Demanded, Ending, FailingSpot, Met, Proof, Records};
pub use evidence::{Evidence, PresentedCertificate, Starttls};
pub use spot::{Place, Spot, Trouble};

/// What an attempt has seen, beside the outcomes for the recipients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sighting {
    /// A security failure: it opens an incident, or belongs to one.
    Fails(Box<Failing>),
    /// It works again: its incident ends.
    Works(Spot, Ending),
    /// A host has proven itself with other evidence than before, or for the first time in a day.
    Proven(Box<Proven>),
}

/// Who demands what fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DemandedBy {
    /// The policy or the receiver.
    Policy,
    /// The message itself: other mail of its domain does not show that it is not demanded any more.
    Message,
}

/// A security failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// Where, and what.
    pub spot: Spot,
    /// Whose mail it was: the next-hop domain.
    pub domain: Option<Domain>,
    /// Who demanded what failed.
    pub demanded_by: DemandedBy,
    /// What was seen.
    pub evidence: Evidence,
    /// When the place last worked, where this process has seen it.
    pub worked: Option<Timestamp>,
}

/// A host that has proven itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The host.
    pub host: Domain,
    /// What it presented, and what was published.
    pub evidence: Evidence,
}
