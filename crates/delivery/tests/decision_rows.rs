//! Rows of the decision that a whole delivery must show: strict, loops, aliases, implicit MX, names and addresses.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod scene;

use std::net::SocketAddr;
use std::time::Duration;

use scene::common::{OPPORTUNISTIC, SOFT_FAIL, STRICT, UNUSABLE, WRONG, assert_deferred, assert_line, plain};
use scene::{Scene, Setting};
use testworld::RecordType;
use testworld::dns::{DnsFault, Questions};

#[tokio::test]
async fn strict_delivers_to_verified_hosts_only() {
    let scene = Scene::new(STRICT).await;
    let identity = scene.identity("mx.good.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    scene.domain("good", &receiver, &identity.tlsa_3_1_1());
    scene.domain("t3", &receiver, UNUSABLE);
    let world = &scene.world;
    let t2 = world.domain("t2.test").signed();
    t2.mx(10, "mx.t2.test", receiver.address()).add().unwrap();
    plain(&scene, "plain", receiver.address());
    let h3 = world.domain("h3.test").signed();
    h3.record("h3.test", RecordType::MX, "10 mx.plain.test.")
        .add()
        .unwrap();
    let d9 = world.domain("d9.test").signed();
    d9.record("d9.test", RecordType::MX, "10 127.0.0.2.")
        .add()
        .unwrap();
    for (recipient, dane) in [
        ("a@t2.test", "Fail (No secure TLSA RRs)"),
        ("a@t3.test", "Fail (No usable TLSA RRs)"),
        ("a@h3.test", "Fail (Insecure host information)"),
        ("a@plain.test", "Fail (Insecure MX)"),
        ("a@d9.test", "Skip (Address literal)"),
        ("a@[127.0.0.2]", "Skip (Address literal)"),
        // An unsigned zone cannot vouch for the absence of a domain.
        ("a@nobody.plain.test", "Fail (Insecure MX)"),
    ] {
        assert_deferred(&scene.send_to(recipient).await, dane, "4.7.5");
    }
    assert_eq!(receiver.connections().len(), 0);
    assert_line(
        &scene.send_to("a@good.test").await,
        &[
            ("status", "sent"),
            ("mode", "dane strict"),
            ("dane", "Verify (Secure TLSA RRs found)"),
        ],
    );
    // Secure answers are final under `strict`, too.
    let none = world.domain("none.test").signed();
    none.record("none.test", RecordType::MX, "0 .").add().unwrap();
    let line = scene.send_to("a@none.test").await;
    assert_line(&line, &[("status", "bounced"), ("enhanced", "5.1.10")]);
}

#[tokio::test]
async fn without_strict_the_same_destinations_are_reached() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = scene.receiver(2, &scene.identity("mx.test"), vec![]).await;
    let world = &scene.world;
    let t2 = world.domain("t2.test").signed();
    t2.mx(10, "mx.t2.test", receiver.address()).add().unwrap();
    plain(&scene, "plain", receiver.address());
    let h3 = world.domain("h3.test").signed();
    h3.record("h3.test", RecordType::MX, "10 mx.plain.test.")
        .add()
        .unwrap();
    let d9 = world.domain("d9.test").signed();
    d9.record("d9.test", RecordType::MX, "10 127.0.0.2.")
        .add()
        .unwrap();
    for (recipient, dane) in [
        ("a@t2.test", "Skip (No secure TLSA RRs)"),
        ("a@h3.test", "Skip (Insecure host information)"),
        ("a@d9.test", "Skip (Address literal)"),
    ] {
        assert_line(
            &scene.send_to(recipient).await,
            &[("status", "sent"), ("dane", dane), ("mx", "secure")],
        );
    }
    let line = scene.send_to("a@nobody.plain.test").await;
    assert_line(&line, &[("status", "bounced"), ("enhanced", "5.1.2")]);
}

#[tokio::test]
async fn a_forged_loop_bounces_nothing_under_strict() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let domain = scene.world.domain("forged.test").unsigned();
    domain
        .record("forged.test", RecordType::MX, "10 own.relay.test.")
        .add()
        .unwrap();
    let line = scene.send_to("a@forged.test").await;
    assert_line(&line, &[("status", "bounced"), ("enhanced", "5.4.6")]);
    scene.set_policy(STRICT);
    assert_deferred(
        &scene.send_to("a@forged.test").await,
        "Fail (Insecure MX)",
        "4.7.5",
    );
}

#[tokio::test]
async fn the_unspecified_address_is_this_relay() {
    let port = testworld::mail::free_port_on(&[[127, 0, 0, 1].into()]).unwrap();
    let setting = Setting {
        listen: vec![SocketAddr::from(([127, 0, 0, 1], port))],
        ..Setting::default()
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    scene.world.set_ttl(0);
    scene.set_policy(&format!(
        "version = 1\n[[domain]]\nmatch = [\"zero.test\"]\nroute = \"over.test:{port}\"\n"
    ));
    for (record_type, address) in [
        (RecordType::A, "0.0.0.0"),
        (RecordType::AAAA, "::"),
        (RecordType::AAAA, "::ffff:127.0.0.1"),
    ] {
        let domain = scene.world.domain("over.test").signed();
        domain
            .record("over.test", RecordType::MX, "10 mx.over.test.")
            .add()
            .unwrap();
        for other in [RecordType::A, RecordType::AAAA] {
            scene.world.remove("mx.over.test", other).unwrap();
        }
        scene.world.set("mx.over.test", record_type, &[address]).unwrap();
        let line = scene.send_to("a@zero.test").await;
        assert_line(&line, &[("status", "bounced"), ("enhanced", "5.4.6")]);
    }
}

#[tokio::test]
async fn an_unsigned_address_of_ours_bounces_nothing_under_strict() {
    let port = testworld::mail::free_port_on(&[[127, 0, 0, 1].into()]).unwrap();
    let setting = Setting {
        listen: vec![SocketAddr::from(([127, 0, 0, 1], port))],
        ..Setting::default()
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let plain = scene.world.domain("plain.test").unsigned();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    plain.host("mx.plain.test", address).add().unwrap();
    let domain = scene.world.domain("over.test").signed();
    domain
        .record("over.test", RecordType::MX, "10 mx.plain.test.")
        .host("mx.over.test", address)
        .add()
        .unwrap();
    let rule = format!("[[domain]]\nmatch = [\"far.test\"]\nroute = \"over.test:{port}\"\n");
    scene.set_policy(&format!("{OPPORTUNISTIC}{rule}"));
    let bounced = [("status", "bounced"), ("enhanced", "5.4.6")];
    assert_line(&scene.send_to("a@far.test").await, &bounced);
    scene.set_policy(&format!("{STRICT}{rule}"));
    assert_deferred(
        &scene.send_to("a@far.test").await,
        "Fail (Insecure host information)",
        "4.7.5",
    );
    scene.world.set_ttl(0);
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    scene
        .world
        .set("over.test", RecordType::MX, &["10 mx.over.test."])
        .unwrap();
    assert_line(&scene.send_to("a@far.test").await, &bounced);
}

#[tokio::test]
async fn a_secure_alias_into_an_unsigned_zone_keeps_its_own_records() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.h5.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    let cloud = scene.world.domain("cloud.test").unsigned();
    cloud.host("mx.cloud.test", receiver.address()).add().unwrap();
    let owner = format!("_{}._tcp.mx.h5.test", scene.port);
    let h5 = scene.world.domain("h5.test").signed();
    h5.record("h5.test", RecordType::MX, "10 mx.h5.test.")
        .cname("mx.h5.test", "mx.cloud.test.")
        .record(&owner, RecordType::TLSA, &identity.tlsa_3_1_1())
        .add()
        .unwrap();
    scene.set_policy(STRICT);
    assert_line(
        &scene.send_to("a@h5.test").await,
        &[
            ("status", "sent"),
            ("dane", "Verify (Secure TLSA RRs found)"),
            ("base", "mx.h5.test"),
        ],
    );
    assert_eq!(receiver.messages()[0].sni.as_deref(), Some("mx.h5.test"));
    let behind = format!("_{}._tcp.mx.cloud.test", scene.port);
    assert_eq!(scene.world.asked(&behind, RecordType::TLSA), 0);
}

#[tokio::test]
async fn secure_aliases_have_two_candidates_and_none_between() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    scene.world.set_ttl(0);
    let identity = scene.identity("end.h6.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    let right = identity.tlsa_3_1_1();
    let owner = |host: &str| format!("_{}._tcp.{host}.h6.test", scene.port);
    // Records at the alias, in the middle and at its end; what the log then says.
    for (records, base, dane) in [
        (
            vec![("end", right.as_str()), ("mx", WRONG)],
            "end.h6.test",
            "Verify (Secure TLSA RRs found)",
        ),
        (
            vec![("mx", right.as_str())],
            "mx.h6.test",
            "Verify (Secure TLSA RRs found)",
        ),
        (
            vec![("end", WRONG), ("mx", right.as_str())],
            "end.h6.test",
            "Fail (No matching TLSA RRs)",
        ),
        (vec![("mid", right.as_str())], "-", "Skip (No secure TLSA RRs)"),
        (
            vec![("end", UNUSABLE), ("mx", right.as_str())],
            "end.h6.test",
            "Encrypt (No usable TLSA RRs)",
        ),
    ] {
        let scene_domain = scene.world.domain("h6.test").signed();
        scene_domain
            .record("h6.test", RecordType::MX, "10 mx.h6.test.")
            .add()
            .unwrap();
        for (alias, target) in [("mx", "mid"), ("mid", "end")] {
            let (alias, target) = (format!("{alias}.h6.test"), format!("{target}.h6.test."));
            scene.world.set(&alias, RecordType::CNAME, &[&target]).unwrap();
        }
        let address = receiver.address().ip().to_string();
        scene
            .world
            .set("end.h6.test", RecordType::A, &[&address])
            .unwrap();
        for host in ["mx", "mid", "end"] {
            scene.world.remove(&owner(host), RecordType::TLSA).unwrap();
        }
        for (host, record) in &records {
            scene
                .world
                .set(&owner(host), RecordType::TLSA, &[record])
                .unwrap();
        }
        let line = scene.send_to("a@h6.test").await;
        assert_line(&line, &[("dane", dane), ("base", base)]);
        assert_eq!(line["status"] == "sent", !dane.starts_with("Fail"), "{line:?}");
    }
}

#[tokio::test]
async fn a_failed_first_candidate_is_not_skipped() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.h6.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    let owner = |host: &str| format!("_{}._tcp.{host}.h6.test", scene.port);
    let h6 = scene.world.domain("h6.test").signed();
    h6.record("h6.test", RecordType::MX, "10 mx.h6.test.")
        .cname("mx.h6.test", "end.h6.test.")
        .host("end.h6.test", receiver.address())
        .record(&owner("mx"), RecordType::TLSA, &identity.tlsa_3_1_1())
        .add()
        .unwrap();
    let failing = Questions::Of(owner("end"), RecordType::TLSA);
    scene.world.break_dns(&failing, DnsFault::Refused).unwrap();
    let line = scene.send_to("a@h6.test").await;
    assert_line(&line, &[("status", "deferred"), ("enhanced", "4.4.3")]);
    assert!(line["dane"].starts_with("Fail (TLSA lookup: "), "{line:?}");
    assert_eq!(receiver.connections().len(), 0);
}

#[tokio::test]
async fn without_mx_records_the_domain_is_the_host() {
    let scene = Scene::new(STRICT).await;
    let identity = scene.identity("bare.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    let bare = scene.world.domain("bare.test").signed();
    bare.host("bare.test", receiver.address())
        .tlsa(identity.tlsa_2_0_1())
        .add()
        .unwrap();
    let plain = scene.world.domain("plain.test").unsigned();
    plain.host("plain.test", receiver.address()).add().unwrap();
    assert_line(
        &scene.send_to("a@bare.test").await,
        &[
            ("status", "sent"),
            ("relay", "bare.test [127.0.0.2]"),
            ("dane", "Verify (Secure TLSA RRs found)"),
            ("mx", "secure"),
        ],
    );
    assert_deferred(
        &scene.send_to("a@plain.test").await,
        "Fail (Insecure MX)",
        "4.7.5",
    );
    scene.set_policy(OPPORTUNISTIC);
    assert_line(
        &scene.send_to("a@plain.test").await,
        &[
            ("status", "sent"),
            ("mx", "insecure"),
            ("dane", "Skip (Insecure host information)"),
        ],
    );
}

#[tokio::test]
async fn the_next_hop_domain_is_a_name_of_the_host_behind_a_secure_mx_alone() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("shop.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    let provider = scene.world.domain("provider.test").signed();
    provider
        .host("mx.provider.test", receiver.address())
        .tlsa(identity.tlsa_2_1_1())
        .add()
        .unwrap();
    let shop = scene.world.domain("shop.test").signed();
    shop.record("shop.test", RecordType::MX, "10 mx.provider.test.")
        .add()
        .unwrap();
    assert_line(
        &scene.send_to("a@shop.test").await,
        &[("status", "sent"), ("dane", "Verify (Secure TLSA RRs found)")],
    );
    let other = scene.world.domain("other.test").signed();
    other
        .record("other.test", RecordType::MX, "10 mx.provider.test.")
        .add()
        .unwrap();
    let line = scene.send_to("a@other.test").await;
    assert_deferred(&line, "Fail (DANE-TA: name mismatch)", "4.7.5");
    // The certificate names the unsigned domain, and that is worth nothing.
    receiver.set_identity(&scene.identity("unsigned.test"));
    let unsigned = scene.world.domain("unsigned.test").unsigned();
    unsigned
        .record("unsigned.test", RecordType::MX, "10 mx.provider.test.")
        .add()
        .unwrap();
    let line = scene.send_to("a@unsigned.test").await;
    assert_deferred(&line, "Fail (DANE-TA: name mismatch)", "4.7.5");
}

#[tokio::test]
async fn one_address_family_does_not_spoil_the_other() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.family.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    scene.domain("family", &receiver, &identity.tlsa_3_1_1());
    let host = "mx.family.test".to_owned();
    let broken = Questions::Of(host.clone(), RecordType::AAAA);
    scene.world.break_dns(&broken, DnsFault::ServFail).unwrap();
    assert_line(
        &scene.send_to("a@family.test").await,
        &[("status", "sent"), ("dane", "Verify (Secure TLSA RRs found)")],
    );
    // Both: the host is unresolvable, in every mode, and nothing is connected to.
    scene.domain("both", &receiver, &identity.tlsa_3_1_1());
    let both = Questions::At("mx.both.test".to_owned());
    scene.world.break_dns(&both, DnsFault::ServFail).unwrap();
    receiver.clear();
    for policy in [OPPORTUNISTIC, SOFT_FAIL, STRICT] {
        scene.set_policy(policy);
        let line = scene.send_to("a@both.test").await;
        assert_line(&line, &[("status", "deferred")]);
        assert!(line["dane"].starts_with("Fail (Address lookup: "), "{line:?}");
    }
    assert_eq!(receiver.connections().len(), 0);
}

#[tokio::test]
async fn each_address_of_a_host_is_tried() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.pair.test");
    let impostor = scene.receiver(2, &scene.identity("mx.pair.test"), vec![]).await;
    let genuine = scene.receiver(3, &identity, vec![]).await;
    scene.domain("pair", &genuine, &identity.tlsa_3_1_1());
    // Nobody listens at the last of them.
    for address in ["127.0.0.2", "127.0.0.9"] {
        scene.world.add("mx.pair.test", RecordType::A, address).unwrap();
    }
    for _ in 0..4 {
        assert_line(
            &scene.send_to("a@pair.test").await,
            &[("status", "sent"), ("relay", "mx.pair.test [127.0.0.3]")],
        );
    }
    assert_eq!((impostor.count_of("MAIL"), genuine.messages().len()), (0, 4));
}
