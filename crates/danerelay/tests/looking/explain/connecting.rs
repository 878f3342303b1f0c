//! `explain --connect`: what the servers of a destination show, without sending them anything.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Value, json};
use testworld::mail::{Ca, Identity, MailFault, Receiver, Stage as MailStage, free_port_on};

use super::RECORD;
use crate::{End, Stage};

/// Receiving servers on one port, and the world that points to them.
pub(super) struct Servers {
    pub(super) stage: Stage,
    ca: Ca,
    port: u16,
}

impl Servers {
    pub(super) fn new(policy: &str) -> Self {
        let port = free_port_on(&[1, 2, 3, 4].map(|last| IpAddr::from([127, 0, 2, last]))).unwrap();
        let stage = Stage::new(&format!("port = {port}\n"));
        stage.write("policy.toml", policy);
        let ca = Ca::new("Test CA").unwrap();
        Self { stage, ca, port }
    }

    fn identity(&self, name: &str) -> Identity {
        self.ca.issue(&[name]).unwrap()
    }

    /// Serves on 127.0.2.`last` as the MX host of the domain.
    pub(super) fn serve(
        &self,
        last: u8,
        domain: &str,
        record: &str,
        fault: Option<MailFault>,
    ) -> (Receiver, Identity) {
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
fn what_the_server_showed_stands_beside_what_is_published() {
    let servers = Servers::new("version = 1\n");
    let (_stale, identity) = servers.serve(1, "stale.test", RECORD, None);
    let found = servers.connect("stale.test").json();
    let connection = &found["hosts"][0]["connections"][0];
    assert_eq!(
        connection["published"],
        json!([{"record": RECORD, "usable": true, "matches": null, "is_from_dns": false}]),
        "{found}"
    );
    let own = &connection["presented"][0];
    assert_eq!(
        (&own["names"], &own["record"]),
        (&json!(["mx.stale.test"]), &json!(identity.tlsa_3_1_1())),
        "{found}"
    );
    assert!(own["issuer"].as_str().unwrap().contains("CN=Test CA"), "{own}");
    for date in ["not_before", "not_after"] {
        own[date].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    }
    let table = servers.stage.run(&["explain", "stale.test", "--connect"]).stdout;
    for words in [
        "presented    ",
        " for mx.stale.test; issued by CN=Test CA",
        &format!("published    {RECORD}  (does not match)\n"),
        &format!("would match  {}  (the server's own key)\n", identity.tlsa_3_1_1()),
    ] {
        assert!(table.contains(words), "{words:?} is not in\n{table}");
    }

    // The chain is told where the server is the right one, too, and where nothing had to be proved.
    let (_good, identity) = servers.serve(2, "good.test", "", None);
    let found = servers.connect("good.test").json();
    let connection = &found["hosts"][0]["connections"][0];
    assert_eq!(
        connection["published"],
        json!([{"record": identity.tlsa_3_1_1(), "usable": true, "matches": 0, "is_from_dns": false}])
    );
    let _plain = servers.serve_without_records(
        3,
        "plain.test",
        MailFault::Reply(MailStage::Mail, "450 no".to_owned()),
    );
    let found = servers.connect("plain.test").json();
    let connection = &found["hosts"][0]["connections"][0];
    assert_eq!(
        connection["presented"][0]["names"],
        json!(["mx.plain.test"]),
        "{found}"
    );
    assert_eq!(connection["published"], json!([]));
}

#[test]
fn where_every_host_is_out_of_reach_the_fallback_is_asked_as_in_a_delivery() {
    let servers = Servers::new("version = 1\n[default]\nfallback = \"[mx.good.test]\"\n");
    drop(servers.serve(1, "gone.test", "", None));
    let (good, _) = servers.serve(2, "good.test", "", None);
    let end = servers.connect("gone.test");
    let found = end.json();
    let tried = &found["fallback_tried"]["hosts"][0];
    assert_eq!(
        (
            end.status,
            &found["would"],
            &tried["name"],
            &tried["connections"][0]["met"]
        ),
        (0, &json!("deliver"), &json!("mx.good.test"), &json!(true)),
        "{found}"
    );
    assert_eq!(good.count_of("MAIL"), 0);
    let mode = found["modes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|mode| mode["in_force"] == true);
    assert_eq!(mode.unwrap()["would"], "deliver", "{found}");
    let table = servers.stage.run(&["explain", "gone.test", "--connect"]).stdout;
    let words = "\nfallback     tried, because no host takes mail now\n\nhost         mx.good.test port ";
    assert!(table.contains(words), "{words:?} is not in\n{table}");

    // A failure of DANE does not lead there, and under strict nothing does.
    let (_stale, _) = servers.serve(3, "stale.test", RECORD, None);
    let found = servers.connect("stale.test").json();
    assert_eq!(
        (&found["would"], &found["fallback_tried"]),
        (&json!("defer"), &Value::Null)
    );
    let strict = "version = 1\n[default]\ndane = \"strict\"\nfallback = \"[mx.good.test]\"\n";
    servers.stage.write("policy.toml", strict);
    let end = servers.connect("gone.test");
    assert_eq!((end.status, &end.json()["fallback_tried"]), (3, &Value::Null));
}

#[test]
fn a_route_whose_server_offers_no_login_gets_no_mail() {
    let policy = "version = 1\n[default]\nroute = \"[mx.good.test]\"\nroute_login = \"smart.login\"\n";
    let servers = Servers::new(policy);
    let login = servers.stage.write("smart.login", "relay-user\nsecret\n");
    std::fs::set_permissions(&login, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let (good, _) = servers.serve(1, "good.test", "", None);
    let end = servers.connect("any.test");
    let found = end.json();
    assert_eq!(
        (end.status, &found["would"], &found["enhanced"]),
        (1, &json!("defer"), &json!("4.7.4")),
        "{found}"
    );
    assert_eq!(good.count_of("AUTH"), 0);
}
