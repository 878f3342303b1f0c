//! The exception that is proposed for a destination that fails, and how those in force are told.

use jiff::{ToSpan, Zoned};

use super::connecting::Servers;
use super::{RECORD, explained, rows};
use crate::Stage;

/// Puts the proposed exception into a policy file that ends with a line of its own, checks that, and explains again.
fn pasted(stage: &Stage, exception: &str, arguments: &[&str]) -> crate::End {
    let policy = std::fs::read_to_string(stage.path("policy.toml")).unwrap_or("version = 1\n".to_owned());
    stage.write("policy.toml", &format!("{policy}\n{exception}"));
    let check = stage.run(&["config", "check"]);
    assert_eq!(check.status, 0, "{exception}\n{}{}", check.stdout, check.stderr);
    stage.run(arguments)
}

/// The lines from `[[exception]]` on in the table for people.
fn printed(table: &str) -> &str {
    let start = table
        .find("[[exception]]")
        .unwrap_or_else(|| panic!("no exception in\n{table}"));
    &table[start..]
}

#[test]
fn soft_fail_is_proposed_for_what_dane_holds_up_and_lets_it_pass() {
    let servers = Servers::new("version = 1\n");
    let (_stale, _) = servers.serve(1, "stale.test", RECORD, None);
    let stage = &servers.stage;
    let arguments = ["explain", "stale.test", "--connect"];
    let end = stage.run(&arguments);
    assert_eq!(end.status, 1, "{}", end.stdout);
    let until = Zoned::now().date().saturating_add(30.days());
    let exception = printed(&end.stdout);
    assert!(
        exception.starts_with(&format!(
            "[[exception]]\ndomain = \"stale.test\"\ndane = \"soft-fail\"\nuntil = {until}\n\
             reason = \"No matching TLSA RRs at stale.test, seen "
        )),
        "{exception}"
    );
    let end = pasted(stage, exception, &arguments);
    assert_eq!(end.status, 0, "{}", end.stdout);
    let source = format!("dane soft-fail (exception until {until} (");
    for words in [
        &source[..],
        "policy.toml:3: No matching TLSA RRs at stale.test, seen ",
    ] {
        assert!(end.stdout.contains(words), "{words:?} is not in\n{}", end.stdout);
    }
    assert!(!end.stdout.contains("[[exception]]"), "{}", end.stdout);
}

#[test]
fn a_host_that_serves_other_domains_too_is_excepted_by_its_own_name() {
    let servers = Servers::new("version = 1\n[default]\ndane = \"strict\"\n");
    let (_stale, _) = servers.serve(1, "provider.test", RECORD, None);
    let customer = servers.stage.world.domain("customer.test").signed();
    let mx = "10 mx.provider.test.";
    customer
        .record("customer.test", testworld::RecordType::MX, mx)
        .add()
        .unwrap();
    let arguments = ["explain", "someone@customer.test", "--connect", "--json"];
    let end = servers.stage.run(&arguments);
    let found = end.json();
    let exception = found["exception"].as_str().unwrap();
    let expected =
        "[[exception]]\nmx = \"mx.provider.test\"\ndane = \"soft-fail\"\noverride_strict = true\nuntil = ";
    assert!(exception.starts_with(expected), "{exception}");
    assert_eq!(pasted(&servers.stage, exception, &arguments).status, 0);
}

#[test]
fn without_valid_signatures_there_is_no_destination_and_dnssec_is_what_has_to_be_excepted() {
    let stage = rows();
    let arguments = ["explain", "bogus.test"];
    let exception = stage.run(&arguments).stdout;
    let end = pasted(&stage, printed(&exception), &arguments);
    assert_eq!(end.status, 0, "{}", end.stdout);
    let words = "note         bogus.test and all below it count as unsigned: exception until ";
    assert!(end.stdout.contains(words), "{}", end.stdout);
    assert!(
        end.stdout
            .contains("policy.toml:3: MX lookup: bogus at bogus.test, seen "),
        "{}",
        end.stdout
    );
}

#[test]
fn behind_an_alias_the_name_that_is_bogus_is_excepted() {
    let stage = rows();
    let renamed = stage.world.domain("renamed.test").signed();
    renamed.cname("old.renamed.test", "bogus.test.").add().unwrap();
    let arguments = ["explain", "old.renamed.test"];
    let end = stage.run(&arguments);
    assert!(
        end.stdout
            .contains("alias old.renamed.test -> bogus.test (secure)"),
        "{}",
        end.stdout
    );
    let exception = printed(&end.stdout);
    assert!(
        exception.starts_with("[[exception]]\ndomain = \"bogus.test\"\ndnssec = \"off\"\n"),
        "{exception}"
    );
    let end = pasted(&stage, exception, &arguments);
    assert_eq!(end.status, 0, "{}", end.stdout);
    assert!(
        end.stdout
            .contains("note         bogus.test and all below it count as unsigned: "),
        "{}",
        end.stdout
    );
}

#[test]
fn nothing_is_proposed_for_an_outage_or_against_our_own_demands() {
    let stage = rows();
    for destination in ["lost.test", "mute.test", "null.test"] {
        let (found, _) = explained(&stage, destination);
        assert_eq!(found["exception"], serde_json::Value::Null, "{found}");
    }
    stage.write("policy.toml", "version = 1\n[default]\ndane = \"strict\"\n");
    let (found, code) = explained(&stage, "none.test");
    assert_eq!(
        (code, &found["exception"]),
        (1, &serde_json::Value::Null),
        "{found}"
    );
}
