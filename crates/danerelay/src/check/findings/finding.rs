//! One finding.

use std::net::IpAddr;

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
