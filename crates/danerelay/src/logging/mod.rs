//! The log: events to one target, one line each. Nothing waits for it, and no line is lost silently.
//!
//! * [`logger`] accepts events from all parts. [`throttle`] limits what strangers can cause; [`frame`] makes an event
//!   into a line of at most 2 KiB, which contains the [`message`]; [`queue`] keeps lines, at most 1 MiB of them, until
//!   they are written.
//! * [`writer`], one thread per target, writes them to the [`target`]:
//!   * [`stream`]: standard error, or a file;
//!   * [`datagram`]: the system's daemons, syslog and the journal ([`journald`] has the format of its entries).
//! * [`bridge`] sends what libraries report through `tracing` to the same log.
//! * [`stderr`] is for messages when there is no log or the log cannot be written.
//!
//! A target that stalls or fails delays only its own thread. Lines that it has not accepted stay in the queue; when
//! that is full, lines are lost and counted, and the count is written in their place once there is room again. Lines
//! still in the queue when the process is killed are lost; an orderly shutdown waits for them, for a limited time.
#![allow(
    clippy::disallowed_types,
    reason = "the log's threads have no runtime, and outlive it"
)]

mod bridge;
mod channel;
mod datagram;
mod frame;
mod journald;
mod logger;
mod message;
mod queue;
mod stderr;
mod stream;
mod target;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_datagram;
#[cfg(test)]
mod tests_record;
mod throttle;
mod writer;

pub(crate) use bridge::forward_tracing;
pub(crate) use logger::{Logger, unopened};
pub(crate) use stderr::say;
