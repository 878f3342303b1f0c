//! The demonstration as a newcomer runs it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::process::Command;

use serde_json::Value;

#[test]
fn every_message_comes_to_its_end() {
    let output = Command::new(env!("CARGO_BIN_EXE_danerelay"))
        .args(["demo", "--json"])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let scenes: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let end = |number: usize| (scenes[number]["status"].as_str(), scenes[number]["dane"].as_str());
    // First the four classic demonstrations.
    assert_eq!(end(0), (Some("sent"), Some("Skip (No secure TLSA RRs)")));
    assert_eq!(end(1), (Some("sent"), Some("Verify (Secure TLSA RRs found)")));
    assert_eq!(end(2), (Some("deferred"), Some("Fail (No matching TLSA RRs)")));
    assert_eq!(end(3), (Some("sent"), Some("Verify (Secure TLSA RRs found)")));
    assert!(scenes[3]["line"].as_str().unwrap().contains("relay=mx2.two.demo"));
    assert_eq!(scenes.len(), 16);
    for scene in &scenes {
        assert_eq!(scene["as_expected"], true, "{scene}");
        assert_eq!(scene["arrived"], scene["status"] == "sent", "{scene}");
    }
}
