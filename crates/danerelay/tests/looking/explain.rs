//! `danerelay explain`: the main rows of the decision, what is looked up for them, and what connecting adds.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Value, json};
use testworld::RecordType;
use testworld::dns::{Bogus, DnsFault, Questions};
use testworld::mail::{Ca, Identity, MailFault, Receiver, Stage as MailStage, free_port_on};

use crate::{End, Stage};

const RECORD: &str = "3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn here(last: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 2, last], 25))
}

fn explained(stage: &Stage, destination: &str) -> (Value, i32) {
    let end = stage.run(&["explain", destination, "--json"]);
    (end.json(), end.status)
}

/// A world with a domain for each of the rows.
fn rows() -> Stage {
    let stage = Stage::new("");
    let world = &stage.world;
    let usable = world
        .domain("usable.test")
        .signed()
        .mx(10, "mx.usable.test", here(1));
    usable
        .tlsa(RECORD)
        .tlsa(RECORD.replace("3 1 1", "1 1 1"))
        .add()
        .unwrap();
    let unusable = world
        .domain("unusable.test")
        .signed()
        .mx(10, "mx.unusable.test", here(2));
    unusable.tlsa(RECORD.replace("3 1 1", "1 1 1")).add().unwrap();
    world
        .domain("none.test")
        .signed()
        .mx(10, "mx.none.test", here(3))
        .add()
        .unwrap();
    world
        .domain("plain.test")
        .unsigned()
        .mx(10, "mx.usable.test", here(1))
        .add()
        .unwrap();
    world
        .domain("outsourced.test")
        .signed()
        .mx(10, "mx.plain.test", here(4))
        .add()
        .unwrap();
    world
        .domain("bogus.test")
        .bogus(Bogus::WrongKey)
        .mx(10, "mx.bogus.test", here(5))
        .add()
        .unwrap();
    world
        .domain("null.test")
        .signed()
        .record("null.test", RecordType::MX, "0 .")
        .add()
        .unwrap();
    world
        .domain("implicit.test")
        .signed()
        .host("implicit.test", here(6))
        .tlsa(RECORD)
        .add()
        .unwrap();
    world
        .domain("mute.test")
        .signed()
        .mx(10, "mx.mute.test", here(7))
        .tlsa(RECORD)
        .add()
        .unwrap();
    let mute = Questions::At("_25._tcp.mx.mute.test".to_owned());
    world.break_dns(&mute, DnsFault::ServFail).unwrap();
    world
        .domain("lost.test")
        .signed()
        .mx(10, "mx.lost.test", here(8))
        .add()
        .unwrap();
    world
        .break_dns(&Questions::At("lost.test".to_owned()), DnsFault::Refused)
        .unwrap();
    stage
}

#[test]
fn the_rows_of_the_decision() {
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
fn the_status_of_every_step_and_the_use_of_every_record() {
    let stage = rows();
    let (found, _) = explained(&stage, "someone@USABLE.test");
    assert_eq!(found["destination"], "usable.test");
    assert_eq!(
        found["policy"],
        json!({"dane": "opportunistic", "source": "default", "insecure_mx": "dane", "tls": "may", "honor_tls_required_no": true})
    );
    let mx = &found["mx"];
    assert_eq!(
        (&mx["status"], &mx["records"]),
        (&json!("secure"), &json!(["10 mx.usable.test"]))
    );
    let host = &found["hosts"][0];
    assert_eq!(
        (&host["name"], &host["addresses"]),
        (&json!("mx.usable.test"), &json!(["127.0.2.1"]))
    );
    assert_eq!(host["address_status"], "secure");
    let steps: Vec<(&str, &str, &str)> = host["lookups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            let word = |key: &str| step[key].as_str().unwrap();
            (word("type"), word("status"), word("answer"))
        })
        .collect();
    assert_eq!(
        steps,
        [
            ("AAAA", "secure", "nodata"),
            ("A", "secure", "records"),
            ("TLSA", "secure", "records")
        ]
    );
    let tlsa = &host["tlsa"];
    assert_eq!(
        (&tlsa["status"], &tlsa["base_domain"]),
        (&json!("usable"), &json!("mx.usable.test"))
    );
    assert_eq!(
        tlsa["records"][0],
        json!({"record": RECORD, "usable": true, "reason": null})
    );
    assert_eq!(tlsa["records"][1]["usable"], false);
    // Nothing was asked that a delivery would not ask.
    assert_eq!(stage.world.asked("_25._tcp.mx.usable.test", RecordType::TLSA), 1);
    let (found, _) = explained(&stage, "outsourced.test");
    assert_eq!(found["mx"]["status"], "secure");
}

#[test]
fn tlsa_records_of_an_insecure_host_are_not_asked_for() {
    let stage = rows();
    let far = stage
        .world
        .domain("far.test")
        .unsigned()
        .host("mx.far.test", here(9));
    far.tlsa(RECORD).add().unwrap();
    let near = stage.world.domain("near.test").signed();
    near.record("near.test", RecordType::MX, "10 mx.far.test.")
        .add()
        .unwrap();
    let (found, code) = explained(&stage, "near.test");
    let host = &found["hosts"][0];
    assert_eq!(
        (code, &host["address_status"], &host["tlsa"]["status"]),
        (0, &json!("insecure"), &json!("not-asked"))
    );
    assert_eq!(host["dane"], "Skip (Insecure host information)");
    assert_eq!(stage.world.asked("_25._tcp.mx.far.test", RecordType::TLSA), 0);
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

#[test]
fn the_table_for_people() {
    let stage = rows();
    let end = stage.run(&["explain", "usable.test"]);
    assert_eq!(
        end.stdout,
        format!(
            "destination  usable.test\n\
             policy       dane opportunistic (default); insecure_mx dane; tls may; from the built-in policy\n\
             MX           usable.test secure: 10 mx.usable.test\n\
             \n\
             host         mx.usable.test port 25; dane opportunistic (default)\n\
             AAAA         mx.usable.test secure: nodata\n\
             A            mx.usable.test secure: 127.0.2.1\n\
             TLSA         secure at base domain mx.usable.test; usable\n             {RECORD}  (usable)\n             \
             {}  (unusable: certificate usages 0 and 1 are not defined for SMTP)\n\
             must         match the TLSA records; dane=\"Verify (Secure TLSA RRs found)\"\n\
             \n\
             would        deliver\n",
            RECORD.replace("3 1 1", "1 1 1")
        ),
        "{}",
        end.stderr
    );
    let end = stage.run(&["explain", "bogus.test"]);
    for line in [
        "MX           bogus.test bogus\n",
        "would        defer\nstatus       4.7.5\ndane         Fail (MX lookup: bogus)\n",
        "dnssec = \"off\"",
    ] {
        assert!(end.stdout.contains(line), "{line:?} is not in\n{}", end.stdout);
    }
}

#[test]
fn each_candidate_for_the_base_domain_is_shown_with_its_answer() {
    let stage = Stage::new("");
    let world = &stage.world;
    let zone = world.domain("shop.test").signed().mx(10, "mx.shop.test", here(1));
    zone.cname("alias.shop.test", "mx.shop.test").add().unwrap();
    let buyer = world.domain("buyer.test").signed();
    buyer
        .record("buyer.test", RecordType::MX, "10 alias.shop.test.")
        .add()
        .unwrap();
    let steps = |found: &Value| {
        let steps = found["hosts"][0]["lookups"].as_array().unwrap();
        let tlsa = steps.iter().filter(|step| step["type"] == "TLSA");
        tlsa.map(|step| {
            let said = |key: &str| step[key].as_str().unwrap_or("-").to_owned();
            [said("name"), said("status"), said("answer"), said("cause")].join(" ")
        })
        .collect::<Vec<_>>()
    };
    let (end, start) = ("_25._tcp.mx.shop.test", "_25._tcp.alias.shop.test");
    let (found, _) = explained(&stage, "buyer.test");
    assert_eq!(
        steps(&found),
        [
            format!("{end} secure nxdomain -"),
            format!("{start} secure nxdomain -")
        ]
    );
    let table = stage.run(&["explain", "buyer.test"]).stdout;
    for name in [end, start] {
        let line = format!("TLSA         {name} secure: nxdomain\n");
        assert!(table.contains(&line), "{line:?} is not in\n{table}");
    }
    world
        .break_dns(&Questions::At(start.to_owned()), DnsFault::Refused)
        .unwrap();
    let (found, _) = explained(&stage, "buyer.test");
    assert_eq!(
        steps(&found),
        [
            format!("{end} secure nxdomain -"),
            format!("{start} failed - rcode REFUSED")
        ]
    );
    let table = stage.run(&["explain", "buyer.test"]).stdout;
    assert!(
        table.contains(&format!("TLSA         {start} failed: rcode REFUSED\n")),
        "{table}"
    );
    world.mend_dns(&Questions::At(start.to_owned())).unwrap();
    world.add(start, RecordType::TLSA, RECORD).unwrap();
    let table = stage.run(&["explain", "buyer.test"]).stdout;
    let words = format!(
        "TLSA         {end} secure: nxdomain\nTLSA         secure at base domain alias.shop.test; usable\n"
    );
    assert!(table.contains(&words), "{table}");
}

#[test]
fn what_stands_in_the_place_of_a_host_name_is_shown() {
    let stage = Stage::new("");
    let zone = stage.world.domain("odd.test").signed();
    // A label with a blank in it, which only this form can write.
    let exchange = r"\# 19 000a 06 6d78206f6e65 03 6f6464 04 74657374 00";
    let odd = zone.record("odd.test", RecordType::MX, exchange);
    odd.add().unwrap();
    let (found, _) = explained(&stage, "odd.test");
    assert_eq!(found["hosts"][0]["name"], r"mx\032one.odd.test.", "{found}");
}

#[test]
fn what_is_no_destination_is_2() {
    let stage = Stage::new("");
    for destination in ["", "a b", "a..b", "user@", "@a.test", "[192.0.2.300]"] {
        let end = stage.run(&["explain", destination]);
        assert_eq!(end.status, 2, "{destination:?}: {}", end.stdout);
    }
    let (found, code) = explained(&stage, "user@[192.0.2.1]");
    assert_eq!(
        (code, &found["hosts"][0]["dane"]),
        (0, &json!("Skip (Address literal)"))
    );
}

/// Receiving servers on one port, and the world that points to them.
struct Servers {
    stage: Stage,
    ca: Ca,
    port: u16,
}

impl Servers {
    fn new(policy: &str) -> Self {
        let port = free_port_on(&[1, 2, 3, 4].map(|last| IpAddr::from([127, 0, 2, last]))).unwrap();
        let stage = Stage::new(&format!("[delivery]\nport = {port}\n"));
        stage.write("policy.toml", policy);
        let ca = Ca::new("Test CA").unwrap();
        Self { stage, ca, port }
    }

    fn identity(&self, name: &str) -> Identity {
        self.ca.issue(&[name]).unwrap()
    }

    /// Serves on 127.0.2.`last` as the MX host of the domain.
    fn serve(&self, last: u8, domain: &str, record: &str, fault: Option<MailFault>) -> (Receiver, Identity) {
        let host = format!("mx.{domain}");
        let identity = self.identity(&host);
        let address = SocketAddr::from(([127, 0, 2, last], self.port));
        let mut builder = Receiver::builder(&host).address(address).identity(&identity);
        if let Some(fault) = fault {
            builder = builder.fault(fault);
        }
        let receiver = self.stage.runtime.block_on(builder.start()).unwrap();
        let record = if record.is_empty() {
            identity.tlsa_3_1_1()
        } else {
            record.to_owned()
        };
        self.stage
            .world
            .domain(domain)
            .signed()
            .mx(10, &host, address)
            .tlsa(record)
            .add()
            .unwrap();
        (receiver, identity)
    }

    /// The same without TLSA records.
    fn serve_without_records(&self, last: u8, domain: &str, fault: MailFault) -> Receiver {
        let host = format!("mx.{domain}");
        let identity = self.identity(&host);
        let address = SocketAddr::from(([127, 0, 2, last], self.port));
        let builder = Receiver::builder(&host)
            .address(address)
            .identity(&identity)
            .fault(fault);
        let receiver = self.stage.runtime.block_on(builder.start()).unwrap();
        let zone = self.stage.world.domain(domain).signed();
        zone.mx(10, &host, address).add().unwrap();
        receiver
    }

    fn connect(&self, destination: &str) -> End {
        self.stage.run(&["explain", destination, "--connect", "--json"])
    }
}

#[test]
fn connecting_verifies_and_sends_nothing() {
    let servers = Servers::new("version = 1\n");
    let (good, identity) = servers.serve(1, "good.test", "", None);
    let end = servers.connect("good.test");
    let found = end.json();
    let connection = &found["hosts"][0]["connections"][0];
    assert_eq!((end.status, &connection["met"]), (0, &json!(true)), "{found}");
    assert_eq!(
        connection["matched"],
        identity
            .tlsa_3_1_1()
            .get(..14)
            .map(|start| format!("{start}…"))
            .unwrap()
    );
    assert_eq!(connection["tlsvalid"], "0 (ok)");
    assert_eq!(connection["dane"], "Verify (Secure TLSA RRs found)");
    assert!(
        connection["tls"].as_str().unwrap().starts_with("TLSv1.3:"),
        "{connection}"
    );
    assert_eq!((good.count_of("MAIL"), good.count_of("QUIT")), (0, 1));

    let (_stale, _) = servers.serve(2, "stale.test", RECORD, None);
    let end = servers.connect("stale.test");
    let found = end.json();
    assert_eq!(
        (end.status, &found["would"], &found["enhanced"]),
        (1, &json!("defer"), &json!("4.7.5")),
        "{found}"
    );
    assert_eq!(found["dane"], "Fail (No matching TLSA RRs)");
    assert_eq!(
        found["hosts"][0]["connections"][0]["tlsvalid"],
        "65 (no matching DANE TLSA records)"
    );

    let (_stripped, _) = servers.serve(3, "stripped.test", "", Some(MailFault::NoStartTls));
    let end = servers.connect("stripped.test");
    assert_eq!(
        (end.status, end.json()["dane"].clone()),
        (1, json!("Fail (STARTTLS not offered)"))
    );
}

#[test]
fn a_server_that_is_not_there_is_the_networks_failure() {
    let servers = Servers::new("version = 1\n");
    drop(servers.serve(1, "gone.test", "", None));
    let end = servers.connect("gone.test");
    assert_eq!(
        (end.status, end.json()["would"].clone()),
        (3, json!("defer")),
        "{}",
        end.stdout
    );
}

#[test]
fn soft_fail_tries_a_second_time() {
    let servers = Servers::new("version = 1\n[default]\ndane = \"soft-fail\"\n");
    let (_stale, _) = servers.serve(1, "stale.test", RECORD, None);
    let end = servers.connect("stale.test");
    let found = end.json();
    let met: Vec<&Value> = found["hosts"][0]["connections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["met"])
        .collect();
    assert_eq!(
        (end.status, met),
        (0, vec![&json!(false), &json!(true)]),
        "{found}"
    );
    assert_eq!(
        found["hosts"][0]["connections"][1]["dane"],
        "Softfail (No matching TLSA RRs)"
    );
}

#[test]
fn a_session_in_clear_says_so_and_why() {
    let servers = Servers::new("version = 1\n");
    let refusal = MailFault::Reply(MailStage::StartTls, "454 4.7.0 not now".to_owned());
    let _receivers = (
        servers.serve_without_records(1, "refused.test", refusal),
        servers.serve_without_records(2, "missing.test", MailFault::NoStartTls),
        servers.serve_without_records(3, "broken.test", MailFault::CloseInHandshake),
    );
    for (domain, why) in [("refused.test", "refused"), ("missing.test", "not-offered")] {
        let end = servers.connect(domain);
        let found = end.json();
        let connection = &found["hosts"][0]["connections"][0];
        assert_eq!(
            (&connection["met"], &connection["tls"], &connection["tlsfail"]),
            (&json!(true), &Value::Null, &json!(why)),
            "{found}"
        );
        assert_eq!((end.status, &connection["later_in_clear"]), (0, &json!(false)));
        let table = servers.stage.run(&["explain", domain, "--connect"]).stdout;
        let words = format!(" good, tls=-, tlsfail={why}, dane=");
        assert!(table.contains(&words), "{words:?} is not in\n{table}");
    }
    let found = servers.connect("broken.test").json();
    let connection = &found["hosts"][0]["connections"][0];
    assert_eq!(
        (&found["would"], &connection["met"], &connection["later_in_clear"]),
        (&json!("defer"), &json!(false), &json!(true)),
        "{found}"
    );
    let table = servers.stage.run(&["explain", "broken.test", "--connect"]).stdout;
    let words = "; would defer now; goes in clear after the first retry step\n";
    assert!(table.contains(words), "{words:?} is not in\n{table}");

    // Where TLS is demanded, nothing ever goes in clear.
    let (_strict, _) = servers.serve(4, "strict.test", "", Some(MailFault::CloseInHandshake));
    let found = servers.connect("strict.test").json();
    assert_eq!(
        found["hosts"][0]["connections"][0]["later_in_clear"], false,
        "{found}"
    );
}

#[test]
fn a_route_to_localhost_leads_to_this_machine_and_nothing_else_does() {
    let port = free_port_on(&[IpAddr::from([127, 0, 0, 1])]).unwrap();
    let stage = Stage::new("");
    let policy = format!(
        "version = 1\n[[domain]]\nmatch = [\"routed.test\"]\nroute = \"[localhost]:{port}\"\n\
         [[domain]]\nmatch = [\"careful.test\"]\ndane = \"strict\"\nroute = \"[localhost]:{port}\"\n"
    );
    stage.write("policy.toml", &policy);
    let identity = Ca::new("Test CA").unwrap().issue(&["localhost"]).unwrap();
    let builder = Receiver::builder("localhost").identity(&identity);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let receiver = stage.runtime.block_on(builder.address(address).start()).unwrap();
    let end = stage.run(&["explain", "routed.test", "--connect", "--json"]);
    let found = end.json();
    let host = &found["hosts"][0];
    assert_eq!(
        (end.status, &host["name"], &host["addresses"]),
        (0, &json!("localhost"), &json!(["127.0.0.1", "::1"])),
        "{found}"
    );
    assert_eq!(
        (&host["address_status"], &host["tlsa"]["status"], &host["lookups"]),
        (&json!("insecure"), &json!("not-asked"), &json!([]))
    );
    assert_eq!(host["connections"][0]["met"], true, "{found}");
    assert_eq!(receiver.count_of("QUIT"), 1);
    // What is not in DNS is not secure.
    let (found, _) = explained(&stage, "careful.test");
    assert_eq!(found["would"], "defer", "{found}");

    let (found, _) = explained(&stage, "user@localhost");
    assert_eq!(
        (&found["would"], &found["enhanced"]),
        (&json!("fail"), &json!("5.1.2"))
    );
    let zone = stage.world.domain("sly.test").signed();
    let sly = zone.record("sly.test", RecordType::MX, "10 localhost.");
    sly.add().unwrap();
    let (found, _) = explained(&stage, "sly.test");
    assert_eq!(
        (
            &found["would"],
            &found["enhanced"],
            &found["hosts"][0]["addresses"]
        ),
        (&json!("fail"), &json!("5.4.4"), &json!([])),
        "{found}"
    );
    assert_eq!(stage.world.asked("localhost", RecordType::A), 0);
}
