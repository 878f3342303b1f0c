//! `report`, on a running daemon and on the spool of a stopped one.

use serde_json::Value;

use crate::common::{Client, NO_DNS, Relay};

#[test]
fn a_report_is_the_same_beside_the_daemon_and_without_it() {
    let mut relay = Relay::start(NO_DNS);
    let mut client = Client::connect(relay.address);
    for to in ["x@nowhere.example", "y@elsewhere.example"] {
        client.send_from("a@one.example", &[to]);
    }
    relay.wait_for_lines("status=deferred", 2);
    let running = reported(&relay);
    relay.stop();
    assert_eq!(reported(&relay), running);
}

/// What all forms say.
fn reported(relay: &Relay) -> Vec<String> {
    let outcomes = relay.print(&["report", "--by", "outcome", "--json"]);
    let parsed: Value = serde_json::from_str(&outcomes).unwrap();
    assert_eq!(parsed["total"]["deferred"], 2, "{outcomes}");
    assert_eq!(parsed["deliveries"], 0, "{outcomes}");
    let row = &parsed["rows"][0];
    assert!(
        row["name"].as_str().unwrap().starts_with("deferred: "),
        "{outcomes}"
    );
    assert_eq!(row["shares"]["dane"], 0.0, "{outcomes}");

    let domains = relay.print(&["report", "--by", "domain", "--csv"]);
    let lines: Vec<&str> = domains.lines().collect();
    assert!(lines[0].starts_with("period,name,deliveries,dane,"), "{domains}");
    assert!(lines[1].starts_with(",elsewhere.example,0,0,"), "{domains}");
    assert!(lines[2].starts_with(",nowhere.example,0,0,"), "{domains}");
    assert_eq!(lines.len(), 3, "{domains}");

    let overview = relay.print(&["report", "--compare-previous"]);
    assert!(
        overview.contains("\nattempts deferred                 2 "),
        "{overview}"
    );
    let daily = relay.print(&["report", "--days", "2", "--per", "day"]);
    // The period, and a row for each day of it.
    assert_eq!(
        daily.lines().filter(|line| line.starts_with("20")).count(),
        3,
        "{daily}"
    );
    let nothing = relay.print(&["report", "--soft-fail"]);
    assert!(nothing.contains("enforcing would have cost nothing"), "{nothing}");
    vec![outcomes, domains, overview, daily, nothing]
}
