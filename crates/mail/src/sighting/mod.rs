//! Security failures as they are seen in attempts, and their end: what incidents are made of.
//!
//! [`spot`]: where something fails, and what: one incident for each such pair. [`evidence`]: what was presented and what was
//! published.
//!
//! Attempts pass them on when they are settled; the spool keeps them in the same transaction.

pub mod evidence;
pub mod spot;

use std::net::IpAddr;

use jiff::Timestamp;

use crate::Domain;

pub use evidence::{Evidence, PresentedCertificate, Starttls};
pub use spot::{Ending, Place, Spot, Trouble};

/// What an attempt has seen, beside the outcomes for the recipients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sighting {
    /// A security failure: it opens an incident, or belongs to one.
    Fails(Box<Failing>),
    /// The place works again: the incidents there end.
    Works(Place, Ending),
    /// A host has proven itself with other evidence than before, or for the first time in a day.
    Proven(Box<Proven>),
}

/// A security failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// Where, and what.
    pub spot: Spot,
    /// Whose mail it was: the next-hop domain.
    pub domain: Option<Domain>,
    /// What was seen.
    pub evidence: Evidence,
    /// When the place last worked, where this process has seen it.
    pub worked: Option<Timestamp>,
}

/// A place that failed until now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailingPlace {
    /// Where.
    pub place: Place,
    /// At which address it failed last, if a connection was made.
    pub address: Option<IpAddr>,
    /// When.
    pub last_seen: Timestamp,
}

/// A host that has proven itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The host.
    pub host: Domain,
    /// What it presented, and what was published.
    pub evidence: Evidence,
}
