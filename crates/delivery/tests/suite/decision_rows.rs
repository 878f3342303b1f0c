//! Rows of the decision that a whole delivery must show: strict, loops, aliases, implicit MX, names and addresses.

use std::net::SocketAddr;
use std::time::Duration;

use crate::scene::common::{
    BOUNCED, DEFERRED, NO_MATCH, OPPORTUNISTIC, SENT, SOFT_FAIL, STRICT, UNUSABLE, VERIFIED, WRONG, plain,
    signed_mx, single, single_at, unsigned_mx,
};
use crate::scene::{Scene, Setting};
use dns::host::AddressFamily;
use testworld::RecordType;
use testworld::dns::{DnsFault, Questions};
use testworld::mail::Receiver;

/// Mail that would come back to this relay.
const LOOP: [(&str, &str); 2] = [BOUNCED, ("enhanced", "5.4.6")];

/// `good.test` under DANE, and destinations that lead to the same server without it: `t2.test` has no TLSA records,
/// `t3.test` none that is usable, `plain.test` is unsigned, `h3.test` names its host, and `d9.test` names an address.
async fn with_and_without_dane(scene: &Scene) -> Receiver {
    let receiver = single(scene, "good").await;
    scene.domain("t3", &receiver, UNUSABLE);
    let t2 = scene.world.domain("t2.test").signed();
    t2.mx(10, "mx.t2.test", receiver.address()).add().unwrap();
    plain(scene, "plain", receiver.address());
    signed_mx(scene, "h3", "mx.plain.test");
    signed_mx(scene, "d9", "127.0.0.2");
    receiver
}

#[tokio::test]
async fn strict_delivers_to_verified_hosts_only() {
    let scene = Scene::new(STRICT).await;
    let receiver = with_and_without_dane(&scene).await;
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
        scene.expect_deferred(recipient, dane, "4.7.5").await;
    }
    assert_eq!(receiver.connections().len(), 0);
    scene
        .expect("a@good.test", &[SENT, ("mode", "dane strict"), VERIFIED])
        .await;
    // Secure answers are final under `strict`, too.
    let none = scene.world.domain("none.test").signed();
    none.record("none.test", RecordType::MX, "0 .").add().unwrap();
    scene
        .expect("a@none.test", &[BOUNCED, ("enhanced", "5.1.10")])
        .await;
}

#[tokio::test]
async fn without_strict_the_same_destinations_are_reached() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let _receiver = with_and_without_dane(&scene).await;
    for (recipient, dane) in [
        ("a@t2.test", "Skip (No secure TLSA RRs)"),
        ("a@h3.test", "Skip (Insecure host information)"),
        ("a@d9.test", "Skip (Address literal)"),
    ] {
        scene
            .expect(recipient, &[SENT, ("dane", dane), ("mx", "secure")])
            .await;
    }
    scene
        .expect("a@nobody.plain.test", &[BOUNCED, ("enhanced", "5.1.2")])
        .await;
}

#[tokio::test]
async fn a_forged_loop_bounces_nothing_under_strict() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    unsigned_mx(&scene, "forged", "own.relay.test");
    scene.expect("a@forged.test", &LOOP).await;
    scene.set_policy(STRICT);
    scene
        .expect_deferred("a@forged.test", "Fail (Insecure MX)", "4.7.5")
        .await;
}

/// A scene whose relay is said to listen at this address.
async fn listening() -> (Scene, SocketAddr) {
    let port = testworld::mail::free_port_on(&[[127, 0, 0, 1].into()]).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let setting = Setting {
        listen: vec![address],
        ..Setting::default()
    };
    (Scene::with(OPPORTUNISTIC, setting).await, address)
}

/// The policy for a domain that is routed over `over.test`.
fn over(domain: &str, port: u16) -> String {
    format!("[[domain]]\nmatch = [\"{domain}\"]\nroute = \"over.test:{port}\"\n")
}

#[tokio::test]
async fn the_unspecified_address_is_this_relay() {
    let (scene, listener) = listening().await;
    scene.world.set_ttl(0);
    scene.set_policy(&format!("version = 1\n{}", over("zero.test", listener.port())));
    for (record_type, address) in [
        (RecordType::A, "0.0.0.0"),
        (RecordType::AAAA, "::"),
        (RecordType::AAAA, "::ffff:127.0.0.1"),
    ] {
        signed_mx(&scene, "over", "mx.over.test");
        for other in [RecordType::A, RecordType::AAAA] {
            scene.world.remove("mx.over.test", other).unwrap();
        }
        scene.world.set("mx.over.test", record_type, &[address]).unwrap();
        scene.expect("a@zero.test", &LOOP).await;
    }
}

#[tokio::test]
async fn an_unsigned_address_of_ours_bounces_nothing_under_strict() {
    let (scene, listener) = listening().await;
    let plain = scene.world.domain("plain.test").unsigned();
    plain.host("mx.plain.test", listener).add().unwrap();
    let domain = scene.world.domain("over.test").signed();
    domain
        .record("over.test", RecordType::MX, "10 mx.plain.test.")
        .host("mx.over.test", listener)
        .add()
        .unwrap();
    let rule = over("far.test", listener.port());
    scene.set_policy(&format!("{OPPORTUNISTIC}{rule}"));
    scene.expect("a@far.test", &LOOP).await;
    scene.set_policy(&format!("{STRICT}{rule}"));
    scene
        .expect_deferred("a@far.test", "Fail (Insecure host information)", "4.7.5")
        .await;
    scene.world.set_ttl(0);
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    scene
        .world
        .set("over.test", RecordType::MX, &["10 mx.over.test."])
        .unwrap();
    scene.expect("a@far.test", &LOOP).await;
}

#[tokio::test]
async fn a_secure_alias_into_an_unsigned_zone_keeps_its_own_records() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.h5.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    let cloud = scene.world.domain("cloud.test").unsigned();
    cloud.host("mx.cloud.test", receiver.address()).add().unwrap();
    let owner = scene.tlsa_owner("mx.h5.test");
    let h5 = scene.world.domain("h5.test").signed();
    h5.record("h5.test", RecordType::MX, "10 mx.h5.test.")
        .cname("mx.h5.test", "mx.cloud.test.")
        .record(&owner, RecordType::TLSA, &identity.tlsa_3_1_1())
        .add()
        .unwrap();
    scene.set_policy(STRICT);
    scene
        .expect("a@h5.test", &[SENT, VERIFIED, ("base", "mx.h5.test")])
        .await;
    assert_eq!(receiver.messages()[0].sni.as_deref(), Some("mx.h5.test"));
    let behind = scene.tlsa_owner("mx.cloud.test");
    assert_eq!(scene.world.asked(&behind, RecordType::TLSA), 0);
}

#[tokio::test]
async fn secure_aliases_have_two_candidates_and_none_between() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    scene.world.set_ttl(0);
    let identity = scene.identity("end.h6.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    let right = identity.tlsa_3_1_1();
    let world = &scene.world;
    let owner = |host: &str| scene.tlsa_owner(&format!("{host}.h6.test"));
    let verified = VERIFIED.1;
    // Records at the alias, in the middle and at its end; what the log then says.
    for (records, base, dane) in [
        (vec![("end", &*right), ("mx", WRONG)], "end.h6.test", verified),
        (vec![("mx", &right)], "mx.h6.test", verified),
        (vec![("end", WRONG), ("mx", &right)], "end.h6.test", NO_MATCH),
        (vec![("mid", &right)], "-", "Skip (No secure TLSA RRs)"),
        (
            vec![("end", UNUSABLE), ("mx", &right)],
            "end.h6.test",
            "Encrypt (No usable TLSA RRs)",
        ),
    ] {
        signed_mx(&scene, "h6", "mx.h6.test");
        for (alias, target) in [("mx", "mid"), ("mid", "end")] {
            let (alias, target) = (format!("{alias}.h6.test"), format!("{target}.h6.test."));
            world.set(&alias, RecordType::CNAME, &[&target]).unwrap();
        }
        let address = receiver.address().ip().to_string();
        world.set("end.h6.test", RecordType::A, &[&address]).unwrap();
        for host in ["mx", "mid", "end"] {
            world.remove(&owner(host), RecordType::TLSA).unwrap();
        }
        for (host, record) in &records {
            world.set(&owner(host), RecordType::TLSA, &[record]).unwrap();
        }
        let line = scene.expect("a@h6.test", &[("dane", dane), ("base", base)]).await;
        assert_eq!(line["status"] == "sent", !dane.starts_with("Fail"), "{line:?}");
    }
}

#[tokio::test]
async fn a_failed_first_candidate_is_not_skipped() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.h6.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    let h6 = scene.world.domain("h6.test").signed();
    h6.record("h6.test", RecordType::MX, "10 mx.h6.test.")
        .cname("mx.h6.test", "end.h6.test.")
        .host("end.h6.test", receiver.address())
        .record(
            &scene.tlsa_owner("mx.h6.test"),
            RecordType::TLSA,
            &identity.tlsa_3_1_1(),
        )
        .add()
        .unwrap();
    scene.break_tlsa("end.h6.test", DnsFault::Refused);
    let line = scene
        .expect("a@h6.test", &[DEFERRED, ("enhanced", "4.4.3")])
        .await;
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
    let relay = ("relay", "bare.test [127.0.0.2]");
    scene
        .expect("a@bare.test", &[SENT, relay, VERIFIED, ("mx", "secure")])
        .await;
    scene
        .expect_deferred("a@plain.test", "Fail (Insecure MX)", "4.7.5")
        .await;
    scene.set_policy(OPPORTUNISTIC);
    let insecure = ("dane", "Skip (Insecure host information)");
    scene
        .expect("a@plain.test", &[SENT, ("mx", "insecure"), insecure])
        .await;
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
    signed_mx(&scene, "shop", "mx.provider.test");
    scene.expect("a@shop.test", &[SENT, VERIFIED]).await;
    let mismatch = "Fail (DANE-TA: name mismatch)";
    signed_mx(&scene, "other", "mx.provider.test");
    scene.expect_deferred("a@other.test", mismatch, "4.7.5").await;
    // The certificate names the unsigned domain, and that is worth nothing.
    receiver.set_identity(&scene.identity("unsigned.test"));
    unsigned_mx(&scene, "unsigned", "mx.provider.test");
    scene.expect_deferred("a@unsigned.test", mismatch, "4.7.5").await;
}

#[tokio::test]
async fn one_address_family_does_not_spoil_the_other() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.family.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    scene.domain("family", &receiver, &identity.tlsa_3_1_1());
    let broken = Questions::Of("mx.family.test".to_owned(), RecordType::AAAA);
    scene.world.break_dns(&broken, DnsFault::ServFail).unwrap();
    scene.expect("a@family.test", &[SENT, VERIFIED]).await;
    // Both: the host is unresolvable, in every mode, and nothing is connected to.
    scene.domain("both", &receiver, &identity.tlsa_3_1_1());
    let both = Questions::At("mx.both.test".to_owned());
    scene.world.break_dns(&both, DnsFault::ServFail).unwrap();
    receiver.clear();
    for policy in [OPPORTUNISTIC, SOFT_FAIL, STRICT] {
        scene.set_policy(policy);
        let line = scene.expect("a@both.test", &[DEFERRED]).await;
        assert!(line["dane"].starts_with("Fail (Address lookup: "), "{line:?}");
    }
    assert_eq!(receiver.connections().len(), 0);
}

/// Only DNS can say that a host has no addresses (RFC 7672 §2.1.1), and about such a name it is not asked.
#[tokio::test]
async fn a_name_that_no_host_can_have_returns_no_mail() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    signed_mx(&scene, "odd", "*.odd.test");
    let dane = ("dane", "Fail (Address lookup: malformed)");
    let line = scene
        .expect("a@odd.test", &[DEFERRED, dane, ("enhanced", "4.4.3")])
        .await;
    assert!(line["reason"].contains("*.odd.test."), "{line:?}");
}

/// Addresses that the settings exclude exist, so the mail waits for other settings or other records.
#[tokio::test]
async fn a_host_of_the_other_address_family_alone_returns_no_mail() {
    let setting = Setting {
        address_family: AddressFamily::Ipv6,
        ..Setting::default()
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let receiver = single(&scene, "good").await;
    let line = scene
        .expect("a@good.test", &[DEFERRED, ("enhanced", "4.4.4"), ("dane", "-")])
        .await;
    assert!(line["reason"].contains("delivery.address_family"), "{line:?}");
    assert_eq!(receiver.connections().len(), 0);
    // Without addresses of either family it fails.
    signed_mx(&scene, "none", "nothing.none.test");
    scene
        .expect("a@none.test", &[BOUNCED, ("enhanced", "5.4.4")])
        .await;
}

#[tokio::test]
async fn each_address_of_a_host_is_tried() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let impostor = scene.receiver(2, &scene.identity("mx.pair.test"), vec![]).await;
    let genuine = single_at(&scene, 3, "pair").await;
    // Nobody listens at the last of them.
    for address in ["127.0.0.2", "127.0.0.9"] {
        scene.world.add("mx.pair.test", RecordType::A, address).unwrap();
    }
    for _ in 0..4 {
        let relay = ("relay", "mx.pair.test [127.0.0.3]");
        scene.expect("a@pair.test", &[SENT, relay]).await;
    }
    assert_eq!((impostor.count_of("MAIL"), genuine.messages().len()), (0, 4));
}
