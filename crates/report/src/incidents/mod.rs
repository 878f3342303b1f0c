//! Incidents: what holds mail up, or did until lately.
//!
//! A tour:
//!
//! * [`Incident`]: what an incident is. [`compose`] makes incidents from what the spool has recorded and from what is wrong on
//!   our own side ([`ours`]); `group` puts the hosts of one provider together.
//! * [`change`]: what has changed since it last worked, and what speaks for a mistake or for an attack.
//! * [`words`]: each trouble in words. [`remedy`]: the exception until it has healed. [`letter`]: what to write to the other
//!   side. [`page`]: all of it for people.
//! * [`news`]: what people are to be told now.

pub mod change;
mod compose;
mod group;
mod incident;
pub mod letter;
pub mod news;
pub mod ours;
pub mod page;
pub mod remedy;
mod words;

pub use self::compose::{Composed, Terms, compose};
pub use self::incident::{Incident, Status};
pub use mail::incident::{Cause, Kind, Likely, OwnTrouble};

#[cfg(test)]
mod tests;
