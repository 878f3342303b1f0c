//! Messages are found by what is told of their last attempt, at the daemon and in the spool of a stopped one.

use std::net::{IpAddr, SocketAddr};

use serde_json::Value;
use testworld::dns::{Bogus, World};
use testworld::mail::{Ca, Receiver, free_port_on};

use crate::common::{Client, Relay, asking};

const RECORD: &str = "3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn found(relay: &Relay, reason: &str) -> Vec<String> {
    let objects = relay.objects(&["queue", "list", "--json", "--reason", reason]);
    let address = |object: &Value| object["recipients"][0]["address"].as_str().unwrap().to_owned();
    objects.iter().map(address).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_printed_of_a_failure_finds_it() {
    let world = World::start().await.unwrap();
    world.domain("test").signed().add().unwrap();
    let address = IpAddr::from([127, 0, 2, 77]);
    let port = free_port_on(&[address]).unwrap();
    let identity = Ca::new("Test CA").unwrap().issue(&["mx.stale.test"]).unwrap();
    let receiver = Receiver::builder("mx.stale.test").identity(&identity);
    let here = SocketAddr::new(address, port);
    let _receiver = receiver.address(here).start().await.unwrap();
    let stale = world.domain("stale.test").signed().mx(10, "mx.stale.test", here);
    stale.tlsa(RECORD).add().unwrap();
    world.domain("bogus.test").bogus(Bogus::WrongKey).add().unwrap();
    let gone = SocketAddr::new(IpAddr::from([127, 0, 2, 78]), port);
    let plain = world.domain("plain.test").signed().mx(10, "mx.plain.test", gone);
    plain.add().unwrap();
    let anchor = tempfile::NamedTempFile::new().unwrap();
    let more = format!("{}port = {port}\n", asking(&world, "validate", anchor.path()));
    let done = tokio::task::spawn_blocking(move || {
        let mut relay = Relay::start(&more);
        relay.wait_for("status=fine");
        let mut client = Client::connect(relay.address);
        for domain in ["stale.test", "bogus.test", "plain.test"] {
            client.send(&format!("x@{domain}"));
        }
        relay.wait_for_lines("status=deferred", 3);
        let (stale, bogus, plain) = ("x@stale.test", "x@bogus.test", "x@plain.test");
        for running in [true, false] {
            for (reason, expected) in [
                ("4.7.5", &[stale, bogus][..]),
                ("TLSA", &[stale]),
                ("fail (no matching tlsa rrs)", &[stale]),
                ("bogus", &[bogus]),
                ("MX lookup: bogus", &[bogus]),
                ("key", &[bogus]),
                ("4.4.1", &[plain]),
            ] {
                assert_eq!(found(&relay, reason), expected, "{running}: {reason}");
            }
            let list = relay.print(&["queue", "list"]);
            let told = |line: &str| Some(line.strip_prefix("  (")?.strip_suffix(')')?.to_owned());
            let told: Vec<String> = list.lines().filter_map(told).collect();
            assert!(
                told.iter().any(|told| told.starts_with("mx.stale.test: ")),
                "{list}"
            );
            for told in told {
                assert_eq!(found(&relay, &told).len(), 1, "{told}");
            }
            if running {
                assert_eq!(
                    relay.print(&["queue", "hold", "--reason", "tlsa"]),
                    "held 1 recipient of 1 message\n"
                );
                relay.stop();
            }
        }
    });
    done.await.unwrap();
}
