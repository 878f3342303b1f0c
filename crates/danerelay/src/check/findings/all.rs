//! All findings of an observation.

use jiff::Timestamp;

use super::finding::Finding;
use super::gathered::Findings;
use super::{host, mx, policies, records, session};
use crate::check::observation::Observation;

/// All findings at this time, the gravest first; of equal ones those of the domain first.
pub(crate) fn findings(seen: &Observation, now: Timestamp) -> Vec<Finding> {
    let mut report = Findings::new(seen, now);
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
