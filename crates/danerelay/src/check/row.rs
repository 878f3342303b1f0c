//! What is remembered of each of many domains: enough for the summary, the page and the comparison with another run.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;

use super::findings::{Code, Severity};
use super::observation::{Depth, Manner, MxKind};
use super::report::Report;
use super::verdict::Verdict;

/// One domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) domain: String,
    pub(crate) verdict: Verdict,
    pub(crate) checked: Timestamp,
    /// How it was looked at; `None` if that is not known.
    pub(crate) manner: Option<Manner>,
    /// Whether it takes no mail, and does not say so itself.
    pub(crate) is_missing: bool,
    /// Who runs its hosts.
    pub(crate) providers: BTreeSet<String>,
    pub(crate) hosts: usize,
    /// Errors and warnings: the code, and the host that it is about.
    pub(crate) grave: BTreeSet<(String, Option<String>)>,
    /// The gravest in words, if it is one of them.
    pub(crate) gravest: Option<String>,
}

impl From<&Report> for Row {
    fn from(report: &Report) -> Self {
        let grave = || {
            report
                .findings
                .iter()
                .filter(|finding| finding.severity <= Severity::Warning)
        };
        Self {
            domain: report.domain.clone(),
            verdict: report.verdict,
            checked: report.checked,
            manner: Some(report.manner()),
            is_missing: report.is_missing(),
            providers: report
                .hosts
                .iter()
                .filter_map(|host| host.seen.provider.clone())
                .collect(),
            hosts: report.hosts.len(),
            grave: grave()
                .map(|finding| (finding.code.name(), finding.host.clone()))
                .collect(),
            gravest: report.gravest().map(|finding| match &finding.host {
                Some(host) => format!("{host}: {}", finding.text),
                None => finding.text.clone(),
            }),
        }
    }
}

/// A line of an earlier run, of which only this is read: later versions may say more.
#[derive(Debug, Deserialize)]
struct Line {
    domain: String,
    verdict: Verdict,
    checked: Timestamp,
    port: u16,
    connected: bool,
    depth: Option<Depth>,
    days: Option<u16>,
    mx: LineMx,
    hosts: Vec<LineHost>,
    findings: Vec<LineFinding>,
}

#[derive(Debug, Deserialize)]
struct LineMx {
    kind: MxKind,
}

#[derive(Debug, Deserialize)]
struct LineHost {
    provider: Option<String>,
}

#[derive(Debug, Deserialize)]
struct LineFinding {
    /// A later version may know more of both.
    code: String,
    severity: String,
    host: Option<String>,
    text: String,
}

impl Row {
    /// Reads the JSON of an earlier run.
    pub(crate) fn read(line: &[u8]) -> Result<Self, serde_json::Error> {
        let line: Line = serde_json::from_slice(line)?;
        let grave = || line.findings.iter().filter(|finding| is_grave(&finding.severity));
        Ok(Self {
            is_missing: line.verdict == Verdict::NoMail && line.mx.kind != MxKind::NullMx,
            verdict: line.verdict,
            checked: line.checked,
            manner: line.depth.zip(line.days).map(|(depth, days)| Manner {
                port: line.port,
                connected: line.connected,
                depth,
                days,
            }),
            providers: line
                .hosts
                .iter()
                .filter_map(|host| host.provider.clone())
                .collect(),
            hosts: line.hosts.len(),
            grave: grave()
                .map(|finding| (finding.code.clone(), finding.host.clone()))
                .collect(),
            gravest: grave()
                .find(|finding| Code::named(&finding.code).and_then(Code::makes) == Some(line.verdict))
                .or_else(|| grave().next())
                .map(|finding| match &finding.host {
                    Some(host) => format!("{host}: {}", finding.text),
                    None => finding.text.clone(),
                }),
            domain: line.domain,
        })
    }
}

fn is_grave(severity: &str) -> bool {
    [Severity::Error, Severity::Warning]
        .iter()
        .any(|grave| grave.as_str() == severity)
}
