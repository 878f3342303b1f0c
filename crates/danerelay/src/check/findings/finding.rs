//! One finding.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::code::{Code, Severity};

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Finding {
    pub(crate) code: Code,
    pub(crate) severity: Severity,
    /// The host that it is about; `None`: the domain itself.
    pub(crate) host: Option<String>,
    /// The address of the host, if it is about one.
    pub(crate) address: Option<IpAddr>,
    pub(crate) text: String,
    /// What to do.
    pub(crate) fix: Option<String>,
}

/// What is asked of the findings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// By when certificates and signatures must not have expired, in days.
    pub(crate) days: u16,
    /// The time for which the findings are made.
    pub(crate) now: Timestamp,
}
