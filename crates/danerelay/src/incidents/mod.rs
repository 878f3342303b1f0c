//! Incidents in the running daemon: they are watched, written to the log, and told to those who want to know.
//!
//! * [`Board`]: how incidents stand, for the watch and for commands. [`listening`]: what the log shows of our own side.
//! * [`watch`]: looks at the board when something has changed, and every minute.
//! * [`notice`]: what is told, as mail and as JSON. [`courier`]: has the [`command`] run and the [`webhook`] called, with
//!   patience and never in the way of mail.
//!
//! What incidents are is defined by `report::incidents`, and what is recorded of them by the spool.

mod board;
mod command;
mod courier;
mod listening;
mod notice;
#[cfg(test)]
mod tests;
mod watch;
mod webhook;

pub(crate) use board::Board;
pub(crate) use courier::Couriers;
pub(crate) use listening::Listening;
pub(crate) use watch::{Post, Teller, Watch};
pub(crate) use webhook::Web;
