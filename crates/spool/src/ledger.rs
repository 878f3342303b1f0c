//! What settlements have counted, for reports.

use std::future::Future;
use std::ops::{ControlFlow, RangeInclusive};

use jiff::civil::Date;
use mail::LedgerEntry;

use crate::error::SpoolError;

/// Outcomes that agree in all that the ledger knows of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// What they agree in.
    pub entry: LedgerEntry,
    /// How many there were.
    pub count: u64,
}

/// A ledger that can be read. It is written by [`crate::Spool::settle`].
pub trait Ledger: Send + Sync + 'static {
    /// Shows what was counted on these days (UTC), both ends included, until `visit` breaks off: in the order of the days,
    /// and of one day in that of the next hops. Holds one at a time in memory.
    ///
    /// What cannot be read is passed over; how many of them there were up to there is returned.
    fn tallies(
        &self,
        days: RangeInclusive<Date>,
        visit: impl FnMut(Tally) -> ControlFlow<()> + Send + 'static,
    ) -> impl Future<Output = Result<u64, SpoolError>> + Send;
}
