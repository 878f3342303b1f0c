//! Sessions that several messages use, and those that none but the first may use.

use std::time::Duration;

use crate::scene::common::{
    DEFERRED, LETTER, NO_MATCH, OPPORTUNISTIC, SENT, STRICT, VERIFIED, assert_line, commands, plain, reply,
    signed_mx, single, unsigned,
};
use crate::scene::{Scene, Setting};
use delivery::{Forget, Reuse};
use jiff::Timestamp;
use testworld::mail::{MailFault, Receiver, Stage};

const HALF: Duration = Duration::from_millis(500);

fn keeping(messages: u32, idle: Duration) -> Setting {
    Setting {
        reuse: Reuse {
            messages,
            time: Duration::from_mins(5),
            idle,
        },
        ..Setting::default()
    }
}

async fn scene(policy: &str) -> Scene {
    Scene::with(policy, keeping(100, Duration::from_secs(5))).await
}

/// Waits until the command has been seen so often.
pub(crate) async fn wait_for(receiver: &Receiver, verb: &str, count: usize) {
    while receiver.count_of(verb) < count {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn messages_share_a_session_up_to_the_limit() {
    let scene = Scene::with(OPPORTUNISTIC, keeping(3, Duration::from_secs(5))).await;
    let receiver = single(&scene, "good").await;
    for number in 0..7 {
        let line = scene.expect("a@good.test", &[SENT, VERIFIED]).await;
        assert!(line["tls"].starts_with("TLSv1.3:"), "{line:?}");
        assert!(!line["tlsa"].contains("and"), "{number}: {line:?}");
    }
    assert_eq!(receiver.messages().len(), 7);
    assert_eq!(receiver.connections().len(), 3);
    // Each transaction ended with its final reply: nothing was to be reset.
    assert_eq!(receiver.count_of("RSET"), 0);
    wait_for(&receiver, "QUIT", 2).await;
}

/// As OpenSMTPD does after its `max-mails`.
#[tokio::test]
async fn a_server_that_takes_no_more_messages_in_a_session_gets_them_in_a_new_one() {
    let scene = scene(OPPORTUNISTIC).await;
    let receiver = single(&scene, "few").await;
    let enough = reply(Stage::Mail, "452 4.5.3 too many messages");
    receiver.set_faults(vec![MailFault::After(3, Box::new(enough))]);
    for _ in 0..7 {
        scene
            .expect("a@few.test", &[SENT, VERIFIED, ("attempt", "1")])
            .await;
    }
    assert_eq!((receiver.messages().len(), receiver.connections().len()), (7, 3));
    wait_for(&receiver, "QUIT", 2).await;
    // In a new session it is about the message.
    receiver.set_faults(vec![reply(Stage::Mail, "452 4.3.1 disk full")]);
    scene.scheduler().forget(Forget::All);
    scene.expect("a@few.test", &[DEFERRED, ("dsn", "452")]).await;
    assert_eq!(receiver.connections().len(), 4);
}

#[tokio::test]
async fn an_idle_session_is_closed_with_quit() {
    let scene = Scene::with(OPPORTUNISTIC, keeping(100, HALF)).await;
    let receiver = single(&scene, "good").await;
    scene.expect("a@good.test", &[SENT]).await;
    tokio::time::sleep(HALF / 2).await;
    assert_eq!(receiver.count_of("QUIT"), 0);
    wait_for(&receiver, "QUIT", 1).await;
    scene.expect("a@good.test", &[SENT]).await;
    assert_eq!(receiver.connections().len(), 2);
}

#[tokio::test]
async fn a_session_gets_too_old() {
    let mut setting = keeping(100, Duration::from_secs(5));
    setting.reuse.time = HALF;
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let receiver = single(&scene, "good").await;
    scene.expect("a@good.test", &[SENT]).await;
    tokio::time::sleep(HALF).await;
    // Old sessions finish what they have begun.
    scene.expect("a@good.test", &[SENT]).await;
    scene.expect("a@good.test", &[SENT]).await;
    assert_eq!(receiver.connections().len(), 2);
}

#[tokio::test]
async fn what_the_server_does_to_an_idle_session_is_nothing_to_the_message() {
    let at_mail = |text| MailFault::After(1, Box::new(reply(Stage::Mail, text)));
    for fault in [
        MailFault::CloseAfter(1),
        MailFault::After(1, Box::new(MailFault::Close(Stage::Mail))),
        at_mail("421 4.4.2 too long"),
        at_mail("503 5.5.1 nested MAIL"),
        at_mail("554 5.7.0 too many messages in this session"),
    ] {
        let scene = scene(OPPORTUNISTIC).await;
        let receiver = single(&scene, "good").await;
        receiver.set_faults(vec![fault.clone()]);
        for _ in 0..3 {
            scene
                .expect("a@good.test", &[SENT, VERIFIED, ("attempt", "1")])
                .await;
        }
        assert_eq!(receiver.messages().len(), 3, "{fault:?}");
        assert_eq!(receiver.connections().len(), 3, "{fault:?}");
    }
}

#[tokio::test]
async fn what_the_server_says_about_a_message_stands_on_a_used_session_too() {
    let scene = scene(OPPORTUNISTIC).await;
    let receiver = single(&scene, "good").await;
    let refusal = reply(Stage::Mail, "451 4.3.0 not now");
    receiver.set_faults(vec![MailFault::After(1, Box::new(refusal))]);
    scene.expect("a@good.test", &[SENT]).await;
    let line = scene.expect("a@good.test", &[DEFERRED, ("dsn", "451")]).await;
    assert_line(&line, &[("enhanced", "4.3.0")]);
    // A transaction that began and was refused is reset before the next one, on the same session.
    scene.expect("a@good.test", &[DEFERRED]).await;
    assert_eq!(receiver.connections().len(), 1);
    assert_eq!(receiver.count_of("RSET"), 1);
    // From RCPT on it is about the message: no second connection for it.
    let gone = MailFault::After(1, Box::new(reply(Stage::Rcpt, "421 4.3.2 going down")));
    let other = scene
        .receiver(3, &scene.identity("mx.other.test"), vec![gone])
        .await;
    plain(&scene, "other", other.address());
    scene.expect("a@other.test", &[SENT]).await;
    scene.expect("a@other.test", &[DEFERRED, ("dsn", "421")]).await;
    assert_eq!(other.connections().len(), 1);
}

#[tokio::test]
async fn what_one_message_taught_is_not_held_against_the_next() {
    let scene = scene(OPPORTUNISTIC).await;
    let receiver = single(&scene, "good").await;
    let refusal = MailFault::ReplyTimes(Stage::Mail, 1, "555 5.5.4 unsupported".into());
    receiver.set_faults(vec![refusal]);
    for _ in 0..2 {
        scene.expect("a@good.test", &[SENT]).await;
    }
    let mail = commands(&receiver, "MAIL");
    assert_eq!(mail.len(), 3, "{mail:?}");
    assert!(
        mail[0].contains(" SIZE=") && !mail[1].contains(" SIZE="),
        "{mail:?}"
    );
    assert_eq!(mail[2], mail[0]);
    assert_eq!(receiver.connections().len(), 1);
}

#[tokio::test]
async fn domains_share_a_session_where_the_host_itself_was_verified() {
    let scene = scene(OPPORTUNISTIC).await;
    let receiver = single(&scene, "good").await;
    signed_mx(&scene, "second", "mx.good.test");
    scene.expect("a@good.test", &[SENT, VERIFIED]).await;
    scene.expect("a@second.test", &[SENT, VERIFIED]).await;
    assert_eq!(receiver.connections().len(), 1);
}

/// How many connections two domains with one MX host under DANE-TA take if its certificate has this name.
async fn under_a_trust_anchor(name: &str) -> usize {
    let scene = scene(OPPORTUNISTIC).await;
    let identity = scene.identity(name);
    let receiver = scene.receiver(2, &identity, vec![]).await;
    scene.domain("good", &receiver, &identity.tlsa_2_0_1());
    signed_mx(&scene, "second", "mx.good.test");
    scene.expect("a@good.test", &[SENT, VERIFIED]).await;
    if name == "mx.good.test" {
        scene.expect("a@second.test", &[SENT, VERIFIED]).await;
    } else {
        // The certificate is for the first domain alone.
        let line = scene.expect("a@second.test", &[DEFERRED]).await;
        assert_line(&line, &[("dane", "Fail (DANE-TA: name mismatch)")]);
        scene.expect("a@good.test", &[SENT, VERIFIED]).await;
    }
    receiver.connections().len()
}

#[tokio::test]
async fn a_certificate_for_one_domain_does_not_serve_another() {
    assert_eq!(under_a_trust_anchor("mx.good.test").await, 1);
    assert_eq!(under_a_trust_anchor("good.test").await, 2);
}

#[tokio::test]
async fn nothing_rides_on_weaker_or_foreign_proof() {
    let scene = scene(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.good.test");
    let receiver = scene.receiver(2, &identity, vec![]).await;
    // The same address under three names: opportunistic, wrong records, right records.
    plain(&scene, "plain", receiver.address());
    scene.domain("good", &receiver, &identity.tlsa_3_1_1());
    scene.domain("wrong", &receiver, crate::scene::common::WRONG);
    scene.expect("a@plain.test", &[SENT]).await;
    scene.expect_deferred("a@wrong.test", NO_MATCH, "4.7.5").await;
    scene.expect("a@good.test", &[SENT, VERIFIED]).await;
    scene.expect_deferred("a@wrong.test", NO_MATCH, "4.7.5").await;
    scene.expect("a@plain.test", &[SENT]).await;
    scene.expect("a@good.test", &[SENT, VERIFIED]).await;
    let sent = receiver.connections();
    let sent = sent
        .iter()
        .filter(|one| one.commands.iter().any(|line| line.starts_with("MAIL")));
    assert_eq!(sent.count(), 2);
}

#[tokio::test]
async fn another_policy_and_other_records_need_another_session() {
    let scene = scene(OPPORTUNISTIC).await;
    let receiver = unsigned(&scene, "plain").await;
    scene.expect("a@plain.test", &[SENT]).await;
    scene.set_policy("version = 1\n[default]\ntls = \"encrypt\"\n");
    scene.expect("a@plain.test", &[SENT]).await;
    assert_eq!(receiver.connections().len(), 2);
    scene.set_policy(STRICT);
    scene.expect("a@plain.test", &[DEFERRED]).await;
    assert_eq!(receiver.connections().len(), 2);
}

#[tokio::test]
async fn a_session_in_clear_after_a_broken_handshake_is_not_kept() {
    let scene = scene(OPPORTUNISTIC).await;
    let receiver = unsigned(&scene, "odd").await;
    receiver.set_faults(vec![MailFault::CloseInHandshake]);
    let hour = Duration::from_hours(2);
    let line = scene.send_aged("a@odd.test", hour).await;
    assert_line(&line, &[SENT, ("tls", "-")]);
    receiver.set_faults(vec![]);
    let line = scene.expect("a@odd.test", &[SENT]).await;
    assert!(line["tls"].starts_with("TLSv1.3:"), "{line:?}");
    // One that never offered TLS is.
    let bare = scene
        .receiver(3, &scene.identity("mx.bare.test"), vec![MailFault::NoStartTls])
        .await;
    plain(&scene, "bare", bare.address());
    for _ in 0..3 {
        scene.expect("a@bare.test", &[SENT, ("tls", "-")]).await;
    }
    assert_eq!(bare.connections().len(), 1);
}

#[tokio::test]
async fn idle_sessions_give_way() {
    let setting = Setting {
        connections: 1,
        ..keeping(100, Duration::from_mins(1))
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let (one, other) = (single(&scene, "one").await, unsigned_at(&scene, 3, "other").await);
    for _ in 0..2 {
        scene.expect("a@one.test", &[SENT]).await;
        scene.expect("a@other.test", &[SENT]).await;
    }
    assert_eq!((one.connections().len(), other.connections().len()), (2, 2));
    // At one address, on other terms.
    let setting = Setting {
        connections_per_host: 1,
        ..keeping(100, Duration::from_mins(1))
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let one = single(&scene, "one").await;
    plain(&scene, "other", one.address());
    for _ in 0..2 {
        scene.expect("a@one.test", &[SENT]).await;
        scene.expect("a@other.test", &[SENT]).await;
    }
    assert_eq!(one.connections().len(), 4);
}

async fn unsigned_at(scene: &Scene, last: u8, name: &str) -> Receiver {
    let receiver = scene.receiver(last, &scene.identity("mx.test"), vec![]).await;
    plain(scene, name, receiver.address());
    receiver
}

#[tokio::test]
async fn many_messages_need_few_sessions() {
    let setting = Setting {
        connections: 50,
        connections_per_host: 10,
        ..keeping(100, Duration::from_secs(5))
    };
    let scene = Scene::asleep(OPPORTUNISTIC, setting).await;
    let receiver = single(&scene, "good").await;
    for _ in 0..300 {
        scene.queue(&["a@good.test"], LETTER, Timestamp::now()).await;
    }
    scene.start();
    assert!(receiver.wait_for_messages(300, crate::scene::LIMIT).await);
    scene.wait_until_empty().await;
    assert_eq!(receiver.messages().len(), 300);
    assert!(
        receiver.connections().len() <= 10,
        "{}",
        receiver.connections().len()
    );
}

#[tokio::test]
async fn a_server_s_own_limits_hold_across_messages() {
    let scene = scene(OPPORTUNISTIC).await;
    let identity = scene.identity("mx.good.test");
    let receiver = scene.receiver_with(2, &identity, &["LIMITS MAILMAX=2"]).await;
    scene.domain("good", &receiver, &identity.tlsa_3_1_1());
    for _ in 0..5 {
        scene.expect("a@good.test", &[SENT, VERIFIED]).await;
    }
    assert_eq!(receiver.connections().len(), 3);
    // So many domains a session, and no more.
    let one = scene
        .receiver_with(3, &identity, &["LIMITS RCPTDOMAINMAX=2"])
        .await;
    scene.domain("one", &one, &identity.tlsa_3_1_1());
    signed_mx(&scene, "two", "mx.one.test");
    signed_mx(&scene, "three", "mx.one.test");
    for domain in ["one", "one", "two", "three", "one", "three"] {
        scene
            .expect(&format!("a@{domain}.test"), &[SENT, VERIFIED, ("attempt", "1")])
            .await;
    }
    let recipients = |connection: &testworld::mail::Connection| {
        let commands = connection.commands.iter();
        let to = commands.filter_map(|command| command.strip_prefix("RCPT TO:<a@")?.split('.').next());
        to.map(str::to_owned).collect::<Vec<_>>()
    };
    let sessions: Vec<_> = one.connections().iter().map(recipients).collect();
    assert_eq!(
        sessions,
        [vec!["one", "one", "two"], vec!["three", "one"], vec!["three"]]
    );
}

/// As Postfix's postscreen does with a client that has just passed its tests.
#[tokio::test]
async fn a_session_that_only_puts_off_is_not_kept() {
    let scene = scene(OPPORTUNISTIC).await;
    let receiver = single(&scene, "good").await;
    receiver.set_faults(vec![reply(
        Stage::Rcpt,
        "450 4.3.2 Service currently unavailable",
    )]);
    scene.expect("a@good.test", &[DEFERRED, ("dsn", "450")]).await;
    wait_for(&receiver, "QUIT", 1).await;
    // One that has taken mail is kept, also if it then puts somebody off.
    let grey = reply(Stage::Rcpt, "450 4.2.0 Greylisted");
    receiver.set_faults(vec![MailFault::After(1, Box::new(grey))]);
    scene.expect("a@good.test", &[SENT]).await;
    assert_eq!(receiver.connections().len(), 2);
    scene.expect("b@good.test", &[DEFERRED, ("dsn", "450")]).await;
    assert_eq!((receiver.connections().len(), receiver.count_of("QUIT")), (2, 1));
}

#[tokio::test]
async fn kept_sessions_end_with_quit_when_the_relay_stops() {
    let scene = Scene::with(OPPORTUNISTIC, keeping(100, Duration::from_mins(10))).await;
    let receiver = single(&scene, "good").await;
    scene.expect("a@good.test", &[SENT]).await;
    let mute = MailFault::Silence(Stage::Quit);
    let other = scene.receiver(3, &scene.identity("mx.test"), vec![mute]).await;
    plain(&scene, "other", other.address());
    scene.expect("a@other.test", &[SENT]).await;
    // It waits for the reply, and not for long.
    scene.stop().await;
    assert_eq!((receiver.count_of("QUIT"), other.count_of("QUIT")), (1, 1));
}

#[tokio::test]
async fn who_waits_for_a_place_does_not_hold_up_the_stop() {
    let setting = Setting {
        connections_per_host: 1,
        ..keeping(100, Duration::from_mins(10))
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let receiver = single(&scene, "slow").await;
    receiver.set_faults(vec![MailFault::Pause(Stage::Mail, Duration::from_secs(1))]);
    let first = scene.queue(&["a@slow.test"], LETTER, Timestamp::now()).await;
    wait_for(&receiver, "MAIL", 1).await;
    let second = scene.queue(&["a@slow.test"], LETTER, Timestamp::now()).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    scene.stop().await;
    // What was being sent is sent, and its session ends with QUIT.
    assert_line(&scene.lines(first, 1).await[0], &[SENT]);
    assert!(scene.lines_so_far(second).is_empty());
    assert_eq!((receiver.messages().len(), receiver.count_of("QUIT")), (1, 1));
}
