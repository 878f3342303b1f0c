//! When deliveries and reports are made.
//!
//! [`scheduler`]: the one task that starts deliveries and reports. `schedule`: what waits for its time; `turns`: what
//! is due, by destination; `untold`: when each sender is to be told; `retry`: when a recipient is tried again, and when
//! it is given up.

mod job;
mod retry;
mod schedule;
pub mod scheduler;
mod turns;
mod untold;

pub(crate) use self::job::Job;
