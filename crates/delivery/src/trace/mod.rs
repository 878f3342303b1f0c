//! Traces: what happens in a delivery, told while it happens to those who asked for it.
//!
//! * [`traces`]: who has asked: an administrator about one message, or `[log] trace` about domains. Nobody, as a rule: then
//!   a [`Trace`] is nothing, and costs nothing.
//! * `handle`: [`Trace`]. `run`: the trace of one attempt, for each who listens within a number of octets ([`allowance`]).
//! * [`step`]: what can happen, and the words for it. `tap`: the lines of a connection, as they pass.
//!
//! A trace never has content, nor what is said in a login.

mod allowance;
mod handle;
mod run;
mod step;
mod tap;
mod traces;

pub(crate) use self::allowance::Allowance;
pub(crate) use self::handle::Trace;
pub(crate) use self::step::{End, HostStep, RecordStanding, Step, Unsettled};
pub(crate) use self::tap::Tap;
pub use self::traces::{Traces, Watch};
