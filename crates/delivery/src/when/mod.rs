//! When deliveries and reports are made.
//!
//! [`scheduler`]: the one task that starts deliveries and reports; `scan`: what it finds at start; [`handle`]: how others
//! speak to it. `schedule`: all destinations, and whose turn it is; `destination`: one of them, what waits for it and how it
//! does; `waiting`: all that waits for one; `entry`: one message of that; `job`: what is to be done, and what it shows about
//! its destination. `overdue`: what has waited for its turn for too long; `untold`: when each sender is to be told; `retry`:
//! when a recipient is tried again, and when it is given up. `standing`: how destinations do, for people to look at;
//! `summary`: what the log is told of one that is held up.

mod destination;
mod entry;
pub mod handle;
mod job;
mod overdue;
mod retry;
mod scan;
mod schedule;
pub mod scheduler;
mod standing;
mod summary;
mod untold;
mod waiting;

pub(crate) use self::job::{Course, Job, Share, Shown, Suspension, Turn};
pub(crate) use self::overdue::Ages;
pub(crate) use self::retry::Term;
pub use self::standing::{DestinationStanding, Standings};
