//! The results of one message for a `tlsrpt-collectd` that a site already runs: it collects those of all its mail servers, and
//! sends the reports.
//!
//! What its datagram socket takes is one JSON object with short names and numbers in place of words. It counts each policy of
//! each datagram once, as met or as failed, and each of the failures once.

use std::net::IpAddr;

use mail::{Domain, TlsFailure, TlsPolicy, TlsResult};
use serde::Serialize;

/// The most octets of a datagram; larger ones do not pass through every socket with its default settings.
const OCTETS: usize = 64_000;

/// What became of one policy in the delivery of one message.
#[derive(Debug, Clone, Copy)]
pub struct PolicyResult<'a> {
    /// The policy.
    pub policy: &'a TlsPolicy,
    /// What went wrong on the way, with hosts that were passed over as well.
    pub failures: &'a [TlsFailure],
    /// How it ended.
    pub end: End,
}

/// How it ended for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// In a session that met the policy.
    Met,
    /// In none.
    Failed,
}

/// The datagram about a message for this domain, which publishes this record about reports, its strings joined. `None` if
/// there is nothing to tell: without a record nobody wants to know.
pub fn datagram(domain: &Domain, record: &str, results: &[PolicyResult<'_>]) -> Option<Vec<u8>> {
    if record.is_empty() || results.is_empty() {
        return None;
    }
    let mut most = usize::MAX;
    loop {
        let datagram = Datagram {
            dpv: "1",
            d: domain.as_str(),
            pr: record,
            policies: results.iter().map(|result| Counted::new(result, most)).collect(),
        };
        let octets = serde_json::to_vec(&datagram).ok()?;
        if octets.len() <= OCTETS {
            return Some(octets);
        }
        // Fewer failures of each policy; in the end it is not told at all.
        let longest = results.iter().map(|result| result.failures.len()).max()?;
        most = most.min(longest).checked_sub(1)? / 2;
    }
}

#[derive(Serialize)]
struct Datagram<'a> {
    /// The version of the form.
    dpv: &'static str,
    /// The domain.
    d: &'a str,
    /// Its record.
    pr: &'a str,
    policies: Vec<Counted<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Counted<'a> {
    policy_type: u8,
    policy_domain: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    policy_string: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    mx_host: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failure_details: Vec<Failure<'a>>,
    /// How many failures are told.
    t: usize,
    /// Whether it ended in failure.
    f: u8,
}

#[derive(Serialize)]
struct Failure<'a> {
    /// The kind.
    c: u16,
    /// The sender's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<IpAddr>,
    /// The name of the MX host.
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<&'a str>,
    /// The name by which it greets.
    #[serde(skip_serializing_if = "Option::is_none")]
    h: Option<&'a str>,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    r: Option<IpAddr>,
    /// The reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    f: Option<&'a str>,
}

impl<'a> Counted<'a> {
    fn new(result: &PolicyResult<'a>, most: usize) -> Self {
        let (policy_type, policy_string, mx_host) = match result.policy {
            TlsPolicy::Tlsa { records, .. } => (1, records.as_slice(), &[][..]),
            TlsPolicy::Sts { lines, mx, .. } => (2, lines.as_slice(), mx.as_slice()),
            TlsPolicy::None { .. } => (9, &[][..], &[][..]),
        };
        let failures = result.failures.iter().take(most);
        let failure_details: Vec<_> = failures.map(Failure::new).collect();
        Self {
            policy_type,
            policy_domain: result.policy.domain().as_str(),
            policy_string,
            mx_host,
            t: failure_details.len(),
            failure_details,
            f: match result.end {
                End::Met => 0,
                End::Failed => 1,
            },
        }
    }
}

impl<'a> Failure<'a> {
    fn new(failure: &'a TlsFailure) -> Self {
        Self {
            c: code(failure.result),
            s: failure.sending_ip.as_ref().map(IpAddr::to_canonical),
            n: failure.mx_host.as_ref().map(Domain::as_str),
            h: failure.mx_helo.as_deref(),
            r: failure.receiving_ip.as_ref().map(IpAddr::to_canonical),
            f: failure.reason.as_deref(),
        }
    }
}

/// The number of a result type.
fn code(result: TlsResult) -> u16 {
    match result {
        TlsResult::StarttlsNotSupported => 201,
        TlsResult::CertificateHostMismatch => 202,
        TlsResult::CertificateNotTrusted => 203,
        TlsResult::CertificateExpired => 204,
        TlsResult::ValidationFailure => 205,
        TlsResult::StsPolicyFetchError => 301,
        TlsResult::StsPolicyInvalid => 302,
        TlsResult::StsWebpkiInvalid => 303,
        TlsResult::TlsaInvalid => 304,
        TlsResult::DnssecInvalid => 305,
        TlsResult::DaneRequired => 306,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_form_of_a_datagram() {
        let domain = Domain::parse("example.org").unwrap();
        let mx = Domain::parse("mx.example.org").unwrap();
        let policy = TlsPolicy::tlsa(mx.clone(), ["3 1 1 ab".to_owned()]);
        let failure = TlsFailure {
            mx_host: Some(mx),
            receiving_ip: Some([192, 0, 2, 1].into()),
            ..TlsFailure::of(TlsResult::StarttlsNotSupported).because("a \"b\"")
        };
        let results = [
            PolicyResult {
                policy: &policy,
                failures: &[failure],
                end: End::Failed,
            },
            PolicyResult {
                policy: &TlsPolicy::None {
                    domain: domain.clone(),
                },
                failures: &[],
                end: End::Met,
            },
        ];
        let octets = datagram(&domain, "v=TLSRPTv1;rua=mailto:a@example.org", &results).unwrap();
        assert_eq!(
            String::from_utf8(octets).unwrap(),
            concat!(
                r#"{"dpv":"1","d":"example.org","pr":"v=TLSRPTv1;rua=mailto:a@example.org","policies":["#,
                r#"{"policy-type":1,"policy-domain":"mx.example.org","policy-string":["3 1 1 ab"],"failure-details":"#,
                r#"[{"c":201,"n":"mx.example.org","r":"192.0.2.1","f":"a \"b\""}],"t":1,"f":1},"#,
                r#"{"policy-type":9,"policy-domain":"example.org","t":0,"f":0}]}"#
            )
        );
        assert_eq!(datagram(&domain, "", &results), None);
        assert_eq!(datagram(&domain, "v=TLSRPTv1;", &[]), None);
    }

    #[test]
    fn a_datagram_stays_small_and_true() {
        let domain = Domain::parse("example.org").unwrap();
        let policy = TlsPolicy::None {
            domain: domain.clone(),
        };
        let failure = TlsFailure::of(TlsResult::ValidationFailure).because(&"x".repeat(250));
        let failures = vec![failure; 1000];
        let result = PolicyResult {
            policy: &policy,
            failures: &failures,
            end: End::Met,
        };
        let octets = datagram(&domain, "v=TLSRPTv1;rua=mailto:a@example.org", &[result]).unwrap();
        assert!(octets.len() <= OCTETS);
        let value: serde_json::Value = serde_json::from_slice(&octets).unwrap();
        let policy = value.pointer("/policies/0").unwrap();
        let told = policy.get("failure-details").unwrap().as_array().unwrap().len();
        assert!(told > 100, "{told}");
        assert_eq!(policy.get("t").unwrap().as_u64().unwrap(), told as u64);
        let long = "x".repeat(OCTETS);
        assert_eq!(datagram(&domain, &long, &[result]), None);
    }
}
