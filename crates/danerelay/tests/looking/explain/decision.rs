//! What is decided: the rows of the decision, and the rules of the policy.

use serde_json::{Value, json};

use super::{explained, rows};

#[test]
fn each_host_has_its_requirement() {
    let stage = rows();
    for (destination, exit, would, requirement, dane) in [
        (
            "usable.test",
            0,
            "deliver",
            json!("dane"),
            "Verify (Secure TLSA RRs found)",
        ),
        (
            "unusable.test",
            0,
            "deliver",
            json!("encrypted"),
            "Encrypt (No usable TLSA RRs)",
        ),
        (
            "none.test",
            0,
            "deliver",
            json!("opportunistic"),
            "Skip (No secure TLSA RRs)",
        ),
        (
            "plain.test",
            0,
            "deliver",
            json!("dane"),
            "Verify host only (Insecure MX)",
        ),
        (
            "outsourced.test",
            0,
            "deliver",
            json!("opportunistic"),
            "Skip (Insecure host information)",
        ),
        (
            "implicit.test",
            0,
            "deliver",
            json!("dane"),
            "Verify (Secure TLSA RRs found)",
        ),
        (
            "mute.test",
            3,
            "defer",
            Value::Null,
            "Fail (TLSA lookup: servfail)",
        ),
    ] {
        let (found, code) = explained(&stage, destination);
        let host = &found["hosts"][0];
        assert_eq!(
            (
                code,
                found["would"].as_str(),
                &host["requirement"],
                host["dane"].as_str()
            ),
            (exit, Some(would), &requirement, Some(dane)),
            "{destination}: {found}"
        );
    }
}

#[test]
fn what_is_not_delivered_has_a_status_and_a_reason() {
    let stage = rows();
    for (destination, exit, would, enhanced, dane) in [
        ("bogus.test", 1, "defer", "4.7.5", "Fail (MX lookup: bogus)"),
        (
            "lost.test",
            3,
            "defer",
            "4.4.3",
            "Fail (MX lookup: rcode REFUSED)",
        ),
        ("null.test", 1, "fail", "5.1.10", "-"),
        ("nowhere.test", 1, "fail", "5.1.2", "-"),
        ("mute.test", 3, "defer", "4.4.3", "Fail (TLSA lookup: servfail)"),
    ] {
        let (found, code) = explained(&stage, destination);
        assert_eq!(
            (
                code,
                found["would"].as_str(),
                found["enhanced"].as_str(),
                found["dane"].as_str()
            ),
            (exit, Some(would), Some(enhanced), Some(dane)),
            "{destination}: {found}"
        );
        assert!(!found["reason"].as_str().unwrap().is_empty());
    }
}

#[test]
fn the_rule_that_matched_is_named() {
    let stage = rows();
    let policy = "version = 1\n[default]\ntls = \"encrypt\"\n[[domain]]\nmatch = [\"none.test\", \"plain.test\"]\n\
                  dane = \"strict\"\n[[domain]]\nmatch = [\"mute.test\"]\ndane = \"soft-fail\"\n\
                  [[domain]]\nmatch = [\"routed.test\"]\nroute = \"[mx.usable.test]:26\"\n";
    stage.write("policy.toml", policy);
    let (found, code) = explained(&stage, "none.test");
    assert_eq!(
        (code, &found["policy"]["source"], &found["policy"]["dane"]),
        (1, &json!("rule in line 4"), &json!("strict"))
    );
    assert_eq!(
        (&found["would"], &found["enhanced"]),
        (&json!("defer"), &json!("4.7.5"))
    );
    assert_eq!(found["dane"], "Fail (No secure TLSA RRs)");
    let note = found["notes"][0].as_str().unwrap();
    assert!(
        note.contains("dane is strict (rule in line 4), all mail for it waits"),
        "{note}"
    );
    assert_eq!(found["hosts"][0]["action"], "pass-over");
    let (found, code) = explained(&stage, "plain.test");
    assert_eq!(
        (code, &found["dane"], &found["hosts"][0]["action"]),
        (1, &json!("Fail (Insecure MX)"), &json!("not-tried"))
    );
    // Soft-fail delivers in a second round, under the floor.
    let (found, code) = explained(&stage, "mute.test");
    let host = &found["hosts"][0];
    assert_eq!(
        (code, &host["action"], &host["soft_fail"]),
        (0, &json!("pass-over"), &json!("encrypted"))
    );
    let (found, code) = explained(&stage, "routed.test");
    assert_eq!(
        (code, &found["route"], &found["port"], &found["mx"]),
        (0, &json!("[mx.usable.test]:26"), &json!(26), &Value::Null)
    );
    assert_eq!(found["hosts"][0]["name"], "mx.usable.test");
    assert!(found["policy_file"].as_str().unwrap().ends_with("policy.toml"));
}
