//! `danerelay dns`: each status, each kind of answer, exit status and JSON.

use serde_json::{Value, json};
use testworld::RecordType;
use testworld::dns::{Bogus, DnsFault, Questions, Role};
use testworld::mail::Ca;

use crate::tlsa::pem;
use crate::{Stage, danerelay};

fn stage() -> Stage {
    stage_with("")
}

fn stage_with(more: &str) -> Stage {
    let stage = Stage::new(more);
    let world = &stage.world;
    let here = "127.0.0.1:25".parse().unwrap();
    world
        .domain("signed.test")
        .signed()
        .mx(10, "mx.signed.test", here)
        .cname("alias.signed.test", "mx.signed.test")
        .cname("leaving.signed.test", "mx.plain.test")
        .cname("lost.signed.test", "none.signed.test")
        .record("through.signed.test", RecordType::MX, "10 mx.bogus.test.")
        .record("text.signed.test", RecordType::TXT, r"\# 7 06611b5b324a62")
        .record("private.signed.test", RecordType::from(65280), r"\# 3 ab0001")
        .add()
        .unwrap();
    world
        .domain("plain.test")
        .unsigned()
        .mx(10, "mx.plain.test", here)
        .add()
        .unwrap();
    world
        .domain("bogus.test")
        .bogus(Bogus::WrongKey)
        .mx(10, "mx.bogus.test", here)
        .add()
        .unwrap();
    stage
}

/// What the command says about a name, and its exit status.
fn looked_up(stage: &Stage, name: &str, record_type: &str) -> (Value, i32) {
    let end = stage.run(&["dns", name, record_type, "--json"]);
    (end.json(), end.status)
}

#[test]
fn each_status_and_each_kind_of_answer() {
    let stage = stage();
    for (name, record_type, status, answer, exit) in [
        ("signed.test", "MX", "secure", "records", 0),
        ("signed.test.", "mx", "secure", "records", 0),
        ("mx.signed.test", "AAAA", "secure", "nodata", 0),
        ("none.signed.test", "A", "secure", "nxdomain", 0),
        ("plain.test", "MX", "insecure", "records", 0),
        ("mx.plain.test", "TXT", "insecure", "nodata", 0),
        ("none.plain.test", "A", "insecure", "nxdomain", 0),
        (".", "SOA", "secure", "records", 0),
    ] {
        let (found, code) = looked_up(&stage, name, record_type);
        assert_eq!(
            (found["status"].as_str(), found["answer"].as_str(), code),
            (Some(status), Some(answer), exit),
            "{name} {record_type}: {found}"
        );
        assert!(found["ttl"].is_u64(), "{found}");
        assert_eq!(found["cause"], Value::Null);
        assert_eq!(
            found["records"].as_array().unwrap().is_empty(),
            answer != "records",
            "{found}"
        );
    }
    let (found, code) = looked_up(&stage, "signed.test", "MX");
    assert_eq!(
        (found, code),
        (
            json!({"status": "secure", "answer": "records", "records": ["10 mx.signed.test."], "aliases": [], "ttl": 2, "cause": null, "reason": null, "extended_error": null, "obstacle": null}),
            0
        )
    );
}

#[test]
fn failures_are_no_answers() {
    let stage = stage();
    let world = &stage.world;
    for (name, fault) in [
        ("servfail.signed.test", DnsFault::ServFail),
        ("refused.signed.test", DnsFault::Refused),
        ("silent.signed.test", DnsFault::Silence),
    ] {
        world.break_dns(&Questions::At(name.to_owned()), fault).unwrap();
    }
    world
        .domain("keyless.test")
        .signed()
        .host("keyless.test", "127.0.0.1:25".parse().unwrap())
        .add()
        .unwrap();
    world
        .break_dns(
            &Questions::Of("keyless.test".to_owned(), RecordType::DNSKEY),
            DnsFault::ServFail,
        )
        .unwrap();
    let server = stage.world.address();
    for (name, status, cause, reason, exit) in [
        (
            "servfail.signed.test",
            "failed",
            "servfail",
            format!("{server} answers SERVFAIL for servfail.signed.test A"),
            3,
        ),
        (
            "refused.signed.test",
            "failed",
            "rcode REFUSED",
            format!("{server} answers REFUSED for refused.signed.test A"),
            3,
        ),
        (
            "silent.signed.test",
            "failed",
            "timeout",
            format!("no answer from {server} about silent.signed.test A in 2 s"),
            3,
        ),
        (
            "keyless.test",
            "indeterminate",
            "indeterminate",
            format!("{server} answers SERVFAIL for keyless.test DNSKEY"),
            3,
        ),
    ] {
        let found = looked_up(&stage, name, "A");
        let expected = json!({"status": status, "answer": null, "records": [], "aliases": [], "ttl": null, "cause": cause, "reason": reason, "extended_error": null, "obstacle": null});
        assert_eq!(found, (expected, exit), "{name}");
    }
    let (found, exit) = looked_up(&stage, "bogus.test", "A");
    assert_eq!(
        (exit, &found["status"], &found["cause"]),
        (1, &json!("bogus"), &json!("bogus"))
    );
    let table = stage.run(&["dns", "refused.signed.test", "A"]).stdout;
    let expected = format!(
        "status  failed\ncause   rcode REFUSED\nreason  {server} answers REFUSED for refused.signed.test A\n"
    );
    assert_eq!(table, expected);
}

#[test]
fn each_alias_has_its_own_status_and_the_weakest_is_that_of_all() {
    let stage = stage();
    let (found, code) = looked_up(&stage, "alias.signed.test", "A");
    assert_eq!(code, 0);
    assert_eq!(found["status"], "secure");
    assert_eq!(
        found["aliases"],
        json!([{"from": "alias.signed.test", "to": "mx.signed.test", "status": "secure"}])
    );
    let (found, _) = looked_up(&stage, "leaving.signed.test", "A");
    assert_eq!(found["status"], "insecure");
    assert_eq!(
        found["aliases"],
        json!([{"from": "leaving.signed.test", "to": "mx.plain.test", "status": "secure"}])
    );
}

#[test]
fn the_table_says_the_same_and_nothing_reaches_the_terminal_raw() {
    let stage = stage();
    let end = stage.run(&["dns", "alias.signed.test", "A"]);
    assert_eq!(
        end.stdout,
        "status  secure\nalias   alias.signed.test -> mx.signed.test (secure)\nanswer  records\nrecord  127.0.0.1\nttl     2\n"
    );
    let end = stage.run(&["dns", "bogus.test", "MX"]);
    assert!(
        end.stdout.starts_with("status  bogus\ncause   bogus\n"),
        "{}",
        end.stdout
    );
    let end = stage.run(&["dns", "text.signed.test", "TXT"]);
    assert!(end.stdout.contains("record  \"a\\027[2Jb\"\n"), "{}", end.stdout);
    assert!(!end.stdout.contains('\u{1b}'), "{}", end.stdout);
}

#[test]
fn records_are_written_as_in_a_zone_file_whatever_their_type() {
    let stage = stage();
    for (name, record_type, record) in [
        ("text.signed.test", "TXT", r#""a\027[2Jb""#),
        ("text.signed.test", "type16", r#""a\027[2Jb""#),
        ("private.signed.test", "TYPE65280", r"\# 3 ab0001"),
        ("signed.test", "TYPE15", "10 mx.signed.test."),
    ] {
        let (found, code) = looked_up(&stage, name, record_type);
        assert_eq!(
            (found["status"].as_str(), &found["records"], code),
            (Some("secure"), &json!([record]), 0),
            "{name} {record_type}"
        );
    }
}

#[test]
fn what_the_server_says_about_its_failure_is_shown_beside_the_cause() {
    let stage = stage();
    stage.world.set_role(Role::Validator);
    let question = ["dns", "bogus.test", "MX", "--dns-mode", "trust-ad"];
    let end = stage.run(&question);
    let server = stage.world.address();
    let expected = format!(
        "status  bogus\ncause   bogus\nreason  {server} answers SERVFAIL for bogus.test MX\nsaid    EDE 6 (DNSSEC Bogus)\n"
    );
    assert_eq!((end.stdout, end.status), (expected, 1));
    let end = stage.run(&[&question[..], &["--json"]].concat());
    assert_eq!(
        (&end.json()["cause"], &end.json()["extended_error"]),
        (&json!("bogus"), &json!("EDE 6 (DNSSEC Bogus)"))
    );
    let explain = ["explain", "bogus.test", "--dns-mode", "trust-ad", "--json"];
    let explained = stage.run(&explain).json();
    assert_eq!(explained["mx"]["extended_error"], "EDE 6 (DNSSEC Bogus)");
    // The words are in the reason alone: the values of `dane` are a closed set.
    let said =
        |question: &str| format!("bogus: {server} answers SERVFAIL for {question}, EDE 6 (DNSSEC Bogus)");
    for (name, dane, reason) in [
        (
            "bogus.test",
            "Fail (MX lookup: bogus)",
            format!("the MX look-up failed: {}", said("bogus.test MX")),
        ),
        (
            "through.signed.test",
            "Fail (Address lookup: bogus)",
            format!(
                "the look-up of the host's addresses failed: {}",
                said("mx.bogus.test A")
            ),
        ),
        (
            "lost.signed.test",
            "-",
            "there is no such domain; it is an alias of none.signed.test, which does not exist".to_owned(),
        ),
        ("none.signed.test", "-", "there is no such domain".to_owned()),
    ] {
        let explained = stage
            .run(&["explain", name, "--dns-mode", "trust-ad", "--json"])
            .json();
        assert_eq!(
            (&explained["dane"], &explained["reason"]),
            (&json!(dane), &json!(reason)),
            "{name}"
        );
    }
}

#[test]
fn options_override_the_configuration() {
    let stage = stage();
    let server = stage.world.address().to_string();
    let anchor = crate::text_of(&stage.path("anchor"));
    // A configuration that asks nobody who answers, and the options that mend it.
    let elsewhere = stage.write(
        "elsewhere.toml",
        "[dns]\nservers = [\"127.0.0.1:1\"]\ntimeout = \"1s\"\n",
    );
    let question = ["--config", &elsewhere, "dns", "signed.test", "MX", "--json"];
    assert_eq!(danerelay(&question).status, 3);
    let all = [
        "--dns-server",
        &server,
        "--dns-mode",
        "validate",
        "--trust-anchor",
        &anchor,
    ];
    let end = danerelay(&[&question[..], &all].concat());
    assert_eq!((end.status, end.json()["status"].clone()), (0, json!("secure")));
    // With the root's own anchors nothing of this world is secure.
    let end = danerelay(&[&question[..], &["--dns-server", &server]].concat());
    assert_eq!((end.status, end.json()["status"].clone()), (1, json!("bogus")));
}

#[test]
fn a_negative_trust_anchor_of_the_policy_makes_insecure() {
    let stage = stage();
    let mut policy =
        "version = 1\n[[exception]]\ndomain = \"bogus.test\"\ndnssec = \"off\"\nreason = \"told them\"\n"
            .to_owned();
    policy.push_str("until = 2999-01-31\n");
    stage.write("policy.toml", &policy);
    let (found, code) = looked_up(&stage, "bogus.test", "MX");
    assert_eq!((found["status"].as_str(), code), (Some("insecure"), 0), "{found}");
}

#[test]
fn what_cannot_be_asked_is_2() {
    let stage = stage();
    for (arguments, words) in [
        (&["dns", "a..b", "A"][..], "`a..b` is no domain name"),
        (&["dns", "a.test", "MAIL"], "`MAIL` is no record type"),
        (&["dns", "a.test", "any"], "only types whose records are signed"),
        (
            &["dns", "a.test", "TYPE46"],
            "only types whose records are signed",
        ),
        (&["dns", "a.test", "TYPE65536"], "`TYPE65536` is no record type"),
        (&["dns", "a.test"], "<TYPE>"),
        (
            &["dns", "a.test", "A", "--dns-server", "dns.example"],
            "ADDRESS:PORT",
        ),
        (
            &["dns", "a.test", "A", "--dns-server", "tls://192.0.2.1"],
            "tls://NAME@ADDRESS",
        ),
        (&["dns", "a.test", "A", "--dns-mode", "believe"], "trust-ad"),
        (
            &[
                "dns",
                "a.test",
                "A",
                "--dns-mode",
                "trust-ad",
                "--dns-server",
                "192.0.2.53",
            ],
            "loopback",
        ),
        (
            &["dns", "a.test", "A", "--trust-anchor", "/nonexistent/anchor"],
            "/nonexistent/anchor",
        ),
    ] {
        let end = stage.run(arguments);
        assert_eq!(end.status, 2, "{arguments:?}: {}{}", end.stdout, end.stderr);
        assert!(end.stderr.contains(words), "{arguments:?}: {}", end.stderr);
        assert!(end.stdout.is_empty(), "{}", end.stdout);
    }
}

#[test]
fn the_ad_bit_counts_once_the_resolver_has_shown_that_it_validates() {
    let stage = stage();
    let status = |name: &str| {
        let end = stage.run(&["dns", name, "MX", "--dns-mode", "trust-ad", "--json"]);
        (end.json()["status"].clone(), end.status)
    };
    assert_eq!(status("signed.test"), (json!("indeterminate"), 3));
    stage.world.set_role(Role::Validator);
    assert_eq!(status("signed.test"), (json!("secure"), 0));
    assert_eq!(status("plain.test"), (json!("insecure"), 0));
    assert_eq!(status("bogus.test"), (json!("bogus"), 1));
    let end = stage.run(&["explain", "bogus.test", "--dns-mode", "trust-ad"]);
    assert_eq!(end.status, 1);
    assert!(
        end.stdout.contains("domain-insecure: \"bogus.test\""),
        "{}",
        end.stdout
    );
}

#[test]
fn over_tls_the_server_must_have_its_name_and_is_believed_then() {
    let stage = stage_with("[tls]\nwebpki_roots = \"roots.pem\"");
    let ca = Ca::new("CA").unwrap();
    stage.write("roots.pem", &pem(ca.certificate()));
    let identity = ca.issue(&["dns.example"]).unwrap();
    let started = stage.runtime.block_on(stage.world.server_over_tls(&identity));
    let address = started.as_ref().unwrap().address();
    for (name, mode, status, exit) in [
        ("dns.example", "validate", "secure", 0),
        ("dns.example", "trust-ad", "secure", 0),
        ("other.example", "validate", "failed", 3),
        ("other.example", "trust-ad", "failed", 3),
    ] {
        stage.world.set_role(match mode {
            "trust-ad" => Role::Validator,
            _ => Role::Forwarder,
        });
        let server = format!("tls://{name}@{address}");
        let question = ["dns", "signed.test", "MX", "--json", "--dns-mode", mode];
        let end = stage.run(&[&question[..], &["--dns-server", &server]].concat());
        assert_eq!(
            (end.json()["status"].clone(), end.status),
            (json!(status), exit),
            "{mode} {name}: {}{}",
            end.stdout,
            end.stderr
        );
        let found = end.json();
        let Some(obstacle) = found["obstacle"].as_str() else {
            assert_eq!(name, "dns.example", "no word about the certificate: {found}");
            continue;
        };
        assert_eq!(name, "other.example", "{obstacle}");
        let start = format!("{server}: invalid peer certificate: ");
        assert!(obstacle.starts_with(&start), "{obstacle}");
        let plain = stage.run(&["dns", "signed.test", "MX", "--dns-server", &server]);
        assert!(
            plain.stdout.contains(&format!("\nserver  {start}")),
            "{}",
            plain.stdout
        );
        let explained = stage.run(&["explain", "signed.test", "--dns-server", &server]);
        assert!(explained.stdout.contains(&start), "{}", explained.stdout);
        assert_eq!(explained.status, 3, "{}", explained.stdout);
    }
}

#[test]
fn a_name_is_needed_and_the_root_is_a_dot() {
    let stage = stage();
    let end = stage.run(&["dns", "", "SOA"]);
    assert_eq!((end.status, end.stdout.as_str()), (2, ""), "{}", end.stderr);
    let (found, status) = looked_up(&stage, ".", "SOA");
    assert_eq!((&found["status"], status), (&json!("secure"), 0));
    let (found, _) = looked_up(&stage, "mx.onion", "A");
    assert_eq!((&found["answer"], &found["ttl"]), (&json!("nxdomain"), &json!(0)));
}

#[test]
fn more_tlsa_records_than_a_delivery_takes_are_no_answer_here_either() {
    let stage = stage();
    let mut many = stage.world.domain("many.test").signed();
    for number in 0..101 {
        let record = format!("3 1 1 {number:064x}");
        many = many.record("_25._tcp.mx.many.test", RecordType::TLSA, &record);
    }
    many.add().unwrap();
    let (found, code) = looked_up(&stage, "_25._tcp.mx.many.test", "TLSA");
    assert_eq!((code, &found["cause"]), (3, &json!("malformed")), "{found}");
}
