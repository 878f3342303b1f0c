//! Figures for Prometheus, in a file that its node exporter reads (`--collector.textfile`).

use std::fmt::Write as _;

use jiff::Timestamp;

use super::findings::Severity;
use super::report::Report;
use super::verdict::Verdict;

/// The figures of one domain: kept instead of its report.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    domain: String,
    verdict: Verdict,
    checked: Timestamp,
    findings: [(Severity, usize); 3],
    /// The first certificate to expire.
    certificate: Option<Timestamp>,
    /// The first signature to expire.
    signature: Option<Timestamp>,
}

impl From<&Report> for Figures {
    fn from(report: &Report) -> Self {
        let count = |severity| {
            let found = report
                .findings
                .iter()
                .filter(|finding| finding.severity == severity);
            (severity, found.count())
        };
        let addresses = report.hosts.iter().flat_map(|host| &host.seen.addresses);
        let certificates = addresses.filter_map(|address| address.presented.first()?.not_after);
        let of_hosts = report.hosts.iter().flat_map(|host| &host.seen.tlsa.signatures);
        let signatures = of_hosts.chain(&report.mx.signatures);
        Self {
            domain: report.domain.clone(),
            verdict: report.verdict,
            checked: report.checked,
            findings: [Severity::Error, Severity::Warning, Severity::Advice].map(count),
            certificate: certificates.min(),
            signature: signatures.map(|signature| signature.until).min(),
        }
    }
}

/// A time of a domain, where it has one.
type TimeOf = fn(&Figures) -> Option<Timestamp>;

/// The whole file.
pub(crate) fn write(all: &[Figures]) -> String {
    let mut out = String::new();
    family(
        &mut out,
        "danerelay_check_verdict",
        "1 for the verdict on the domain, 0 for the others. Be alarmed when your own is not secure.",
    );
    for one in all {
        for verdict in Verdict::ALL {
            let value = u8::from(one.verdict == verdict);
            let _ = writeln!(
                out,
                "danerelay_check_verdict{{domain=\"{}\",verdict=\"{}\"}} {value}",
                one.domain,
                verdict.as_str()
            );
        }
    }
    family(
        &mut out,
        "danerelay_check_findings",
        "What was found, by how grave it is. Errors and warnings want to be mended.",
    );
    for one in all {
        for (severity, count) in one.findings {
            let _ = writeln!(
                out,
                "danerelay_check_findings{{domain=\"{}\",severity=\"{}\"}} {count}",
                one.domain,
                severity.as_str()
            );
        }
    }
    let times: [(&str, &str, TimeOf); 3] = [
        (
            "danerelay_check_certificate_expiry_timestamp_seconds",
            "When the first of the servers' certificates expires. Be alarmed a week before.",
            |one| one.certificate,
        ),
        (
            "danerelay_check_signature_expiry_timestamp_seconds",
            "When the first signature over MX and TLSA records expires. Be alarmed when a quarter of its time is left.",
            |one| one.signature,
        ),
        (
            "danerelay_check_timestamp_seconds",
            "When the domain was checked. Be alarmed when that is long ago.",
            |one| Some(one.checked),
        ),
    ];
    for (name, help, value) in times {
        family(&mut out, name, help);
        for one in all {
            if let Some(time) = value(one) {
                let _ = writeln!(out, "{name}{{domain=\"{}\"}} {}", one.domain, time.as_second());
            }
        }
    }
    out.push_str("# EOF\n");
    out
}

fn family(out: &mut String, name: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge");
}
