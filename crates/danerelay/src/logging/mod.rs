//! The log: events to one target, each a line. Nothing waits for it, and no line is lost silently.
//!
//! * [`logger`] takes events from everywhere. [`throttle`] bounds what strangers can cause; [`frame`] makes a line of at
//!   most 2 KiB of an event, with the [`message`] in it; [`queue`] keeps lines, 1 MiB of them at most, until
//! * [`writer`], a thread for each target, has written them to the [`target`]:
//!   * [`stream`]: standard error, or a file;
//!   * [`datagram`]: the system's daemons, syslog and the journal ([`journald`] has its form of entries).
//! * [`bridge`] brings what libraries report through `tracing` into the same log.
//! * [`stderr`] is for last words, where there is no log or the log cannot be written.
//!
//! A target that stalls or fails keeps its own thread waiting and nobody else. What it has not taken stays in the queue;
//! when that is full, lines are lost, counted, and the count is written in their place once there is room again. What is
//! in the queue when the process is killed is lost with it; an end in order waits for it, for a bounded time.
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
mod tests_cost;
#[cfg(test)]
mod tests_datagram;
#[cfg(test)]
mod tests_record;
mod throttle;
mod writer;

pub(crate) use bridge::forward_tracing;
pub(crate) use logger::{Logger, unopened};
pub(crate) use stderr::say;
