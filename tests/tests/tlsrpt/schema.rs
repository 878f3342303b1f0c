//! The form of reports, by a validator that is not ours.

use std::process::Command;

use crate::cases::Case;
use crate::judge::{PYTHON, ask, is_left_out};

/// What the validator finds wrong.
fn validate(json: &[u8]) -> Result<String, String> {
    let script = include_str!("schema.py");
    let mut python = Command::new(PYTHON);
    // The schema is an argument of the script, behind it.
    let script = format!("import sys; sys.argv.append({:?})\n{script}", schema());
    ask(python.arg("-I"), &script, json)
}

/// The schema as a text that Python reads as well.
fn schema() -> String {
    let schema: serde_json::Value = serde_json::from_str(include_str!("report.schema.json")).unwrap();
    schema.to_string()
}

#[test]
fn reports_have_the_form_of_the_rfc() {
    if is_left_out() {
        return;
    }
    for case in [Case::whole(), Case::quiet(), Case::huge()] {
        let json = case.json();
        validate(&json).unwrap_or_else(|wrong| panic!("{wrong}\n{}", String::from_utf8_lossy(&json)));
    }
}

#[test]
fn wrong_reports_are_told_from_right_ones() {
    if is_left_out() {
        return;
    }
    let right = String::from_utf8(Case::whole().json()).unwrap();
    for (part, wrong) in [
        ("T00:00:00Z", "T01:00:00Z"),
        ("\"tlsa\"", "\"dane\""),
        ("3 1 1 ab", "3 1 1 (ab"),
        ("expired", "Expired"),
        ("2001:db8::7", "2001:db8::g"),
        ("\"failed-session-count\":1,", "\"failed-session-count\":\"1\","),
        (
            "\"failed-session-count\":1,",
            "\"failed-session-count\":1,\"sender\":\"a@b\",",
        ),
        (
            "\"total-failure-session-count\":2}",
            "\"total-failure-session-count\":2,\"total-failure-session-count\":2}",
        ),
        ("postmaster@example.nl", "mailto:postmaster"),
    ] {
        let forged = right.replacen(part, wrong, 1);
        assert_ne!(forged, right, "{part}");
        assert!(validate(forged.as_bytes()).is_err(), "{wrong}");
    }
}
