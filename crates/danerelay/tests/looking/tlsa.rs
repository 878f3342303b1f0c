//! `danerelay tlsa`: records made, chains verified, and input that is refused.

mod files;
mod hooks;
mod keys;
mod live;
mod make;
mod published;

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use testworld::dns::{Bogus, DnsFault, Questions};
use testworld::mail::{Ca, Identity, Validity};

pub(crate) use crate::pem::pem;
use crate::{End, Stage, danerelay, text_of};

const NOTHING: &str = "3 1 1 0000000000000000000000000000000000000000000000000000000000000000";

fn chain_of(identity: &Identity) -> String {
    identity
        .chain()
        .iter()
        .map(|certificate| pem(certificate))
        .collect()
}

/// A directory with the chain of an identity.
struct Chain {
    directory: tempfile::TempDir,
    identity: Identity,
}

impl Chain {
    fn new(identity: Identity) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("chain.pem"), chain_of(&identity)).unwrap();
        Self { directory, identity }
    }

    fn issued() -> Self {
        Self::new(Ca::new("Test CA").unwrap().issue(&["mx.example.test"]).unwrap())
    }

    fn path(&self) -> String {
        text_of(&self.directory.path().join("chain.pem"))
    }

    fn verify(&self, more: &[&str]) -> End {
        danerelay(&[&["tlsa", "verify", "--chain", &self.path()], more].concat())
    }

    fn verify_json(&self, more: &[&str]) -> (Value, i32) {
        let end = self.verify(&[more, &["--json"]].concat());
        (end.json(), end.status)
    }
}

/// What the program of this name says to standard output, in this directory.
fn openssl(directory: &Path, arguments: &str) -> Vec<u8> {
    let output = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(directory)
        .output()
        .expect("openssl is installed");
    assert!(
        output.status.success(),
        "{arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

#[test]
fn the_servers_own_key_matches_whatever_the_name() {
    let chain = Chain::issued();
    let record = chain.identity.tlsa_3_1_1();
    let (found, status) =
        chain.verify_json(&["--name", "other.test", "--record", NOTHING, "--record", &record]);
    assert_eq!(status, 0, "{found}");
    assert_eq!(
        (
            &found["verified"],
            &found["matched"],
            &found["depth"],
            &found["usable"],
            &found["records"]
        ),
        (&json!(true), &json!(record), &json!(0), &json!(2), &json!(2))
    );
    assert!(!found["reason"].as_str().unwrap().is_empty());
    let end = chain.verify(&["--record", &record]);
    assert_eq!(end.status, 0, "no name is needed: {}", end.stderr);
    let end = chain.verify(&["--name", "other.test", "--record", &record]);
    assert!(
        end.stdout.contains(&format!("matched:  {record}\ndepth:    0\n")),
        "{}",
        end.stdout
    );
}

#[test]
fn a_trust_anchor_matches_at_its_depth_and_only_for_the_name() {
    let chain = Chain::issued();
    for record in [chain.identity.tlsa_2_0_1(), chain.identity.tlsa_2_1_1()] {
        let (found, status) = chain.verify_json(&["--name", "mx.example.test", "--record", &record]);
        assert_eq!(
            (status, &found["depth"], &found["matched"]),
            (0, &json!(1), &json!(record)),
            "{found}"
        );
        let names = ["--name", "other.test", "--name", "MX.example.test."];
        assert_eq!(
            chain
                .verify(&[&names[..], &["--record", &record]].concat())
                .status,
            0
        );
        let (found, status) = chain.verify_json(&["--name", "other.test", "--record", &record]);
        assert_eq!(
            (status, &found["verified"], &found["matched"], &found["depth"]),
            (1, &json!(false), &Value::Null, &Value::Null)
        );
        assert!(
            found["reason"].as_str().unwrap().contains("names another host"),
            "{found}"
        );
    }
}

#[test]
fn dates_count_under_a_trust_anchor_and_not_for_the_servers_own_key() {
    let ca = Ca::new("Test CA").unwrap();
    let expired = Identity::builder(&["mx.example.test"])
        .validity(Validity::Expired)
        .issue(&ca)
        .unwrap();
    let chain = Chain::new(expired);
    let (issuer, own) = (chain.identity.tlsa_2_0_1(), chain.identity.tlsa_3_1_1());
    let name = ["--name", "mx.example.test", "--record"];
    let (found, status) = chain.verify_json(&[&name[..], &[&issuer]].concat());
    assert_eq!(status, 1);
    assert!(found["reason"].as_str().unwrap().contains("expired"), "{found}");
    assert_eq!(chain.verify(&[&name[..], &[&own]].concat()).status, 0);

    let chain = Chain::issued();
    let record = chain.identity.tlsa_2_0_1();
    let (found, status) =
        chain.verify_json(&[&name[..], &[&record, "--at", "1971-01-01T00:00:00Z"]].concat());
    assert_eq!(status, 1);
    let (end_of_time, status) =
        chain.verify_json(&[&name[..], &[&record, "--at", "9999-12-31T23:59:59Z"]].concat());
    assert_eq!(status, 1);
    assert!(
        end_of_time["reason"].as_str().unwrap().contains("has expired"),
        "{end_of_time}"
    );
    assert!(
        found["reason"].as_str().unwrap().contains("not yet valid"),
        "{found}"
    );
}

#[test]
fn a_missing_issuer_is_found_out() {
    let whole = Ca::new("Test CA").unwrap().issue(&["mx.example.test"]).unwrap();
    let record = whole.tlsa_2_0_1();
    let chain = Chain::new(whole.without_issuer());
    let (found, status) = chain.verify_json(&["--name", "mx.example.test", "--record", &record]);
    let reason = found["reason"].as_str().unwrap();
    assert_eq!(status, 1, "{found}");
    assert!(
        reason.starts_with(
            "no matching TLSA records: none of the certificates sent matches the trust anchor 2 0 1 "
        ) && reason.contains("CN=Test CA, is not sent"),
        "{reason}"
    );
}

#[test]
fn unusable_records_are_counted_and_are_no_errors() {
    let chain = Chain::issued();
    let own = chain.identity.tlsa_3_1_1();
    let pkix = format!("1{}", own.strip_prefix('3').unwrap());
    let (found, status) = chain.verify_json(&[
        "--name",
        "mx.example.test",
        "--record",
        &pkix,
        "--record",
        "3 1 1 abcd",
    ]);
    assert_eq!(
        (status, &found["usable"], &found["records"]),
        (1, &json!(0), &json!(2)),
        "{found}"
    );
    assert!(
        found["reason"]
            .as_str()
            .unwrap()
            .starts_with("no usable TLSA records"),
        "{found}"
    );
    let (found, status) =
        chain.verify_json(&["--name", "mx.example.test", "--record", &pkix, "--record", &own]);
    assert_eq!(
        (status, &found["usable"], &found["records"]),
        (0, &json!(1), &json!(2)),
        "{found}"
    );
    let end = chain.verify(&["--name", "mx.example.test", "--record", &pkix]);
    assert!(
        end.stdout
            .contains(&format!("{pkix}  (unusable: certificate usages 0 and 1")),
        "{}",
        end.stdout
    );
}

#[test]
fn records_may_be_written_as_in_zone_files() {
    let chain = Chain::issued();
    let record = chain.identity.tlsa_3_1_1();
    let (start, end) = record.split_at(30);
    let generic = record.replace("3 1 1 ", "030101");
    for text in [
        format!("{} {}", start.to_uppercase(), end),
        format!("DANE-EE SPKI SHA2-256 {}", record.strip_prefix("3 1 1 ").unwrap()),
        format!("_25._tcp.mx.example.test. 3600 IN TLSA ( {start}\n\t{end} ) ; ours"),
        format!("\\# 35 {generic}"),
        format!("_25._tcp.mx.example.test. 3600 IN TYPE52 \\# 35 ( {generic} )"),
    ] {
        let (found, status) = chain.verify_json(&["--name", "mx.example.test", "--record", &text]);
        assert_eq!((status, &found["matched"]), (0, &json!(record)), "{text}");
    }
}

#[test]
fn bad_input_is_2_and_named() {
    let chain = Chain::issued();
    let good = chain.path();
    let anchor = chain.identity.tlsa_2_0_1();
    let name = ["--name", "mx.example.test"];
    for (arguments, words) in [
        (
            [
                &["--chain", &good][..],
                &name,
                &["--record", NOTHING, "--record", "3 1 zz 00"],
            ]
            .concat(),
            "record 2, \"3 1 zz 00\": the matching type is neither",
        ),
        (
            [&["--chain", &good][..], &name, &["--record", "3 1 1 abc"]].concat(),
            "even number of hexadecimal digits; allowed: USAGE",
        ),
        (
            [&["--chain", &good][..], &name, &["--record", ""]].concat(),
            "has four fields",
        ),
        (
            vec!["--chain", &good, "--name", "a..b", "--record", NOTHING],
            "a label is empty",
        ),
        (
            vec!["--chain", &good, "--name", "192.0.2.1", "--record", NOTHING],
            "not a DNS host name",
        ),
        (
            vec!["--chain", &good, "--record", &anchor],
            "usage 2, the certificate must bear a name",
        ),
        (
            [
                &["--chain", &good][..],
                &name,
                &["--record", NOTHING, "--port", "26"],
            ]
            .concat(),
            "cannot be used with",
        ),
        (
            [&["--chain", &good][..], &name, &["--record", "\\# 36 030101abcd"]].concat(),
            "after \\# come the number of octets",
        ),
        ([&["--chain", &good][..], &name].concat(), "--record"),
        (
            [
                &["--chain", &good][..],
                &name,
                &["--record", NOTHING, "--at", "tomorrow"],
            ]
            .concat(),
            "RFC 3339",
        ),
        (
            [
                &["--chain", &good][..],
                &name,
                &["--record", NOTHING, "--at", "2027-01-31T12:00:00+25:00"],
            ]
            .concat(),
            "RFC 3339",
        ),
        (
            [
                &["--chain", &good][..],
                &name,
                &["--record", NOTHING, "--host", "mx.example.test"],
            ]
            .concat(),
            "cannot be used with",
        ),
    ] {
        let end = danerelay(&[&["tlsa", "verify"], &arguments[..]].concat());
        assert_eq!(end.status, 2, "{arguments:?}: {}{}", end.stdout, end.stderr);
        assert!(end.stderr.contains(words), "{arguments:?}: {}", end.stderr);
        assert!(end.stdout.is_empty(), "{}", end.stdout);
    }
}

#[test]
fn published_records_count_if_they_are_secure() {
    let stage = Stage::new("");
    let chain = Chain::issued();
    let here = "127.0.0.1:25".parse().unwrap();
    let publish = |zone: &str| (format!("mx.{zone}"), stage.world.domain(zone));
    let own = chain.identity.tlsa_3_1_1();
    let (host, zone) = publish("signed.test");
    zone.signed().host(&host, here).tlsa(&own).add().unwrap();
    let (host, zone) = publish("plain.test");
    zone.unsigned().host(&host, here).tlsa(&own).add().unwrap();
    let (host, zone) = publish("bogus.test");
    zone.bogus(Bogus::WrongKey)
        .host(&host, here)
        .tlsa(&own)
        .add()
        .unwrap();
    let (host, zone) = publish("none.test");
    zone.signed().host(&host, here).add().unwrap();
    let (host, zone) = publish("mute.test");
    zone.signed().host(&host, here).tlsa(&own).add().unwrap();
    let mute = Questions::At("_25._tcp.mx.mute.test".to_owned());
    stage.world.break_dns(&mute, DnsFault::ServFail).unwrap();
    for (host, exit, records, words) in [
        ("mx.signed.test", 0, 1, "DANE-EE"),
        ("mx.plain.test", 1, 1, "insecure and do not count"),
        ("mx.bogus.test", 1, 0, "failed: bogus"),
        ("mx.none.test", 1, 0, "no TLSA records are published"),
        ("mx.mute.test", 3, 0, "failed: servfail"),
    ] {
        let end = stage.run(&[
            "tlsa",
            "verify",
            "--chain",
            &chain.path(),
            "--host",
            host,
            "--json",
        ]);
        let found = end.json();
        assert_eq!(
            (end.status, &found["verified"], &found["records"]),
            (exit, &json!(exit == 0), &json!(records)),
            "{host}: {found}"
        );
        assert!(
            found["reason"].as_str().unwrap().contains(words),
            "{host}: {found}"
        );
    }
    let at_another_port = [
        "--chain",
        &chain.path(),
        "--host",
        "mx.signed.test",
        "--port",
        "587",
    ];
    assert_eq!(
        stage
            .run(&[&["tlsa", "verify"], &at_another_port[..]].concat())
            .status,
        1
    );
}
