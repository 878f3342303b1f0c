#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use mail::{Mailbox, TlsDetail, TlsFailure, TlsPolicy, TlsResult};
use serde_json::{Value, json};

use super::*;
use crate::gzip;

fn domain(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

fn reporter() -> Reporter {
    let mailbox = |text| Mailbox::parse(text).unwrap();
    Reporter::new(
        "Example",
        &mailbox("postmaster@example.nl"),
        &mailbox("tlsrpt@example.nl"),
    )
    .unwrap()
}

fn id() -> QueueId {
    "01JDB3ZZZZZZZZZZZZZZZZZZZZ".parse().unwrap()
}

fn written(about: &Domain, tallies: &[TlsTally]) -> Written {
    let reporter = reporter();
    let report = Report {
        reporter: &reporter,
        domain: about,
        day: "2026-11-28".parse().unwrap(),
        id: id(),
        tallies,
    };
    report.write()
}

fn tally(policy: TlsPolicy, successes: u64, failures: u64, details: Vec<TlsDetail>) -> TlsTally {
    TlsTally {
        policy,
        successes,
        failures,
        details,
    }
}

fn detail(failure: TlsFailure, count: u64) -> TlsDetail {
    TlsDetail { failure, count }
}

fn all_kinds() -> Vec<TlsTally> {
    let about = domain("bücher.example");
    let whole = TlsFailure {
        sending_ip: Some("::ffff:192.0.2.7".parse().unwrap()),
        mx_host: Some(domain("mx1.bücher.example")),
        mx_helo: Some("mx \"1\"".to_owned()),
        receiving_ip: Some("2001:db8:0:0:0:0:0:1".parse().unwrap()),
        ..TlsFailure::of(TlsResult::ValidationFailure).because("No matching TLSA RRs")
    };
    vec![
        tally(
            TlsPolicy::tlsa(
                domain("mx1.bücher.example"),
                ["3 1 1 ab".to_owned(), "2 0 1 cd".to_owned()],
            ),
            5,
            3,
            vec![detail(whole, 3)],
        ),
        tally(
            TlsPolicy::sts(
                about.clone(),
                ["version: STSv1", "mode: testing"].map(str::to_owned),
                ["*.bücher.example".to_owned()],
            ),
            0,
            1,
            vec![detail(TlsFailure::of(TlsResult::StsPolicyFetchError), 1)],
        ),
        tally(TlsPolicy::None { domain: about }, u64::MAX, 0, Vec::new()),
    ]
}

#[test]
fn the_form_of_a_report() {
    let written = written(&domain("bücher.example"), &all_kinds());
    assert_eq!(written.left_out, 0);
    let value: Value = serde_json::from_slice(&written.json).unwrap();
    let expected = json!({
        "organization-name": "Example",
        "date-range": {"start-datetime": "2026-11-28T00:00:00Z", "end-datetime": "2026-11-28T23:59:59Z"},
        "contact-info": "postmaster@example.nl",
        "report-id": "01JDB3ZZZZZZZZZZZZZZZZZZZZ@example.nl",
        "policies": [
            {
                "policy": {
                    "policy-type": "tlsa",
                    "policy-string": ["3 1 1 ab", "2 0 1 cd"],
                    "policy-domain": "mx1.xn--bcher-kva.example",
                },
                "summary": {"total-successful-session-count": 5, "total-failure-session-count": 3},
                "failure-details": [{
                    "result-type": "validation-failure",
                    "sending-mta-ip": "192.0.2.7",
                    "receiving-mx-hostname": "mx1.xn--bcher-kva.example",
                    "receiving-mx-helo": "mx \"1\"",
                    "receiving-ip": "2001:db8::1",
                    "failed-session-count": 3,
                    "failure-reason-code": "No matching TLSA RRs",
                }],
            },
            {
                "policy": {
                    "policy-type": "sts",
                    "policy-string": ["version: STSv1", "mode: testing"],
                    "policy-domain": "xn--bcher-kva.example",
                    "mx-host": ["*.bücher.example"],
                },
                "summary": {"total-successful-session-count": 0, "total-failure-session-count": 1},
                "failure-details": [{"result-type": "sts-policy-fetch-error", "failed-session-count": 1}],
            },
            {
                "policy": {"policy-type": "no-policy-found", "policy-domain": "xn--bcher-kva.example"},
                // The largest number that every reader of JSON keeps.
                "summary": {"total-successful-session-count": 9_007_199_254_740_991_u64, "total-failure-session-count": 0},
            },
        ],
    });
    assert_eq!(value, expected);
}

#[test]
fn names_and_times_are_those_of_the_day() {
    let (about, reporter) = (domain("example.org"), reporter());
    let report = Report {
        reporter: &reporter,
        domain: &about,
        day: "2016-04-01".parse().unwrap(),
        id: id(),
        tallies: &[],
    };
    let packed = report.pack();
    let name = "example.nl!example.org!1459468800!1459555199!01JDB3ZZZZZZZZZZZZZZZZZZZZ.json.gz";
    assert_eq!(packed.file_name, name);
    assert_eq!(gzip::unpack(&packed.octets, 10_000).unwrap(), report.write().json);
}

#[test]
fn a_report_stays_small_and_its_totals_whole() {
    let long = |number: u64| {
        let words = format!("{number} {}", "\u{1f512}".repeat(60));
        detail(
            TlsFailure::of(TlsResult::ValidationFailure).because(&words),
            number,
        )
    };
    let tallies: Vec<TlsTally> = (0..300)
        .map(|number| {
            let base = domain(&format!("mx{number}.example.org"));
            let records = (0..32).map(|record| format!("3 1 1 {record:0100}"));
            let details = (1..20).rev().map(|count| long(count + number)).collect();
            tally(TlsPolicy::tlsa(base, records), number, number, details)
        })
        .collect();
    let written = written(&domain("example.org"), &tallies);
    assert!(written.json.len() <= 1 << 20, "{}", written.json.len());
    let value: Value = serde_json::from_slice(&written.json).unwrap();
    let policies = value["policies"].as_array().unwrap();
    // Those that failed most are there, and their numbers are whole.
    assert_eq!(policies.len(), 100);
    assert_eq!(policies[99]["policy"]["policy-domain"], "mx299.example.org");
    assert_eq!(policies[0]["policy"]["policy-domain"], "mx200.example.org");
    assert_eq!(policies[99]["summary"]["total-failure-session-count"], 299);
    let details: usize = policies
        .iter()
        .map(|policy| policy["failure-details"].as_array().map_or(0, Vec::len))
        .sum();
    assert_eq!(details, 1000);
    assert_eq!(written.left_out, 300 * 20 - 100 - 1000);
}

#[test]
fn what_is_still_too_large_is_halved() {
    let certificate = "f".repeat(4000);
    let tallies: Vec<TlsTally> = (0..100)
        .map(|number| {
            let base = domain(&format!("mx{number}.example.org"));
            let quoted = "\"".repeat(4096);
            let policy = TlsPolicy::Sts {
                domain: base,
                lines: vec![quoted.clone(), certificate.clone()],
                mx: vec![quoted],
            };
            tally(policy, 1, number, Vec::new())
        })
        .collect();
    let written = written(&domain("example.org"), &tallies);
    assert!(written.json.len() <= 1 << 20, "{}", written.json.len());
    assert_eq!(written.left_out, 50);
}

#[test]
fn the_same_result_types_as_the_registry() {
    for (result, name) in [
        (TlsResult::StarttlsNotSupported, "starttls-not-supported"),
        (TlsResult::CertificateHostMismatch, "certificate-host-mismatch"),
        (TlsResult::CertificateExpired, "certificate-expired"),
        (TlsResult::CertificateNotTrusted, "certificate-not-trusted"),
        (TlsResult::ValidationFailure, "validation-failure"),
        (TlsResult::TlsaInvalid, "tlsa-invalid"),
        (TlsResult::DnssecInvalid, "dnssec-invalid"),
        (TlsResult::DaneRequired, "dane-required"),
        (TlsResult::StsPolicyFetchError, "sts-policy-fetch-error"),
        (TlsResult::StsPolicyInvalid, "sts-policy-invalid"),
        (TlsResult::StsWebpkiInvalid, "sts-webpki-invalid"),
    ] {
        let about = domain("example.org");
        let policy = TlsPolicy::None {
            domain: about.clone(),
        };
        let tallies = [tally(policy, 0, 1, vec![detail(TlsFailure::of(result), 1)])];
        let value: Value = serde_json::from_slice(&written(&about, &tallies).json).unwrap();
        assert_eq!(value["policies"][0]["failure-details"][0]["result-type"], name);
    }
}
