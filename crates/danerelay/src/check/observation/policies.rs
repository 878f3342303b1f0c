//! What a domain says about MTA-STS and TLS reports.

use serde::{Deserialize, Serialize};

/// The MTA-STS policy (RFC 8461).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StsSeen {
    pub(crate) status: StsKind,
    pub(crate) id: Option<String>,
    /// In seconds.
    pub(crate) max_age: Option<u64>,
    /// The hosts that it allows.
    pub(crate) mx: Vec<String>,
    /// MX hosts that it does not allow.
    pub(crate) not_allowed: Vec<String>,
    /// Why the policy is not known.
    pub(crate) reason: Option<String>,
}

impl StsSeen {
    /// Nobody asked.
    pub(crate) fn not_asked() -> Self {
        Self {
            status: StsKind::NotAsked,
            id: None,
            max_age: None,
            mx: Vec::new(),
            not_allowed: Vec::new(),
            reason: None,
        }
    }

    /// Whether certificates are looked at because of it.
    pub(crate) fn is_a_policy(&self) -> bool {
        matches!(self.status, StsKind::Enforce | StsKind::Testing)
    }
}

/// The kinds of MTA-STS policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StsKind {
    NotAsked,
    Absent,
    /// The policy says that there is none any more.
    None,
    Testing,
    Enforce,
    /// The record cannot be looked up.
    LookupFailed,
    /// The record is invalid.
    RecordInvalid,
    /// The policy cannot be fetched, or is none.
    PolicyFailed,
}

/// The TLSRPT record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TlsrptSeen {
    pub(crate) status: TlsrptKind,
    /// The records that begin as one, as they are published.
    pub(crate) records: Vec<String>,
    /// What is wrong with them, or with a place that they name.
    #[serde(default)]
    pub(crate) reason: Option<String>,
}

impl TlsrptSeen {
    /// Nobody asked.
    pub(crate) fn not_asked() -> Self {
        Self {
            status: TlsrptKind::NotAsked,
            records: Vec::new(),
            reason: None,
        }
    }
}

/// The kinds of TLSRPT records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TlsrptKind {
    NotAsked,
    Absent,
    Present,
    /// More than one, which counts as none (RFC 8460 §3).
    Several,
    /// It names no place that a report could be sent to.
    Invalid,
    Failed,
}
