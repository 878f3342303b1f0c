//! Modes, floors, exceptions and lists, as a whole delivery shows them.

use std::time::Duration;

use crate::scene::common::{
    BOUNCED, DEFERRED, EXPIRED, LETTER, NO_MATCH, OPPORTUNISTIC, SENT, SOFT_FAIL, UNUSABLE, VERIFIED, WRONG,
    ago, assert_line, hosts, mismatched, reply, two_receivers, unsigned, unsigned_mx,
};
use crate::scene::{Scene, Setting};
use delivery::Forget;
use testworld::RecordType;
use testworld::mail::{Identity, MailFault, Stage};

const SOFTENED: (&str, &str) = ("dane", "Softfail (No matching TLSA RRs)");

#[tokio::test]
async fn soft_fail_goes_by_the_good_host_first_and_fails_like_mail_without_dane() {
    let scene = Scene::new(SOFT_FAIL).await;
    let (identity, first, second) = two_receivers(&scene).await;
    let right = identity.tlsa_3_1_1();
    hosts(
        &scene,
        "soft",
        &[(10, &first, Some(WRONG)), (20, &second, Some(&right))],
    );
    let relay = ("relay", "mx2.soft.test [127.0.0.3]");
    scene.expect("a@soft.test", &[SENT, relay, VERIFIED]).await;
    assert_eq!(first.count_of("MAIL"), 0);
    // No host takes it: the one that DANE passed over is asked again, and the other is not.
    second.set_faults(vec![reply(Stage::Mail, "451 4.3.0 later")]);
    second.clear();
    let relay = ("relay", "mx1.soft.test [127.0.0.2]");
    let valid = ("tlsvalid", "65 (no matching DANE TLSA records)");
    scene.expect("a@soft.test", &[SENT, relay, SOFTENED, valid]).await;
    assert_eq!(second.connections().len(), 1);
    first.set_faults(vec![reply(Stage::Mail, "451 4.3.0 later")]);
    first.clear();
    scene.expect("a@soft.test", &[DEFERRED]).await;
    assert_eq!(
        first.count_of("MAIL"),
        1,
        "once in the second round, never in the first"
    );
    first.set_faults(vec![reply(Stage::Rcpt, "550 5.1.1 nobody")]);
    scene
        .expect("a@soft.test", &[BOUNCED, ("dsn", "550"), SOFTENED])
        .await;
}

#[tokio::test]
async fn soft_fail_delivers_where_there_are_more_addresses_than_one_round_may_ask() {
    let scene = Scene::new(SOFT_FAIL).await;
    let identity = scene.identity("mx.test");
    let mut receivers = Vec::new();
    for last in 101..127 {
        receivers.push(scene.receiver(last, &identity, vec![]).await);
    }
    let mut domain = scene.world.domain("many.test").signed();
    for (host, own) in ["mx1.many.test", "mx2.many.test"]
        .iter()
        .zip(receivers.chunks(13))
    {
        domain = domain.mx(10, host, own[0].address()).tlsa(WRONG);
        for receiver in &own[1..] {
            domain = domain.record(host, RecordType::A, &receiver.address().ip().to_string());
        }
    }
    domain.add().unwrap();
    scene.expect("a@many.test", &[SENT, SOFTENED]).await;
    let connections: usize = receivers.iter().map(|one| one.connections().len()).sum();
    assert_eq!(connections, 25);
}

#[tokio::test]
async fn soft_fail_keeps_the_floor() {
    let scene = Scene::new("version = 1\n[default]\ndane = \"soft-fail\"\ntls = \"encrypt\"\n").await;
    let receiver = mismatched(&scene, "floor").await;
    receiver.set_faults(vec![MailFault::NoStartTls]);
    scene
        .expect("a@floor.test", &[DEFERRED, ("tlsfail", "not-offered")])
        .await;
    assert_eq!((receiver.connections().len(), receiver.count_of("MAIL")), (2, 0));
    receiver.set_faults(vec![]);
    scene.expect("a@floor.test", &[SENT, SOFTENED]).await;
}

#[tokio::test]
async fn the_floor_encrypt_never_goes_in_clear() {
    let scene = Scene::new("version = 1\n[default]\ntls = \"encrypt\"\n").await;
    let receiver = unsigned(&scene, "plain").await;
    for (fault, enhanced) in [
        (MailFault::NoStartTls, "4.7.4"),
        (reply(Stage::StartTls, "454 4.7.0 no"), "4.7.5"),
        (MailFault::CloseInHandshake, "4.7.5"),
        (MailFault::CloseInHandshake, "4.7.5"),
        (MailFault::GarbageInHandshake, "4.7.5"),
        (reply(Stage::Ehlo, "502 5.5.1 ?"), "4"),
    ] {
        receiver.set_faults(vec![fault.clone()]);
        if !matches!(fault, MailFault::CloseInHandshake) {
            // Otherwise the destination would soon count as failing.
            scene.scheduler().forget(Forget::All);
        }
        // Old enough for clear text, were clear text allowed.
        let line = scene.send_aged("a@plain.test", Duration::from_hours(3)).await;
        let insecure = ("dane", "Skip (Insecure host information)");
        assert_line(&line, &[DEFERRED, insecure]);
        assert!(line["enhanced"].starts_with(enhanced), "{fault:?}: {line:?}");
    }
    assert_eq!((receiver.count_of("MAIL"), receiver.count_of("HELO")), (0, 0));
    receiver.set_faults(vec![]);
    scene.expect("a@plain.test", &[SENT]).await;
    assert!(receiver.messages()[0].tls.is_some());
}

#[tokio::test]
async fn where_no_certificate_can_be_checked_nobody_else_is_blamed() {
    let scene = Scene::new("version = 1\n[default]\ntls = \"verify\"\n").await;
    let receiver = unsigned(&scene, "plain").await;
    let reason = "a certificate of the WebPKI is required, and this machine trusts no certificate authority";
    let ours = [DEFERRED, ("enhanced", "4.3.5"), ("reason", reason)];
    // However old: it is never sent without the check.
    let line = scene.send_aged("a@plain.test", Duration::from_hours(3)).await;
    assert_line(&line, &ours);
    assert_line(&line, &[("tls", "-"), ("tlsfail", "no WebPKI roots")]);
    assert_eq!(receiver.count_of("MAIL"), 0);
}

#[tokio::test]
async fn the_floor_verify_wants_the_name_of_the_host() {
    let policy = "version = 1\n[default]\ntls = \"verify\"\n";
    let setting = Setting {
        webpki: true,
        ..Setting::default()
    };
    let scene = Scene::with(policy, setting).await;
    let receiver = unsigned(&scene, "plain").await;
    scene
        .expect("a@plain.test", &[SENT, ("tlsvalid", "0 (ok)")])
        .await;
    let refused = [DEFERRED, ("enhanced", "4.7.5")];
    let stranger = Identity::self_signed(&["mx.plain.test"]).unwrap();
    receiver.clear();
    for (identity, number) in [(scene.identity("plain.test"), "62"), (stranger, "18")] {
        receiver.set_identity(&identity);
        let line = scene.expect("a@plain.test", &refused).await;
        assert!(line["tlsvalid"].starts_with(number), "{line:?}");
    }
    // An address has no name that a certificate could bear.
    let line = scene.expect("a@[127.0.0.2]", &refused).await;
    let reason = "a certificate for the host's name is required, and the host's name cannot appear in one";
    assert_line(
        &line,
        &[("reason", reason), ("tlsfail", "no host name to verify")],
    );
    assert_eq!(receiver.count_of("MAIL"), 0);
    // Where DANE authenticates, it alone decides; unusable records fall back on the floor.
    let identity = scene.identity("elsewhere.test");
    receiver.set_identity(&identity);
    scene.domain("dane", &receiver, &identity.tlsa_3_1_1());
    scene.domain("unusable", &receiver, UNUSABLE);
    scene.expect("a@dane.test", &[SENT]).await;
    scene.expect("a@unusable.test", &refused).await;
}

#[tokio::test]
async fn insecure_mx_encrypt_demands_tls_and_no_certificate() {
    let scene = Scene::new("version = 1\n[default]\ninsecure_mx = \"encrypt\"\n").await;
    let receiver = mismatched(&scene, "provider").await;
    unsigned_mx(&scene, "customer", "mx.provider.test");
    let skipped = ("dane", "Skip (Insecure MX)");
    scene
        .expect("a@customer.test", &[SENT, skipped, ("mx", "insecure")])
        .await;
    assert!(receiver.messages()[0].tls.is_some());
    receiver.set_faults(vec![MailFault::NoStartTls]);
    scene
        .expect_deferred("a@customer.test", "Fail (STARTTLS not offered)", "4.7.4")
        .await;
    assert_eq!(receiver.messages().len(), 1);
}

#[tokio::test]
async fn exceptions_hold_for_one_host_and_until_their_date() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = mismatched(&scene, "stale").await;
    let exception = |default: &str, until: &str, more: &str| {
        format!(
            "version = 1\n[default]\ndane = \"{default}\"\n[[exception]]\nmx = \"mx.stale.test\"\ndane = \"off\"\n\
             until = {until}\nreason = \"told them\"\n{more}"
        )
    };
    for (default, until) in [("opportunistic", "2025-01-31"), ("strict", "2999-01-31")] {
        scene.set_policy(&exception(default, until, ""));
        scene.expect_deferred("a@stale.test", NO_MATCH, "4.7.5").await;
    }
    assert_eq!(receiver.count_of("MAIL"), 0);
    for (default, more) in [("opportunistic", ""), ("strict", "override_strict = true\n")] {
        scene.set_policy(&exception(default, "2999-01-31", more));
        let excepted = ("dane", "Skip (Exception until 2999-01-31)");
        scene.expect("a@stale.test", &[SENT, excepted]).await;
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
    let receiver = mismatched(&scene, "listed").await;
    scene.domain("other", &receiver, WRONG);
    let line = scene.expect("a@listed.test", &[SENT, ("mode", "dane off")]).await;
    assert!(line["dane"].starts_with("Skip (danefail "), "{line:?}");
    assert!(line["dane"].ends_with("danefail.list:2)"), "{line:?}");
    scene.expect_deferred("a@other.test", NO_MATCH, "4.7.5").await;
    scene.set_policy(&list("").replace("\"off\"", "\"soft-fail\""));
    scene.expect("a@listed.test", &[SENT, SOFTENED]).await;
    scene.set_policy(&list("[default]\ndane = \"strict\"\n"));
    scene.expect_deferred("a@listed.test", NO_MATCH, "4.7.5").await;
}

#[tokio::test]
async fn notifications_expire_on_their_own_clock() {
    let setting = Setting {
        bounce_max_age: Duration::from_hours(1),
        ..Setting::default()
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let _receiver = mismatched(&scene, "old").await;
    let created = ago(Duration::from_hours(2));
    let bounce = scene.queue_from("", &["a@old.test"], LETTER, created).await;
    let letter = scene.queue(&["a@old.test"], LETTER, created).await;
    assert_line(
        &scene.lines(bounce, 1).await[0],
        &[EXPIRED, ("enhanced", "4.7.5"), ("from", "")],
    );
    assert_line(&scene.lines(letter, 1).await[0], &[DEFERRED]);
}
