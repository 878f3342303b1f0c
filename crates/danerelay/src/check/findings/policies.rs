//! MTA-STS and TLSRPT: what the domain says of its mail besides DANE.

use super::code::{Code, Severity};
use super::gathered::Findings;
use crate::check::observation::{MxKind, StsKind, TlsrptKind, WebPkiSeen};
use crate::check::outcome::Outcome;

pub(super) fn judge(report: &mut Findings<'_>) {
    if !matches!(report.seen.mx.kind, MxKind::Hosts | MxKind::Implicit) {
        return;
    }
    sts(report);
    tlsrpt(report);
}

fn sts(report: &mut Findings<'_>) {
    let seen = report.seen;
    let words = seen.mta_sts.reason.clone().unwrap_or_default();
    match seen.mta_sts.status {
        StsKind::NotAsked => {}
        StsKind::Absent | StsKind::None => report.add(
            Code::StsAbsent,
            "there is no MTA-STS policy: senders without DANE have nothing to go by",
        ),
        StsKind::LookupFailed => report.add(Code::StsLookupFailed, words),
        StsKind::RecordInvalid => report.add_with_fix(
            Code::StsRecordInvalid,
            words,
            format!(
                "publish one record: _mta-sts.{}. IN TXT \"v=STSv1; id=DATE;\"",
                seen.domain
            ),
        ),
        StsKind::PolicyFailed => report.add_with_fix(
            Code::StsPolicyFailed,
            words,
            format!(
                "serve it at https://mta-sts.{}/.well-known/mta-sts.txt",
                seen.domain
            ),
        ),
        StsKind::Testing => {
            report.add_with_fix(
                Code::StsTesting,
                "the MTA-STS policy is in testing mode: it protects nothing",
                "once the reports are clean, set mode: enforce",
            );
            agreement(report);
        }
        StsKind::Enforce => agreement(report),
    }
}

/// RFC 8461 §4.1.
fn agreement(report: &mut Findings<'_>) {
    let seen = report.seen;
    let is_enforced = seen.mta_sts.status == StsKind::Enforce;
    // While it is tested, senders deliver all the same, and report (RFC 8461 §5).
    let severity = if is_enforced {
        Severity::Error
    } else {
        Severity::Warning
    };
    let would = if is_enforced { "" } else { ", once it is enforced" };
    for host in &seen.mta_sts.not_allowed {
        report.add_as(
            severity,
            Code::StsMxNotAllowed,
            format!("the MTA-STS policy does not allow the MX host {host}: senders pass it over{would}"),
            format!("add the line \"mx: {host}\" to the policy and change its id, or remove the MX record"),
        );
    }
    for host in &seen.hosts {
        for address in &host.addresses {
            if matches!(
                address.outcome,
                Outcome::Clear | Outcome::NoStarttls | Outcome::StarttlsRefused
            ) {
                report.add_as(
                    severity,
                    Code::StsNoTls,
                    format!(
                        "MTA-STS demands TLS{would}, and {} [{}] offers none",
                        host.name, address.address
                    ),
                    "let the server offer STARTTLS",
                );
            }
            let is_bad = matches!(
                address.webpki,
                WebPkiSeen::NameMismatch | WebPkiSeen::Expired | WebPkiSeen::Untrusted
            );
            if is_bad {
                let reason = address.webpki_reason.as_deref().unwrap_or_default();
                report.add_as(
                    severity,
                    Code::StsCertificate,
                    format!(
                        "MTA-STS demands{would} a certificate of the WebPKI for {}, and [{}] shows another: {reason}",
                        host.name, address.address
                    ),
                    format!("have a public authority issue one for {}", host.name),
                );
            }
        }
    }
}

fn tlsrpt(report: &mut Findings<'_>) {
    let domain = &report.seen.domain;
    match report.seen.tlsrpt.status {
        TlsrptKind::NotAsked | TlsrptKind::Present => {}
        TlsrptKind::Absent => report.add_with_fix(
            Code::TlsrptAbsent,
            "nobody is told when senders fail: there is no TLSRPT record",
            format!("publish _smtp._tls.{domain}. IN TXT \"v=TLSRPTv1; rua=mailto:tlsrpt@{domain}\""),
        ),
        TlsrptKind::Several => report.add_with_fix(
            Code::TlsrptSeveral,
            "there are several TLSRPT records, which count as none (RFC 8460 section 3)",
            "leave one",
        ),
        TlsrptKind::Invalid => report.add_with_fix(
            Code::TlsrptInvalid,
            format!(
                "the TLSRPT record is invalid: {}",
                report.seen.tlsrpt.reason.as_deref().unwrap_or_default()
            ),
            format!("publish _smtp._tls.{domain}. IN TXT \"v=TLSRPTv1; rua=mailto:tlsrpt@{domain}\""),
        ),
        TlsrptKind::Failed => report.add(Code::TlsrptLookupFailed, "the TLSRPT record cannot be looked up"),
    }
}
