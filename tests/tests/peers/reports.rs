use danerelay_tests::arena;
use danerelay_tests::letter::Letter;
use danerelay_tests::make::Make;
use danerelay_tests::relay::DnsMode;
use danerelay_tests::report;
use danerelay_tests::stage::{Cast, Stage};
use danerelay_tests::world::{GOOD, REFUSED};
use std::path::Path;

/// Exim does not offer DSN unless it is told to.
const EXIM_BEHIND: Cast = Cast {
    front: Make::Postfix,
    back: Make::Exim,
    mode: DnsMode::Validate,
};

/// Reports go to this sender, by the way of all mail: through the relay, under DANE.
fn sender() -> String {
    format!("alice@{GOOD}")
}

#[test]
fn a_refusal_by_postfix_is_reported() {
    arena::run("reports::a_refusal_by_postfix_is_reported", |directory| {
        a_refusal_is_reported(directory, Cast::both(Make::Postfix, DnsMode::Validate));
    });
}

#[test]
fn a_refusal_by_exim_is_reported() {
    arena::run("reports::a_refusal_by_exim_is_reported", |directory| {
        a_refusal_is_reported(directory, EXIM_BEHIND);
    });
}

/// The sender is told who refused what, in the server's words, and gets back its own name for the message.
fn a_refusal_is_reported(directory: &Path, cast: Cast) {
    let stage = Stage::set(directory, cast);
    let letter = Letter::new("refused-letter", &format!("bob@{REFUSED}"));
    let options = ["-N", "failure", "-R", "full", "-V", "my+name"];
    stage.front.submit_from(&letter, &sender(), &options);
    let line = stage.relay.delivery(&letter.recipient, "bounced");
    assert_eq!(line.get("dsn_sent"), "yes");
    assert_eq!(line.get("dane"), "Verify (Secure TLSA RRs found)");

    let report = report::receive(&*stage.world.back, "my+name");
    assert_eq!(report["defects"], serde_json::json!([]));
    assert_eq!(report["type"], "multipart/report");
    assert_eq!(report["report_type"], "delivery-status");
    assert_eq!(report["to"], sender());
    assert_eq!(report["auto_submitted"], "auto-replied");
    assert_eq!(report["parts"][1], "message/delivery-status");
    assert_eq!(report["message"]["Reporting-MTA"], "dns; relay.test");
    assert_eq!(report["message"]["Original-Envelope-Id"], "my+name");
    let recipient = &report["recipients"][0];
    assert_eq!(
        recipient["Final-Recipient"],
        format!("rfc822; {}", letter.recipient)
    );
    assert_eq!(
        recipient["Original-Recipient"],
        format!("rfc822;{}", letter.recipient)
    );
    assert_eq!(recipient["Action"], "failed");
    assert_eq!(recipient["Remote-MTA"], format!("dns; mx.{GOOD}"));
    let diagnostic = recipient["Diagnostic-Code"].as_str().unwrap();
    assert!(diagnostic.starts_with("smtp; 55"), "{diagnostic}");
    assert!(report["letter"].as_str().unwrap().contains(&letter.recipient));
    assert!(report["returned"].as_str().unwrap().contains("refused-letter"));
    // The report itself went under DANE.
    let line = stage.relay.delivery(&sender(), "sent");
    assert_eq!(line.get("from"), "<>");
    assert_eq!(line.get("dane"), "Verify (Secure TLSA RRs found)");
}

#[test]
fn a_server_with_dsn_reports_success_itself() {
    arena::run("reports::a_server_with_dsn_reports_success_itself", |directory| {
        let stage = Stage::set(directory, Cast::both(Make::Postfix, DnsMode::Validate));
        let report = delivered(&stage);
        // Postfix behind the relay was handed what its like in front had been told.
        assert_eq!(report["recipients"][0]["Action"], "delivered");
        assert_eq!(report["message"]["Reporting-MTA"], "dns; back.test");
    });
}

#[test]
fn a_server_without_dsn_is_reported_as_relayed() {
    arena::run(
        "reports::a_server_without_dsn_is_reported_as_relayed",
        |directory| {
            let cast = Cast {
                front: Make::Postfix,
                back: Make::Exim,
                mode: DnsMode::Validate,
            };
            let stage = Stage::set(directory, cast);
            let report = delivered(&stage);
            assert_eq!(report["recipients"][0]["Action"], "relayed");
            assert_eq!(report["message"]["Reporting-MTA"], "dns; relay.test");
            assert_eq!(report["parts"][2], "text/rfc822-headers");
        },
    );
}

/// Sends a letter that arrives, and returns the report of its success, whoever made it.
fn delivered(stage: &Stage) -> serde_json::Value {
    let letter = Letter::new("good-letter", &format!("bob@{GOOD}"));
    let options = ["-N", "success", "-V", "success+1"];
    stage.front.submit_from(&letter, &sender(), &options);
    letter.assert_same(&stage.world.back.receive(&letter));
    let report = report::receive(&*stage.world.back, "success+1");
    let original = &report["recipients"][0]["Original-Recipient"];
    assert_eq!(
        original.as_str().unwrap().replace("; ", ";"),
        format!("rfc822;{}", letter.recipient)
    );
    assert_eq!(report["message"]["Original-Envelope-Id"], "success+1");
    report
}
