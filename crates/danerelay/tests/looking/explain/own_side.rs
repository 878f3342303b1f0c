//! Our own side is tested first: where it fails, nobody else is blamed, and nothing is proposed.

use serde_json::{Value, json};
use testworld::dns::{DnsFault, Questions, World};

use super::rows;
use crate::{End, Stage};

fn blames_us(end: &End, fault: &str) {
    let found = end.json();
    assert_eq!(
        (end.status, &found["would"], &found["outage"]),
        (3, &json!("defer"), &json!(true)),
        "{found}"
    );
    let said = found["resolver"]["fault"].as_str().unwrap();
    assert!(said.contains(fault), "{said}");
    let reason = found["reason"].as_str().unwrap();
    assert!(reason.contains("our own resolver fails"), "{reason}");
    assert_eq!(found["exception"], Value::Null, "{found}");
    assert!(!end.stdout.contains("domain-insecure"), "{found}");
}

fn table_blames_us(stage: &Stage, arguments: &[&str]) {
    let end = stage.run(arguments);
    assert_eq!(end.status, 3, "{}", end.stdout);
    assert!(
        end.stdout
            .contains("\nnote         the resolver fails its test: "),
        "{}",
        end.stdout
    );
    assert!(!end.stdout.contains("[[exception]]"), "{}", end.stdout);
}

#[test]
fn behind_a_resolver_that_leaves_signatures_out() {
    let stage = rows();
    let everything = Questions::Below(".".to_owned());
    stage.world.break_dns(&everything, DnsFault::StripDnssec).unwrap();
    blames_us(
        &stage.run(&["explain", "usable.test", "--json"]),
        "leave out DNSSEC signatures",
    );
    table_blames_us(&stage, &["explain", "usable.test"]);
}

#[test]
fn with_a_wrong_trust_anchor() {
    let stage = rows();
    let other = stage.runtime.block_on(World::start()).unwrap();
    let anchor = stage.write("other-anchor", &other.trust_anchor_ds().unwrap());
    let options = ["explain", "usable.test", "--trust-anchor", &anchor];
    blames_us(
        &stage.run(&[&options[..], &["--json"]].concat()),
        "the root does not validate up to the trust anchor",
    );
    table_blames_us(&stage, &options);
}

#[test]
fn with_servers_that_do_not_answer() {
    let stage = rows();
    let options = ["explain", "usable.test", "--dns-server", "127.0.0.1:9", "--json"];
    blames_us(&stage.run(&options), "no DNS server answers");
}

#[test]
fn a_broken_destination_behind_a_good_resolver_is_the_one_that_is_broken() {
    let stage = rows();
    let end = stage.run(&["explain", "bogus.test", "--json"]);
    let found = end.json();
    assert_eq!(
        (end.status, &found["outage"], &found["resolver"]["fault"]),
        (1, &json!(false), &Value::Null),
        "{found}"
    );
    assert_eq!(
        found["resolver"],
        json!({
            "of": "command",
            "because": "no relay runs with this configuration",
            "mode": "validate",
            "servers": [stage.world.address().to_string()],
            "fault": null,
            "obstacle": null,
        })
    );
    let exception = found["exception"].as_str().unwrap();
    assert!(
        exception.starts_with("[[exception]]\ndomain = \"bogus.test\"\ndnssec = \"off\"\nuntil = "),
        "{exception}"
    );
}
