//! The destination's MTA-STS policy.

use delivery::route::Sts;
use mail::Domain;
use policy::facts::DomainMtaSts;
use serde::{Deserialize, Serialize};

/// What is known about the policy, and what is made of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StsReport {
    /// The policy domain.
    pub(crate) domain: String,
    pub(crate) status: StsStatus,
    /// The mode that the policy itself has.
    pub(crate) mode: Option<String>,
    pub(crate) id: Option<String>,
    /// When it was fetched (RFC 3339).
    pub(crate) fetched: Option<String>,
    /// When it ends, unless it is fetched again.
    pub(crate) ends: Option<String>,
    /// The hosts that it allows.
    pub(crate) mx: Vec<String>,
    /// Why the live policy is not known.
    pub(crate) reason: Option<String>,
}

/// What is made of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StsStatus {
    /// There is none, or it says so.
    None,
    /// There may be one, which could not be had.
    Failed,
    Testing,
    Enforce,
}

impl StsStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Failed => "failed",
            Self::Testing => "testing",
            Self::Enforce => "enforce",
        }
    }
}

impl StsReport {
    /// Whether there is something to say to people.
    pub(crate) fn is_notable(&self) -> bool {
        self.status != StsStatus::None || self.mode.is_some()
    }

    /// `None` if no policy was asked about.
    pub(super) fn new(sts: &Sts) -> Option<Self> {
        let domain = sts.domain()?;
        let discovery = sts.discovery();
        let entry = discovery.entry.as_ref();
        Some(Self {
            domain: Domain::to_string(domain),
            status: match sts.of_domain() {
                DomainMtaSts::Absent => StsStatus::None,
                DomainMtaSts::Unknown | DomainMtaSts::Awaited => StsStatus::Failed,
                DomainMtaSts::Testing => StsStatus::Testing,
                DomainMtaSts::Enforce => StsStatus::Enforce,
            },
            mode: entry.map(|entry| entry.policy.mode.to_string()),
            id: entry.map(|entry| entry.id.to_string()),
            fetched: entry.map(|entry| entry.fetched.to_string()),
            ends: entry.map(|entry| entry.ends().to_string()),
            mx: entry.map_or_else(Vec::new, |entry| {
                entry.policy.mx.iter().map(ToString::to_string).collect()
            }),
            reason: discovery.trouble.as_ref().map(ToString::to_string),
        })
    }
}
