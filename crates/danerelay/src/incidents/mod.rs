//! Incidents in the running daemon: they are watched, written to the log, and told to those who want to know.
//!
//! * [`Board`]: how incidents stand, for the watch and for commands. [`listening`]: what the log shows of our own side.
//! * [`watch`]: looks at the board when something has changed, and every minute. A [`case`] is an incident with what was said of
//!   it, which the spool keeps, and [`own`] for what is ours; [`said`]: what is not written down yet.
//! * [`lines`]: what the log says. [`notice`]: what people are told, as mail and as JSON. [`courier`]: puts mail into the queue,
//!   has the [`command`] run and the [`webhook`] called, with patience, at a [limited rate](crate::rate_limit), and never in the way of mail.
//!
//! What incidents are is defined by `report::incidents`, and what is recorded of them by the spool.

mod board;
mod case;
mod command;
mod courier;
mod lines;
mod listening;
mod notice;
mod own;
mod said;
#[cfg(test)]
mod tests;
mod watch;
mod webhook;

pub(crate) use board::{Board, OwnSide};
pub(crate) use courier::Courier;
pub(crate) use listening::Listening;
pub(crate) use watch::Watch;
pub(crate) use webhook::Web;
