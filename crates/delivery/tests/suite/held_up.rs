//! Destinations that take few connections, that fail, and that come back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::scene::common::{
    DEFERRED, EXPIRED, OPPORTUNISTIC, SENT, SOFT_FAIL, assert_line, hosts, reply_for, signed_mx, single,
    single_at, two_receivers,
};
use crate::scene::{LIMIT, Scene, Setting};
use delivery::{Reuse, Windows};
use jiff::Timestamp;
use mail::QueueId;
use testworld::dns::DnsFault;
use testworld::mail::{MailFault, Stage};
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

const CONTENT: &[u8] = b"Subject: x\r\n\r\nx\r\n";
/// As in [`Setting`].
const WINDOWS: Windows = Windows {
    connections: 10,
    per_destination: 5,
    per_host: 5,
};

/// Lets so many connections through to a server, and turns the others away.
struct Gate {
    refused: Arc<AtomicUsize>,
}

impl Gate {
    async fn open(at: SocketAddr, server: SocketAddr, most: usize) -> Self {
        let listener = TcpListener::bind(at).await.unwrap();
        let refused = Arc::new(AtomicUsize::new(0));
        let gate = Self {
            refused: Arc::clone(&refused),
        };
        let open = Arc::new(AtomicUsize::new(0));
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                if open.load(Ordering::SeqCst) >= most {
                    refused.fetch_add(1, Ordering::SeqCst);
                    tokio::spawn(async move {
                        let _ = client.write_all(b"421 4.7.0 too many connections\r\n").await;
                    });
                    continue;
                }
                open.fetch_add(1, Ordering::SeqCst);
                let open = Arc::clone(&open);
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(server).await.unwrap();
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        gate
    }
}

/// 100 messages to a server that takes three connections, each used for so many of them.
async fn to_a_server_of_three(reuse: Reuse) {
    let setting = Setting {
        reuse,
        ..Setting::default()
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let pause = MailFault::Pause(Stage::Mail, Duration::from_millis(20));
    let server = scene
        .receiver(4, &scene.identity("mx.three.test"), vec![pause])
        .await;
    let at = SocketAddr::from(([127, 0, 0, 3], scene.port));
    let gate = Gate::open(at, server.address(), 3).await;
    let domain = scene.world.domain("three.test").signed();
    domain.mx(10, "mx.three.test", at).add().unwrap();
    let mut ids = Vec::new();
    for _ in 0..100 {
        ids.push(scene.queue(&["a@three.test"], CONTENT, Timestamp::now()).await);
    }
    assert!(server.wait_for_messages(100, 3 * LIMIT).await);
    scene.wait_until_empty().await;
    let refused = gate.refused.load(Ordering::SeqCst);
    assert!((1..=10).contains(&refused), "{refused}");
    for id in ids {
        // The line is written after the message has left the queue.
        let lines = scene.lines(id, 1).await;
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_line(&lines[0], &[SENT, ("attempt", "1")]);
    }
}

#[tokio::test]
async fn a_server_of_three_connections_refuses_few_and_puts_nothing_off() {
    to_a_server_of_three(Reuse {
        messages: 100,
        time: Duration::from_mins(5),
        idle: Duration::from_secs(5),
    })
    .await;
}

/// The server still counts each connection for a moment after we have closed it.
#[tokio::test]
async fn a_server_of_three_connections_of_one_message_puts_nothing_off() {
    to_a_server_of_three(Reuse {
        messages: 1,
        time: Duration::from_mins(5),
        idle: Duration::ZERO,
    })
    .await;
}

#[tokio::test]
async fn what_a_failing_destination_held_up_follows_when_it_is_back_and_what_was_greylisted_waits() {
    let scene = Scene::with(OPPORTUNISTIC, Setting::default()).await;
    let server = single(&scene, "back").await;
    let grey = Stage::RcptFor("grey@back.test".to_owned());
    let greylisting = MailFault::Reply(grey, "450 4.2.0 greylisted".to_owned());
    server.set_faults(vec![greylisting.clone()]);
    let greylisted = scene.queue(&["grey@back.test"], CONTENT, Timestamp::now()).await;
    assert_line(&scene.lines(greylisted, 1).await[0], &[DEFERRED, ("dsn", "450")]);
    server.set_faults(vec![MailFault::CloseInHandshake]);
    let mut held_up: Vec<QueueId> = Vec::new();
    for number in 0..8 {
        let id = scene.queue(&["a@back.test"], CONTENT, Timestamp::now()).await;
        let line = scene.lines(id, 1).await.remove(0);
        assert_line(&line, &[DEFERRED, ("attempt", "1")]);
        let not_tried = line["reason"].starts_with("not tried, because mail to this destination failed: ");
        assert_eq!(not_tried, number >= 5, "{number}: {line:?}");
        held_up.push(id);
    }
    // Each broken handshake gets one more try, with a small hello.
    assert_eq!(server.count_of("STARTTLS"), 1 + 2 * 5, "the rest was not tried");
    server.set_faults(vec![greylisting]);
    // Otherwise the probe would come a minute later.
    scene.scheduler().reloaded(WINDOWS);
    scene.expect("probe@back.test", &[SENT]).await;
    for id in held_up {
        assert_line(&scene.lines(id, 2).await[1], &[SENT, ("attempt", "2")]);
    }
    assert_eq!(scene.lines_so_far(greylisted).len(), 1);
}

#[tokio::test]
async fn what_would_be_given_up_is_tried_though_its_destination_fails() {
    let setting = Setting {
        max_age: Duration::from_hours(1),
        ..Setting::default()
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let server = single(&scene, "late").await;
    server.set_faults(vec![MailFault::CloseInHandshake]);
    let mut tried = 0;
    while !scene.expect("a@late.test", &[DEFERRED]).await["reason"].starts_with("not tried") {
        tried += 1;
        assert!(tried < 10, "it fails");
    }
    let old = Duration::from_hours(2);
    let line = scene.send_aged("a@late.test", old).await;
    assert_line(&line, &[EXPIRED]);
    assert!(!line["reason"].contains("not tried"), "{line:?}");
    server.set_faults(vec![]);
    assert_line(&scene.send_aged("a@late.test", old).await, &[SENT]);
}

/// A message that its server cannot bear: it closes in the middle of the content.
#[tokio::test]
async fn one_message_that_breaks_its_sessions_keeps_no_other_mail_back() {
    let setting = Setting {
        retry: vec![Duration::from_millis(50)],
        ..Setting::default()
    };
    let scene = Scene::with(OPPORTUNISTIC, setting).await;
    let server = single(&scene, "frail").await;
    server.set_faults(vec![MailFault::CloseInContent]);
    let poison = scene.queue(&["a@frail.test"], CONTENT, Timestamp::now()).await;
    for line in scene.lines(poison, 8).await {
        assert_line(&line, &[DEFERRED]);
        assert!(!line["reason"].starts_with("not tried"), "{line:?}");
    }
    server.set_faults(vec![]);
    scene.expect("b@frail.test", &[SENT]).await;
}

#[tokio::test]
async fn a_host_gets_so_many_messages_a_minute_whatever_their_domains() {
    let scene = Scene::with(OPPORTUNISTIC, Setting::default()).await;
    let server = single(&scene, "one").await;
    signed_mx(&scene, "two", "mx.one.test");
    let mx = |per_minute| {
        format!("{OPPORTUNISTIC}[[mx]]\nmatch = \"mx.one.test\"\nmessages_per_minute = {per_minute}\n")
    };
    scene.set_policy(&mx(200));
    let began = Instant::now();
    let mut ids = Vec::new();
    for _ in 0..3 {
        for domain in ["one", "two"] {
            let to = format!("a@{domain}.test");
            ids.push(scene.queue(&[&to], CONTENT, Timestamp::now()).await);
        }
    }
    // Nothing else is held up by that, and it costs no message an attempt.
    let other = single_at(&scene, 4, "other").await;
    scene.expect("a@other.test", &[SENT]).await;
    assert!(server.messages().len() < 6, "it was not that slow");
    for id in ids {
        assert_line(&scene.lines(id, 1).await[0], &[SENT, ("attempt", "1")]);
    }
    assert!(began.elapsed() >= 5 * Duration::from_millis(300));
    assert_eq!((server.messages().len(), other.messages().len()), (6, 1));
    // A policy that allows more applies to what waits.
    scene.set_policy(&mx(1));
    scene.expect("a@one.test", &[SENT]).await;
    let waits = scene.queue(&["a@one.test"], CONTENT, Timestamp::now()).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(scene.lines_so_far(waits).is_empty());
    scene.set_policy(OPPORTUNISTIC);
    scene.scheduler().reloaded(WINDOWS);
    assert_line(&scene.lines(waits, 1).await[0], &[SENT, ("attempt", "1")]);
}

/// So many messages a minute for `host`, under a policy that begins like this.
fn paced(policy: &str, host: &str, per_minute: u32) -> String {
    format!("{policy}[[mx]]\nmatch = \"{host}\"\nmessages_per_minute = {per_minute}\n")
}

#[tokio::test]
async fn who_waits_for_the_moment_of_a_host_is_not_sent_elsewhere_without_dane() {
    let scene = Scene::with(&paced(SOFT_FAIL, "mx2.soft.test", 1), Setting::default()).await;
    let (identity, first, second) = two_receivers(&scene).await;
    let right = identity.tlsa_3_1_1();
    let both = [(10, &first, Some(&*right)), (20, &second, Some(&*right))];
    hosts(&scene, "soft", &both);
    scene.break_tlsa("mx1.soft.test", DnsFault::ServFail);
    let at_second = ("relay", "mx2.soft.test [127.0.0.3]");
    scene.expect("a@soft.test", &[SENT, at_second]).await;
    let waits = scene.queue(&["a@soft.test"], CONTENT, Timestamp::now()).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(scene.lines_so_far(waits).is_empty());
    scene.set_policy(SOFT_FAIL);
    scene.scheduler().reloaded(WINDOWS);
    assert_line(
        &scene.lines(waits, 1).await[0],
        &[SENT, at_second, ("attempt", "1")],
    );
    assert_eq!((first.connections().len(), second.messages().len()), (0, 2));
}

#[tokio::test]
async fn what_was_sent_over_a_kept_session_is_not_sent_again_because_the_fallback_is_early() {
    let setting = Setting {
        reuse: Reuse {
            messages: 100,
            time: Duration::from_mins(5),
            idle: Duration::from_mins(1),
        },
        ..Setting::default()
    };
    let policy = paced(
        &format!("{OPPORTUNISTIC}fallback = \"back.test\"\n"),
        "mx.back.test",
        20,
    );
    let scene = Scene::with(&policy, setting).await;
    let server = single(&scene, "usual").await;
    server.set_faults(vec![reply_for("b@usual.test", "450 4.2.1 full")]);
    let back = single_at(&scene, 4, "back").await;
    scene.expect("a@usual.test", &[SENT]).await;
    scene.expect("a@back.test", &[SENT]).await;
    let both = scene
        .queue(&["a@usual.test", "b@usual.test"], CONTENT, Timestamp::now())
        .await;
    let mut relays: Vec<_> = scene
        .lines(both, 2)
        .await
        .into_iter()
        .map(|line| {
            assert_line(&line, &[SENT, ("attempt", "1")]);
            line["relay"].clone()
        })
        .collect();
    relays.sort();
    assert_eq!(relays, ["mx.back.test [127.0.0.4]", "mx.usual.test [127.0.0.2]"]);
    assert_eq!((server.connections().len(), server.messages().len()), (1, 2));
    assert_eq!(back.messages().len(), 2);
}
