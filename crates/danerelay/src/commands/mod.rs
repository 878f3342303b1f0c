//! The commands but for the daemon and the demonstration, one module each; their arguments stand beside them.
//!
//! [`client`] talks to the running daemon, [`look_up`] has the options and the resolver of commands that ask the DNS,
//! [`output`] writes, [`values`] reads arguments.

pub(crate) mod client;
pub(crate) mod config;
pub(crate) mod dns;
pub(crate) mod explain;
pub(crate) mod flush;
mod look_up;
mod output;
pub(crate) mod queue;
pub(crate) mod reload;
pub(crate) mod tlsa;
pub(crate) mod user;
pub(crate) mod values;
