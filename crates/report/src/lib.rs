//! What happened to the mail, for the people who run the relay.
//!
//! * [`incidents`]: what holds mail up, since when, and what has changed.
//! * [`summary`]: shares of verified, encrypted and failed traffic, the MX providers, and what enforcing DANE would have cost.
//!
//! It only reads: deliveries are counted and security failures recorded when they are settled, in the spool's own
//! transaction. From what is recorded this crate makes reports and incidents. It writes no log, opens no socket and knows
//! no store but the spool's traits.

pub mod incidents;
pub mod summary;
