//! What was seen of a domain, what follows from it, and the verdict: what every output is made from, and the JSON itself.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::findings::{Finding, Severity, Wanted, findings};
use super::observation::{HostSeen, MxKind, MxSeen, Observation, StsSeen, TlsrptSeen};
use super::verdict::{self, Asked, Verdict};

/// The version of the JSON. Fields may be added without a change of it; none is renamed or given another meaning.
const VERSION: u32 = 1;

/// The complete result for one domain.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) version: u32,
    pub(crate) domain: String,
    pub(crate) verdict: Verdict,
    /// When the look at it began.
    pub(crate) checked: Timestamp,
    pub(crate) port: u16,
    /// Whether hosts were connected to.
    pub(crate) connected: bool,
    pub(crate) mx: MxSeen,
    /// By preference.
    pub(crate) hosts: Vec<Host>,
    pub(crate) mta_sts: StsSeen,
    pub(crate) tlsrpt: TlsrptSeen,
    /// The gravest first.
    pub(crate) findings: Vec<Finding>,
}

/// One host with its verdict.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Host {
    pub(crate) verdict: Verdict,
    #[serde(flatten)]
    pub(crate) seen: HostSeen,
}

impl Report {
    /// Judges what was seen.
    pub(crate) fn new(seen: Observation, wanted: Wanted) -> Self {
        let (verdict, findings) = (verdict::of_domain(&seen), findings(&seen, wanted));
        let asked = Asked::of(seen.connected);
        let hosts = seen.hosts.into_iter().map(|seen| Host {
            verdict: verdict::of_host(&seen, asked),
            seen,
        });
        Self {
            version: VERSION,
            domain: seen.domain,
            verdict,
            checked: seen.checked,
            port: seen.port,
            connected: seen.connected,
            mx: seen.mx,
            hosts: hosts.collect(),
            mta_sts: seen.mta_sts,
            tlsrpt: seen.tlsrpt,
            findings,
        }
    }

    /// The worst finding, if it is an error or a warning.
    pub(crate) fn gravest(&self) -> Option<&Finding> {
        self.findings
            .first()
            .filter(|finding| finding.severity <= Severity::Warning)
    }

    /// Whether it takes no mail because it does not exist, or says so nowhere: which is hardly meant.
    pub(crate) fn is_missing(&self) -> bool {
        self.verdict == Verdict::NoMail && self.mx.kind != MxKind::NullMx
    }
}
