//! Reports of others, as they come: in mail, compressed, or bare.
//!
//! [`read`] takes any of these. `unpack` finds the report in what brought it, `loose` reads JSON as reporters really write it,
//! and [`incoming`] has the result: plain data, with what is remarkable about it.

mod fault;
pub mod incoming;
mod loose;
mod unpack;

pub use fault::ReadFault;
pub use incoming::{Carrier, Detail, Incoming, Policy, PolicyType, Remark};
pub use unpack::{INPUT, REPORT};

/// A report, and what brought it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// What it says.
    pub report: Incoming,
    /// The mail that brought it, if any did.
    pub carrier: Option<Carrier>,
    /// What is remarkable about it.
    pub remarks: Vec<Remark>,
}

impl Reading {
    /// Whether all of it was read, and no failure is reported.
    pub fn is_good(&self) -> bool {
        let is_partial = |remark: &Remark| matches!(remark, Remark::MoreReports(_) | Remark::Unread(_));
        self.report.sessions().1 == 0 && !self.remarks.iter().any(is_partial)
    }
}

/// Reads a report from a whole file: mail, gzip or JSON, whichever it is.
pub fn read(octets: &[u8]) -> Result<Reading, ReadFault> {
    let found = unpack::unpack(octets)?;
    let report = loose::parse(&found.json)?;
    let remarks = incoming::remarks(&report, found.carrier.as_ref(), found.more);
    Ok(Reading {
        report,
        carrier: found.carrier,
        remarks,
    })
}

#[cfg(test)]
mod tests;
