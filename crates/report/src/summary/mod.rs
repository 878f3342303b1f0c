//! Reports on the relay's traffic, from the figures of the ledger.
//!
//! * [`question`]: [`Question`], what to report on.
//! * [`traffic`]: [`Traffic`], the figures of one row.
//! * [`gathering`]: the ledger's tallies, put into rows. [`softfail`]: what enforcing DANE would have cost.
//! * [`report`]: all of it together: [`Report`], from [`make`], or part by part from [`Making`].
//! * [`outcomes`]: [`Outcomes`], with their causes; [`domains`]: the details domain by domain. Of these are made
//!   [`protection()`]: what DANE did month by month, and [`daily()`]: one day beside the one before.

mod daily;
mod domains;
mod gathering;
mod outcomes;
mod protection;
mod question;
mod report;
mod softfail;
#[cfg(test)]
mod tests;
mod traffic;

pub use daily::{Daily, DomainTraffic, daily};
pub use outcomes::{DaneFailures, Outcomes, Without, sum};
pub use protection::{Domains, Month, Protection, Scope, Stopped, protection};
pub use question::{By, Internal, LONGEST_PERIOD, Order, Per, Period, Question, View};
pub use report::{Head, Item, Making, Report, Row, make};
pub use softfail::{CauseCount, SoftFailed};
pub use traffic::{End, Traffic};
