//! What is remembered of each of many domains: enough for the summary, the page and the comparison with another run.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;

use super::findings::{Code, Severity};
use super::report::Report;
use super::verdict::Verdict;

/// One domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) domain: String,
    pub(crate) verdict: Verdict,
    pub(crate) checked: Timestamp,
    /// Who runs its hosts.
    pub(crate) providers: BTreeSet<String>,
    pub(crate) hosts: usize,
    /// Errors and warnings: the code, and the host that it is about.
    pub(crate) grave: BTreeSet<(Code, Option<String>)>,
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
            providers: report
                .hosts
                .iter()
                .filter_map(|host| host.seen.provider.clone())
                .collect(),
            hosts: report.hosts.len(),
            grave: grave()
                .map(|finding| (finding.code, finding.host.clone()))
                .collect(),
            gravest: grave().next().map(|finding| match &finding.host {
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
    hosts: Vec<LineHost>,
    findings: Vec<LineFinding>,
}

#[derive(Debug, Deserialize)]
struct LineHost {
    provider: Option<String>,
}

#[derive(Debug, Deserialize)]
struct LineFinding {
    code: Code,
    severity: Severity,
    host: Option<String>,
    text: String,
}

impl Row {
    /// Reads the JSON of an earlier run.
    pub(crate) fn read(line: &str) -> Result<Self, serde_json::Error> {
        let line: Line = serde_json::from_str(line)?;
        let grave = || {
            line.findings
                .iter()
                .filter(|finding| finding.severity <= Severity::Warning)
        };
        Ok(Self {
            verdict: line.verdict,
            checked: line.checked,
            providers: line
                .hosts
                .iter()
                .filter_map(|host| host.provider.clone())
                .collect(),
            hosts: line.hosts.len(),
            grave: grave()
                .map(|finding| (finding.code, finding.host.clone()))
                .collect(),
            gravest: grave().next().map(|finding| match &finding.host {
                Some(host) => format!("{host}: {}", finding.text),
                None => finding.text.clone(),
            }),
            domain: line.domain,
        })
    }
}
