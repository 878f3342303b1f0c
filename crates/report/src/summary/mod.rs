//! Reports on the relay's traffic, from the figures of the ledger.
//!
//! * [`question`]: [`Question`], what to report on.
//! * [`traffic`]: [`Traffic`], the figures of one row.
//! * [`gathering`]: the ledger's tallies, put into rows. [`softfail`]: what enforcing DANE would have cost.
//! * [`report`]: all of it together: [`Report`], from [`make`], or part by part from [`Making`].

mod gathering;
mod question;
mod report;
mod softfail;
#[cfg(test)]
mod tests;
mod traffic;

pub use question::{By, Internal, LONGEST_PERIOD, Order, Per, Period, Question, View};
pub use report::{Head, Item, Making, Report, Row, make};
pub use softfail::{CauseCount, SoftFailed};
pub use traffic::{End, Traffic};
