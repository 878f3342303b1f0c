//! What becomes of each recipient: by the replies of its server, by its age, and at the next host or none.

use std::net::IpAddr;
use std::time::Duration;

use crate::scene::common::{
    BOUNCED, DEFERRED, EXPIRED, LETTER, NO_MATCH, OPPORTUNISTIC, SENT, VERIFIED, WRONG, assert_line,
    mismatched, pair, reply, reply_for, single, single_at, text, unsigned,
};
use crate::scene::{Scene, Setting};
use jiff::Timestamp;
use testworld::RecordType;
use testworld::mail::{MailFault, Stage};

/// The administrator's fault: neither the host nor the sender pays for it.
#[tokio::test]
async fn an_address_that_is_not_this_machines_is_no_source() {
    let setting = Setting {
        source_addresses: vec![IpAddr::from([192, 0, 2, 1])],
        ..Setting::default()
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let receiver = single(&scene, "good").await;
    let back = single_at(&scene, 4, "back").await;
    scene.set_policy(&format!("{OPPORTUNISTIC}fallback = \"back.test\"\n"));
    // So often that a host would be left alone.
    for _ in 0..6 {
        let line = scene
            .expect("a@good.test", &[DEFERRED, ("enhanced", "4.3.5"), ("dane", "-")])
            .await;
        let reason = "this machine cannot connect from 192.0.2.1 (delivery.source_addresses): ";
        assert!(line["reason"].starts_with(reason), "{line:?}");
    }
    assert_eq!((receiver.connections().len(), back.connections().len()), (0, 0));
    assert!(scene.events("destination").is_empty());
}

#[tokio::test]
async fn each_recipient_by_its_own_reply() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = single(&scene, "three").await;
    for more in [vec![], vec![MailFault::NoPipelining]] {
        let faults = vec![
            reply_for("b@three.test", "450 4.2.1 later"),
            reply_for("c@three.test", "550 5.1.1 nobody"),
        ];
        receiver.clear();
        receiver.set_faults([faults, more].concat());
        let recipients = ["a@three.test", "b@three.test", "c@three.test"];
        let lines = scene.send(&recipients, LETTER).await;
        assert_line(&lines[0], &[SENT, ("dsn", "250")]);
        assert_line(&lines[1], &[DEFERRED, ("dsn", "450"), ("enhanced", "4.2.1")]);
        assert_line(
            &lines[2],
            &[BOUNCED, ("dsn", "550"), ("enhanced", "5.1.1"), VERIFIED],
        );
        assert_eq!(receiver.messages()[0].recipients, ["a@three.test"]);
    }
}

#[tokio::test]
async fn a_broken_handshake_goes_in_clear_only_where_nothing_is_required_and_not_at_once() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = unsigned(&scene, "old").await;
    receiver.set_faults(vec![MailFault::CloseInHandshake]);
    let insecure = ("dane", "Skip (Insecure host information)");
    scene.expect("a@old.test", &[DEFERRED, insecure]).await;
    assert_eq!(receiver.messages().len(), 0);
    // It broke the same way before: now the message goes in clear, on a connection of its own.
    let line = scene.expect("a@old.test", &[SENT, ("tls", "-")]).await;
    assert!(line.contains_key("tlsfail"), "{line:?}");
}

#[tokio::test]
async fn a_handshake_that_worked_in_between_makes_a_broken_one_news_again() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = unsigned(&scene, "shaky").await;
    for _ in 0..2 {
        receiver.set_faults(vec![MailFault::CloseInHandshake]);
        scene.expect("a@shaky.test", &[DEFERRED]).await;
        receiver.set_faults(vec![MailFault::CloseAfter(1)]);
        let line = scene.expect("a@shaky.test", &[SENT]).await;
        assert!(line["tls"].starts_with("TLSv1.3:"), "{line:?}");
    }
}

/// Whoever breaks TLS, or takes the offer away, must not return mail by it (RFC 3207 §4: 530).
#[tokio::test]
async fn a_server_that_insists_on_tls_which_cannot_be_had_returns_nothing() {
    let setting = Setting {
        retry: vec![Duration::from_mins(5)],
        ..Setting::default()
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let receiver = unsigned(&scene, "insists").await;
    for (fault, stage, enhanced) in [
        (MailFault::NoStartTls, Stage::Mail, "4.7.4"),
        (reply(Stage::StartTls, "454 4.7.0 not now"), Stage::Rcpt, "4.7.5"),
        (MailFault::CloseInHandshake, Stage::Data, "4.7.5"),
    ] {
        let insists = reply(stage, "530 5.7.0 Must issue a STARTTLS command first");
        receiver.set_faults(vec![fault, insists]);
        let line = scene.send_aged("a@insists.test", Duration::from_mins(10)).await;
        assert_line(&line, &[DEFERRED, ("tls", "-"), ("enhanced", enhanced)]);
        let words = line.get("reason").or(line.get("reply"));
        assert!(words.is_some_and(|words| words.contains("530 5.7.0")), "{line:?}");
    }
    // Over TLS it is a refusal like any other.
    receiver.set_faults(vec![reply(Stage::Mail, "530 5.7.0 Authentication required")]);
    scene
        .expect("a@insists.test", &[BOUNCED, ("enhanced", "5.7.0")])
        .await;
}

#[tokio::test]
async fn an_old_message_does_not_wait_for_tls() {
    let setting = Setting {
        retry: vec![Duration::from_mins(5)],
        ..Setting::default()
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let receiver = unsigned(&scene, "old").await;
    receiver.set_faults(vec![MailFault::CloseInHandshake]);
    let line = scene.send_aged("a@old.test", Duration::from_mins(10)).await;
    assert_line(&line, &[SENT, ("tls", "-")]);
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
    let id = scene.queue(&["a@mend.test"], LETTER, Timestamp::now()).await;
    assert_line(&scene.lines(id, 1).await[0], &[DEFERRED]);
    let owner = scene.tlsa_owner("mx.mend.test");
    scene
        .world
        .set(&owner, RecordType::TLSA, &[&identity.tlsa_3_1_1()])
        .unwrap();
    assert!(receiver.wait_for_messages(1, crate::scene::LIMIT).await);
    let sent = loop {
        let lines = scene.lines_so_far(id);
        if let Some(line) = lines.into_iter().find(|line| line["status"] == "sent") {
            break line;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_line(&sent, &[VERIFIED]);
    assert_ne!(sent["attempt"], "1");
}

#[tokio::test]
async fn a_message_too_old_expires_with_its_cause() {
    let setting = Setting {
        max_age: Duration::from_hours(1),
        ..Setting::default()
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let _receiver = mismatched(&scene, "old").await;
    assert_line(
        &scene.send_aged("a@old.test", Duration::from_hours(2)).await,
        &[EXPIRED, ("enhanced", "4.7.5"), ("dane", NO_MATCH)],
    );
}

#[tokio::test]
async fn lost_after_the_final_dot_tries_no_further_host() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let (first, second) = pair(&scene, "lost").await;
    first.set_faults(vec![MailFault::Close(Stage::Content)]);
    scene.expect("a@lost.test", &[DEFERRED, ("dsn", "-")]).await;
    assert_eq!(second.connections().len(), 0);
    // Lost before it: the next host takes the message.
    first.set_faults(vec![MailFault::Close(Stage::Rcpt)]);
    let second = ("relay", "mx2.lost.test [127.0.0.3]");
    scene.expect("a@lost.test", &[SENT, second]).await;
}

#[tokio::test]
async fn transient_answers_go_to_the_next_host_and_permanent_ones_do_not() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let (first, second) = pair(&scene, "next").await;
    for stage in [Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Content] {
        first.set_faults(vec![reply(stage.clone(), "451 4.3.0 later")]);
        let relay = ("relay", "mx2.next.test [127.0.0.3]");
        scene.expect("a@next.test", &[SENT, relay]).await;
        second.clear();
        first.set_faults(vec![reply(stage.clone(), "554 5.7.1 no")]);
        let refused = [BOUNCED, ("dsn", "554"), ("enhanced", "5.7.1")];
        scene.expect("a@next.test", &refused).await;
        assert_eq!(second.connections().len(), 0, "{stage:?}");
    }
}

#[tokio::test]
async fn large_8_bit_content_arrives_whole_and_not_where_it_is_not_wanted() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = single(&scene, "big").await;
    let mut content = b"Subject: gro\xc3\x9f\r\n\r\n".to_vec();
    for number in 0..20_000 {
        content.extend_from_slice(format!(".{number:06} bytes with a dot first\r\n").as_bytes());
    }
    let line = scene.send(&["a@big.test"], &content).await.remove(0);
    assert_line(&line, &[SENT, ("size", &content.len().to_string())]);
    assert!(receiver.messages()[0].content == content);
}

#[tokio::test]
async fn the_sender_is_told_once_of_what_failed_and_nobody_of_a_failed_report() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = single(&scene, "far").await;
    receiver.set_faults(vec![reply_for("b@far.test", "550 5.1.1 nobody")]);
    let origin = single_at(&scene, 3, "origin").await;
    let content = b"Subject: hello\r\nMessage-ID: <1@origin.test>\r\n\r\nsecret\r\n";
    let lines = scene.send(&["a@far.test", "b@far.test"], content).await;
    assert_line(&lines[0], &[SENT]);
    assert_line(&lines[1], &[BOUNCED, ("dsn_sent", "yes")]);
    assert!(origin.wait_for_messages(1, crate::scene::LIMIT).await);
    let report = origin.messages().remove(0);
    assert_eq!(report.envelope_from, "");
    assert_eq!(report.recipients[0], "sender@origin.test");
    let text = text(&origin, 0);
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
        &[BOUNCED, ("dsn_sent", "no"), ("from", "")],
    );
    assert_eq!(origin.messages().len(), 1);
}
