//! Servers that refuse, offer less or say much: what becomes of the message, and what the log says.

use std::time::Duration;

use crate::scene::Scene;
use crate::scene::common::{
    BOUNCED, DEFERRED, LETTER, OPPORTUNISTIC, SENT, assert_line, pair, reply, single, single_at, unsigned,
};
use jiff::Timestamp;
use testworld::RecordType;
use testworld::mail::{MailFault, Stage};

#[tokio::test]
async fn helo_where_nothing_more_is_known_and_nothing_is_demanded() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = unsigned(&scene, "old").await;
    let fault = MailFault::ReplyTimes(Stage::Ehlo, 1, "502 5.5.1 unknown".into());
    receiver.set_faults(vec![fault]);
    scene
        .expect("a@old.test", &[SENT, ("tls", "-"), ("tlsfail", "not-offered")])
        .await;
    let commands = &receiver.connections()[0].commands;
    assert_eq!(commands[..2], ["EHLO relay.test", "HELO relay.test"]);
    assert_eq!(commands[2], "MAIL FROM:<sender@origin.test>");
}

#[tokio::test]
async fn helo_under_tls_where_nothing_is_demanded() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = unsigned(&scene, "old").await;
    let fault = || {
        vec![MailFault::ReplyTimes(
            Stage::EhloInTls,
            1,
            "502 5.5.1 unknown".into(),
        )]
    };
    receiver.set_faults(fault());
    let line = scene.expect("a@old.test", &[SENT]).await;
    assert!(line["tls"].starts_with("TLSv1."), "{line:?}");
    assert_eq!(receiver.count_of("HELO"), 1);
    // Whoever must prove something must know EHLO.
    let strict = single_at(&scene, 3, "new").await;
    strict.set_faults(fault());
    scene
        .expect("a@new.test", &[DEFERRED, ("reply", "502 5.5.1 unknown")])
        .await;
    assert_eq!(strict.count_of("HELO"), 0);
}

#[tokio::test]
async fn starttls_refused_with_421_goes_in_clear_on_a_connection_of_its_own() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = unsigned(&scene, "busy").await;
    receiver.set_faults(vec![reply(Stage::StartTls, "421 4.7.0 TLS not available")]);
    let line = scene.expect("a@busy.test", &[DEFERRED]).await;
    assert!(
        line["reason"].ends_with(": 421 4.7.0 TLS not available"),
        "{line:?}"
    );
    scene.expect("a@busy.test", &[SENT, ("tls", "-")]).await;
    // Any other refusal: the same session goes on.
    receiver.set_faults(vec![reply(Stage::StartTls, "454 4.7.0 not now")]);
    receiver.clear();
    scene
        .expect("a@busy.test", &[SENT, ("tls", "-"), ("tlsfail", "refused")])
        .await;
    assert_eq!(receiver.connections().len(), 1);
}

#[tokio::test]
async fn what_was_offered_in_clear_is_forgotten_under_tls() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = single(&scene, "forget").await;
    let offer = "250-mx.test\r\n250-SIZE 10\r\n250-XSTRANGE\r\n250 starttls";
    receiver.set_faults(vec![reply(Stage::Ehlo, offer)]);
    let content = "Subject: gr\u{fc}n\r\n\r\nlonger than ten octets\r\n".as_bytes();
    let line = scene.send(&["a@forget.test"], content).await.remove(0);
    assert_line(&line, &[SENT]);
    let parameters = receiver.messages()[0].mail_parameters.clone();
    assert_eq!(parameters, format!("SIZE={} BODY=8BITMIME", content.len()));
    // A second offer inside TLS is not taken.
    let offer = "250-mx.test\r\n250 STARTTLS";
    receiver.set_faults(vec![reply(Stage::EhloInTls, offer)]);
    receiver.clear();
    scene.expect("a@forget.test", &[SENT]).await;
    assert_eq!(receiver.count_of("STARTTLS"), 1);
    assert_eq!(receiver.messages()[0].mail_parameters, "");
}

#[tokio::test]
async fn what_a_server_does_not_take_is_not_sent_to_it() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let (first, second) = pair(&scene, "limit").await;
    let small = |stage| reply(stage, "250-mx.test\r\n250-SIZE 20\r\n250 8BITMIME");
    let ascii = |stage| reply(stage, "250-mx.test\r\n250 SIZE 0");
    let content = b"Subject: x\r\n\r\nmore than twenty octets\r\n";
    let eight_bit = "Subject: gr\u{fc}n\r\n\r\nx\r\n".as_bytes();
    // Another host may take it.
    for fault in [small(Stage::EhloInTls), ascii(Stage::EhloInTls)] {
        first.set_faults(vec![fault]);
        let line = scene.send(&["a@limit.test"], eight_bit).await.remove(0);
        assert_line(&line, &[SENT, ("relay", "mx2.limit.test [127.0.0.3]")]);
    }
    for (fault, content, enhanced) in [
        (small(Stage::EhloInTls), &content[..], "5.3.4"),
        (ascii(Stage::EhloInTls), eight_bit, "5.6.3"),
    ] {
        first.set_faults(vec![fault.clone()]);
        second.set_faults(vec![fault]);
        let line = scene.send(&["a@limit.test"], content).await.remove(0);
        assert_line(&line, &[BOUNCED, ("enhanced", enhanced), ("dsn", "-")]);
    }
    // Said in clear to who must authenticate, it means nothing.
    let liar = reply(Stage::Ehlo, "250-mx.test\r\n250 SIZE 20");
    first.set_faults(vec![liar.clone()]);
    second.set_faults(vec![liar]);
    let line = scene.send(&["a@limit.test"], content).await.remove(0);
    assert_line(&line, &[DEFERRED, ("enhanced", "4.7.4")]);
    assert_eq!(first.count_of("MAIL"), 0);
    // No limit at all.
    first.set_faults(vec![ascii(Stage::EhloInTls)]);
    let line = scene.send(&["a@limit.test"], content).await.remove(0);
    assert_line(&line, &[SENT]);
}

#[tokio::test]
async fn too_many_recipients_is_for_now_and_a_full_mailbox_is_not() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = single(&scene, "full").await;
    for (text, status, enhanced) in [
        // To a single recipient it is an old server's word for a full mailbox.
        ("552 storage exceeded", "bounced", "5.0.0"),
        ("552 5.5.3 too many recipients", "deferred", "4.5.3"),
        ("552 5.2.2 mailbox full", "bounced", "5.2.2"),
        ("452 4.5.3 too many recipients", "deferred", "4.5.3"),
        ("556 5.1.10 null MX", "bounced", "5.1.10"),
        ("551 5.1.6 try <b@else.test>", "bounced", "5.1.6"),
        ("550 2.1.5 contradiction", "bounced", "5.0.0"),
    ] {
        receiver.set_faults(vec![reply(Stage::Rcpt, text)]);
        let expected = [("status", status), ("enhanced", enhanced), ("reply", text)];
        scene.expect("a@full.test", &expected).await;
    }
    for (stage, text) in [
        (Stage::Mail, "552 5.3.4 too big"),
        (Stage::Content, "552 5.3.4 too big"),
    ] {
        receiver.set_faults(vec![reply(stage, text)]);
        scene
            .expect("a@full.test", &[BOUNCED, ("enhanced", "5.3.4")])
            .await;
    }
    receiver.set_faults(vec![reply(Stage::Rcpt, "251 2.1.5 forwarding")]);
    scene.expect("a@full.test", &[SENT]).await;
}

#[tokio::test]
async fn long_replies_are_one_line_of_bearable_length() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = single(&scene, "words").await;
    let text = "550-5.7.1 first, \"status=sent\r\n550-5.7.1 \x1b[2J\r\n550 5.7.1 last";
    receiver.set_faults(vec![reply(Stage::Rcpt, text)]);
    assert_line(
        &scene.send_to("a@words.test").await,
        &[
            BOUNCED,
            ("enhanced", "5.7.1"),
            (
                "reply",
                "550-5.7.1 first, \"status=sent 550-5.7.1 \u{1b}[2J 550 5.7.1 last",
            ),
        ],
    );
    let many = format!("{}450 end", format!("450-{}\r\n", "x".repeat(1_000)).repeat(50));
    receiver.set_faults(vec![MailFault::Reply(Stage::Rcpt, many)]);
    let line = scene.expect("a@words.test", &[DEFERRED, ("dsn", "450")]).await;
    let length = line["reply"].len();
    assert!((1_900..=1_983).contains(&length), "{length} octets");
    assert!(line["reply"].ends_with("... 450 end"), "{}", line["reply"]);
}

#[tokio::test]
async fn a_host_that_never_takes_mail_bounces_only_where_nobody_had_to_prove_anything() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = unsigned(&scene, "never").await;
    receiver.set_faults(vec![reply(Stage::Greeting, "521 5.3.2 no mail here")]);
    scene
        .expect("a@never.test", &[BOUNCED, ("dsn", "521"), ("enhanced", "5.3.2")])
        .await;
    // One host that only rests keeps the message.
    scene
        .world
        .add("never.test", RecordType::MX, "20 mx2.never.test.")
        .unwrap();
    scene
        .world
        .set("mx2.never.test", RecordType::A, &["127.0.0.9"])
        .unwrap();
    scene.world.set_ttl(0);
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    scene
        .expect("a@never.test", &[DEFERRED, ("enhanced", "4.4.1")])
        .await;
    // 554 is no such promise.
    receiver.set_faults(vec![reply(Stage::Greeting, "554 5.3.2 no")]);
    scene.expect("a@never.test", &[DEFERRED]).await;
}

#[tokio::test]
async fn injected_replies_are_never_believed_where_nothing_is_demanded_either() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = unsigned(&scene, "inject").await;
    let fault = MailFault::InjectAfterStartTls("250-evil\r\n250 SIZE 1\r\n".into());
    receiver.set_faults(vec![fault]);
    for _ in 0..2 {
        let told = ("tlsfail", "data before the handshake");
        scene
            .expect("a@inject.test", &[DEFERRED, ("enhanced", "4.7.5"), told])
            .await;
    }
    assert_eq!((receiver.count_of("MAIL"), receiver.messages().len()), (0, 0));
}

#[tokio::test]
async fn every_recipient_of_every_attempt_has_its_line() {
    let scene = Scene::with(
        OPPORTUNISTIC,
        crate::scene::Setting {
            retry: vec![Duration::from_millis(200)],
            ..crate::scene::Setting::default()
        },
    )
    .await;
    let receiver = single(&scene, "lines").await;
    receiver.set_faults(vec![MailFault::ReplyTimes(
        Stage::RcptFor("b@lines.test".into()),
        2,
        "450 4.2.1 later".into(),
    )]);
    let id = scene
        .queue(&["a@lines.test", "b@lines.test"], LETTER, Timestamp::now())
        .await;
    let lines = scene.lines(id, 4).await;
    let story: Vec<(&str, &str, &str)> = lines
        .iter()
        .map(|line| {
            (
                line["to"].as_str(),
                line["status"].as_str(),
                line["attempt"].as_str(),
            )
        })
        .collect();
    assert_eq!(
        story,
        [
            ("a@lines.test", "sent", "1"),
            ("b@lines.test", "deferred", "1"),
            ("b@lines.test", "deferred", "2"),
            ("b@lines.test", "sent", "3"),
        ]
    );
    assert_eq!(receiver.messages().len(), 2);
}
