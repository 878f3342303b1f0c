//! RFC 7672 §3.2.2 and §8.1, as whole deliveries show them: the names that a certificate under DANE-TA(2) may bear, and
//! the name sent as SNI.

use std::time::Duration;

use crate::scene::common::{
    EXPIRED, OPPORTUNISTIC, SENT, assert_deferred, assert_line, mismatched, signed_mx, single_at, text,
    unsigned_mx,
};
use crate::scene::{Scene, Setting};
use testworld::RecordType;
use testworld::mail::Receiver;

const MISMATCH: &str = "Fail (DANE-TA: name mismatch)";

/// `mx.provider.test`, signed, under a DANE-TA record of the scene's authority; it shows any name.
async fn provider(scene: &Scene) -> Receiver {
    let identity = scene.identity("nobody.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    scene.domain("provider", &receiver, &identity.tlsa_2_1_1());
    receiver
}

/// Sends while the certificate bears one name after the other: what the log says where it is accepted, else `None`.
async fn under(scene: &Scene, receiver: &Receiver, recipient: &str, names: &[(&str, Option<&str>)]) {
    for (name, accepted) in names {
        receiver.set_identity(&scene.identity(name));
        let line = scene.send_to(recipient).await;
        match accepted {
            Some(dane) => assert_line(&line, &[SENT, ("dane", dane)]),
            None => assert_deferred(&line, MISMATCH, "4.7.5"),
        }
    }
}

const VERIFIED: Option<&str> = Some(crate::scene::common::VERIFIED.1);
const HOST_ONLY: Option<&str> = Some("Verify host only (Insecure MX)");

#[tokio::test]
async fn the_next_hop_and_the_end_of_its_aliases_are_names_behind_a_secure_mx() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = provider(&scene).await;
    let shop = scene.world.domain("shop.test").signed();
    shop.record("shop.test", RecordType::MX, "10 mx.provider.test.")
        .cname("middle.shop.test", "shop.test.")
        .cname("mail.shop.test", "middle.shop.test.")
        .add()
        .unwrap();
    let plain = scene.world.domain("plain.test").unsigned();
    plain.cname("mail.plain.test", "shop.test.").add().unwrap();
    under(
        &scene,
        &receiver,
        "a@mail.shop.test",
        &[
            ("mx.provider.test", VERIFIED),
            ("mail.shop.test", VERIFIED),
            ("shop.test", VERIFIED),
            ("middle.shop.test", None),
            ("provider.test", None),
        ],
    )
    .await;
    // An unsigned alias makes the MX answer insecure, and with it every name but that of the host.
    under(
        &scene,
        &receiver,
        "a@mail.plain.test",
        &[
            ("mx.provider.test", HOST_ONLY),
            ("mail.plain.test", None),
            ("shop.test", None),
        ],
    )
    .await;
    assert!(
        receiver
            .messages()
            .iter()
            .all(|message| message.sni.as_deref() == Some("mx.provider.test"))
    );
}

/// RFC 7672 §3.1.1: under usage 3 no name matters, so one that no certificate and no SNI can have is no obstacle either.
#[tokio::test]
async fn a_host_whose_name_no_certificate_can_have_is_authenticated_by_its_key() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("nobody.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    let odd = scene.world.domain("odd.test").signed();
    odd.mx(10, "mx-.odd.test", receiver.address())
        .record(
            &scene.tlsa_owner("mx-.odd.test"),
            RecordType::TLSA,
            &identity.tlsa_3_1_1(),
        )
        .add()
        .unwrap();
    scene
        .expect("a@odd.test", &[SENT, crate::scene::common::VERIFIED])
        .await;
    assert_eq!(receiver.messages()[0].sni, None);
    // Its key is checked all the same.
    receiver.set_identity(&scene.identity("other.test"));
    let no_match = crate::scene::common::NO_MATCH;
    scene.expect_deferred("a@odd.test", no_match, "4.7.5").await;
}

#[tokio::test]
async fn without_mx_records_an_alias_is_a_name_if_the_records_stand_at_its_end() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = provider(&scene).await;
    let record = scene.identity("nobody.test").tlsa_2_1_1();
    let shop = scene.world.domain("shop.test").signed();
    let at_alias = scene.tlsa_owner("own.shop.test");
    shop.cname("end.shop.test", "mx.provider.test.")
        .cname("own.shop.test", "bare.shop.test.")
        .host("bare.shop.test", receiver.address())
        .record(&at_alias, RecordType::TLSA, &record)
        .add()
        .unwrap();
    under(
        &scene,
        &receiver,
        "a@end.shop.test",
        &[
            ("end.shop.test", VERIFIED),
            ("mx.provider.test", VERIFIED),
            ("shop.test", None),
        ],
    )
    .await;
    assert_eq!(receiver.messages()[0].sni.as_deref(), Some("mx.provider.test"));
    receiver.clear();
    under(
        &scene,
        &receiver,
        "a@own.shop.test",
        &[("own.shop.test", VERIFIED), ("bare.shop.test", None)],
    )
    .await;
    assert_eq!(receiver.messages()[0].sni.as_deref(), Some("own.shop.test"));
}

#[tokio::test]
async fn a_route_takes_the_place_of_the_next_hop() {
    let route = "version = 1\n[[domain]]\nmatch = [\"far.test\"]\nroute = \"shop.test\"\n";
    let scene = Scene::new(route).await;
    let receiver = provider(&scene).await;
    signed_mx(&scene, "shop", "mx.provider.test");
    under(
        &scene,
        &receiver,
        "a@far.test",
        &[
            ("shop.test", VERIFIED),
            ("mx.provider.test", VERIFIED),
            ("far.test", None),
        ],
    )
    .await;
    assert_eq!(scene.world.asked("far.test", RecordType::MX), 0);
}

#[tokio::test]
async fn the_log_names_the_host_as_an_insecure_mx_record_does() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = provider(&scene).await;
    let list = scene.world.domain("list.test").signed();
    list.cname("mx.list.test", "mx.provider.test.").add().unwrap();
    unsigned_mx(&scene, "plain", "mx.list.test");
    receiver.set_identity(&scene.identity("mx.provider.test"));
    scene
        .expect(
            "a@plain.test",
            &[
                SENT,
                ("dane", "Verify host only (Insecure MX)"),
                ("relay", "mx.list.test [127.0.0.2]"),
                ("base", "mx.provider.test"),
            ],
        )
        .await;
    assert_eq!(receiver.messages()[0].sni.as_deref(), Some("mx.provider.test"));
    // The alias by which the record names the host is no name for its certificate.
    under(&scene, &receiver, "a@plain.test", &[("mx.list.test", None)]).await;
}

#[tokio::test]
async fn a_mismatch_to_the_end_is_reported_once_and_with_its_reason() {
    let setting = Setting {
        max_age: Duration::from_hours(1),
        ..Setting::default()
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let receiver = mismatched(&scene, "old").await;
    let origin = single_at(&scene, 3, "origin").await;
    assert_line(
        &scene.send_aged("a@old.test", Duration::from_hours(2)).await,
        &[EXPIRED, ("dsn_sent", "yes")],
    );
    assert!(origin.wait_for_messages(1, crate::scene::LIMIT).await);
    let report = text(&origin, 0);
    for part in ["Action: failed", "Status: 4.7.5", "no matching TLSA records"] {
        assert!(report.contains(part), "{part} in {report}");
    }
    assert_eq!((origin.messages().len(), receiver.count_of("MAIL")), (1, 0));
}
