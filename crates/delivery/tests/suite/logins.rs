//! Logins at a smarthost (RFC 4954): at an authenticated server alone, and never the sender's fault.

use std::net::SocketAddr;

use crate::scene::common::{
    DEFERRED, LETTER, OPPORTUNISTIC, SENT, VERIFIED, assert_line, plain, reply, unsigned_mx,
};
use crate::scene::{Scene, Setting, envelope};
use jiff::Timestamp;
use mail::TlsTag;
use testworld::mail::{MailFault, Receiver, Stage};

/// `\0relay\0pass word`, as `smart.login` has them.
const PLAIN: &str = "AUTH PLAIN AHJlbGF5AHBhc3Mgd29yZA==";

/// A smarthost at 127.0.0.2, `smart.test`, that offers this.
async fn smarthost(scene: &Scene, offer: &str, faults: Vec<MailFault>) -> Receiver {
    smarthost_at(scene, (2, "smart"), offer, faults).await
}

/// The same at 127.0.0.`last`, for `NAME.test`.
async fn smarthost_at(
    scene: &Scene,
    (last, name): (u8, &str),
    offer: &str,
    faults: Vec<MailFault>,
) -> Receiver {
    let identity = scene.identity(&format!("mx.{name}.test"));
    let address = SocketAddr::from(([127, 0, 0, last], scene.port));
    let mut builder = Receiver::builder("mx.test").address(address).identity(&identity);
    if !offer.is_empty() {
        builder = builder.extension(offer);
    }
    for fault in faults {
        builder = builder.fault(fault);
    }
    let receiver = builder.user("relay", "pass word").start().await.unwrap();
    scene.domain(name, &receiver, &identity.tlsa_3_1_1());
    receiver
}

/// Everything goes over this route, with a login.
fn over(route: &str, more: &str) -> String {
    format!("{OPPORTUNISTIC}route = \"{route}\"\nroute_login = \"smart.login\"\n{more}")
}

/// The commands of the last connection, in TLS.
fn last(receiver: &Receiver) -> Vec<String> {
    let last = receiver.connections().pop().unwrap();
    last.commands[last.in_clear..].to_vec()
}

#[tokio::test]
async fn the_login_comes_before_the_message_and_after_tls() {
    let scene = Scene::new(&over("[mx.smart.test]", "")).await;
    let receiver = smarthost(&scene, "AUTH PLAIN LOGIN", vec![]).await;
    scene.expect("a@far.test", &[SENT, VERIFIED]).await;
    let commands = last(&receiver);
    assert_eq!(commands[1], PLAIN);
    assert!(
        commands[2].starts_with("MAIL FROM:<sender@origin.test>"),
        "{commands:?}"
    );
    // The submitter is not known to the smarthost (RFC 4954 §5).
    assert!(
        receiver.messages()[0].mail_parameters.ends_with("AUTH=<>"),
        "{commands:?}"
    );
    let seen = &receiver.connections()[0];
    assert!(
        seen.commands[..seen.in_clear]
            .iter()
            .all(|line| !line.starts_with("AUTH"))
    );
}

#[tokio::test]
async fn login_is_used_where_plain_is_not_offered() {
    let scene = Scene::new(&over("[mx.smart.test]", "")).await;
    let receiver = smarthost(&scene, "AUTH CRAM-MD5 LOGIN", vec![]).await;
    scene.expect("a@far.test", &[SENT, VERIFIED]).await;
    assert_eq!(last(&receiver)[1..4], ["AUTH LOGIN", "cmVsYXk=", "cGFzcyB3b3Jk"]);
}

#[tokio::test]
async fn a_refused_login_defers_and_is_our_own_fault() {
    let scene = Scene::new(&over("[mx.smart.test]", "")).await;
    let receiver = smarthost(&scene, "AUTH PLAIN", vec![]).await;
    for (refusal, enhanced) in [
        ("535 5.7.8 wrong", "4.7.8"),
        ("534 5.7.9 too weak", "4.7.9"),
        ("454 4.7.0 not now", "4.7.0"),
        ("535 wrong", "4.7.8"),
    ] {
        receiver.set_faults(vec![reply(Stage::Auth, refusal)]);
        let line = scene
            .expect("a@far.test", &[DEFERRED, VERIFIED, ("enhanced", enhanced)])
            .await;
        assert_eq!(line["reply"], refusal);
        assert_eq!(line["reason"], "the server refused the login");
        assert!(
            line["tls"].starts_with("TLSv1.3:") && line["dsn"] == refusal[..3],
            "{line:?}"
        );
    }
    assert_eq!(receiver.count_of("MAIL"), 0);
    // The administrator hears of it of each fault, and of the end.
    let told = scene.events("login");
    assert_eq!(told.len(), 4, "{told:?}");
    assert_eq!(
        (&*told[0]["status"], &*told[0]["file"]),
        ("failing", "smart.login"),
        "{told:?}"
    );
    receiver.set_faults(vec![]);
    scene.expect("a@far.test", &[SENT]).await;
    let told = scene.events("login");
    assert_eq!(
        (&*told[4]["status"], &*told[4]["failed"]),
        ("works", "4"),
        "{told:?}"
    );
}

#[tokio::test]
async fn what_neither_plain_nor_login_has_ends_the_exchange() {
    let scene = Scene::new(&over("[mx.smart.test]", "")).await;
    let receiver = smarthost(&scene, "AUTH LOGIN", vec![reply(Stage::Auth, "334 Username:")]).await;
    let line = scene
        .expect("a@far.test", &[DEFERRED, ("enhanced", "4.5.0")])
        .await;
    assert!(line["reason"].contains("challenge"), "{line:?}");
    assert_eq!(last(&receiver)[1..3], ["AUTH LOGIN", "*"]);
    for (last, name, offer) in [(3, "other", "AUTH CRAM-MD5"), (4, "none", "")] {
        let receiver = smarthost_at(&scene, (last, name), offer, vec![]).await;
        scene.set_policy(&over(&format!("[mx.{name}.test]"), ""));
        let line = scene
            .expect("a@far.test", &[DEFERRED, ("enhanced", "4.7.4")])
            .await;
        assert!(
            line["reason"].contains("neither AUTH PLAIN nor AUTH LOGIN"),
            "{line:?}"
        );
        assert_eq!((receiver.count_of("EHLO"), receiver.count_of("AUTH")), (2, 0));
    }
}

#[tokio::test]
async fn no_password_goes_to_a_server_that_is_not_authenticated() {
    let setting = Setting {
        webpki: true,
        ..Setting::default()
    };
    let scene = Scene::with(&over("[mx.smart.test]", ""), setting).await;
    let receiver = smarthost(&scene, "AUTH PLAIN", vec![]).await;
    plain(&scene, "plain", receiver.address());
    // Its own certificate is good, but who says that it is the smarthost?
    unsigned_mx(&scene, "forged", "mx.smart.test");
    for (route, more) in [
        ("[mx.plain.test]", "tls = \"may\"\n"),
        ("[mx.plain.test]", "tls = \"encrypt\"\n"),
        ("forged.test", "tls = \"verify\"\n"),
    ] {
        scene.set_policy(&over(route, more));
        let line = scene
            .expect("a@far.test", &[DEFERRED, ("enhanced", "4.7.5")])
            .await;
        assert!(
            line["reason"].starts_with("no login: the server is not authenticated"),
            "{line:?}"
        );
    }
    assert_eq!(receiver.connections().len(), 0);
    // A certificate for its name is enough where that is demanded.
    receiver.set_identity(&scene.identity("mx.plain.test"));
    scene.set_policy(&over("[mx.plain.test]", "tls = \"verify\"\n"));
    scene.expect("a@far.test", &[SENT]).await;
    assert_eq!(last(&receiver)[1], PLAIN);
}

/// What the receiver publishes may be waived by a message; that a login goes to an authenticated server alone may not.
#[tokio::test]
async fn a_message_that_waives_tls_is_sent_with_the_login_all_the_same() {
    let scene = Scene::new(&over("[mx.smart.test]", "")).await;
    let receiver = smarthost(&scene, "AUTH PLAIN", vec![]).await;
    let mut message = envelope("sender@origin.test", &["a@far.test"], LETTER);
    message.parameters.tls = TlsTag::NotRequired;
    let id = scene.queue_envelope(message, LETTER, Timestamp::now()).await;
    assert_line(&scene.lines(id, 1).await[0], &[SENT, VERIFIED]);
    assert_eq!(last(&receiver)[1], PLAIN);
}

#[tokio::test]
async fn a_fallback_and_another_route_get_no_login() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = smarthost(&scene, "AUTH PLAIN", vec![]).await;
    scene.set_policy(&over(
        "[mx.nowhere.test]",
        "fallback = \"[mx.smart.test]\"\n[[domain]]\nmatch = \"near.test\"\nroute = \"[mx.smart.test]\"\n",
    ));
    let nobody = SocketAddr::from(([127, 0, 0, 9], scene.port));
    let identity = scene.identity("mx.nowhere.test");
    let nowhere = scene.world.domain("nowhere.test").signed();
    nowhere
        .host("mx.nowhere.test", nobody)
        .tlsa(identity.tlsa_3_1_1())
        .add()
        .unwrap();
    for recipient in ["a@far.test", "a@near.test"] {
        scene
            .expect(recipient, &[SENT, ("relay", "mx.smart.test [127.0.0.2]")])
            .await;
    }
    assert_eq!(receiver.count_of("AUTH"), 0);
    assert_eq!(receiver.messages().len(), 2);
}
