//! Addresses and headers beyond ASCII: who gets them, and what happens where a server does not take them (RFC 6531).

use crate::scene::common::{
    BOUNCED, OPPORTUNISTIC, SENT, assert_line, commands, hosts, reply, single, single_at,
};
use crate::scene::{Scene, envelope};
use jiff::Timestamp;
use testworld::mail::Stage;

const CONTENT: &[u8] = b"Subject: hello\r\nMessage-ID: <1@origin.test>\r\n\r\nsecret\r\n";

#[tokio::test]
async fn addresses_beyond_ascii_go_only_to_servers_that_take_them() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.test");
    let plain = scene.receiver(2, &identity, vec![]).await;
    let able = scene.receiver_with(3, &identity, &["SMTPUTF8"]).await;
    let right = identity.tlsa_3_1_1();
    hosts(
        &scene,
        "both",
        &[(10, &plain, Some(&right)), (20, &able, Some(&right))],
    );
    scene.domain("plain", &plain, &right);
    let origin = single_at(&scene, 4, "origin").await;
    let mut to_both = envelope("sender@origin.test", &["\u{e4}@both.test"], CONTENT);
    to_both.parameters.smtputf8 = true;
    let id = scene
        .queue_envelope(to_both.clone(), CONTENT, Timestamp::now())
        .await;
    assert_line(
        &scene.lines(id, 1).await[0],
        &[SENT, ("relay", "mx2.both.test [127.0.0.3]")],
    );
    assert_eq!(able.messages()[0].recipients, ["\u{e4}@both.test"]);
    let mail = commands(&able, "MAIL");
    assert!(mail[0].ends_with(" SMTPUTF8"), "{mail:?}");
    assert_eq!(plain.count_of("MAIL"), 0);
    // Where nobody takes them it fails at once, and the report comes back in ASCII.
    for (recipient, enhanced) in [("\u{e4}@plain.test", "5.6.7"), ("a@plain.test", "5.6.9")] {
        let mut envelope = envelope("sender@origin.test", &[recipient], CONTENT);
        envelope.parameters.smtputf8 = true;
        let id = scene.queue_envelope(envelope, CONTENT, Timestamp::now()).await;
        assert_line(
            &scene.lines(id, 1).await[0],
            &[BOUNCED, ("enhanced", enhanced), ("dsn", "-"), ("dsn_sent", "yes")],
        );
    }
    assert_eq!(plain.count_of("MAIL"), 0);
    assert!(origin.wait_for_messages(2, crate::scene::LIMIT).await);
    for message in origin.messages() {
        assert!(message.content.is_ascii() && !message.mail_parameters.contains("SMTPUTF8"));
    }
    // An A-label needs nothing of the kind, nor does a message that the client merely declared.
    let id = scene
        .queue_envelope(
            envelope("sender@origin.test", &["a@plain.test"], CONTENT),
            CONTENT,
            Timestamp::now(),
        )
        .await;
    assert_line(&scene.lines(id, 1).await[0], &[SENT]);
    assert!(!commands(&plain, "MAIL")[0].contains("SMTPUTF8"));
}

#[tokio::test]
async fn eight_bit_content_needs_8bitmime_beside_smtputf8() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let odd = single(&scene, "odd").await;
    odd.set_faults(vec![reply(Stage::EhloInTls, "250-mx.test\r\n250 SMTPUTF8")]);
    let content = "Subject: gr\u{fc}n\r\n\r\nx\r\n".as_bytes();
    let mut envelope = envelope("", &["a@odd.test"], content);
    envelope.parameters.smtputf8 = true;
    let id = scene.queue_envelope(envelope, content, Timestamp::now()).await;
    assert_line(
        &scene.lines(id, 1).await[0],
        &[BOUNCED, ("enhanced", "5.6.3"), ("dsn_sent", "no")],
    );
    assert_eq!(odd.count_of("MAIL"), 0);
}

/// Who can be named gets the message, and who cannot fails alone.
#[tokio::test]
async fn one_recipient_beyond_ascii_fails_alone() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.test");
    let plain = scene.receiver_with(2, &identity, &["DSN"]).await;
    let able = scene.receiver_with(3, &identity, &["SMTPUTF8"]).await;
    let _origin = single_at(&scene, 4, "origin").await;
    scene.domain("plain", &plain, &identity.tlsa_3_1_1());
    scene.domain("able", &able, &identity.tlsa_3_1_1());
    let to = [
        "a@plain.test",
        "\u{e4}@plain.test",
        "b@plain.test",
        "c@plain.test",
        "\u{e4}@able.test",
    ];
    let mut mixed = envelope("sender@origin.test", &to, CONTENT);
    // One that has a 7-bit form, and one whose form would be too long.
    let original = |text: &str| Some(format!("utf-8;{text}@c.test").parse().unwrap());
    mixed.recipients[0].parameters.original = original("\u{e9}");
    mixed.recipients[2].parameters.original = original(&"\u{e9}".repeat(100));
    let id = scene.queue_envelope(mixed, CONTENT, Timestamp::now()).await;
    let lines = scene.lines(id, to.len()).await;
    let mut bounced: Vec<_> = lines.iter().filter(|line| line["status"] != "sent").collect();
    bounced.sort_by_key(|line| &line["to"]);
    assert_eq!(bounced.len(), 2, "{lines:?}");
    for (line, to) in bounced.into_iter().zip(["b@plain.test", "\u{e4}@plain.test"]) {
        assert_line(line, &[("to", to), BOUNCED, ("enhanced", "5.6.7")]);
    }
    assert_eq!(plain.messages()[0].recipients, ["a@plain.test", "c@plain.test"]);
    assert!(!commands(&plain, "MAIL")[0].contains("SMTPUTF8"));
    let named = commands(&plain, "RCPT");
    assert!(named[0].contains(r"ORCPT=utf-8;\x{E9}@c.test"), "{named:?}");
    assert_eq!(able.messages()[0].recipients, ["\u{e4}@able.test"]);
    assert!(commands(&able, "MAIL")[0].ends_with(" SMTPUTF8"));
}
