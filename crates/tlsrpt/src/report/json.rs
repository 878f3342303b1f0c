//! The form of a report (RFC 8460 §4.4).

use std::net::IpAddr;

use mail::{TlsDetail, TlsPolicy, TlsResult, TlsTally};
use serde::{Serialize, Serializer};

use super::Report;

/// The largest whole number that every reader of JSON keeps (RFC 7493 §2.2).
const LARGEST: u64 = (1 << 53) - 1;

/// The whole of it. The order of the fields is that of the RFC.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Json<'a> {
    organization_name: &'a str,
    date_range: DateRange,
    contact_info: &'a str,
    report_id: String,
    policies: Vec<Item<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct DateRange {
    start_datetime: String,
    end_datetime: String,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Item<'a> {
    policy: Applied<'a>,
    summary: Summary,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failure_details: Vec<Detail<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Applied<'a> {
    policy_type: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    policy_string: &'a [String],
    policy_domain: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    mx_host: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Summary {
    #[serde(serialize_with = "safe")]
    total_successful_session_count: u64,
    #[serde(serialize_with = "safe")]
    total_failure_session_count: u64,
}

/// What does not exist for a failure is left out, instead of being made up.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Detail<'a> {
    result_type: TlsResult,
    #[serde(skip_serializing_if = "Option::is_none")]
    sending_mta_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receiving_mx_hostname: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receiving_mx_helo: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receiving_ip: Option<IpAddr>,
    #[serde(serialize_with = "safe")]
    failed_session_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason_code: Option<&'a str>,
}

impl<'a> Json<'a> {
    /// The report with these of its tallies, each with these of its details.
    pub(super) fn new(report: &Report<'a>, kept: Vec<(&'a TlsTally, Vec<&'a TlsDetail>)>) -> Self {
        let (start, end) = report.range();
        Self {
            organization_name: report.reporter.organization(),
            date_range: DateRange {
                start_datetime: start.to_string(),
                end_datetime: end.to_string(),
            },
            contact_info: report.reporter.contact().as_str(),
            report_id: report.report_id(),
            policies: kept
                .into_iter()
                .map(|(tally, details)| Item::new(tally, details))
                .collect(),
        }
    }
}

impl<'a> Item<'a> {
    fn new(tally: &'a TlsTally, details: Vec<&'a TlsDetail>) -> Self {
        Self {
            policy: Applied::new(&tally.policy),
            summary: Summary {
                total_successful_session_count: tally.successes,
                total_failure_session_count: tally.failures,
            },
            failure_details: details.into_iter().map(Detail::new).collect(),
        }
    }
}

impl<'a> Applied<'a> {
    fn new(policy: &'a TlsPolicy) -> Self {
        let (policy_type, policy_string, mx_host) = match policy {
            TlsPolicy::Tlsa { records, .. } => ("tlsa", records.as_slice(), &[][..]),
            TlsPolicy::Sts { lines, mx, .. } => ("sts", lines.as_slice(), mx.as_slice()),
            TlsPolicy::None { .. } => ("no-policy-found", &[][..], &[][..]),
        };
        Self {
            policy_type,
            policy_string,
            policy_domain: policy.domain().as_str(),
            mx_host,
        }
    }
}

impl<'a> Detail<'a> {
    fn new(detail: &'a TlsDetail) -> Self {
        let failure = &detail.failure;
        Self {
            result_type: failure.result,
            sending_mta_ip: failure.sending_ip.as_ref().map(IpAddr::to_canonical),
            receiving_mx_hostname: failure.mx_host.as_ref().map(mail::Domain::as_str),
            receiving_mx_helo: failure.mx_helo.as_deref(),
            receiving_ip: failure.receiving_ip.as_ref().map(IpAddr::to_canonical),
            failed_session_count: detail.count,
            failure_reason_code: failure.reason.as_deref(),
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "it is serde's form")]
fn safe<S: Serializer>(count: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64((*count).min(LARGEST))
}
