//! TLS reports to the receiving side (RFC 8460): what deliveries have counted, as it is read and sent.
//!
//! * [`collected`]: what is counted for one report, for the commands.
//! * [`sender`]: sends one report, by mail through our own queue or to a web server; [`paces`]: how many one operator gets.
//! * [`schedule`]: when each is sent, and sent again.
//! * [`collector`]: hands results to a program of the site that reports in our place.

mod collected;
mod collector;
mod paces;
mod schedule;
mod sender;
#[cfg(test)]
mod tests;

pub(crate) use collected::{Collected, PAGE, page};
pub(crate) use collector::collector;
pub(crate) use paces::Paces;
pub(crate) use schedule::Schedule;
pub(crate) use sender::{NotSent, Sender, Signing, Taken, UnderWay};
