//! Who speaks when: the order of a session from its greeting to QUIT.
#![allow(clippy::disallowed_types, reason = "the time that really passes is meant")]

use std::net::SocketAddr;
use std::time::Duration;

use crate::scene::Scene;
use crate::scene::common::{
    BOUNCED, DEFERRED, LETTER, OPPORTUNISTIC, SENT, STRICT, assert_line, pair, plain, reply, single,
};
use testworld::mail::{MailFault, Stage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Long enough for a client that does not wait for its turn.
const A_WHILE: Duration = Duration::from_millis(150);

/// A server in clear at 127.0.0.2 that waits a while before everything it says, and what it was sent until each of its
/// replies.
async fn patient(
    scene: &Scene,
    keywords: &'static str,
) -> (SocketAddr, tokio::task::JoinHandle<Vec<String>>) {
    let address = SocketAddr::from(([127, 0, 0, 2], scene.port));
    let listener = TcpListener::bind(address).await.unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut seen = Vec::new();
        loop {
            let mut octets = vec![0; 1 << 16];
            let mut length = 0;
            while let Ok(read) = tokio::time::timeout(A_WHILE, stream.read(&mut octets[length..])).await {
                match read.unwrap() {
                    0 => return seen,
                    read => length += read,
                }
            }
            let group = String::from_utf8(octets[..length].to_vec()).unwrap();
            let reply = match (seen.is_empty(), group.ends_with("\r\n.\r\n")) {
                (true, _) => "220 patient\r\n".to_owned(),
                (false, true) => "250 yes\r\n".to_owned(),
                (false, false) => group.lines().map(|line| answer(line, keywords)).collect(),
            };
            stream.write_all(reply.as_bytes()).await.unwrap();
            let is_starttls = group == "STARTTLS\r\n";
            seen.push(group);
            if is_starttls {
                let first = stream.read_u8().await.unwrap();
                seen.push(format!("{first}"));
                return seen;
            }
        }
    });
    (address, server)
}

fn answer(line: &str, keywords: &str) -> String {
    match line.get(..4) {
        Some("EHLO") => format!("250-patient\r\n{keywords}250 SIZE\r\n"),
        Some("DATA") => "354 go\r\n".to_owned(),
        Some("STAR") => "220 go\r\n".to_owned(),
        _ => "250 yes\r\n".to_owned(),
    }
}

#[tokio::test]
async fn one_command_at_a_time_and_none_before_the_greeting() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let (address, server) = patient(&scene, "").await;
    plain(&scene, "calm", address);
    let lines = scene.send(&["a@calm.test", "b@calm.test"], LETTER).await;
    assert_line(&lines[0], &[SENT]);
    let size = LETTER.len();
    let mail = format!("MAIL FROM:<sender@origin.test> SIZE={size}\r\n");
    let expected = [
        "",
        "EHLO relay.test\r\n",
        &mail,
        "RCPT TO:<a@calm.test>\r\n",
        "RCPT TO:<b@calm.test>\r\n",
        "DATA\r\n",
        "S: x\r\n\r\nx\r\n.\r\n",
        "QUIT\r\n",
    ];
    let seen = server.await.unwrap();
    assert_eq!(seen[..expected.len()], expected);
}

#[tokio::test]
async fn starttls_stands_alone_and_the_handshake_waits_for_its_reply() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let (address, server) = patient(&scene, "250-PIPELINING\r\n250-STARTTLS\r\n").await;
    plain(&scene, "calm", address);
    scene.expect("a@calm.test", &[DEFERRED]).await;
    // What comes next is a record of a handshake.
    let expected = ["", "EHLO relay.test\r\n", "STARTTLS\r\n", "22"];
    assert_eq!(server.await.unwrap(), expected);
}

#[tokio::test]
async fn pipelined_commands_end_with_data() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let (address, server) = patient(&scene, "250-PIPELINING\r\n").await;
    plain(&scene, "calm", address);
    let lines = scene.send(&["a@calm.test", "b@calm.test"], LETTER).await;
    assert_line(&lines[1], &[SENT]);
    let group = format!(
        "MAIL FROM:<sender@origin.test> SIZE={}\r\nRCPT TO:<a@calm.test>\r\nRCPT TO:<b@calm.test>\r\nDATA\r\n",
        LETTER.len()
    );
    let expected = [
        "",
        "EHLO relay.test\r\n",
        &group,
        "S: x\r\n\r\nx\r\n.\r\n",
        "QUIT\r\n",
    ];
    let seen = server.await.unwrap();
    assert_eq!(seen[..expected.len()], expected);
}

#[tokio::test]
async fn whatever_happens_at_quit_mail_that_was_taken_is_taken() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = single(&scene, "quit").await;
    for fault in [
        MailFault::Close(Stage::Quit),
        MailFault::Silence(Stage::Quit),
        reply(Stage::Quit, "421 4.3.2 closing"),
        reply(Stage::Quit, "554 5.0.0 no"),
    ] {
        receiver.set_faults(vec![fault]);
        receiver.clear();
        scene.expect("a@quit.test", &[SENT]).await;
        assert_eq!(receiver.messages().len(), 1);
    }
}

#[tokio::test]
async fn a_host_that_refuses_at_the_greeting_is_told_quit_and_the_next_is_tried() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let (first, second) = pair(&scene, "greet").await;
    for text in ["554 5.7.1 not you", "450 4.0.0 odd"] {
        first.set_faults(vec![reply(Stage::Greeting, text)]);
        first.clear();
        scene
            .expect("a@greet.test", &[SENT, ("relay", "mx2.greet.test [127.0.0.3]")])
            .await;
        assert_eq!(first.connections()[0].commands, ["QUIT"], "{text}");
    }
    assert_eq!(second.messages().len(), 2);
    // EHLO and HELO refused: no transaction.
    first.set_faults(vec![reply(Stage::Ehlo, "550 5.7.1 not you")]);
    first.clear();
    scene
        .expect("a@greet.test", &[SENT, ("relay", "mx2.greet.test [127.0.0.3]")])
        .await;
    assert_eq!(first.count_of("MAIL"), 0);
}

#[tokio::test]
async fn a_server_that_is_not_the_right_one_gets_no_mail() {
    let scene = Scene::new(STRICT).await;
    let receiver = crate::scene::common::mismatched(&scene, "wrong").await;
    scene.expect("a@wrong.test", &[DEFERRED]).await;
    assert_eq!(receiver.count_of("MAIL"), 0);
}

#[tokio::test]
async fn a_refused_sender_is_refused_for_one_message() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = single(&scene, "memory").await;
    for (text, status) in [
        ("550 5.7.1 no", BOUNCED),
        ("552 5.3.4 too large", BOUNCED),
        ("452 4.3.1 no room", DEFERRED),
    ] {
        receiver.set_faults(vec![MailFault::ReplyTimes(Stage::Mail, 1, text.into())]);
        scene.expect("a@memory.test", &[status, ("reply", text)]).await;
        scene.expect("a@memory.test", &[SENT]).await;
    }
}

/// A server in clear at 127.0.0.2 that reads nothing for so long after its 354.
async fn stopping(scene: &Scene, time: Duration) -> SocketAddr {
    let address = SocketAddr::from(([127, 0, 0, 2], scene.port));
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"220 stopping\r\n").await.unwrap();
        let (mut octets, mut is_content) = (vec![0; 1 << 16], false);
        while let Ok(read @ 1..) = stream.read(&mut octets).await {
            let text = String::from_utf8_lossy(&octets[..read]).into_owned();
            let reply = match text.get(..4) {
                _ if is_content && !text.ends_with("\r\n.\r\n") => continue,
                Some("DATA") => "354 go\r\n",
                _ => "250 yes\r\n",
            };
            is_content = reply.starts_with("354");
            if stream.write_all(reply.as_bytes()).await.is_err() {
                return;
            }
            if is_content {
                tokio::time::sleep(time).await;
            }
        }
    });
    address
}

#[tokio::test]
async fn a_receiver_may_stop_reading_for_a_while_and_no_longer() {
    let content = [&b"S: x\r\n\r\n"[..], &b"0123456789\r\n".repeat(1_500_000)].concat();
    for (time, status) in [
        (Duration::from_millis(1_200), SENT),
        (Duration::from_mins(5), DEFERRED),
    ] {
        let scene = Scene::new(OPPORTUNISTIC).await;
        plain(&scene, "stops", stopping(&scene, time).await);
        let line = scene.send(&["a@stops.test"], &content).await.remove(0);
        assert_line(&line, &[status]);
        if status == DEFERRED {
            assert_line(&line, &[("reason", "timeout at the content")]);
        }
    }
}

#[tokio::test]
async fn what_a_receiver_says_before_it_stops_reading_is_told() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let address = SocketAddr::from(([127, 0, 0, 2], scene.port));
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"220 full\r\n").await.unwrap();
        let mut octets = vec![0; 1 << 12];
        while let Ok(read @ 1..) = stream.read(&mut octets).await {
            let has_data = octets[..read].windows(6).any(|text| text == b"DATA\r\n");
            let reply = if has_data {
                "354 go\r\n552 5.3.4 too big\r\n"
            } else {
                "250 yes\r\n"
            };
            let written = stream.write_all(reply.as_bytes()).await;
            if has_data || written.is_err() {
                std::future::pending::<()>().await;
            }
        }
    });
    plain(&scene, "full", address);
    let content = [&b"S: x\r\n\r\n"[..], &b"0123456789\r\n".repeat(1_500_000)].concat();
    let line = scene.send(&["a@full.test"], &content).await.remove(0);
    let reason = "timeout at the content; before that the server said: 552 5.3.4 too big";
    assert_line(&line, &[DEFERRED, ("reason", reason)]);
}
