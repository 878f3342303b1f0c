//! Modes, floors, exceptions and lists, as a whole delivery shows them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod scene;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use scene::common::{OPPORTUNISTIC, SOFT_FAIL, UNUSABLE, WRONG, assert_deferred, assert_line, plain};
use scene::{Scene, Setting};
use testworld::RecordType;
use testworld::mail::{MailFault, Stage};

#[tokio::test]
async fn soft_fail_goes_by_the_good_host_first_and_fails_like_mail_without_dane() {
    let scene = Scene::new(SOFT_FAIL).await;
    let identity = scene.identity("mx.test");
    let first = scene.receiver(2, &identity, vec![]).await;
    let second = scene.receiver(3, &identity, vec![]).await;
    let domain = scene.world.domain("soft.test").signed();
    domain
        .mx(10, "mx1.soft.test", first.address())
        .tlsa(WRONG)
        .mx(20, "mx2.soft.test", second.address())
        .tlsa(identity.tlsa_3_1_1())
        .add()
        .unwrap();
    assert_line(
        &scene.send_to("a@soft.test").await,
        &[
            ("status", "sent"),
            ("relay", "mx2.soft.test [127.0.0.3]"),
            ("dane", "Verify (Secure TLSA RRs found)"),
        ],
    );
    assert_eq!(first.count_of("MAIL"), 0);
    // No host takes it: the one that DANE passed over is asked again, and the other is not.
    second.set_faults(vec![MailFault::Reply(Stage::Mail, "451 4.3.0 later".into())]);
    second.clear();
    assert_line(
        &scene.send_to("a@soft.test").await,
        &[
            ("status", "sent"),
            ("relay", "mx1.soft.test [127.0.0.2]"),
            ("dane", "Softfail (No matching TLSA RRs)"),
            ("tlsvalid", "65 (no matching DANE TLSA records)"),
        ],
    );
    assert_eq!(second.connections().len(), 1);
    first.set_faults(vec![MailFault::Reply(Stage::Mail, "451 4.3.0 later".into())]);
    first.clear();
    let line = scene.send_to("a@soft.test").await;
    assert_line(&line, &[("status", "deferred")]);
    assert_eq!(
        first.count_of("MAIL"),
        1,
        "once in the second round, never in the first"
    );
    first.set_faults(vec![MailFault::Reply(Stage::Rcpt, "550 5.1.1 nobody".into())]);
    assert_line(
        &scene.send_to("a@soft.test").await,
        &[
            ("status", "bounced"),
            ("dsn", "550"),
            ("dane", "Softfail (No matching TLSA RRs)"),
        ],
    );
}

#[tokio::test]
async fn soft_fail_keeps_the_floor() {
    let scene = Scene::new("version = 1\n[default]\ndane = \"soft-fail\"\ntls = \"encrypt\"\n").await;
    let receiver = scene
        .receiver(2, &scene.identity("mx.floor.test"), vec![MailFault::NoStartTls])
        .await;
    scene.domain("floor", &receiver, WRONG);
    let line = scene.send_to("a@floor.test").await;
    assert_line(&line, &[("status", "deferred"), ("tlsfail", "not-offered")]);
    assert_eq!((receiver.connections().len(), receiver.count_of("MAIL")), (2, 0));
    receiver.set_faults(vec![]);
    let line = scene.send_to("a@floor.test").await;
    assert_line(
        &line,
        &[("status", "sent"), ("dane", "Softfail (No matching TLSA RRs)")],
    );
}

#[tokio::test]
async fn the_floor_encrypt_never_goes_in_clear() {
    let scene = Scene::new("version = 1\n[default]\ntls = \"encrypt\"\n").await;
    let receiver = scene.receiver(2, &scene.identity("mx.plain.test"), vec![]).await;
    plain(&scene, "plain", receiver.address());
    let broken = [
        (vec![MailFault::NoStartTls], "4.7.4"),
        (
            vec![MailFault::Reply(Stage::StartTls, "454 4.7.0 no".into())],
            "4.7.5",
        ),
        (vec![MailFault::CloseInHandshake], "4.7.5"),
        (vec![MailFault::CloseInHandshake], "4.7.5"),
        (vec![MailFault::GarbageInHandshake], "4.7.5"),
        (vec![MailFault::Reply(Stage::Ehlo, "502 5.5.1 ?".into())], "4"),
    ];
    for (faults, enhanced) in broken {
        receiver.set_faults(faults.clone());
        // Old enough for clear text, were clear text allowed.
        let created = Timestamp::now() - SignedDuration::from_hours(3);
        let id = scene
            .queue(&["a@plain.test"], b"S: x\r\n\r\nx\r\n", created)
            .await;
        let line = scene.lines(id, 1).await.remove(0);
        assert_line(
            &line,
            &[
                ("status", "deferred"),
                ("dane", "Skip (Insecure host information)"),
            ],
        );
        assert!(line["enhanced"].starts_with(enhanced), "{faults:?}: {line:?}");
    }
    assert_eq!((receiver.count_of("MAIL"), receiver.count_of("HELO")), (0, 0));
    receiver.set_faults(vec![]);
    assert_line(&scene.send_to("a@plain.test").await, &[("status", "sent")]);
    assert!(receiver.messages()[0].tls.is_some());
}

#[tokio::test]
async fn the_floor_verify_wants_the_name_of_the_host() {
    let policy = "version = 1\n[default]\ntls = \"verify\"\n";
    let setting = Setting {
        webpki: true,
        ..Setting::default()
    };
    let scene = Scene::with(policy, setting).await;
    let receiver = scene.receiver(2, &scene.identity("mx.plain.test"), vec![]).await;
    plain(&scene, "plain", receiver.address());
    assert_line(
        &scene.send_to("a@plain.test").await,
        &[("status", "sent"), ("tlsvalid", "0 (ok)")],
    );
    let stranger = testworld::mail::Identity::self_signed(&["mx.plain.test"]).unwrap();
    receiver.clear();
    for (identity, number) in [(scene.identity("plain.test"), "62"), (stranger, "18")] {
        receiver.set_identity(&identity);
        let line = scene.send_to("a@plain.test").await;
        assert_line(&line, &[("status", "deferred"), ("enhanced", "4.7.5")]);
        assert!(line["tlsvalid"].starts_with(number), "{line:?}");
    }
    // An address has no name that a certificate could bear.
    let line = scene.send_to("a@[127.0.0.2]").await;
    assert_line(&line, &[("status", "deferred"), ("enhanced", "4.7.5")]);
    assert_eq!(receiver.count_of("MAIL"), 0);
    // Where DANE authenticates, it alone decides; unusable records fall back on the floor.
    let identity = scene.identity("elsewhere.test");
    receiver.set_identity(&identity);
    scene.domain("dane", &receiver, &identity.tlsa_3_1_1());
    scene.domain("unusable", &receiver, UNUSABLE);
    assert_line(&scene.send_to("a@dane.test").await, &[("status", "sent")]);
    let line = scene.send_to("a@unusable.test").await;
    assert_line(&line, &[("status", "deferred"), ("enhanced", "4.7.5")]);
}

#[tokio::test]
async fn insecure_mx_encrypt_demands_tls_and_no_certificate() {
    let scene = Scene::new("version = 1\n[default]\ninsecure_mx = \"encrypt\"\n").await;
    let receiver = scene
        .receiver(2, &scene.identity("mx.provider.test"), vec![])
        .await;
    scene.domain("provider", &receiver, WRONG);
    let customer = scene.world.domain("customer.test").unsigned();
    customer
        .record("customer.test", RecordType::MX, "10 mx.provider.test.")
        .add()
        .unwrap();
    assert_line(
        &scene.send_to("a@customer.test").await,
        &[
            ("status", "sent"),
            ("dane", "Skip (Insecure MX)"),
            ("mx", "insecure"),
        ],
    );
    assert!(receiver.messages()[0].tls.is_some());
    receiver.set_faults(vec![MailFault::NoStartTls]);
    assert_deferred(
        &scene.send_to("a@customer.test").await,
        "Fail (STARTTLS not offered)",
        "4.7.4",
    );
    assert_eq!(receiver.messages().len(), 1);
}

#[tokio::test]
async fn exceptions_hold_for_one_host_and_until_their_date() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = scene.receiver(2, &scene.identity("mx.test"), vec![]).await;
    scene.domain("stale", &receiver, WRONG);
    let exception = |default: &str, until: &str, more: &str| {
        format!(
            "version = 1\n[default]\ndane = \"{default}\"\n[[exception]]\nmx = \"mx.stale.test\"\ndane = \"off\"\n\
             until = {until}\nreason = \"told them\"\n{more}"
        )
    };
    scene.set_policy(&exception("opportunistic", "2025-01-31", ""));
    assert_deferred(
        &scene.send_to("a@stale.test").await,
        "Fail (No matching TLSA RRs)",
        "4.7.5",
    );
    scene.set_policy(&exception("strict", "2999-01-31", ""));
    assert_deferred(
        &scene.send_to("a@stale.test").await,
        "Fail (No matching TLSA RRs)",
        "4.7.5",
    );
    assert_eq!(receiver.count_of("MAIL"), 0);
    for (default, more) in [("opportunistic", ""), ("strict", "override_strict = true\n")] {
        scene.set_policy(&exception(default, "2999-01-31", more));
        assert_line(
            &scene.send_to("a@stale.test").await,
            &[("status", "sent"), ("dane", "Skip (Exception until 2999-01-31)")],
        );
    }
}

#[tokio::test]
async fn danefail_lists_switch_dane_off_or_soften_it() {
    let list = |rest: &str| {
        format!(
            "version = 1\n{rest}[[list]]\nkind = \"danefail\"\nfile = \"danefail.list\"\ndane = \"off\"\n"
        )
    };
    let scene = Scene::new(&list("")).await;
    let receiver = scene.receiver(2, &scene.identity("mx.test"), vec![]).await;
    scene.domain("listed", &receiver, WRONG);
    scene.domain("other", &receiver, WRONG);
    let line = scene.send_to("a@listed.test").await;
    assert_line(&line, &[("status", "sent"), ("mode", "dane off")]);
    assert!(line["dane"].starts_with("Skip (danefail "), "{line:?}");
    assert!(line["dane"].ends_with("danefail.list:2)"), "{line:?}");
    assert_deferred(
        &scene.send_to("a@other.test").await,
        "Fail (No matching TLSA RRs)",
        "4.7.5",
    );
    scene.set_policy(&list("").replace("\"off\"", "\"soft-fail\""));
    assert_line(
        &scene.send_to("a@listed.test").await,
        &[("status", "sent"), ("dane", "Softfail (No matching TLSA RRs)")],
    );
    scene.set_policy(&list("[default]\ndane = \"strict\"\n"));
    assert_deferred(
        &scene.send_to("a@listed.test").await,
        "Fail (No matching TLSA RRs)",
        "4.7.5",
    );
}

#[tokio::test]
async fn notifications_expire_on_their_own_clock() {
    let setting = Setting {
        bounce_max_age: Duration::from_hours(1),
        ..Setting::default()
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let receiver = scene.receiver(2, &scene.identity("mx.old.test"), vec![]).await;
    scene.domain("old", &receiver, WRONG);
    let created = Timestamp::now() - SignedDuration::from_hours(2);
    let content = b"S: x\r\n\r\nx\r\n";
    let bounce = scene.queue_from("", &["a@old.test"], content, created).await;
    let letter = scene.queue(&["a@old.test"], content, created).await;
    let line = scene.lines(bounce, 1).await.remove(0);
    assert_line(
        &line,
        &[("status", "expired"), ("enhanced", "4.7.5"), ("from", "")],
    );
    assert_line(&scene.lines(letter, 1).await[0], &[("status", "deferred")]);
}
