#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::gzip;
use mail::TlsResult;

/// The example of RFC 8460, appendix B, with what reporters really write: `mx-host` as a single text, a domain that ends in
/// a dot, a number in quotes, a field that nobody knows.
const EXAMPLE: &str = r#"{
  "organization-name": "Company-X",
  "date-range": {"start-datetime": "2016-04-01T00:00:00Z", "end-datetime": "2016-04-01T23:59:59Z"},
  "contact-info": "sts-reporting@company-x.example",
  "report-id": "5065427c-23d3-47ca-b6e0-946ea0e8c4be",
  "unheard-of": [1, {"a": null}],
  "policies": [{
    "policy": {
      "policy-type": "sts",
      "policy-string": ["version: STSv1", "mode: testing"],
      "policy-domain": "company-y.example",
      "mx-host": "*.mail.company-y.example"
    },
    "summary": {"total-successful-session-count": 5326, "total-failure-session-count": "303"},
    "failure-details": [
      {"result-type": "certificate-expired", "sending-mta-ip": "2001:db8:abcd:0012::1",
       "receiving-mx-hostname": "mx1.mail.company-y.example", "failed-session-count": 100},
      {"result-type": "starttls-not-supported", "receiving-ip": "203.0.113.56", "failed-session-count": 200.0,
       "additional-information": "https://reports.company-x.example/"},
      {"result-type": "new-in-2030", "failed-session-count": 3, "failure-reason-code": "X509_V_ERR"},
      {}
    ]
  }]
}"#;

fn fault(octets: &[u8]) -> ReadFault {
    read(octets).unwrap_err()
}

#[test]
fn reports_are_read_as_they_are_written() {
    let reading = read(EXAMPLE.as_bytes()).unwrap();
    let report = &reading.report;
    assert_eq!(report.organization.as_deref(), Some("Company-X"));
    assert_eq!(report.end.as_deref(), Some("2016-04-01T23:59:59Z"));
    assert_eq!(report.sessions(), (5326, 303));
    let policy = &report.policies[0];
    assert_eq!(policy.kind, PolicyType::Sts);
    assert_eq!(policy.mx, ["*.mail.company-y.example"]);
    assert_eq!(policy.strings, ["version: STSv1", "mode: testing"]);
    let counts: Vec<u64> = policy.failures.iter().map(|detail| detail.count).collect();
    assert_eq!(counts, [100, 200, 3]);
    assert_eq!(policy.failures[0].known(), Some(TlsResult::CertificateExpired));
    assert_eq!(policy.failures[2].known(), None);
    assert_eq!((reading.carrier, reading.remarks), (None, Vec::new()));
}

#[test]
fn every_form_of_lists_and_of_what_is_missing() {
    let policies = [
        (
            r#"{"policy": {"policy-type": "tlsa", "policy-string": "3 1 1 aa; 3 1 1 bb"}}"#,
            &["3 1 1 aa", "3 1 1 bb"][..],
            &[][..],
        ),
        (
            r#"[{"policy": {"policy-string": null, "mx-host": ["a", 5, null, "b"]}, "summary": null}]"#,
            &[],
            &["a", "5", "b"],
        ),
        (
            r#"[{"policy": {"policy-string": {"a": 1}, "mx-host-pattern": "c"}, "failure-details": null}]"#,
            &[],
            &["c"],
        ),
    ];
    for (policy, strings, mx) in policies {
        let text = format!("\u{feff} {{\"policies\": {policy}}}");
        let reading = read(text.as_bytes()).unwrap();
        assert_eq!(reading.report.policies[0].strings, strings, "{policy}");
        assert_eq!(reading.report.policies[0].mx, mx, "{policy}");
        assert_eq!(reading.remarks, [Remark::NothingCounted]);
    }
    // A single failure in place of a list, and a sum that was left at 0.
    let text =
        r#"{"policies": {"failure-details": {"result-type": "Tlsa-Invalid", "failed-session-count": 2}}}"#;
    let report = read(text.as_bytes()).unwrap().report;
    assert_eq!(report.sessions(), (0, 2));
    assert_eq!(
        report.policies[0].failures[0].known(),
        Some(TlsResult::TlsaInvalid)
    );
}

#[test]
fn what_is_no_report_is_refused_with_the_reason() {
    assert!(matches!(fault(b""), ReadFault::Empty));
    assert!(matches!(fault(b" \r\n"), ReadFault::Empty));
    assert!(matches!(fault(b"{}"), ReadFault::NotReport));
    assert!(matches!(fault(b"{\"policies\": null}"), ReadFault::NotReport));
    assert!(matches!(fault(b"{\"policies\": [}"), ReadFault::Json(_)));
    assert!(matches!(fault(b"{\"policies\": 5}"), ReadFault::NotReport));
    assert!(matches!(fault(b"[1, {}]"), ReadFault::NotReport));
    assert!(matches!(fault(b"\x1f\x8b\x08junk"), ReadFault::Gzip(_)));
    assert!(matches!(fault(b"hello"), ReadFault::Unknown));
    assert!(matches!(
        fault(&vec![b' '; INPUT + 1]),
        ReadFault::TooLarge(INPUT)
    ));
    let bomb = gzip::compress(&vec![b' '; REPORT + 1]);
    assert!(matches!(fault(&bomb), ReadFault::Gzip(_)));
    let deep = "[".repeat(100_000);
    assert!(matches!(
        fault(format!("{{\"policies\": {deep}").as_bytes()),
        ReadFault::Json(_)
    ));
    let mail = b"From: a@b.example\r\nContent-Type: text/html\r\n\r\n<p>";
    let error = fault(mail);
    assert!(matches!(error, ReadFault::NoReport(_)));
    assert!(error.to_string().contains("it has text/html; wanted"), "{error}");
}

#[test]
fn one_wrong_member_does_not_spoil_the_rest() {
    let text = r#"{"policies": [null, 5, [{}], {"summary": "x", "policy": [1], "failure-details": [null, "x", [],
        {"result-type": "tlsa-invalid", "failed-session-count": 2, "result-type": "other", "failure-error-code": "a",
         "failure-reason-code": "b"}]}], "policies": []}"#;
    let report = read(text.as_bytes()).unwrap().report;
    assert_eq!(report.policies.len(), 1);
    let failures = &report.policies[0].failures;
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].known(), Some(TlsResult::TlsaInvalid));
    assert_eq!((failures[0].count, failures[0].reason.as_deref()), (2, Some("a")));
}

#[test]
fn small_values_without_end_are_refused_before_they_are_kept() {
    let details = "{},".repeat(1000);
    let policy = format!("{{\"failure-details\":[{}]}},", details.trim_end_matches(','));
    let text = format!("{{\"policies\":[{}]}}", policy.repeat(1000).trim_end_matches(','));
    assert!(text.len() < REPORT);
    assert!(matches!(fault(text.as_bytes()), ReadFault::TooMany(_)));
    let packed = gzip::compress(text.as_bytes());
    assert!(packed.len() < 100_000);
    assert!(matches!(fault(&packed), ReadFault::TooMany(_)));
}

#[test]
fn other_reports_in_the_same_file_are_told() {
    let text = mail(
        "DKIM-Signature: v=1; d=a.example\r\n",
        "application/tlsrpt+json",
        EXAMPLE.as_bytes(),
    );
    let boxed = format!("From a Sat\n{text}\n\nFrom b Sun\n{text}From here on it is text\n");
    let reading = read(boxed.as_bytes()).unwrap();
    assert_eq!(reading.report.sessions(), (5326, 303));
    assert_eq!(reading.remarks, [Remark::MoreReports(1)]);
    let quiet = data_encoding::BASE64
        .encode(br#"{"policies": [{"summary": {"total-successful-session-count": 1}}]}"#);
    let part = format!(
        "--b\r\nContent-Type: application/tlsrpt+json\r\nContent-Transfer-Encoding: base64\r\n\r\n{quiet}\r\n"
    );
    let several = format!(
        "DKIM-Signature: v=1; d=a.example\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\n{part}{part}--b--\r\n"
    );
    let reading = read(several.as_bytes()).unwrap();
    assert_eq!(reading.remarks, [Remark::MoreReports(1)]);
    assert!(!reading.is_good());
    let single = several.replacen(&part, "", 1);
    assert!(read(single.as_bytes()).unwrap().is_good());
}

#[test]
fn more_than_anybody_reads_is_counted_only() {
    let entry = r#"{"result-type":"x"},"#.repeat(10_001);
    let text = format!(
        "{{\"policies\": [{{\"failure-details\": [{}]}}]}}",
        entry.trim_end_matches(',')
    );
    let reading = read(text.as_bytes()).unwrap();
    assert_eq!(reading.report.policies[0].failures.len(), 10_000);
    assert!(
        reading.remarks.contains(&Remark::Unread(1)),
        "{:?}",
        reading.remarks
    );
}

fn mail(fields: &str, kind: &str, body: &[u8]) -> String {
    let body = data_encoding::BASE64.encode(body);
    format!(
        "From: TLS <reports@company-x.example>\r\n{fields}Content-Type: multipart/report; report-type=\"tlsrpt\"; \
         boundary=\"b\"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n--b\r\nContent-Type: {kind}\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{body}\r\n--b--\r\n"
    )
}

#[test]
fn a_report_is_found_in_its_mail() {
    let packed = gzip::compress(EXAMPLE.as_bytes());
    let signed = "DKIM-Signature: v=1; a=rsa-sha256;\r\n d=company-x.example; s=a;\r\n b=AAAA\r\n\
                  TLS-Report-Submitter: company-x.example\r\n";
    for (kind, body) in [
        ("application/tlsrpt+gzip", packed.as_slice()),
        ("Application/TLSRPT+JSON", EXAMPLE.as_bytes()),
        // The names of types and files are as they are; the octets decide.
        (
            "application/octet-stream; name=\"a!b!1!2.json.gz\"",
            packed.as_slice(),
        ),
        ("application/x-gzip", packed.as_slice()),
        ("application/tlsrpt+gzip", EXAMPLE.as_bytes()),
    ] {
        let reading = read(mail(signed, kind, body).as_bytes()).unwrap();
        assert_eq!(reading.report.sessions(), (5326, 303), "{kind}");
        let carrier = reading.carrier.unwrap();
        assert_eq!(carrier.from.as_deref(), Some("reports@company-x.example"));
        assert_eq!(carrier.signed_by, ["company-x.example"]);
        assert_eq!(reading.remarks, []);
    }
}

#[test]
fn mail_that_should_not_be_believed_is_pointed_out() {
    let text = mail(
        "TLS-Report-Submitter: other.example\r\n",
        "application/tlsrpt+json",
        EXAMPLE.as_bytes(),
    );
    let boxed = format!("From reports@x Sat Nov 28 00:00:00 2026\n{text}");
    for text in [text, boxed] {
        let reading = read(text.as_bytes()).unwrap();
        let submitter = Remark::Submitter {
            mail: "other.example".to_owned(),
            report: "company-x.example".to_owned(),
        };
        assert_eq!(reading.remarks, [Remark::NotSigned, submitter]);
    }
}

#[test]
fn forwarded_mail_is_opened() {
    let inner = mail("", "application/tlsrpt+json", EXAMPLE.as_bytes());
    let forwarded = format!(
        "From: me@b.example\r\nContent-Type: multipart/mixed; boundary=\"o\"\r\n\r\n--o\r\nContent-Type: message/rfc822\r\n\r\n\
         {inner}\r\n--o--\r\n"
    );
    let reading = read(forwarded.as_bytes()).unwrap();
    let from = reading.carrier.unwrap().from;
    assert_eq!(from.as_deref(), Some("reports@company-x.example"));
}
