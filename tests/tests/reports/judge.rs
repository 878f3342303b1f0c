//! What Python says of a report.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::cases::{INTERNATIONAL, PLAIN, built, delayed, mailbox, refused, refused_international, report};

/// The kind of way that a report is to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    SevenBit,
    Smtputf8,
}

/// What was found in a valid report; `Err` says what is wrong with an invalid one.
pub(crate) fn judge(content: &[u8], way: Way) -> Result<Value, String> {
    let way = match way {
        Way::SevenBit => "7bit",
        Way::Smtputf8 => "smtputf8",
    };
    let mut python = Command::new("python3")
        .args(["-I", "-X", "utf8", "-c", include_str!("check.py"), way])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this test needs python3 on the path");
    python.stdin.take().unwrap().write_all(content).unwrap();
    let output = python.wait_with_output().unwrap();
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout).unwrap())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Like [`judge`], but the report must be valid.
pub(crate) fn sound(content: &[u8], way: Way) -> Value {
    judge(content, way).unwrap_or_else(|wrong| panic!("{wrong}\n{}", String::from_utf8_lossy(content)))
}

#[test]
fn wrong_reports_are_told_from_right_ones() {
    let content = built(&report(PLAIN, vec![refused(), delayed()]), PLAIN);
    let content = String::from_utf8(content).unwrap();
    sound(content.as_bytes(), Way::SevenBit);
    let dated = "Last-Attempt-Date: Wed, 25 Nov 2026 10:02:00 +0000";
    for (right, wrong, reason) in [
        ("Status: 5.1.1", "Status: 5.01.1", "Status"),
        ("Status: 5.1.1", "Status: 2.1.1", "failed with 2.1.1"),
        (
            "Action: failed",
            "Action: failed\r\nAction: failed",
            "a field twice",
        ),
        ("Action: failed\r\n", "", "Action is missing"),
        ("Action: failed", "Action: lost", "Action"),
        ("Action: failed\r\n", "Action: failed\r\n\r\n", "is missing"),
        ("Remote-MTA: dns; mx.example.com\r\n", "", "6.3(h)"),
        (
            "+0000\r\nX-Danerelay-DANE: V",
            "GMT\r\nX-Danerelay-DANE: V",
            "Last-Attempt-Date",
        ),
        (
            dated,
            &format!(
                "{dated}\r\nWill-Retry-Until{}",
                &dated["Last-Attempt-Date".len()..]
            ),
            "2.3.9",
        ),
        ("X-Danerelay-DANE: V", "Dane: V", "an unknown field"),
        ("Reporting-MTA: dns; ", "Reporting-MTA: ", "Reporting-MTA"),
        ("auto-replied", "auto-generated", "3834"),
        ("text/rfc822-headers", "text/plain", "text/plain"),
        ("--=_", "--=-", ""),
        ("The header of", "The h\u{e9}ader of", "7-bit way"),
    ] {
        let forged = content.replacen(right, wrong, 1);
        assert_ne!(forged, content, "{right}");
        let judgement = judge(forged.as_bytes(), Way::SevenBit).expect_err(wrong);
        assert!(judgement.contains(reason), "{reason} in {judgement}");
    }
}

#[test]
fn wrong_international_reports_are_told_from_right_ones() {
    let mut report = report(INTERNATIONAL.as_bytes(), vec![refused_international()]);
    report.original_sender = mailbox("andr\u{e9}@example.org");
    report.parameters.smtputf8 = true;
    let content = String::from_utf8(built(&report, INTERNATIONAL.as_bytes())).unwrap();
    sound(content.as_bytes(), Way::Smtputf8);
    assert!(judge(content.as_bytes(), Way::SevenBit).is_err());
    for (right, wrong) in [
        ("message/global-delivery-status", "message/delivery-status"),
        (
            "message/global-headers\r\nContent-Transfer-Encoding: 8bit",
            "message/global-headers\r\nContent-Transfer-Encoding: nonsense",
        ),
        (
            "message/global-headers\r\nContent-Transfer-Encoding: 8bit",
            "message/global-headers\r\nContent-Transfer-Encoding: 7bit",
        ),
        ("Final-Recipient: utf-8", "Final-Recipient: utf8"),
    ] {
        let forged = content.replacen(right, wrong, 1);
        assert_ne!(forged, content, "{right}");
        assert!(judge(forged.as_bytes(), Way::Smtputf8).is_err(), "{wrong}");
    }
}
