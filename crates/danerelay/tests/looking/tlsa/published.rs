//! What is published decides what can be installed: `tlsa verify --host`, `guard` and `rollover`.

use serde_json::{Value, json};
use testworld::dns::{Bogus, DnsFault, Questions, World};
use testworld::mail::{Ca, Identity};

use super::{NOTHING, chain_of};
use crate::{End, Stage};

const HOST: &str = "mx.signed.test";

/// A host with its current and its next certificate, of the same issuer.
struct Change {
    stage: Stage,
    current: Identity,
    next: Identity,
}

impl Change {
    fn new() -> Self {
        let stage = Stage::new("");
        stage.world.set_ttl(3600);
        let ca = Ca::new("Test CA").unwrap();
        let issue = || ca.issue(&[HOST]).unwrap();
        let (current, next) = (issue(), issue());
        stage.write("current.pem", &chain_of(&current));
        stage.write("next.pem", &chain_of(&next));
        let change = Self { stage, current, next };
        change.publish("signed.test", &[&change.current.tlsa_3_1_1()]);
        change
    }

    /// A signed zone whose host `mx` has these records.
    fn publish(&self, zone: &str, records: &[&str]) {
        let host = format!("mx.{zone}");
        let mut domain = self.stage.world.domain(zone).signed();
        domain = domain.host(&host, "127.0.0.1:25".parse().unwrap());
        for record in records {
            domain = domain.tlsa(record);
        }
        domain.add().unwrap();
    }

    fn world(&self) -> &World {
        &self.stage.world
    }

    fn file(&self, name: &str) -> String {
        crate::text_of(&self.stage.path(name))
    }

    fn run(&self, arguments: &[&str]) -> End {
        self.stage.run(&[&["tlsa"], arguments].concat())
    }

    fn guard(&self, chain: &str, more: &[&str]) -> (Value, i32) {
        let chain = self.file(chain);
        let end = self.run(&[&["guard", "--chain", &chain, "--json"], more].concat());
        (end.json(), end.status)
    }

    fn rollover(&self) -> Value {
        let (current, next) = (self.file("current.pem"), self.file("next.pem"));
        let files = ["rollover", "--current", &current, "--next", &next];
        let end = self.run(&[&files[..], &["--name", HOST, "--json"]].concat());
        assert_eq!(end.status, 0, "{}", end.stderr);
        end.json()
    }
}

fn line(record: &str) -> Value {
    json!({"owner": format!("_25._tcp.{HOST}."), "ttl": 3600, "record": record})
}

/// A self-signed certificate with an Ed448 key, made with `openssl req -x509`.
const ED448: &str = "-----BEGIN CERTIFICATE-----\n\
MIIBrzCCAS+gAwIBAgIUcwVv91t/IIQT/iwWuX9GTdRdugcwBQYDK2VxMBkxFzAV\n\
BgNVBAMMDm14LnNpZ25lZC50ZXN0MCAXDTI2MTEyOTIxMzE1NVoYDzIxMjYxMTA1\n\
MjEzMTU1WjAZMRcwFQYDVQQDDA5teC5zaWduZWQudGVzdDBDMAUGAytlcQM6ADtI\n\
M6xWmTfl4xB7LkOGtRu+YRPN87s/ZMft96SLFocoZyF6UVM9tvZ+EGiNfmCTW+ME\n\
hinK1pppAKNuMGwwHQYDVR0OBBYEFOLOcraICPberE6jybFQc9GZyHQrMB8GA1Ud\n\
IwQYMBaAFOLOcraICPberE6jybFQc9GZyHQrMA8GA1UdEwEB/wQFMAMBAf8wGQYD\n\
VR0RBBIwEIIObXguc2lnbmVkLnRlc3QwBQYDK2VxA3MAxcO/bBU39aMXm0H846J8\n\
l8BwpOMFshb8beuEvWm0bNo5nm1uxKvQb4PxUlDk5rOs4xvQ2OL9NFuApkb1eQY+\n\
I/cDOKYgQHvvq52i8mnKBaSisXBA3wJFQJ+eluhuIJOUuYl9dsQLmD1VlGiujInr\n\
VT8A\n\
-----END CERTIFICATE-----\n
";

#[test]
fn verify_says_what_to_publish_before_a_certificate_is_installed() {
    let change = Change::new();
    let verify = |chain: &str| {
        let chain = change.file(chain);
        change.run(&["verify", "--chain", &chain, "--host", HOST, "--json"])
    };
    let end = verify("current.pem");
    let found = end.json();
    assert_eq!(
        (end.status, &found["install"], &found["wait"], &found["ttl"]),
        (0, &json!("now"), &Value::Null, &json!(3600)),
        "{found}"
    );
    let end = verify("next.pem");
    let found = end.json();
    assert_eq!(
        (end.status, &found["install"], &found["publish"], &found["wait"]),
        (
            1,
            &json!("publish-first"),
            &json!([line(&change.next.tlsa_3_1_1())]),
            &json!(7200)
        ),
        "{found}"
    );
    let chain = change.file("next.pem");
    let said = change.run(&["verify", "--chain", &chain, "--host", HOST]).stdout;
    let record = change.next.tlsa_3_1_1();
    assert!(
        said.contains(&format!("_25._tcp.{HOST}. 3600 IN TLSA {record}\n")),
        "{said}"
    );
    assert!(said.contains("wait 7200 s"), "{said}");
}

#[test]
fn guard_refuses_what_senders_would_refuse() {
    let change = Change::new();
    let (found, status) = change.guard("current.pem", &["--name", HOST]);
    assert_eq!((status, &found["decision"]), (0, &json!("install")), "{found}");
    let (found, status) = change.guard("next.pem", &["--name", HOST]);
    assert_eq!((status, &found["decision"]), (1, &json!("refuse")), "{found}");
    let host = &found["hosts"][0];
    assert_eq!(
        (&host["publish"], &host["wait"]),
        (&json!([line(&change.next.tlsa_3_1_1())]), &json!(7200))
    );
    // The issuer's record carries the change; the forms in use are kept.
    let stale_and_issuer = [NOTHING, &change.current.tlsa_2_1_1()];
    change.publish("issuer.test", &stale_and_issuer);
    let (found, status) = change.guard("next.pem", &["--name", "mx.issuer.test", "--domain", HOST]);
    assert_eq!((status, &found["hosts"][0]["depth"]), (0, &json!(1)), "{found}");
    let sha512 = change.current.tlsa(3, 1, 2);
    change.publish("longer.test", &[&sha512]);
    let (found, _) = change.guard("next.pem", &["--name", "mx.longer.test"]);
    let proposed = found["hosts"][0]["publish"][0]["record"].as_str().unwrap();
    assert_eq!(
        proposed,
        change.next.tlsa(3, 1, 2),
        "a shorter digest would be passed over"
    );
    // One host that refuses is enough, and the same holds for one port.
    let all = ["--name", "mx.issuer.test", "--name", HOST, "--domain", HOST];
    assert_eq!(change.guard("next.pem", &all).1, 1);
    let ports = ["--name", HOST, "--port", "587", "--port", "465"];
    let (found, status) = change.guard("next.pem", &ports);
    assert_eq!(
        (status, found["hosts"].as_array().unwrap().len()),
        (0, 2),
        "nothing is published there: {found}"
    );
}

#[test]
fn guard_is_undecided_where_dns_does_not_say_enough() {
    let change = Change::new();
    let here = "127.0.0.1:25".parse().unwrap();
    let own = change.current.tlsa_3_1_1();
    let plain = change.world().domain("plain.test").unsigned();
    plain.host("mx.plain.test", here).tlsa(NOTHING).add().unwrap();
    let bogus = change.world().domain("bogus.test").bogus(Bogus::WrongKey);
    bogus.host("mx.bogus.test", here).tlsa(&own).add().unwrap();
    change.publish("mute.test", &[&own]);
    let mute = Questions::At("_25._tcp.mx.mute.test".to_owned());
    change.world().break_dns(&mute, DnsFault::ServFail).unwrap();
    for (host, exit, decision) in [
        ("mx.plain.test", 0, "install"),
        // Rather a mistake than a host without records.
        ("mx.none.test", 3, "undecided"),
        ("mx.bogus.test", 3, "undecided"),
        ("mx.mute.test", 3, "undecided"),
    ] {
        let (found, status) = change.guard("current.pem", &["--name", host]);
        assert_eq!((status, &found["decision"]), (exit, &json!(decision)), "{found}");
    }
    // What is known to break is said, whatever else is not known.
    let both = ["--name", "mx.mute.test", "--name", HOST];
    assert_eq!(change.guard("next.pem", &both).1, 1);
    assert_eq!(change.guard("current.pem", &both).1, 3);
}

#[test]
fn an_alias_has_the_records_of_its_target() {
    let change = Change::new();
    let alias = change.world().domain("alias.test").signed();
    alias.cname("mx.alias.test", HOST).add().unwrap();
    let name = ["--name", "mx.alias.test"];
    let (found, status) = change.guard("next.pem", &name);
    assert_eq!(
        (status, &found["hosts"][0]["publish"]),
        (1, &json!([line(&change.next.tlsa_3_1_1())])),
        "{found}"
    );
    assert_eq!(change.guard("current.pem", &name).1, 0);
    // Nothing is taken for an absence.
    let question = Questions::Of("mx.alias.test".to_owned(), testworld::RecordType::CNAME);
    change.world().break_dns(&question, DnsFault::ServFail).unwrap();
    assert_eq!(change.guard("next.pem", &name).1, 1);
    change.world().mend_dns(&question).unwrap();
    // What is gone at the target is still in caches.
    let memory = change.file("seen.json");
    let with_memory = [&name[..], &["--memory", &memory]].concat();
    assert_eq!(change.guard("current.pem", &with_memory).1, 0);
    let owner = format!("_25._tcp.{HOST}");
    change
        .world()
        .remove(&owner, testworld::RecordType::TLSA)
        .unwrap();
    let (found, status) = change.guard("next.pem", &with_memory);
    assert_eq!((status, &found["decision"]), (1, &json!("refuse")), "{found}");
    assert!(found["hosts"][0]["not_before"].is_string(), "{found}");
}

#[test]
fn guard_waits_for_a_record_that_it_saw_appear() {
    let change = Change::new();
    let memory = change.file("seen.json");
    let with_memory = ["--name", HOST, "--memory", &memory];
    assert_eq!(change.guard("next.pem", &with_memory).1, 1);
    let owner = format!("_25._tcp.{HOST}");
    let records = [change.current.tlsa_3_1_1(), change.next.tlsa_3_1_1()];
    let set = |ttl: u32| {
        change.world().set_ttl(ttl);
        let records = records.each_ref().map(String::as_str);
        let tlsa = testworld::RecordType::TLSA;
        change.world().set(&owner, tlsa, &records).unwrap();
    };
    set(3600);
    let (found, status) = change.guard("next.pem", &with_memory);
    let host = &found["hosts"][0];
    assert_eq!((status, &found["decision"]), (1, &json!("refuse")), "{found}");
    assert!(
        host["not_before"].is_string() && host["matched"].is_string(),
        "{found}"
    );
    // Without a memory nothing is known about that.
    let (found, status) = change.guard("next.pem", &["--name", HOST]);
    assert_eq!(status, 0);
    let reason = found["hosts"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("wait the rest"), "{reason}");
    // Long after, as the file has it.
    let text = std::fs::read_to_string(&memory).unwrap();
    let mut aged: Value = serde_json::from_str(&text).unwrap();
    let owner = aged["owners"]
        .as_object_mut()
        .unwrap()
        .values_mut()
        .next()
        .unwrap();
    for time in ["first", "since"] {
        let early = json!("2020-01-01T00:00:00Z");
        if time == "first" {
            owner[time] = early;
        } else {
            let records = owner["records"].as_array_mut().unwrap();
            for record in records {
                record[time] = early.clone();
            }
        }
    }
    std::fs::write(&memory, aged.to_string()).unwrap();
    let (found, status) = change.guard("next.pem", &with_memory);
    assert_eq!((status, &found["decision"]), (0, &json!("install")), "{found}");
    std::fs::write(&memory, "nonsense").unwrap();
    let chain = change.file("next.pem");
    let end = change.run(&[&["guard", "--chain", &chain], &with_memory[..]].concat());
    assert_eq!(end.status, 2);
    assert!(end.stderr.contains("seen.json"), "{}", end.stderr);
}

#[test]
fn a_rollover_is_planned_in_both_schemes() {
    let change = Change::new();
    let (old, new) = (change.current.tlsa_3_1_1(), change.next.tlsa_3_1_1());
    let issuer = change.next.tlsa_2_0_1();
    let plan = change.rollover();
    assert_eq!((&plan["ttl"], &plan["same_key"]), (&json!(3600), &json!(false)));
    let steps = |plan: &Value, scheme: usize| -> Vec<(String, u64, Vec<String>)> {
        let steps = plan["schemes"][scheme]["steps"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let of = |step: &Value| {
            let records = step["records"].as_array().unwrap().iter();
            let records = records.map(|line| text(&line["record"])).collect();
            (text(&step["action"]), step["seconds"].as_u64().unwrap(), records)
        };
        steps.iter().map(of).collect()
    };
    let expected = |first: &[&String], then: &[&String]| {
        let records = |of: &[&String]| of.iter().map(|record| (*record).clone()).collect();
        vec![
            ("publish".to_owned(), 0, records(first)),
            ("wait".to_owned(), 7200, Vec::new()),
            ("install".to_owned(), 0, Vec::new()),
            ("verify".to_owned(), 0, Vec::new()),
            ("publish".to_owned(), 0, records(then)),
        ]
    };
    assert_eq!(steps(&plan, 0), expected(&[&old, &new], &[&new]));
    assert_eq!(steps(&plan, 1), expected(&[&old, &issuer], &[&new, &issuer]));
    let times = plan["schemes"][0]["steps"].as_array().unwrap();
    let at = |step: usize| {
        times[step]["at"]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .unwrap()
    };
    assert_eq!(at(2).duration_since(at(0)).as_secs(), 7200);

    // What is published already needs no waiting, and its form is kept.
    let by_key = change.next.tlsa_2_1_1();
    change.publish("signed.test", &[&old, &by_key]);
    let plan = change.rollover();
    let issuer_steps = steps(&plan, 1);
    assert_eq!(
        issuer_steps
            .iter()
            .map(|(action, ..)| action.as_str())
            .collect::<Vec<_>>(),
        ["publish", "install", "verify", "publish"]
    );
    assert_eq!(plan["schemes"][1]["steps"][0]["done"], json!(true));
    assert_eq!(issuer_steps[3].2, [new.clone(), by_key]);

    // A key that nobody can verify is no next key.
    let ed448 = change.stage.write("ed448.pem", ED448);
    let current = change.file("current.pem");
    let end = change.run(&[
        "rollover",
        "--current",
        &current,
        "--next",
        &ed448,
        "--name",
        HOST,
    ]);
    assert_eq!((end.status, end.stdout.as_str()), (2, ""));
    assert!(
        end.stderr
            .contains("ed448.pem: the certificate's key is of a kind that is not supported"),
        "{}",
        end.stderr
    );

    // An issuer whose certificate names another host carries nothing.
    let other = Ca::new("Other CA").unwrap().issue(&["other.test"]).unwrap();
    change.stage.write("next.pem", &chain_of(&other));
    let plan = change.rollover();
    let scheme = &plan["schemes"][1];
    assert_eq!(
        (&scheme["possible"], &scheme["steps"]),
        (&json!(false), &json!([]))
    );
    assert!(
        scheme["reason"].as_str().unwrap().contains("names another host"),
        "{plan}"
    );
}

#[test]
fn a_plan_needs_the_ttl() {
    let change = Change::new();
    let everything = Questions::Below("signed.test".to_owned());
    change.world().break_dns(&everything, DnsFault::ServFail).unwrap();
    let (current, next) = (change.file("current.pem"), change.file("next.pem"));
    let files = ["rollover", "--current", &current, "--next", &next];
    let end = change.run(&[&files[..], &["--name", HOST]].concat());
    assert_eq!(end.status, 3);
    assert!(end.stderr.contains("--ttl SECONDS"), "{}", end.stderr);
    let end = change.run(&[&files[..], &["--name", HOST, "--ttl", "600"]].concat());
    assert_eq!(end.status, 0, "{}", end.stderr);
    assert!(end.stdout.contains(&change.next.tlsa_3_1_1()), "{}", end.stdout);
    // Something may be published.
    assert!(end.stdout.contains("wait 1200 s"), "{}", end.stdout);
    let end = change.run(&files);
    assert!(end.stdout.contains("wait 7200 s"), "{}", end.stdout);
    assert!(
        end.stdout.contains("_25._tcp 3600 IN TLSA 3 1 1"),
        "{}",
        end.stdout
    );
}
