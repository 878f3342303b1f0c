//! Content with octets above 127 at servers without 8BITMIME (RFC 6152 §3).

use crate::scene::Scene;
use crate::scene::common::{BOUNCED, OPPORTUNISTIC, SENT, assert_line, hosts, reply, single, text};
use testworld::mail::{MailFault, Stage};

const NO_8BITMIME: &str = "250-mx.test\r\n250 SIZE 1000000";

fn no_8bitmime() -> MailFault {
    reply(Stage::EhloInTls, NO_8BITMIME)
}

#[tokio::test]
async fn what_a_server_does_not_take_is_converted() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = single(&scene, "seven").await;
    receiver.set_faults(vec![no_8bitmime()]);
    let content = "Subject: x\r\n\r\ngr\u{fc}n\r\n.\r\n".as_bytes();
    let line = scene
        .send(&["a@seven.test", "b@seven.test"], content)
        .await
        .remove(0);
    assert_line(&line, &[SENT]);
    let sent = text(&receiver, 0);
    assert_eq!(
        sent,
        "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ngr=C3=BCn\r\n.\r\n"
    );
    // The size is that of what is sent (RFC 1870 §5), and 7-bit needs no BODY.
    assert_eq!(
        receiver.messages()[0].mail_parameters,
        format!("SIZE={}", sent.len())
    );
    // A server that takes it gets every octet as it is.
    receiver.set_faults(vec![]);
    receiver.clear();
    assert_line(&scene.send(&["a@seven.test"], content).await.remove(0), &[SENT]);
    assert_eq!(receiver.messages()[0].content, content);
}

#[tokio::test]
async fn large_content_is_converted_as_it_goes() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    scene.domain("large", &receiver, &identity.tlsa_3_1_1());
    let line = "eine Zeile, die nicht gr\u{fc}n ist\r\n";
    let content = ["Subject: x\r\n\r\n", &line.repeat(20_000)].concat().into_bytes();
    for offer in [NO_8BITMIME, "250-mx.test\r\n250 SIZE 1000000"] {
        receiver.set_faults(vec![reply(Stage::EhloInTls, offer)]);
        receiver.clear();
        assert_line(&scene.send(&["a@large.test"], &content).await.remove(0), &[SENT]);
        let sent = text(&receiver, 0);
        let (_, body) = sent.split_once("\r\n\r\n").unwrap();
        assert!(body == line.replace('\u{fc}', "=C3=BC").repeat(20_000));
        assert_eq!(
            receiver.messages()[0].mail_parameters,
            format!("SIZE={}", sent.len())
        );
    }
    // What is too large only in its new form is not sent.
    let limit = format!("250-mx.test\r\n250 SIZE {}", content.len() + 100);
    receiver.set_faults(vec![reply(Stage::EhloInTls, &limit)]);
    receiver.clear();
    let line = scene.send(&["a@large.test"], &content).await.remove(0);
    assert_line(&line, &[BOUNCED, ("enhanced", "5.3.4")]);
    assert_eq!(receiver.count_of("MAIL"), 0);
}

#[tokio::test]
async fn what_is_signed_goes_as_it_is_or_comes_back() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.test");
    let seven = scene.receiver(2, &identity, vec![no_8bitmime()]).await;
    let eight = scene.receiver(3, &identity, vec![]).await;
    let right = identity.tlsa_3_1_1();
    hosts(
        &scene,
        "both",
        &[(10, &seven, Some(&right)), (20, &eight, Some(&right))],
    );
    scene.domain("seven", &seven, &right);
    let content = "DKIM-Signature: v=1; b=x\r\nSubject: x\r\n\r\ngr\u{fc}n\r\n".as_bytes();
    let line = scene.send(&["a@both.test"], content).await.remove(0);
    assert_line(&line, &[SENT, ("relay", "mx2.both.test [127.0.0.3]")]);
    assert_eq!(eight.messages()[0].content, content);
    let line = scene.send(&["a@seven.test"], content).await.remove(0);
    assert_line(&line, &[BOUNCED, ("enhanced", "5.6.3"), ("dsn", "-")]);
    let reason = "the message has 8-bit content, and the server does not offer 8BITMIME; it cannot be converted: it is signed, and the signature would not survive a conversion";
    assert_line(&line, &[("reason", reason)]);
    assert_eq!(seven.count_of("MAIL"), 0);
}
