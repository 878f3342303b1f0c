//! Addresses at which no stranger receives mail: no MX record leads there, and a route may.

use std::net::SocketAddr;

use crate::scene::common::{
    BOUNCED, DEFERRED, LETTER, OPPORTUNISTIC, SENT, STRICT, VERIFIED, plain, signed_mx, single, single_at,
};
use crate::scene::{Scene, Setting};
use jiff::Timestamp;
use testworld::RecordType;
use testworld::dns::{DnsFault, Questions};

const NO_ADDRESSES: [(&str, &str); 3] = [BOUNCED, ("enhanced", "5.4.4"), ("dane", "-")];

/// A scene in which no MX record may lead to these networks.
async fn ignoring(policy: &str, networks: &[&str]) -> Scene {
    let setting = Setting {
        ignore_addresses: networks.iter().map(|network| network.parse().unwrap()).collect(),
        ..Setting::default()
    };
    Scene::with(policy, setting).await
}

#[tokio::test]
async fn a_strangers_mx_leads_to_no_ignored_address() {
    let scene = ignoring(OPPORTUNISTIC, &["127.0.0.0/8"]).await;
    let receiver = single(&scene, "good").await;
    plain(&scene, "plain", receiver.address());
    signed_mx(&scene, "literal", "127.0.0.2");
    let bare = scene.world.domain("bare.test").signed();
    bare.host("bare.test", receiver.address()).add().unwrap();
    // What leads to the IPv4 address is the same address.
    for (name, address) in [
        ("mapped", "::ffff:127.0.0.2"),
        ("nat64", "64:ff9b::7f00:2"),
        ("6to4", "2002:7f00:2::1"),
    ] {
        let zone = format!("{name}.test");
        let host = format!("mx.{zone}");
        let domain = scene.world.domain(&zone).signed();
        domain
            .record(&zone, RecordType::MX, &format!("10 {host}."))
            .record(&host, RecordType::AAAA, address)
            .add()
            .unwrap();
    }
    for domain in ["good", "plain", "literal", "bare", "mapped", "nat64", "6to4"] {
        let line = scene.expect(&format!("a@{domain}.test"), &NO_ADDRESSES).await;
        assert!(line["reason"].contains("delivery.ignore_addresses"), "{line:?}");
    }
    assert_eq!(receiver.connections().len(), 0);
}

#[tokio::test]
async fn other_addresses_and_hosts_are_tried() {
    let scene = ignoring(OPPORTUNISTIC, &["127.0.0.3/32"]).await;
    let ignored = single_at(&scene, 3, "first").await;
    let receiver = single(&scene, "pair").await;
    scene
        .world
        .add("mx.pair.test", RecordType::A, "127.0.0.3")
        .unwrap();
    let hosts = scene.world.domain("hosts.test").signed();
    hosts
        .record("hosts.test", RecordType::MX, "10 mx.first.test.")
        .record("hosts.test", RecordType::MX, "20 mx.pair.test.")
        .add()
        .unwrap();
    for domain in ["pair", "hosts"] {
        for _ in 0..3 {
            scene.expect(&format!("a@{domain}.test"), &[SENT, VERIFIED]).await;
        }
    }
    assert_eq!((ignored.connections().len(), receiver.messages().len()), (0, 6));
}

#[tokio::test]
async fn nothing_forged_or_unknown_ends_a_message() {
    let scene = ignoring(STRICT, &["127.0.0.0/8"]).await;
    let receiver = single(&scene, "good").await;
    scene.expect("a@good.test", &NO_ADDRESSES).await;
    plain(&scene, "plain", receiver.address());
    signed_mx(&scene, "elsewhere", "mx.plain.test");
    scene
        .expect_deferred("a@elsewhere.test", "Fail (Insecure host information)", "4.7.5")
        .await;
    // The other family may have addresses.
    scene.set_policy(OPPORTUNISTIC);
    scene.domain("half", &receiver, &scene.identity("mx.half.test").tlsa_3_1_1());
    let broken = Questions::Of("mx.half.test".to_owned(), RecordType::AAAA);
    scene.world.break_dns(&broken, DnsFault::ServFail).unwrap();
    let line = scene.expect("a@half.test", &[DEFERRED]).await;
    assert!(line["dane"].starts_with("Fail (Address lookup: "), "{line:?}");
}

#[tokio::test]
async fn a_route_leads_anywhere() {
    let scene = ignoring(OPPORTUNISTIC, &["127.0.0.0/8"]).await;
    let receiver = single(&scene, "good").await;
    let port = scene.port;
    for route in ["good.test", "[mx.good.test]", "[127.0.0.2]"] {
        scene.set_policy(&format!(
            "{OPPORTUNISTIC}[[domain]]\nmatch = \"far.test\"\nroute = \"{route}:{port}\"\n"
        ));
        scene.expect("a@far.test", &[SENT]).await;
    }
    assert_eq!(receiver.messages().len(), 3);
}

#[tokio::test]
async fn an_address_literal_leads_to_no_ignored_address_unless_it_is_routed() {
    let scene = ignoring(OPPORTUNISTIC, &["127.0.0.0/8", "::ffff:0:0/95"]).await;
    let receiver = single(&scene, "good").await;
    for literal in ["127.0.0.2", "IPv6:::ffff:127.0.0.2", "IPv6:64:ff9b::7f00:2"] {
        let line = scene.expect(&format!("a@[{literal}]"), &NO_ADDRESSES).await;
        assert!(line["reason"].contains("delivery.ignore_addresses"), "{line:?}");
    }
    // So is the report to a sender that gave such an address.
    let id = scene
        .queue_from("a@[127.0.0.2]", &["a@nowhere.test"], LETTER, Timestamp::now())
        .await;
    scene.lines(id, 1).await;
    scene.wait_until_empty().await;
    let undeliverable = scene.events("undeliverable");
    assert!(
        undeliverable.iter().any(|line| line["to"] == "a@[127.0.0.2]"),
        "{undeliverable:?}"
    );
    assert_eq!(receiver.connections().len(), 0);
    scene.set_policy(&format!(
        "{OPPORTUNISTIC}[[domain]]\nmatch = \"far.test\"\nroute = \"[127.0.0.2]:{}\"\n",
        scene.port
    ));
    scene.expect("a@far.test", &[SENT]).await;
}

#[tokio::test]
async fn an_address_literal_of_ours_is_a_loop() {
    let setting = Setting::default();
    let scene = Scene::asleep(OPPORTUNISTIC, setting).await;
    let address = SocketAddr::from(([127, 0, 0, 2], scene.port));
    let scene = scene.listening_at(address);
    scene.start();
    for policy in [OPPORTUNISTIC, STRICT] {
        scene.set_policy(policy);
        scene
            .expect("a@[127.0.0.2]", &[BOUNCED, ("enhanced", "5.4.6"), ("mx", "-")])
            .await;
    }
    scene.set_policy(OPPORTUNISTIC);
    let receiver = scene.receiver(3, &scene.identity("mx.test"), vec![]).await;
    scene.expect("a@[127.0.0.3]", &[SENT]).await;
    assert_eq!(receiver.messages().len(), 1);
}
