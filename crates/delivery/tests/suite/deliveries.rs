//! Whole deliveries: real DNS answers, real TLS, a real spool; what the server saw and what the log says.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::scene::common::{
    BOUNCED, DEFERRED, NO_MATCH, OPPORTUNISTIC, SENT, SOFT_FAIL, STRICT, UNUSABLE, VERIFIED, WRONG,
    assert_line, hosts, mismatched, reply, signed_mx, single, two_receivers, unsigned_mx,
};
use crate::scene::{Scene, Setting};
use delivery::Forget;
use jiff::civil::Date;
use mail::{CauseKind, Domain, DomainPart, LedgerKey};
use parking_lot::Mutex;
use spool::{Ledger, Tally};
use testworld::RecordType;
use testworld::dns::{Bogus, DnsFault};
use testworld::mail::{MailFault, Stage};

const OFF: &str = "version = 1\n[default]\ndane = \"off\"\n";

#[tokio::test]
async fn verified_and_delivered_octet_for_octet() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = single(&scene, "good").await;
    let content = b"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\n\r\nlast";
    let line = scene.send(&["a@good.test"], content).await.remove(0);
    assert_line(
        &line,
        &[
            SENT,
            VERIFIED,
            ("mode", "dane opportunistic"),
            ("tlsvalid", "0 (ok)"),
            ("relay", "mx.good.test [127.0.0.2]"),
            ("dsn", "250"),
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
    scene.expect("a@good.test", &[SENT, VERIFIED]).await;
}

#[tokio::test]
async fn wrong_tlsa_defers_in_each_mode_but_soft_fail_and_off() {
    let softened = "Softfail (No matching TLSA RRs)";
    for (policy, dane, status) in [
        (OPPORTUNISTIC, NO_MATCH, DEFERRED),
        (STRICT, NO_MATCH, DEFERRED),
        (SOFT_FAIL, softened, SENT),
        (OFF, "Skip (Disabled by policy)", SENT),
    ] {
        let scene = Scene::new(policy).await;
        let receiver = mismatched(&scene, "bad").await;
        let line = scene.expect("a@bad.test", &[("dane", dane), status]).await;
        if status == DEFERRED {
            let valid = ("tlsvalid", "65 (no matching DANE TLSA records)");
            assert_line(&line, &[("enhanced", "4.7.5"), ("dsn", "-"), valid]);
            assert_eq!(receiver.count_of("MAIL"), 0);
        } else {
            assert_eq!(receiver.messages().len(), 1);
            assert!(receiver.messages()[0].tls.is_some());
        }
        let owner = scene.tlsa_owner("mx.bad.test");
        let asked = scene.world.asked(&owner, RecordType::TLSA);
        assert_eq!(asked > 0, policy != OFF);
        // Soft-fail is counted with what it let pass.
        let cause = (policy != OFF).then_some(CauseKind::TlsaNoMatch);
        let key = counted(&scene).await;
        let host = key.host.as_ref().map(Domain::as_str);
        assert_eq!((host, key.cause), (Some("mx.bad.test"), cause));
        assert_eq!(key.domain, Some(DomainPart::parse("bad.test").unwrap()));
    }
}

/// The only key that the ledger has.
async fn counted(scene: &Scene) -> LedgerKey {
    let found = Arc::new(Mutex::new(Vec::new()));
    let shown = Arc::clone(&found);
    let visit = move |tally: Tally| {
        shown.lock().push(tally.key);
        ControlFlow::Continue(())
    };
    scene.spool.sums(Date::MIN..=Date::MAX, visit).await.unwrap();
    let mut found = std::mem::take(&mut *found.lock());
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[tokio::test]
async fn the_second_host_takes_what_the_first_may_not() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let (identity, first, second) = two_receivers(&scene).await;
    let right = identity.tlsa_3_1_1();
    hosts(
        &scene,
        "two",
        &[(10, &first, Some(WRONG)), (20, &second, Some(&right))],
    );
    let relay = ("relay", "mx2.two.test [127.0.0.3]");
    scene.expect("a@two.test", &[SENT, relay, VERIFIED]).await;
    assert_eq!((first.count_of("MAIL"), first.connections().len()), (0, 1));
}

#[tokio::test]
async fn stripped_starttls_defers_where_tls_is_required() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = single(&scene, "strip").await;
    receiver.set_faults(vec![MailFault::NoStartTls]);
    let expected = [
        DEFERRED,
        ("dane", "Fail (STARTTLS not offered)"),
        ("enhanced", "4.7.4"),
        ("tls", "-"),
        ("tlsfail", "not-offered"),
    ];
    scene.expect("a@strip.test", &expected).await;
    assert_eq!(receiver.count_of("MAIL"), 0);
}

#[tokio::test]
async fn every_trick_before_tls_defers_and_sends_nothing() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = single(&scene, "trick").await;
    let broken = "Fail (TLS handshake: ";
    for (fault, dane) in [
        (
            reply(Stage::StartTls, "454 4.7.0 not now"),
            "Fail (STARTTLS refused)",
        ),
        (
            reply(Stage::StartTls, "554 5.7.0 never"),
            "Fail (STARTTLS refused)",
        ),
        (MailFault::GarbageInHandshake, broken),
        (MailFault::CloseInHandshake, broken),
        (MailFault::InjectAfterStartTls("250 injected\r\n".into()), broken),
        (reply(Stage::Greeting, "554 5.3.2 go away"), "-"),
        (reply(Stage::Greeting, "521 5.3.2 no mail"), "-"),
        (reply(Stage::Ehlo, "550 5.7.1 no"), "-"),
        (reply(Stage::Ehlo, "502 5.5.1 what"), "-"),
    ] {
        receiver.set_faults(vec![fault.clone()]);
        // Otherwise the destination would count as failing.
        scene.scheduler().forget(Forget::All);
        let line = scene.expect("a@trick.test", &[DEFERRED]).await;
        assert!(line["enhanced"].starts_with('4'), "{line:?}");
        assert!(line["dane"].starts_with(dane), "{fault:?}: {line:?}");
        let heard = (receiver.count_of("MAIL"), receiver.count_of("HELO"));
        assert_eq!(heard, (0, 0), "{fault:?}");
    }
    // The right certificate, and the key of another.
    let stolen = scene.identity("mx.key.test");
    let stolen = stolen.with_key_of(&scene.identity("mx.key.test"));
    let receiver = scene.receiver(3, &stolen, vec![]).await;
    scene.domain("key", &receiver, &stolen.tlsa_3_1_1());
    let line = scene
        .expect("a@key.test", &[DEFERRED, ("enhanced", "4.7.5")])
        .await;
    assert!(line["dane"].starts_with(broken), "{line:?}");
    assert_eq!(receiver.count_of("MAIL"), 0);
}

#[tokio::test]
async fn unsigned_domains_get_opportunistic_tls_and_no_tlsa_query() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = scene.receiver(2, &scene.identity("mx.plain.test"), vec![]).await;
    let domain = scene.world.domain("plain.test").unsigned();
    domain
        .mx(10, "mx.plain.test", receiver.address())
        .tlsa(WRONG)
        .add()
        .unwrap();
    let insecure = ("dane", "Skip (Insecure host information)");
    scene
        .expect("a@plain.test", &[SENT, insecure, ("mx", "insecure")])
        .await;
    assert!(receiver.messages()[0].tls.is_some());
    let queries = scene.world.queries();
    assert!(queries.iter().all(|query| query.record_type != RecordType::TLSA));
    // The same under `strict` does not go out.
    scene.set_policy(STRICT);
    scene
        .expect_deferred("a@plain.test", "Fail (Insecure MX)", "4.7.5")
        .await;
}

#[tokio::test]
async fn a_signed_host_behind_an_unsigned_mx_is_verified_alone() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.provider.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    scene.domain("provider", &receiver, &identity.tlsa_2_1_1());
    unsigned_mx(&scene, "customer", "mx.provider.test");
    let host_only = ("dane", "Verify host only (Insecure MX)");
    scene
        .expect("a@customer.test", &[SENT, host_only, ("mx", "insecure")])
        .await;
    scene.set_policy("version = 1\n[default]\ninsecure_mx = \"may\"\n");
    let skipped = ("dane", "Skip (Insecure MX)");
    scene.expect("a@customer.test", &[SENT, skipped]).await;
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
        scene.break_tlsa(&format!("mx.{name}.test"), fault);
        let line = scene.expect(&format!("a@{name}.test"), &[DEFERRED]).await;
        assert!(line["dane"].starts_with("Fail (TLSA lookup: "), "{line:?}");
    }
    assert_eq!(
        receiver.connections().len(),
        0,
        "a host whose TLSA look-up failed is never connected to"
    );
    // Soft-fail delivers, and says so.
    scene.set_policy(SOFT_FAIL);
    let line = scene.expect("a@servfail.test", &[SENT]).await;
    assert!(line["dane"].starts_with("Softfail (TLSA lookup: "), "{line:?}");
}

#[tokio::test]
async fn bogus_destinations_defer_in_every_mode() {
    for policy in [OFF, SOFT_FAIL, OPPORTUNISTIC, STRICT] {
        let scene = Scene::new(policy).await;
        let receiver = scene.receiver(2, &scene.identity("mx.bogus.test"), vec![]).await;
        let domain = scene.world.domain("bogus.test").bogus(Bogus::WrongKey);
        domain.mx(10, "mx.bogus.test", receiver.address()).add().unwrap();
        scene
            .expect_deferred("a@bogus.test", "Fail (MX lookup: bogus)", "4.7.5")
            .await;
        assert_eq!(receiver.connections().len(), 0);
    }
}

#[tokio::test]
async fn final_answers_of_dns() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    // A server at the domain's own address, which a null MX forbids to try.
    let receiver = scene.receiver(2, &scene.identity("null.test"), vec![]).await;
    let domain = scene.world.domain("null.test").signed();
    domain
        .record("null.test", RecordType::MX, "0 .")
        .host("null.test", receiver.address())
        .add()
        .unwrap();
    signed_mx(&scene, "hosts", "nowhere.hosts.test");
    for (recipient, enhanced) in [
        ("a@null.test", "5.1.10"),
        ("a@missing.test", "5.1.2"),
        ("a@hosts.test", "5.4.4"),
    ] {
        let nobody = [("dane", "-"), ("dsn", "-"), ("relay", "-")];
        let line = scene.expect(recipient, &nobody).await;
        assert_line(&line, &[BOUNCED, ("enhanced", enhanced)]);
    }
    assert_eq!(receiver.connections().len(), 0);
}

#[tokio::test]
async fn mail_that_would_come_back_to_us_fails() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = scene.receiver(2, &scene.identity("x.test"), vec![]).await;
    let domain = scene.world.domain("loop.test").signed();
    domain
        .record("loop.test", RecordType::MX, "10 own.relay.test.")
        .mx(20, "mx.loop.test", receiver.address())
        .add()
        .unwrap();
    let relay = scene.world.domain("relay.test").signed();
    relay
        .record("own.relay.test", RecordType::A, "127.0.0.9")
        .add()
        .unwrap();
    scene
        .expect("a@loop.test", &[BOUNCED, ("enhanced", "5.4.6")])
        .await;
    assert_eq!(receiver.connections().len(), 0);
}

#[tokio::test]
async fn unusable_records_demand_encryption_and_no_more() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.unusable.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    scene.domain("unusable", &receiver, UNUSABLE);
    let encrypted = ("dane", "Encrypt (No usable TLSA RRs)");
    scene.expect("a@unusable.test", &[SENT, encrypted]).await;
    receiver.set_faults(vec![MailFault::NoStartTls]);
    let stripped = ("dane", "Fail (STARTTLS not offered)");
    scene.expect("a@unusable.test", &[DEFERRED, stripped]).await;
    assert_eq!(receiver.messages().len(), 1);
}

#[tokio::test]
async fn routes_decide_port_and_names() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("gw.route.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    let domain = scene.world.domain("route.test").signed();
    domain
        .host("gw.route.test", receiver.address())
        .tlsa(identity.tlsa_2_0_1())
        .add()
        .unwrap();
    scene.set_policy(&format!(
        "version = 1\n[[domain]]\nmatch = [\"far.test\"]\nroute = \"[gw.route.test]:{}\"\n",
        scene.port
    ));
    let relay = ("relay", "gw.route.test [127.0.0.2]");
    scene
        .expect("a@far.test", &[SENT, VERIFIED, ("mx", "-"), relay])
        .await;
    let literal = ("dane", "Skip (Address literal)");
    scene.expect("a@[127.0.0.2]", &[SENT, literal]).await;
}
