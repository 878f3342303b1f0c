//! `localhost` is this machine where a route says so, and does not exist otherwise (RFC 6761 §6.3).

use std::net::{IpAddr, SocketAddr};

use serde_json::json;
use testworld::RecordType;
use testworld::mail::{Ca, Receiver, free_port_on};

use super::explained;
use crate::Stage;

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
