//! Whole deliveries: real DNS answers, real TLS, a real spool; what the server saw and what the log says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod scene;

use scene::common::{OPPORTUNISTIC, SOFT_FAIL, STRICT, WRONG, assert_line};
use scene::{Scene, Setting};
use testworld::RecordType;
use testworld::dns::{Bogus, DnsFault, Questions};
use testworld::mail::{MailFault, Stage};

const OFF: &str = "version = 1\n[default]\ndane = \"off\"\n";

#[tokio::test]
async fn verified_and_delivered_octet_for_octet() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.good.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    scene.domain("good", &receiver, &identity.tlsa_3_1_1());
    let content = b"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\n\r\nlast";
    let line = scene.send(&["a@good.test"], content).await.remove(0);
    assert_line(
        &line,
        &[
            ("dane", "Verify (Secure TLSA RRs found)"),
            ("mode", "dane opportunistic"),
            ("tlsvalid", "0 (ok)"),
            ("relay", "mx.good.test [127.0.0.2]"),
            ("dsn", "250"),
            ("status", "sent"),
            ("mx", "secure"),
            ("base", "mx.good.test"),
            ("attempt", "1"),
        ],
    );
    assert!(line["tls"].starts_with("TLSv1.3:TLS_"), "{line:?}");
    let messages = receiver.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].content, [content, &b"\r\n"[..]].concat());
    assert_eq!(messages[0].sni.as_deref(), Some("mx.good.test"));
}

#[tokio::test]
async fn trusting_the_ad_bit() {
    let setting = Setting {
        mode: dns::Mode::TrustAd,
        ..Setting::default()
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let identity = scene.identity("mx.good.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    scene.domain("good", &receiver, &identity.tlsa_2_0_1());
    let line = scene.send_to("a@good.test").await;
    assert_line(
        &line,
        &[("dane", "Verify (Secure TLSA RRs found)"), ("status", "sent")],
    );
}

#[tokio::test]
async fn wrong_tlsa_defers_in_each_mode_but_soft_fail_and_off() {
    for (policy, dane, status) in [
        (OPPORTUNISTIC, "Fail (No matching TLSA RRs)", "deferred"),
        (STRICT, "Fail (No matching TLSA RRs)", "deferred"),
        (SOFT_FAIL, "Softfail (No matching TLSA RRs)", "sent"),
        (OFF, "Skip (Disabled by policy)", "sent"),
    ] {
        let scene = Scene::new(policy).await;
        let receiver = scene.receiver(2, &scene.identity("mx.bad.test"), vec![]).await;
        scene.domain("bad", &receiver, WRONG);
        let line = scene.send_to("a@bad.test").await;
        assert_line(&line, &[("dane", dane), ("status", status)]);
        if status == "deferred" {
            assert_line(
                &line,
                &[
                    ("enhanced", "4.7.5"),
                    ("dsn", "-"),
                    ("tlsvalid", "65 (no matching DANE TLSA records)"),
                ],
            );
            assert_eq!(receiver.count_of("MAIL"), 0);
        } else {
            assert_eq!(receiver.messages().len(), 1);
            assert!(receiver.messages()[0].tls.is_some());
        }
        let asked = scene
            .world
            .asked(&format!("_{}._tcp.mx.bad.test", scene.port), RecordType::TLSA);
        assert_eq!(asked > 0, policy != OFF);
    }
}

#[tokio::test]
async fn the_second_host_takes_what_the_first_may_not() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx2.two.test");
    let first = scene.receiver(2, &identity, vec![]).await;
    let second = scene.receiver(3, &identity, vec![]).await;
    let domain = scene
        .world
        .domain("two.test")
        .signed()
        .mx(10, "mx1.two.test", first.address())
        .tlsa(WRONG);
    domain
        .mx(20, "mx2.two.test", second.address())
        .tlsa(identity.tlsa_3_1_1())
        .add()
        .unwrap();
    let line = scene.send_to("a@two.test").await;
    assert_line(
        &line,
        &[
            ("status", "sent"),
            ("relay", "mx2.two.test [127.0.0.3]"),
            ("dane", "Verify (Secure TLSA RRs found)"),
        ],
    );
    assert_eq!((first.count_of("MAIL"), first.connections().len()), (0, 1));
}

#[tokio::test]
async fn stripped_starttls_defers_where_tls_is_required() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.strip.test");
    let receiver = scene.receiver(2, &identity, vec![MailFault::NoStartTls]).await;
    scene.domain("strip", &receiver, &identity.tlsa_3_1_1());
    let line = scene.send_to("a@strip.test").await;
    assert_line(
        &line,
        &[
            ("dane", "Fail (STARTTLS not offered)"),
            ("status", "deferred"),
            ("enhanced", "4.7.4"),
            ("tls", "-"),
            ("tlsfail", "not-offered"),
        ],
    );
    assert_eq!(receiver.count_of("MAIL"), 0);
}

#[tokio::test]
async fn every_trick_before_tls_defers_and_sends_nothing() {
    let wrong_key = |scene: &Scene| {
        scene
            .identity("mx.trick.test")
            .with_key_of(&scene.identity("mx.trick.test"))
    };
    let faults: Vec<(Vec<MailFault>, &str)> = vec![
        (
            vec![MailFault::Reply(Stage::StartTls, "454 4.7.0 not now".into())],
            "Fail (STARTTLS refused)",
        ),
        (
            vec![MailFault::Reply(Stage::StartTls, "554 5.7.0 never".into())],
            "Fail (STARTTLS refused)",
        ),
        (vec![MailFault::GarbageInHandshake], "Fail (TLS handshake: "),
        (vec![MailFault::CloseInHandshake], "Fail (TLS handshake: "),
        (
            vec![MailFault::InjectAfterStartTls("250 injected\r\n".into())],
            "Fail (TLS handshake: ",
        ),
        (
            vec![MailFault::Reply(Stage::Greeting, "554 5.3.2 go away".into())],
            "-",
        ),
        (
            vec![MailFault::Reply(Stage::Greeting, "521 5.3.2 no mail".into())],
            "-",
        ),
        (vec![MailFault::Reply(Stage::Ehlo, "550 5.7.1 no".into())], "-"),
        (vec![MailFault::Reply(Stage::Ehlo, "502 5.5.1 what".into())], "-"),
    ];
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.trick.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    scene.domain("trick", &receiver, &identity.tlsa_3_1_1());
    for (faults, dane) in faults {
        receiver.set_faults(faults.clone());
        let line = scene.send_to("a@trick.test").await;
        assert_line(&line, &[("status", "deferred")]);
        assert!(line["enhanced"].starts_with('4'), "{line:?}");
        assert!(line["dane"].starts_with(dane), "{faults:?}: {line:?}");
        assert_eq!(
            (receiver.count_of("MAIL"), receiver.count_of("HELO")),
            (0, 0),
            "{faults:?}"
        );
    }
    let identity = wrong_key(&scene);
    let receiver = scene.receiver(3, &identity, vec![]).await;
    scene.domain("key", &receiver, &identity.tlsa_3_1_1());
    let line = scene.send_to("a@key.test").await;
    assert_line(&line, &[("status", "deferred"), ("enhanced", "4.7.5")]);
    assert!(line["dane"].starts_with("Fail (TLS handshake: "), "{line:?}");
    assert_eq!(receiver.count_of("MAIL"), 0);
}

#[tokio::test]
async fn unsigned_domains_get_opportunistic_tls_and_no_tlsa_query() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = scene.receiver(2, &scene.identity("mx.plain.test"), vec![]).await;
    scene
        .world
        .domain("plain.test")
        .unsigned()
        .mx(10, "mx.plain.test", receiver.address())
        .tlsa(WRONG)
        .add()
        .unwrap();
    let line = scene.send_to("a@plain.test").await;
    assert_line(
        &line,
        &[
            ("status", "sent"),
            ("dane", "Skip (Insecure host information)"),
            ("mx", "insecure"),
        ],
    );
    assert!(receiver.messages()[0].tls.is_some());
    assert!(
        scene
            .world
            .queries()
            .iter()
            .all(|query| query.record_type != RecordType::TLSA)
    );
    // The same under `strict` does not go out.
    scene.set_policy(STRICT);
    let line = scene.send_to("a@plain.test").await;
    assert_line(
        &line,
        &[
            ("status", "deferred"),
            ("dane", "Fail (Insecure MX)"),
            ("enhanced", "4.7.5"),
        ],
    );
}

#[tokio::test]
async fn a_signed_host_behind_an_unsigned_mx_is_verified_alone() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.provider.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    scene
        .world
        .domain("provider.test")
        .signed()
        .host("mx.provider.test", receiver.address())
        .tlsa(identity.tlsa_2_1_1())
        .add()
        .unwrap();
    scene
        .world
        .domain("customer.test")
        .unsigned()
        .record("customer.test", RecordType::MX, "10 mx.provider.test.")
        .add()
        .unwrap();
    let line = scene.send_to("a@customer.test").await;
    assert_line(
        &line,
        &[
            ("status", "sent"),
            ("dane", "Verify host only (Insecure MX)"),
            ("mx", "insecure"),
        ],
    );
    scene.set_policy("version = 1\n[default]\ninsecure_mx = \"may\"\n");
    assert_line(
        &scene.send_to("a@customer.test").await,
        &[("dane", "Skip (Insecure MX)"), ("status", "sent")],
    );
}

#[tokio::test]
async fn failed_look_ups_are_never_absence() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.tlsa.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    for (name, fault) in [
        ("servfail", DnsFault::ServFail),
        ("notimp", DnsFault::NotImp),
        ("refused", DnsFault::Refused),
    ] {
        scene.domain(name, &receiver, &identity.tlsa_3_1_1());
        let owner = format!("_{}._tcp.mx.{name}.test", scene.port);
        scene
            .world
            .break_dns(&Questions::Of(owner, RecordType::TLSA), fault)
            .unwrap();
        let line = scene.send_to(&format!("a@{name}.test")).await;
        assert_line(&line, &[("status", "deferred")]);
        assert!(line["dane"].starts_with("Fail (TLSA lookup: "), "{line:?}");
    }
    assert_eq!(
        receiver.connections().len(),
        0,
        "a host whose TLSA look-up failed is never connected to"
    );
    // Soft-fail delivers, and says so.
    scene.set_policy(SOFT_FAIL);
    let line = scene.send_to("a@servfail.test").await;
    assert_line(&line, &[("status", "sent")]);
    assert!(line["dane"].starts_with("Softfail (TLSA lookup: "), "{line:?}");
}

#[tokio::test]
async fn bogus_destinations_defer_in_every_mode() {
    for policy in [OFF, SOFT_FAIL, OPPORTUNISTIC, STRICT] {
        let scene = Scene::new(policy).await;
        let receiver = scene.receiver(2, &scene.identity("mx.bogus.test"), vec![]).await;
        scene
            .world
            .domain("bogus.test")
            .bogus(Bogus::WrongKey)
            .mx(10, "mx.bogus.test", receiver.address())
            .add()
            .unwrap();
        let line = scene.send_to("a@bogus.test").await;
        assert_line(
            &line,
            &[
                ("status", "deferred"),
                ("dane", "Fail (MX lookup: bogus)"),
                ("enhanced", "4.7.5"),
            ],
        );
        assert_eq!(receiver.connections().len(), 0);
    }
}

#[tokio::test]
async fn final_answers_of_dns() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    // A server at the domain's own address, which a null MX forbids to try.
    let receiver = scene.receiver(2, &scene.identity("null.test"), vec![]).await;
    scene
        .world
        .domain("null.test")
        .signed()
        .record("null.test", RecordType::MX, "0 .")
        .host("null.test", receiver.address())
        .add()
        .unwrap();
    scene
        .world
        .domain("hosts.test")
        .signed()
        .record("hosts.test", RecordType::MX, "10 nowhere.hosts.test.")
        .add()
        .unwrap();
    for (recipient, enhanced) in [
        ("a@null.test", "5.1.10"),
        ("a@missing.test", "5.1.2"),
        ("a@hosts.test", "5.4.4"),
    ] {
        let line = scene.send_to(recipient).await;
        assert_line(
            &line,
            &[
                ("status", "bounced"),
                ("enhanced", enhanced),
                ("dane", "-"),
                ("dsn", "-"),
                ("relay", "-"),
            ],
        );
    }
    assert_eq!(receiver.connections().len(), 0);
}

#[tokio::test]
async fn mail_that_would_come_back_to_us_fails() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = scene.receiver(2, &scene.identity("x.test"), vec![]).await;
    let domain =
        scene
            .world
            .domain("loop.test")
            .signed()
            .record("loop.test", RecordType::MX, "10 own.relay.test.");
    domain.mx(20, "mx.loop.test", receiver.address()).add().unwrap();
    scene
        .world
        .domain("relay.test")
        .signed()
        .record("own.relay.test", RecordType::A, "127.0.0.9")
        .add()
        .unwrap();
    let line = scene.send_to("a@loop.test").await;
    assert_line(&line, &[("status", "bounced"), ("enhanced", "5.4.6")]);
    assert_eq!(receiver.connections().len(), 0);
}

#[tokio::test]
async fn unusable_records_demand_encryption_and_no_more() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.unusable.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    scene.domain(
        "unusable",
        &receiver,
        "1 1 1 0000000000000000000000000000000000000000000000000000000000000000",
    );
    assert_line(
        &scene.send_to("a@unusable.test").await,
        &[("status", "sent"), ("dane", "Encrypt (No usable TLSA RRs)")],
    );
    receiver.set_faults(vec![MailFault::NoStartTls]);
    assert_line(
        &scene.send_to("a@unusable.test").await,
        &[("status", "deferred"), ("dane", "Fail (STARTTLS not offered)")],
    );
    assert_eq!(receiver.messages().len(), 1);
}

#[tokio::test]
async fn routes_decide_port_and_names() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("gw.route.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    scene
        .world
        .domain("route.test")
        .signed()
        .host("gw.route.test", receiver.address())
        .tlsa(identity.tlsa_2_0_1())
        .add()
        .unwrap();
    scene.set_policy(&format!(
        "version = 1\n[[domain]]\nmatch = [\"far.test\"]\nroute = \"[gw.route.test]:{}\"\n",
        scene.port
    ));
    let line = scene.send_to("a@far.test").await;
    assert_line(
        &line,
        &[
            ("status", "sent"),
            ("dane", "Verify (Secure TLSA RRs found)"),
            ("mx", "-"),
            ("relay", "gw.route.test [127.0.0.2]"),
        ],
    );
    let literal = scene.send_to("a@[127.0.0.2]").await;
    assert_line(
        &literal,
        &[("status", "sent"), ("dane", "Skip (Address literal)")],
    );
}
