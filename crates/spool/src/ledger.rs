//! Outcomes counted when deliveries are settled, for reports.

use std::future::Future;
use std::ops::{ControlFlow, RangeInclusive};

use jiff::Timestamp;
use jiff::civil::Date;
use mail::LedgerKey;

use crate::error::SpoolError;

/// Outcomes that are the same in everything that the ledger records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// What they agree in.
    pub key: LedgerKey,
    /// How many there were.
    pub count: u64,
    /// The octets of content of those that were final.
    pub octets: u64,
    /// When the last of them was settled, in whole seconds.
    pub last: Timestamp,
}

/// How much room a ledger has for further outcomes by domain and host. Without room they are counted without both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerRoom {
    /// Different outcomes by domain and host that are kept.
    pub outcomes: u64,
    /// The most of them.
    pub most: u64,
    /// Those that were new on the day that was asked about.
    pub new: u64,
    /// The most that may be new on one day.
    pub most_new: u64,
}

impl LedgerRoom {
    /// Whether there is none for a domain that was never seen.
    pub const fn is_full(&self) -> bool {
        self.outcomes >= self.most || self.new >= self.most_new
    }
}

/// A ledger that can be read. [`crate::Spool::settle`] writes it.
///
/// Figures by domain and host are kept for as long as the administrator says, totals for ten years.
pub trait Ledger: Send + Sync + 'static {
    /// Shows the totals of each of these days (UTC), both ends included, in order, until `visit` breaks off. They have no
    /// host, and a domain only where the store was told to keep it apart; there are few of them, so any period is read
    /// quickly.
    ///
    /// Unreadable entries are skipped; returns how many there were up to that point.
    fn totals(
        &self,
        days: RangeInclusive<Date>,
        visit: impl FnMut(Date, Tally) -> ControlFlow<()> + Send + 'static,
    ) -> impl Future<Output = Result<u64, SpoolError>> + Send;

    /// How much room there is on this day (UTC).
    fn room(&self, day: Date) -> impl Future<Output = Result<LedgerRoom, SpoolError>> + Send;

    /// Shows the sums over all of these days by domain and host, likewise: one tally for each key, those of one domain after
    /// one another, and among these those of one host.
    ///
    /// Of outcomes for which a store has no room left, domain and host are not known: all of them are without both.
    fn sums(
        &self,
        days: RangeInclusive<Date>,
        visit: impl FnMut(Tally) -> ControlFlow<()> + Send + 'static,
    ) -> impl Future<Output = Result<u64, SpoolError>> + Send;
}
