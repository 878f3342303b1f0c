//! Outcomes counted when deliveries are settled, for reports.

use std::future::Future;
use std::ops::{ControlFlow, RangeInclusive};

use jiff::civil::Date;
use mail::LedgerEntry;

use crate::error::SpoolError;

/// Outcomes that are the same in everything that the ledger records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// What they agree in.
    pub entry: LedgerEntry,
    /// How many there were.
    pub count: u64,
}

/// A ledger that can be read. [`crate::Spool::settle`] writes it.
pub trait Ledger: Send + Sync + 'static {
    /// Shows what was counted on these days (UTC), both ends included, until `visit` breaks off: ordered by day, and within
    /// a day by next hop. Holds one entry at a time in memory.
    ///
    /// Unreadable entries are skipped; returns how many there were up to that point.
    fn tallies(
        &self,
        days: RangeInclusive<Date>,
        visit: impl FnMut(Tally) -> ControlFlow<()> + Send + 'static,
    ) -> impl Future<Output = Result<u64, SpoolError>> + Send;
}
