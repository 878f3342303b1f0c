//! Results of TLS sessions counted when deliveries are settled, for reports to the receiving side (RFC 8460).

use std::future::Future;

use jiff::civil::Date;
use mail::{Domain, TlsTally};
use serde::{Deserialize, Serialize};

use crate::error::SpoolError;
use crate::message::{Accepted, Report};

/// A domain in whose report something is counted: a destination, or a TLSA base domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsDomain {
    /// The domain.
    pub domain: Domain,
    /// Sessions that met their policy.
    pub successes: u64,
    /// Sessions that did not.
    pub failures: u64,
}

/// How much is counted on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsDay {
    /// The day in UTC.
    pub day: Date,
    /// Results of sessions that are not counted, because there was no room for their domains and policies any more.
    pub left_out: u64,
}

/// What was counted and can be read. [`crate::Spool::settle`] writes it.
///
/// It is kept for three days in UTC, the running one included.
pub trait TlsTallies: Send + Sync + 'static {
    /// A page of the domains with something counted on this day, in their order, from the one after `after` on. An empty
    /// page is the end.
    fn tls_domains(
        &self,
        day: Date,
        after: Option<Domain>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<TlsDomain>, SpoolError>> + Send;

    /// What is counted for the report of this domain on this day: one tally for each policy, in a lasting order. Unreadable
    /// ones are left out.
    fn tls_tallies(
        &self,
        day: Date,
        domain: Domain,
    ) -> impl Future<Output = Result<Vec<TlsTally>, SpoolError>> + Send;

    /// The days on which something is counted, in order.
    fn tls_days(&self) -> impl Future<Output = Result<Vec<TlsDay>, SpoolError>> + Send;
}

/// What a report tells, or what nobody wants to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsTold {
    /// The day.
    pub day: Date,
    /// Whose report it is.
    pub domain: Domain,
    /// What it tells.
    pub tallies: Vec<TlsTally>,
}

/// Tallies that can be changed apart from settlements.
pub trait KeepTlsTallies: TlsTallies {
    /// Takes what a report tells, or what nobody wants to be told, from what is counted for this domain on this day, and
    /// queues the report, if it goes by mail, in one atomic step; durable when this returns `Ok`. What was counted since the
    /// tallies were read stays.
    fn tls_told(
        &self,
        told: TlsTold,
        report: Option<Report>,
    ) -> impl Future<Output = Result<Option<Accepted>, SpoolError>> + Send;
}
