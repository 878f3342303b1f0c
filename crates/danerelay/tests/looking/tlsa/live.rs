//! `tlsa make --host`: the records for what a server shows.

use std::net::{IpAddr, SocketAddr};

use serde_json::json;
use testworld::mail::{Ca, Identity, MailFault, Receiver, free_port_on};

use crate::{End, Stage};

const HOST: &str = "mx.live.test";

struct Live {
    stage: Stage,
    port: u16,
    ca: Ca,
}

impl Live {
    fn new() -> Self {
        let port = free_port_on(&[5, 6].map(|last| IpAddr::from([127, 0, 2, last]))).unwrap();
        Self {
            stage: Stage::new(""),
            port,
            ca: Ca::new("Test CA").unwrap(),
        }
    }

    fn serve(&self, last: u8, fault: Option<MailFault>) -> (Receiver, Identity) {
        let identity = self.ca.issue(&[HOST]).unwrap();
        let address = SocketAddr::from(([127, 0, 2, last], self.port));
        let mut builder = Receiver::builder(HOST).address(address).identity(&identity);
        if let Some(fault) = fault {
            builder = builder.fault(fault);
        }
        (self.stage.runtime.block_on(builder.start()).unwrap(), identity)
    }

    fn publish(&self, last: &[u8]) {
        let mut zone = self.stage.world.domain("live.test").signed();
        for last in last {
            zone = zone.host(HOST, SocketAddr::from(([127, 0, 2, *last], self.port)));
        }
        zone.add().unwrap();
    }

    fn make(&self, more: &[&str]) -> End {
        let port = self.port.to_string();
        let arguments = ["tlsa", "make", "--host", HOST, "--port", &port];
        self.stage.run(&[&arguments[..], more].concat())
    }
}

#[test]
fn every_address_is_looked_at_and_nothing_is_believed() {
    let live = Live::new();
    let (first, one) = live.serve(5, None);
    let (_second, two) = live.serve(6, None);
    live.publish(&[5, 6]);
    let end = live.make(&["--usage", "3"]);
    let owner = format!("_{}._tcp.{HOST}. IN TLSA", live.port);
    assert_eq!(end.status, 0, "{}", end.stderr);
    let mut lines: Vec<&str> = end.stdout.lines().collect();
    lines.sort_unstable();
    let mut expected = [&one, &two].map(|identity| format!("{owner} {}", identity.tlsa_3_1_1()));
    expected.sort();
    assert_eq!(lines, expected);
    assert_eq!(
        end.stderr.matches("nothing of it was verified").count(),
        2,
        "{}",
        end.stderr
    );
    assert_eq!((first.count_of("QUIT"), first.messages().len()), (1, 0));

    let end = live.make(&["--json", "--issuer-selector", "1", "--name", "other.test"]);
    let found = end.json();
    let records = found["records"].as_array().unwrap();
    assert_eq!(records.len(), 3, "two keys, one issuer: {found}");
    assert_eq!(records[1]["record"], json!(one.tlsa_2_1_1()));
    assert_eq!(
        records[0]["owner"],
        json!(format!("_{}._tcp.other.test.", live.port))
    );
    let seen = found["seen"].as_array().unwrap();
    assert_eq!(seen.len(), 2);
    assert!(
        seen[0]["tls"].as_str().unwrap().starts_with("TLSv1.3:"),
        "{found}"
    );
    assert_eq!(seen[0]["certificates"][0]["names"], json!([HOST]));
}

#[test]
fn what_is_not_seen_is_said() {
    let live = Live::new();
    let (_server, _) = live.serve(5, Some(MailFault::NoStartTls));
    live.publish(&[5]);
    let end = live.make(&[]);
    assert_eq!((end.status, end.stdout.as_str()), (1, ""), "{}", end.stderr);
    assert!(end.stderr.contains("STARTTLS"), "{}", end.stderr);

    let live = Live::new();
    let (_server, identity) = live.serve(5, None);
    live.publish(&[5, 6]);
    let end = live.make(&[]);
    assert_eq!(end.status, 3, "one address does not answer: {}", end.stderr);
    assert!(end.stdout.contains(&identity.tlsa_3_1_1()));
    let end = live.stage.run(&["tlsa", "make", "--host", "mx.nowhere.test"]);
    assert_eq!(end.status, 1, "{}", end.stderr);
    assert!(end.stderr.contains("no addresses"), "{}", end.stderr);
    let end = live.stage.run(&["tlsa", "make"]);
    assert_eq!(end.status, 2);
}
