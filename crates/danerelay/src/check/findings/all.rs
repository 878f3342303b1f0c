//! All findings of an observation.

use super::finding::{Finding, Wanted};
use super::gathered::Findings;
use super::{host, mx, policies, records, session};
use crate::check::observation::Observation;

/// All findings, the gravest first; of equal ones those of the domain first.
pub(crate) fn findings(seen: &Observation, wanted: Wanted) -> Vec<Finding> {
    let mut report = Findings::new(seen, wanted);
    mx::judge(&mut report);
    for host in &seen.hosts {
        report.host = Some(host);
        host::judge(&mut report, host);
        records::judge(&mut report, host);
        for address in &host.addresses {
            report.address = Some(address.address);
            session::judge(&mut report, host, address);
        }
        report.address = None;
    }
    report.host = None;
    policies::judge(&mut report);
    let mut found = report.found;
    found.sort_by_key(|finding| finding.severity);
    found
}
