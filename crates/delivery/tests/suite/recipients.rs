//! Who is named in which transaction: too many for one, given twice, and what else a server's limits and refusals of
//! parameters make of it.

use crate::reuse::wait_for;
use crate::scene::common::{
    BOUNCED, DEFERRED, LETTER, OPPORTUNISTIC, SENT, assert_line, commands, hosts, reply, reply_for, single,
};
use crate::scene::{Line, Scene, envelope};
use jiff::Timestamp;
use mail::RecipientParameters;
use testworld::mail::{MailFault, Receiver, Stage};

fn addresses(count: usize, domain: &str) -> Vec<String> {
    (0..count).map(|number| format!("u{number}@{domain}")).collect()
}

/// How many recipients each message had that arrived.
fn sizes(receiver: &Receiver) -> Vec<usize> {
    let messages = receiver.messages();
    messages.iter().map(|one| one.recipients.len()).collect()
}

/// Sends a message; the lines in the order of the addresses.
async fn by_address(scene: &Scene, recipients: &[&str]) -> Vec<Line> {
    let mut lines = scene.send(recipients, LETTER).await;
    lines.sort_by(|one, other| one["to"].cmp(&other["to"]));
    lines
}

/// Sends to so many; all must be sent at the first attempt.
async fn all_sent(scene: &Scene, count: usize, domain: &str) {
    let recipients = addresses(count, domain);
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    for line in scene.send(&recipients, LETTER).await {
        assert_line(&line, &[SENT, ("attempt", "1")]);
    }
}

#[tokio::test]
async fn recipients_beyond_the_servers_number_go_at_once_in_the_next_transaction() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = single(&scene, "few").await;
    for text in [
        "452 4.5.3 too many recipients",
        "452 too many recipients",
        // OpenSMTPD.
        "451 4.5.3 Too many recipients: Too many recipients",
        "552 5.5.3 too many recipients",
        "552 too many recipients",
    ] {
        for more in [vec![], vec![MailFault::NoPipelining]] {
            let few = MailFault::TooManyRecipients(3, text.to_owned());
            receiver.set_faults([vec![few], more].concat());
            receiver.clear();
            all_sent(&scene, 10, "few.test").await;
            assert_eq!(sizes(&receiver), [3, 3, 3, 1], "{text}");
            assert_eq!((receiver.connections().len(), receiver.count_of("RSET")), (1, 0));
            // The number is learned from the first transaction.
            assert_eq!(receiver.count_of("RCPT"), 10 + 7);
        }
    }
}

#[tokio::test]
async fn who_is_put_off_for_another_reason_waits() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = single(&scene, "full").await;
    for text in [
        "452 4.2.2 mailbox full",
        "450 4.2.0 greylisted",
        "451 too many recipients",
    ] {
        receiver.set_faults(vec![reply_for("u1@full.test", text)]);
        receiver.clear();
        let lines = by_address(&scene, &["u0@full.test", "u1@full.test", "u2@full.test"]).await;
        assert_line(&lines[0], &[SENT]);
        assert_line(&lines[1], &[DEFERRED, ("reply", text)]);
        assert_line(&lines[2], &[SENT]);
        assert_eq!(receiver.count_of("MAIL"), 1);
    }
    // One whom the server never takes, alone or not, does not keep the session busy.
    receiver.set_faults(vec![reply_for("u1@full.test", "452 4.5.3 too many recipients")]);
    receiver.clear();
    let lines = by_address(&scene, &["u0@full.test", "u1@full.test", "u2@full.test"]).await;
    assert_line(&lines[1], &[DEFERRED, ("enhanced", "4.5.3")]);
    assert_eq!((receiver.count_of("MAIL"), sizes(&receiver)), (2, vec![2]));
}

#[tokio::test]
async fn who_is_put_off_and_loses_the_session_is_deferred_with_the_servers_words() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = single(&scene, "lost").await;
    let few = MailFault::TooManyRecipients(1, "452 4.5.3 too many recipients".to_owned());
    receiver.set_faults(vec![few, MailFault::Close(Stage::Content)]);
    let lines = by_address(&scene, &["u0@lost.test", "u1@lost.test"]).await;
    assert_line(&lines[0], &[DEFERRED, ("dsn", "-")]);
    assert_line(&lines[1], &[DEFERRED, ("reply", "452 4.5.3 too many recipients")]);
}

#[tokio::test]
async fn a_recipient_given_twice_is_named_once() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = single(&scene, "twice").await;
    let given = [
        "a@twice.test",
        "A@twice.test",
        "a@TWICE.test",
        "b@twice.test",
        "a@twice.test",
    ];
    let lines = scene.send(&given, LETTER).await;
    for line in &lines {
        assert_line(line, &[SENT]);
    }
    let to = |line: &Line| line["to"].clone();
    assert_eq!(lines.iter().map(to).collect::<Vec<_>>(), given);
    let named = &receiver.messages()[0].recipients;
    assert_eq!(named[..], ["a@twice.test", "A@twice.test", "b@twice.test"]);
    receiver.set_faults(vec![reply_for("a@twice.test", "550 5.1.1 nobody")]);
    let lines = scene.send(&["a@twice.test", "a@twice.test"], LETTER).await;
    for line in &lines {
        assert_line(line, &[BOUNCED, ("enhanced", "5.1.1")]);
    }
}

#[tokio::test]
async fn two_requests_for_one_recipient_are_two_where_they_are_passed_on() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.test");
    let asked = scene.receiver_with(2, &identity, &["DSN"]).await;
    let plain = scene.receiver(3, &identity, vec![]).await;
    scene.domain("asked", &asked, &identity.tlsa_3_1_1());
    scene.domain("plain", &plain, &identity.tlsa_3_1_1());
    let to = ["a@asked.test", "a@asked.test", "a@plain.test", "a@plain.test"];
    let mut envelope = envelope("", &to, LETTER);
    for at in [1, 3] {
        envelope.recipients[at].parameters.notify = Some("NEVER".parse().unwrap());
    }
    let id = scene.queue_envelope(envelope, LETTER, Timestamp::now()).await;
    for line in scene.lines(id, 4).await {
        assert_line(&line, &[SENT]);
    }
    assert_eq!(
        commands(&asked, "RCPT"),
        ["RCPT TO:<a@asked.test>", "RCPT TO:<a@asked.test> NOTIFY=NEVER"]
    );
    assert_eq!(commands(&plain, "RCPT"), ["RCPT TO:<a@plain.test>"]);
}

#[tokio::test]
async fn limits_that_a_server_states_are_kept() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.test");
    let limits = "LIMITS MAILMAX=2 RCPTMAX=3 RCPTDOMAINMAX=1";
    let receiver = scene.receiver_with(2, &identity, &[limits]).await;
    scene.domain("stated", &receiver, &identity.tlsa_3_1_1());
    all_sent(&scene, 8, "stated.test").await;
    assert_eq!(sizes(&receiver), [3, 3, 2]);
    let mails = |number: usize| {
        let commands = &receiver.connections()[number].commands;
        commands.iter().filter(|line| line.starts_with("MAIL")).count()
    };
    assert_eq!((receiver.connections().len(), mails(0), mails(1)), (2, 2, 1));
    wait_for(&receiver, "QUIT", 2).await;
}

/// A host that fails the second session: the recipients of the first have had their replies.
#[tokio::test]
async fn who_is_left_for_another_session_fails_with_it_alone() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.test");
    let receiver = scene
        .receiver_with(2, &identity, &["LIMITS MAILMAX=1 RCPTMAX=2"])
        .await;
    scene.domain("once", &receiver, &identity.tlsa_3_1_1());
    receiver.set_faults(vec![
        reply_for("u0@once.test", "450 4.2.0 greylisted"),
        MailFault::ReplyTimes(Stage::Data, 1, "354 go".into()),
        reply(Stage::Data, "421 4.3.2 closing"),
    ]);
    let lines = by_address(&scene, &["u0@once.test", "u1@once.test", "u2@once.test"]).await;
    assert_line(&lines[0], &[DEFERRED, ("reply", "450 4.2.0 greylisted")]);
    assert_line(&lines[1], &[SENT]);
    assert_line(&lines[2], &[DEFERRED, ("reply", "421 4.3.2 closing")]);
}

#[tokio::test]
async fn the_next_host_is_for_all_that_are_open_whoever_was_left_at_the_first() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.test");
    let first = scene
        .receiver_with(2, &identity, &["LIMITS MAILMAX=1 RCPTMAX=2"])
        .await;
    let second = scene.receiver(3, &identity, vec![]).await;
    let right = identity.tlsa_3_1_1();
    hosts(
        &scene,
        "two",
        &[(10, &first, Some(&right)), (20, &second, Some(&right))],
    );
    first.set_faults(vec![reply_for("u0@two.test", "450 4.2.0 not now")]);
    let lines = by_address(&scene, &["u0@two.test", "u1@two.test", "u2@two.test"]).await;
    for line in &lines {
        assert_line(line, &[SENT]);
    }
    assert_eq!(sizes(&first), [1, 1]);
    assert_eq!(second.messages()[0].recipients, ["u0@two.test"]);
}

#[tokio::test]
async fn a_message_goes_without_parameters_that_it_can_do_without() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.test");
    let receiver = scene.receiver_with(2, &identity, &["DSN"]).await;
    scene.domain("plain", &receiver, &identity.tlsa_3_1_1());
    let letter = "S: x\r\n\r\ngr\u{fc}n\r\n".as_bytes();
    for text in ["555 5.5.4 unsupported", "455 4.5.4 not now"] {
        for more in [vec![], vec![MailFault::NoPipelining]] {
            let refusal = MailFault::ReplyTimes(Stage::Mail, 1, text.into());
            receiver.set_faults([vec![refusal], more].concat());
            receiver.clear();
            let mut envelope = envelope("s@origin.test", &["a@plain.test"], letter);
            envelope.parameters.ret = Some(mail::Ret::Headers);
            let id = scene.queue_envelope(envelope, letter, Timestamp::now()).await;
            assert_line(&scene.lines(id, 1).await[0], &[SENT]);
            let mail = commands(&receiver, "MAIL");
            let size = format!("SIZE={} BODY=8BITMIME RET=HDRS", letter.len());
            assert!(mail[0].ends_with(&size), "{mail:?}");
            assert_eq!(mail[1], "MAIL FROM:<s@origin.test> BODY=8BITMIME");
            assert_eq!(receiver.connections().len(), 1);
        }
    }
    // Where there is nothing to leave out, the reply counts.
    let bare = reply(Stage::EhloInTls, "250-mx.test\r\n250 8BITMIME");
    receiver.set_faults(vec![bare, reply(Stage::Mail, "555 5.5.4 unsupported")]);
    receiver.clear();
    let line = scene.send(&["a@plain.test"], letter).await.remove(0);
    assert_line(&line, &[BOUNCED, ("dsn", "555")]);
    assert_eq!(receiver.count_of("MAIL"), 1);
}

#[tokio::test]
async fn a_recipient_whose_parameters_are_refused_is_named_without_them() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.test");
    let receiver = scene.receiver_with(2, &identity, &["DSN"]).await;
    scene.domain("plain", &receiver, &identity.tlsa_3_1_1());
    let refusal = MailFault::ReplyTimes(Stage::RcptFor("a@plain.test".into()), 1, "555 5.5.4 no".into());
    receiver.set_faults(vec![refusal]);
    let mut envelope = envelope("s@origin.test", &["a@plain.test", "b@plain.test"], LETTER);
    for one in &mut envelope.recipients {
        one.parameters = RecipientParameters {
            notify: Some("SUCCESS".parse().unwrap()),
            original: None,
        };
    }
    let id = scene.queue_envelope(envelope, LETTER, Timestamp::now()).await;
    // Nobody but us can report on the one that was named without its request.
    let mut lines = scene.lines(id, 2).await;
    lines.sort_by(|one, other| one["to"].cmp(&other["to"]));
    assert_line(&lines[0], &[("to", "a@plain.test"), SENT, ("dsn_sent", "yes")]);
    assert_line(&lines[1], &[("to", "b@plain.test"), SENT]);
    assert_eq!(lines[1].get("dsn_sent"), None);
    assert_eq!(
        commands(&receiver, "RCPT"),
        [
            "RCPT TO:<a@plain.test> NOTIFY=SUCCESS",
            "RCPT TO:<b@plain.test> NOTIFY=SUCCESS",
            "RCPT TO:<a@plain.test>"
        ]
    );
    assert_eq!(sizes(&receiver), [1, 1]);
}
