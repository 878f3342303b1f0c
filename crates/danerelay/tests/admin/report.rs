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
    let file = relay.path("page.html");
    let page = relay.print(&["report", "--html", file.to_str().unwrap()]);
    assert!(page.contains("Nothing: DANE failed nowhere."), "{page}");
    let html = std::fs::read_to_string(file).unwrap();
    assert!(html.contains("<p>Nothing: DANE failed nowhere.</p>"), "{html}");
    vec![outcomes, domains, overview, daily, nothing, page, html]
}

#[test]
fn the_daily_mail_goes_through_the_queue_of_the_running_relay() {
    let mut relay = Relay::start(&format!(
        "{NO_DNS}[incidents]\nmail = \"postmaster@ops.example\"\n"
    ));
    relay.wait_for("status=failing");
    let text = relay.print(&["report", "--mail", "-"]);
    assert!(text.starts_with("Mail of 20"), "{text}");
    assert!(text.contains("our resolver fails its test"), "{text}");
    let said = relay.print(&["report", "--mail"]);
    assert!(said.starts_with("mailed to postmaster@ops.example as "), "{said}");
    relay.print(&["report", "--mail", "other@ops.example"]);
    let logged = relay.wait_for_lines("action=report-mail", 2);
    assert!(
        logged[0].contains("selector=\"postmaster@ops.example\""),
        "{logged:?}"
    );
    for message in relay.queue() {
        assert_eq!(message["sender"], "", "{message}");
    }
    let to: Vec<Value> = relay
        .queue()
        .iter()
        .map(|message| message["recipients"][0]["address"].clone())
        .collect();
    for address in ["postmaster@ops.example", "other@ops.example"] {
        assert!(to.contains(&Value::from(address)), "{address}: {to:?}");
    }
    relay.stop();
    let end = relay.run(&["report", "--mail"]);
    assert_eq!(end.status, 3, "{}", end.stderr);
    assert!(end.stderr.contains("no daemon answers"), "{}", end.stderr);
}

#[test]
fn a_daily_mail_to_nobody_is_refused() {
    let relay = Relay::start(NO_DNS);
    let end = relay.run(&["report", "--mail"]);
    assert_eq!(end.status, 2, "{}", end.stderr);
    assert!(end.stderr.contains("incidents.mail"), "{}", end.stderr);
    assert!(relay.queue().is_empty());
}
