//! What the configuration and the policy say that does not fit this machine.

use super::finding::{Finding, Level, Subject};
use super::patient::Patient;
use crate::surroundings;

/// The first remarks of `config check`; the rest is counted.
const SHOWN: usize = 8;

pub(super) fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    let loaded = patient.loaded;
    let written = loaded.warnings.iter().map(ToString::to_string);
    let remarks: Vec<String> = written
        .chain(surroundings::remarks(loaded, patient.policy))
        .collect();
    let path = loaded.path.display();
    if remarks.is_empty() {
        let found = if loaded.found {
            format!("{path}: nothing to remark")
        } else {
            format!("{path} does not exist; the built-in defaults hold")
        };
        return vec![Finding::ok(Subject::Configuration, found)];
    }
    let rest = remarks.len().saturating_sub(SHOWN);
    let mut findings: Vec<Finding> = remarks
        .into_iter()
        .take(SHOWN)
        .map(|remark| Finding {
            result: Level::Warn,
            ..Finding::ok(Subject::Configuration, remark)
        })
        .collect();
    if rest > 0 {
        let found = format!("{rest} more");
        let mend = "danerelay config check shows all";
        findings.push(Finding::new(Subject::Configuration, Level::Warn, found, mend));
    }
    findings
}
