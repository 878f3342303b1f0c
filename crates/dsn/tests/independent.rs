//! An independent judge: the `email` package of Python's standard library reads the reports.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::io::Write as _;
use std::process::{Command, Stdio};

use common::{ORIGINAL, expired, now, refused, report, report_id, unreachable};
use dsn::{Action, Report};

/// Prints, tab-separated, the header's addresses, each part's type and each group's fields; fails on any defect.
const READER: &str = r#"
import sys, email, email.policy
message = email.message_from_binary_file(sys.stdin.buffer, policy=email.policy.SMTP)
defects = [d for part in message.walk() for d in part.defects]
defects += [d for value in message.values() for d in value.defects]
assert not defects, defects
print("type", message.get_content_type(), message.get_param("report-type"), sep="\t")
for name in ("From", "To"):
    for address in message[name].addresses:
        print(name, address.display_name, address.addr_spec, sep="\t")
for part in message.iter_parts():
    print("part", part.get_content_type(), sep="\t")
status = list(message.iter_parts())[1]
for number, group in enumerate(status.get_payload()):
    for name, value in group.items():
        print(number, name, value, sep="\t")
original = list(message.iter_parts())[2].get_payload(decode=True)
print("original", list(original), sep="\t")
"#;

fn read_by_python(report: &Report, original: &[u8]) -> Vec<Vec<String>> {
    let content = report.build(original, report_id(), now()).unwrap();
    let mut python = Command::new("python3")
        .args(["-I", "-c", READER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this test needs python3 on the path");
    python.stdin.take().unwrap().write_all(&content).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stderr),
        String::from_utf8_lossy(&content)
    );
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| line.split('\t').map(ToOwned::to_owned).collect())
        .collect()
}

fn has(lines: &[Vec<String>], expected: &[&str]) -> bool {
    lines.iter().any(|line| line == expected)
}

#[test]
fn python_reads_types_addresses_and_groups() {
    let report = report(vec![refused(), expired(), unreachable(Action::Failed)]);
    let lines = read_by_python(&report, ORIGINAL);
    let date = "Wed, 25 Nov 2026 10:03:00 +0000";
    let expected: &[&[&str]] = &[
        &["type", "multipart/report", "delivery-status"],
        &["From", "Mail Delivery System", "postmaster@relay.example.nl"],
        &["To", "", "alice@example.org"],
        &["part", "text/plain"],
        &["part", "message/delivery-status"],
        &["part", "text/rfc822-headers"],
        &["0", "Reporting-MTA", "dns; relay.example.nl"],
        &["0", "Arrival-Date", "Fri, 20 Nov 2026 10:00:00 +0000"],
        &["0", "X-Queue-Id", "01JDB3K5V6W7X8Y9Z0ABCDEFGH"],
        &["1", "Final-Recipient", "rfc822; Bob@example.com"],
        &["1", "Action", "failed"],
        &["1", "Status", "5.1.1"],
        &["1", "Remote-MTA", "dns; mx.example.com"],
        &[
            "1",
            "Diagnostic-Code",
            "smtp; 550-5.1.1 <Bob@example.com>: unknown here 550-5.1.1 see https://example.com/help 550 5.1.1 good bye",
        ],
        &["1", "Last-Attempt-Date", date],
        &["2", "Original-Recipient", "rfc822;Carol@alias.example"],
        &["2", "Status", "4.7.5"],
        &["2", "X-DANE", "Fail (No matching TLSA RRs)"],
        &["3", "Final-Recipient", "rfc822; \"d d\"@example.info"],
        &[
            "3",
            "Diagnostic-Code",
            "X-danerelay; the MX look-up failed: timeout",
        ],
    ];
    for expected in expected {
        assert!(has(&lines, expected), "{expected:?} in {lines:#?}");
    }
    let parts = lines.iter().filter(|line| line[0] == "part").count();
    assert_eq!(parts, 3);
    assert!(
        !lines.iter().any(|line| line[0] == "4"),
        "three recipients, three groups"
    );
}

#[test]
fn python_gets_eight_bit_headers_back_octet_for_octet() {
    let header = b"From: Alice <alice@example.org>\r\nSubject: caf\xe9 = \xe2\x82\xac \r\n\tx\0y\rz\r\n";
    let original = [&header[..], b"\r\nbody"].concat();
    let lines = read_by_python(&report(vec![refused()]), &original);
    // Python gives the line ends of text as LF.
    let octets = format!("{header:?}").replace("13, 10", "10");
    assert!(has(&lines, &["original", &octets]), "{lines:#?}");
}
