//! The commands except the daemon and the demonstration, one module each, with their arguments.
//!
//! [`client`] talks to the running daemon, [`source`] reads from it or from the spool, [`look_up`] has the options and the resolver for commands that make DNS
//! look-ups, [`output`] writes, [`progress`] shows how far a long command is, [`values`] parses arguments.

pub(crate) mod check;
pub(crate) mod client;
pub(crate) mod config;
pub(crate) mod danefail;
pub(crate) mod dns;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod flush;
pub(crate) mod incidents;
mod look_up;
pub(crate) mod man;
mod output;
mod progress;
pub(crate) mod queue;
mod readable;
pub(crate) mod reload;
pub(crate) mod report;
mod source;
pub(crate) mod tlsa;
pub(crate) mod tlsrpt;
pub(crate) mod user;
pub(crate) mod values;
