//! What becomes of each recipient: by the replies of its server, by its age, and at the next host or none.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod scene;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use scene::common::{OPPORTUNISTIC, WRONG, assert_line};
use scene::{Scene, Setting};
use testworld::RecordType;
use testworld::mail::{MailFault, Stage};

#[tokio::test]
async fn each_recipient_by_its_own_reply() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.three.test");
    let rcpt = |who: &str, reply: &str| MailFault::Reply(Stage::RcptFor(who.to_owned()), reply.to_owned());
    let receiver = scene.receiver(2, &identity, vec![]).await;
    scene.domain("three", &receiver, &identity.tlsa_3_1_1());
    for pipelining in [true, false] {
        let mut faults = vec![
            rcpt("b@three.test", "450 4.2.1 later"),
            rcpt("c@three.test", "550 5.1.1 nobody"),
        ];
        if !pipelining {
            faults.push(MailFault::NoPipelining);
        }
        receiver.clear();
        receiver.set_faults(faults);
        let lines = scene
            .send(
                &["a@three.test", "b@three.test", "c@three.test"],
                b"S: x\r\n\r\nx\r\n",
            )
            .await;
        assert_line(&lines[0], &[("status", "sent"), ("dsn", "250")]);
        assert_line(
            &lines[1],
            &[("status", "deferred"), ("dsn", "450"), ("enhanced", "4.2.1")],
        );
        assert_line(
            &lines[2],
            &[
                ("status", "bounced"),
                ("dsn", "550"),
                ("enhanced", "5.1.1"),
                ("dane", "Verify (Secure TLSA RRs found)"),
            ],
        );
        assert_eq!(receiver.messages()[0].recipients, ["a@three.test"]);
    }
}

#[tokio::test]
async fn a_broken_handshake_goes_in_clear_only_where_nothing_is_required_and_not_at_once() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = scene
        .receiver(
            2,
            &scene.identity("mx.old.test"),
            vec![MailFault::CloseInHandshake],
        )
        .await;
    scene
        .world
        .domain("old.test")
        .unsigned()
        .mx(10, "mx.old.test", receiver.address())
        .add()
        .unwrap();
    let line = scene.send_to("a@old.test").await;
    assert_line(
        &line,
        &[
            ("status", "deferred"),
            ("dane", "Skip (Insecure host information)"),
        ],
    );
    assert_eq!(receiver.messages().len(), 0);
    // It broke the same way before: now the message goes in clear, on a connection of its own.
    let line = scene.send_to("a@old.test").await;
    assert_line(&line, &[("status", "sent"), ("tls", "-")]);
    assert!(line.contains_key("tlsfail"), "{line:?}");
}

#[tokio::test]
async fn an_old_message_does_not_wait_for_tls() {
    let setting = Setting {
        retry: vec![Duration::from_mins(5)],
        ..Setting::default()
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let receiver = scene
        .receiver(
            2,
            &scene.identity("mx.old.test"),
            vec![MailFault::CloseInHandshake],
        )
        .await;
    scene
        .world
        .domain("old.test")
        .unsigned()
        .mx(10, "mx.old.test", receiver.address())
        .add()
        .unwrap();
    let created = Timestamp::now() - SignedDuration::from_mins(10);
    let id = scene.queue(&["a@old.test"], b"S: x\r\n\r\nx\r\n", created).await;
    assert_line(&scene.lines(id, 1).await[0], &[("status", "sent"), ("tls", "-")]);
}

#[tokio::test]
async fn mended_records_let_the_message_go() {
    let setting = Setting {
        retry: vec![Duration::from_millis(300)],
        ..Setting::default()
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    scene.world.set_ttl(0);
    let identity = scene.identity("mx.mend.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    scene.domain("mend", &receiver, WRONG);
    let id = scene
        .queue(&["a@mend.test"], b"S: x\r\n\r\nx\r\n", Timestamp::now())
        .await;
    assert_line(&scene.lines(id, 1).await[0], &[("status", "deferred")]);
    let owner = format!("_{}._tcp.mx.mend.test", scene.port);
    scene
        .world
        .set(&owner, RecordType::TLSA, &[&identity.tlsa_3_1_1()])
        .unwrap();
    assert!(receiver.wait_for_messages(1, scene::LIMIT).await);
    let sent = loop {
        let lines = scene.lines_so_far(id);
        if let Some(line) = lines.into_iter().find(|line| line["status"] == "sent") {
            break line;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_line(&sent, &[("dane", "Verify (Secure TLSA RRs found)")]);
    assert_ne!(sent["attempt"], "1");
}

#[tokio::test]
async fn a_message_too_old_expires_with_its_cause() {
    let setting = Setting {
        max_age: Duration::from_hours(1),
        ..Setting::default()
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let receiver = scene.receiver(2, &scene.identity("mx.old.test"), vec![]).await;
    scene.domain("old", &receiver, WRONG);
    let created = Timestamp::now() - SignedDuration::from_hours(2);
    let id = scene.queue(&["a@old.test"], b"S: x\r\n\r\nx\r\n", created).await;
    assert_line(
        &scene.lines(id, 1).await[0],
        &[
            ("status", "expired"),
            ("enhanced", "4.7.5"),
            ("dane", "Fail (No matching TLSA RRs)"),
        ],
    );
}

#[tokio::test]
async fn lost_after_the_final_dot_tries_no_further_host() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.lost.test");
    let first = scene
        .receiver(2, &identity, vec![MailFault::Close(Stage::Content)])
        .await;
    let second = scene.receiver(3, &identity, vec![]).await;
    let domain = scene
        .world
        .domain("lost.test")
        .signed()
        .mx(10, "mx1.lost.test", first.address())
        .tlsa(identity.tlsa_3_1_1());
    domain
        .mx(20, "mx2.lost.test", second.address())
        .tlsa(identity.tlsa_3_1_1())
        .add()
        .unwrap();
    assert_line(
        &scene.send_to("a@lost.test").await,
        &[("status", "deferred"), ("dsn", "-")],
    );
    assert_eq!(second.connections().len(), 0);
    // Lost before it: the next host takes the message.
    first.set_faults(vec![MailFault::Close(Stage::Rcpt)]);
    assert_line(
        &scene.send_to("a@lost.test").await,
        &[("status", "sent"), ("relay", "mx2.lost.test [127.0.0.3]")],
    );
}

#[tokio::test]
async fn transient_answers_go_to_the_next_host_and_permanent_ones_do_not() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.next.test");
    let first = scene.receiver(2, &identity, vec![]).await;
    let second = scene.receiver(3, &identity, vec![]).await;
    let domain = scene
        .world
        .domain("next.test")
        .signed()
        .mx(10, "mx1.next.test", first.address())
        .tlsa(identity.tlsa_3_1_1());
    domain
        .mx(20, "mx2.next.test", second.address())
        .tlsa(identity.tlsa_3_1_1())
        .add()
        .unwrap();
    for stage in [Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Content] {
        first.set_faults(vec![MailFault::Reply(stage.clone(), "451 4.3.0 later".into())]);
        assert_line(
            &scene.send_to("a@next.test").await,
            &[("status", "sent"), ("relay", "mx2.next.test [127.0.0.3]")],
        );
        second.clear();
        first.set_faults(vec![MailFault::Reply(stage.clone(), "554 5.7.1 no".into())]);
        assert_line(
            &scene.send_to("a@next.test").await,
            &[("status", "bounced"), ("dsn", "554"), ("enhanced", "5.7.1")],
        );
        assert_eq!(second.connections().len(), 0, "{stage:?}");
    }
}

#[tokio::test]
async fn large_8_bit_content_arrives_whole_and_not_where_it_is_not_wanted() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.big.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    scene.domain("big", &receiver, &identity.tlsa_3_1_1());
    let mut content = b"Subject: gro\xc3\x9f\r\n\r\n".to_vec();
    for number in 0..20_000 {
        content.extend_from_slice(format!(".{number:06} bytes with a dot first\r\n").as_bytes());
    }
    let line = scene.send(&["a@big.test"], &content).await.remove(0);
    assert_line(&line, &[("status", "sent"), ("size", &content.len().to_string())]);
    assert!(receiver.messages()[0].content == content);
}

#[tokio::test]
async fn the_sender_is_told_once_of_what_failed_and_nobody_of_a_failed_report() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.x.test");
    let receiver = scene
        .receiver(
            2,
            &identity,
            vec![MailFault::Reply(
                Stage::RcptFor("b@far.test".into()),
                "550 5.1.1 nobody".into(),
            )],
        )
        .await;
    let origin = scene.receiver(3, &identity, vec![]).await;
    scene.domain("far", &receiver, &identity.tlsa_3_1_1());
    scene.domain("origin", &origin, &identity.tlsa_3_1_1());
    let content = b"Subject: hello\r\nMessage-ID: <1@origin.test>\r\n\r\nsecret\r\n";
    let lines = scene.send(&["a@far.test", "b@far.test"], content).await;
    assert_line(&lines[0], &[("status", "sent")]);
    assert_line(&lines[1], &[("status", "bounced"), ("dsn_sent", "yes")]);
    assert!(origin.wait_for_messages(1, scene::LIMIT).await);
    let reports = origin.messages();
    assert_eq!(
        (
            reports[0].envelope_from.as_str(),
            reports[0].recipients[0].as_str()
        ),
        ("", "sender@origin.test")
    );
    let text = String::from_utf8(reports[0].content.clone()).unwrap();
    for part in [
        "multipart/report",
        "Final-Recipient: rfc822; b@far.test",
        "Status: 5.1.1",
        "Subject: hello",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("a@far.test") && !text.contains("secret"), "{text}");
    // A message without a sender fails without a word.
    let id = scene
        .queue_from("", &["b@far.test"], content, Timestamp::now())
        .await;
    assert_line(
        &scene.lines(id, 1).await[0],
        &[("status", "bounced"), ("dsn_sent", "no"), ("from", "")],
    );
    assert_eq!(origin.messages().len(), 1);
}
