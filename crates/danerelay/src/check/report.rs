//! What was seen of a domain, what follows from it, and the verdict: what every output is made from, and the JSON itself.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::findings::{Finding, Severity, findings};
use super::observation::{
    Depth, HostSeen, Manner, MxKind, MxSeen, Observation, StsSeen, TlsrptSeen, Unexamined,
};
use super::verdict::{self, Asked, Verdict};

/// The version of the JSON. Fields may be added without a change of it; none is renamed or given another meaning.
const VERSION: u32 = 1;

/// What a client of this TLS library cannot offer, and so cannot find out.
const NOT_PROBED: [&str; 6] = [
    "TLS 1.0 and 1.1",
    "static RSA key exchange",
    "finite-field key exchange",
    "CBC suites",
    "compression",
    "secure renegotiation",
];

/// The complete result for one domain.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) version: u32,
    pub(crate) domain: String,
    pub(crate) verdict: Verdict,
    /// When the look at it began.
    pub(crate) checked: Timestamp,
    /// How.
    #[serde(flatten)]
    pub(crate) manner: Manner,
    pub(crate) mx: MxSeen,
    /// By preference.
    pub(crate) hosts: Vec<Host>,
    pub(crate) mta_sts: StsSeen,
    pub(crate) tlsrpt: TlsrptSeen,
    /// What this program cannot find out about a server.
    #[serde(default)]
    pub(crate) not_probed: Vec<String>,
    /// What there was no time for; `None` if everything was looked at.
    #[serde(default)]
    pub(crate) unexamined: Option<Unexamined>,
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
    /// Judges what was seen, at this time.
    pub(crate) fn new(seen: Observation, now: Timestamp) -> Self {
        let (verdict, findings) = (verdict::of_domain(&seen), findings(&seen, now));
        let asked = Asked::of(seen.manner.connected);
        let hosts = seen.hosts.into_iter().map(|seen| Host {
            verdict: verdict::of_host(&seen, asked),
            seen,
        });
        Self {
            version: VERSION,
            domain: seen.domain,
            verdict,
            checked: seen.checked,
            manner: seen.manner,
            mx: seen.mx,
            hosts: hosts.collect(),
            mta_sts: seen.mta_sts,
            tlsrpt: seen.tlsrpt,
            not_probed: if seen.manner.connected && seen.manner.depth == Depth::Everything {
                NOT_PROBED.iter().copied().map(str::to_owned).collect()
            } else {
                Vec::new()
            },
            unexamined: seen.unexamined,
            findings,
        }
    }

    /// The error or warning that matters most: one that made the verdict, or else the gravest.
    pub(crate) fn gravest(&self) -> Option<&Finding> {
        let grave = || {
            self.findings
                .iter()
                .filter(|finding| finding.severity <= Severity::Warning)
        };
        grave()
            .find(|finding| finding.code.makes() == Some(self.verdict))
            .or_else(|| grave().next())
    }

    /// How it was looked at.
    pub(crate) fn manner(&self) -> Manner {
        self.manner
    }

    /// Whether it takes no mail because it does not exist, or says so nowhere: which is hardly meant.
    pub(crate) fn is_missing(&self) -> bool {
        self.verdict == Verdict::NoMail && self.mx.kind != MxKind::NullMx
    }
}
