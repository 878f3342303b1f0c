//! The ways of mail: routes by default and by domain, TLS from the first octet, and fallbacks.

use std::net::SocketAddr;

use crate::scene::Scene;
use crate::scene::common::{
    BOUNCED, DEFERRED, LETTER, NO_MATCH, OPPORTUNISTIC, SENT, STRICT, VERIFIED, WRONG, mismatched, plain,
    reply, single, single_at,
};
use testworld::RecordType;
use testworld::dns::{DnsFault, Questions};
use testworld::mail::{MailFault, Receiver, Stage};

const AT_FALLBACK: (&str, &str) = ("relay", "mx.back.test [127.0.0.4]");

/// `back.test`, and a policy under which all mail falls back to it.
async fn with_fallback(scene: &Scene, mode: &str) -> Receiver {
    let back = single_at(scene, 4, "back").await;
    scene.set_policy(&format!("{mode}fallback = \"back.test\"\n"));
    back
}

/// `NAME.test`, signed, with one MX host at which nobody listens.
fn out_of_reach(scene: &Scene, name: &str) {
    let nobody = SocketAddr::from(([127, 0, 0, 9], scene.port));
    let domain = scene.world.domain(&format!("{name}.test")).signed();
    domain.mx(10, &format!("mx.{name}.test"), nobody).add().unwrap();
}

#[tokio::test]
async fn a_default_route_takes_all_that_no_rule_routes_otherwise() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let smarthost = single_at(&scene, 3, "smart").await;
    let other = single(&scene, "other").await;
    scene.set_policy(&format!(
        "{OPPORTUNISTIC}route = \"[mx.smart.test]\"\n[[domain]]\nmatch = \"far.test\"\nroute = \"other.test\"\n"
    ));
    for recipient in ["a@anywhere.test", "a@other.test", "a@[127.0.0.2]"] {
        let relay = ("relay", "mx.smart.test [127.0.0.3]");
        scene.expect(recipient, &[SENT, VERIFIED, relay]).await;
    }
    scene
        .expect(
            "a@far.test",
            &[SENT, VERIFIED, ("relay", "mx.other.test [127.0.0.2]")],
        )
        .await;
    assert_eq!((smarthost.messages().len(), other.messages().len()), (3, 1));
}

/// A receiver at 127.0.0.2 that speaks TLS from the first octet, and whose domain is `NAME.test`.
async fn implicit(scene: &Scene, name: &str, faults: Vec<MailFault>) -> Receiver {
    let identity = scene.identity(&format!("mx.{name}.test"));
    let address = SocketAddr::from(([127, 0, 0, 2], scene.port));
    let mut builder = Receiver::builder("mx.test").address(address).identity(&identity);
    for fault in faults {
        builder = builder.fault(fault);
    }
    let receiver = builder.implicit_tls().start().await.unwrap();
    scene.domain(name, &receiver, &identity.tlsa_3_1_1());
    plain(scene, "plain", receiver.address());
    receiver
}

fn routed_to(host: &str, more: &str) -> String {
    format!(
        "{OPPORTUNISTIC}[[domain]]\nmatch = \"far.test\"\nroute = \"[{host}]\"\nroute_tls = \"implicit\"\n{more}"
    )
}

#[tokio::test]
async fn tls_from_the_first_octet_is_held_to_the_same_requirements() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = implicit(&scene, "smart", vec![]).await;
    // Without a port it is 465 (RFC 8314 §3.3); here everything is at another.
    let port = scene.port;
    let at = |host: &str| routed_to(host, "").replace("]\"\nroute_tls", &format!("]:{port}\"\nroute_tls"));
    scene.set_policy(&at("mx.smart.test"));
    let line = scene.expect("a@far.test", &[SENT, VERIFIED]).await;
    assert!(line["tls"].starts_with("TLSv1.3:"), "{line:?}");
    let seen = &receiver.connections()[0];
    assert_eq!((seen.in_clear, receiver.count_of("STARTTLS")), (0, 0));
    assert_eq!(receiver.messages()[0].sni.as_deref(), Some("mx.smart.test"));
    // Without DANE it is TLS all the same, and never plain text.
    scene.set_policy(&at("mx.plain.test"));
    let insecure = ("dane", "Skip (Insecure host information)");
    let line = scene.expect("a@far.test", &[SENT, insecure]).await;
    assert!(line["tls"].starts_with("TLSv1.3:"), "{line:?}");
    let owner = scene.tlsa_owner("mx.smart.test");
    scene.world.set_ttl(0);
    scene.world.set(&owner, RecordType::TLSA, &[WRONG]).unwrap();
    scene.set_policy(&at("mx.smart.test"));
    tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
    scene.expect_deferred("a@far.test", NO_MATCH, "4.7.5").await;
}

#[tokio::test]
async fn a_port_that_is_not_given_is_that_of_submissions() {
    let scene = Scene::new(&routed_to("127.0.0.2", "")).await;
    scene.expect("a@far.test", &[DEFERRED, ("port", "465")]).await;
}

#[tokio::test]
async fn a_server_without_tls_gets_nothing_from_a_client_that_begins_with_it() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = scene.receiver(2, &scene.identity("mx.test"), vec![]).await;
    plain(&scene, "plain", receiver.address());
    let port = scene.port;
    scene.set_policy(
        &routed_to("mx.plain.test", "").replace("]\"\nroute_tls", &format!("]:{port}\"\nroute_tls")),
    );
    let old = std::time::Duration::from_hours(48);
    let line = scene.send_aged("a@far.test", old).await;
    assert_eq!(
        (&*line["status"], &*line["enhanced"]),
        ("deferred", "4.7.5"),
        "{line:?}"
    );
    assert_eq!(receiver.messages().len(), 0);
}

#[tokio::test]
async fn without_tls_starttls_is_not_tried() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = single(&scene, "good").await;
    plain(&scene, "plain", receiver.address());
    scene.set_policy(&format!(
        "{OPPORTUNISTIC}[[domain]]\nmatch = \".test\"\ntls = \"off\"\n"
    ));
    let line = scene
        .expect(
            "a@plain.test",
            &[SENT, ("tls", "-"), ("dane", "Skip (Insecure host information)")],
        )
        .await;
    assert_eq!(line.get("tlsfail"), None, "{line:?}");
    assert_eq!(receiver.count_of("STARTTLS"), 0);
    // DANE stands above it.
    scene.expect("a@good.test", &[SENT, VERIFIED]).await;
    assert_eq!(receiver.count_of("STARTTLS"), 1);
}

#[tokio::test]
async fn mail_falls_back_where_every_host_is_out_of_reach_or_says_not_now() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let back = with_fallback(&scene, OPPORTUNISTIC).await;
    out_of_reach(&scene, "gone");
    scene.expect("a@gone.test", &[SENT, VERIFIED, AT_FALLBACK]).await;
    let receiver = single(&scene, "busy").await;
    for stage in [
        Stage::Greeting,
        Stage::EhloInTls,
        Stage::Mail,
        Stage::Rcpt,
        Stage::Content,
    ] {
        receiver.set_faults(vec![reply(stage, "451 4.3.2 not now")]);
        scene.expect("a@busy.test", &[SENT, VERIFIED, AT_FALLBACK]).await;
    }
    receiver.set_faults(vec![MailFault::Close(Stage::Mail)]);
    scene.expect("a@busy.test", &[SENT, AT_FALLBACK]).await;
    // Only the recipients for whom it is so.
    receiver.set_faults(vec![
        reply(Stage::RcptFor("b@busy.test".to_owned()), "450 4.2.1 full"),
        reply(Stage::RcptFor("c@busy.test".to_owned()), "550 5.1.1 nobody"),
    ]);
    back.clear();
    let lines = scene
        .send(&["a@busy.test", "b@busy.test", "c@busy.test"], LETTER)
        .await;
    let status = |to: &str| {
        let line = lines.iter().find(|line| line["to"] == to).unwrap();
        (line["status"].clone(), line["relay"].clone())
    };
    let here = "mx.busy.test [127.0.0.2]".to_owned();
    assert_eq!(status("a@busy.test"), ("sent".to_owned(), here.clone()));
    assert_eq!(
        status("b@busy.test"),
        ("sent".to_owned(), AT_FALLBACK.1.to_owned())
    );
    assert_eq!(status("c@busy.test"), ("bounced".to_owned(), here));
    assert_eq!(back.messages()[0].recipients, ["b@busy.test"]);
}

#[tokio::test]
async fn mail_falls_back_where_there_are_more_hosts_than_one_attempt_may_ask() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let back = with_fallback(&scene, OPPORTUNISTIC).await;
    let nobody = SocketAddr::from(([127, 0, 0, 100], scene.port));
    let mut domain = scene.world.domain("many.test").signed();
    for host in ["mx1.many.test", "mx2.many.test"] {
        domain = domain.mx(10, host, nobody);
        for last in 101..116 {
            domain = domain.record(host, RecordType::A, &format!("127.0.0.{last}"));
        }
    }
    domain.add().unwrap();
    scene.expect("a@many.test", &[SENT, VERIFIED, AT_FALLBACK]).await;
    assert_eq!(back.messages().len(), 1);
}

#[tokio::test]
async fn nothing_falls_back_for_a_security_or_dns_cause_or_a_refusal() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let back = with_fallback(&scene, OPPORTUNISTIC).await;
    let receiver = mismatched(&scene, "wrong").await;
    scene.expect_deferred("a@wrong.test", NO_MATCH, "4.7.5").await;
    // One host of two.
    let two = scene.world.domain("two.test").signed();
    let nobody = SocketAddr::from(([127, 0, 0, 9], scene.port));
    two.host("mx.two.test", nobody)
        .record("two.test", RecordType::MX, "10 mx.wrong.test.")
        .record("two.test", RecordType::MX, "20 mx.two.test.")
        .add()
        .unwrap();
    scene.expect_deferred("a@two.test", NO_MATCH, "4.7.5").await;
    out_of_reach(&scene, "mute");
    scene.break_tlsa("mx.mute.test", DnsFault::ServFail);
    out_of_reach(&scene, "lost");
    let broken = Questions::At("mx.lost.test".to_owned());
    scene.world.break_dns(&broken, DnsFault::ServFail).unwrap();
    for domain in ["mute", "lost"] {
        scene.expect(&format!("a@{domain}.test"), &[DEFERRED]).await;
    }
    scene
        .expect("a@nobody.test", &[BOUNCED, ("enhanced", "5.1.2")])
        .await;
    scene.domain("full", &receiver, &scene.identity("mx.full.test").tlsa_3_1_1());
    receiver.set_identity(&scene.identity("mx.full.test"));
    plain(&scene, "full2", receiver.address());
    receiver.set_faults(vec![reply(Stage::Rcpt, "550 5.1.1 nobody")]);
    scene.expect("a@full2.test", &[BOUNCED, ("dsn", "550")]).await;
    // The server may have the message already.
    receiver.set_faults(vec![MailFault::Close(Stage::Content)]);
    scene.expect("a@full2.test", &[DEFERRED]).await;
    assert_eq!(back.connections().len(), 0);
}

#[tokio::test]
async fn a_fallback_is_under_dane_itself_and_not_used_under_strict() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let back = with_fallback(&scene, OPPORTUNISTIC).await;
    out_of_reach(&scene, "gone");
    let owner = scene.tlsa_owner("mx.back.test");
    scene.world.set(&owner, RecordType::TLSA, &[WRONG]).unwrap();
    let at_fallback = [DEFERRED, ("dane", NO_MATCH), AT_FALLBACK];
    scene.expect("a@gone.test", &at_fallback).await;
    assert_eq!(back.messages().len(), 0);
    back.clear();
    scene.set_policy(&format!("{STRICT}fallback = \"back.test\"\n"));
    let identity = scene.identity("mx.strict.test");
    let receiver = scene
        .receiver(2, &identity, vec![reply(Stage::Greeting, "421 not now")])
        .await;
    scene.domain("strict", &receiver, &identity.tlsa_3_1_1());
    let line = scene.expect("a@strict.test", &[DEFERRED]).await;
    assert_eq!(line["relay"], "mx.strict.test [127.0.0.2]", "{line:?}");
    assert_eq!(back.connections().len(), 0);
}
