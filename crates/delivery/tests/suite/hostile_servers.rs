//! Servers that lie, stall or break off, at each stage: no message is lost, bounced without right or sent over less
//! than it may be.
#![allow(clippy::disallowed_types, reason = "the time that really passes is meant")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::scene::Scene;
use crate::scene::common::{
    BOUNCED, DEFERRED, LETTER, OPPORTUNISTIC, SENT, assert_line, pair, plain, reply, reply_for, single,
};
use delivery::Forget;
use testworld::mail::{MailFault, Stage};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

/// Each stage at which the server speaks.
const STAGES: [Stage; 8] = [
    Stage::Greeting,
    Stage::Ehlo,
    Stage::StartTls,
    Stage::EhloInTls,
    Stage::Mail,
    Stage::Rcpt,
    Stage::Data,
    Stage::Content,
];

/// A server in clear at 127.0.0.`last` that answers each line by `script`: the text to send, and whether to hang up.
async fn scripted(scene: &Scene, last: u8, script: fn(&str) -> (&'static str, bool)) -> SocketAddr {
    let address = SocketAddr::from(([127, 0, 0, last], scene.port));
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (read, mut write) = stream.into_split();
                let mut lines = BufReader::new(read).lines();
                let _ = write.write_all(b"220 scripted\r\n").await;
                while let Ok(Some(line)) = lines.next_line().await {
                    let (reply, hang_up) = script(&line);
                    if write.write_all(reply.as_bytes()).await.is_err() || hang_up {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// Says that it has no TLS, and hangs up.
fn hangs_up_at_starttls(line: &str) -> (&'static str, bool) {
    match line.get(..4).unwrap_or(line) {
        "EHLO" => ("250-scripted\r\n250 STARTTLS\r\n", false),
        "STAR" => ("454 4.7.0 TLS not available\r\n", true),
        "DATA" => ("354 go on\r\n", false),
        "MAIL" | "RCPT" | "." => ("250 2.0.0 fine\r\n", false),
        "QUIT" => ("221 2.0.0 bye\r\n", true),
        _ => ("", false),
    }
}

/// To a message it would look like a server that takes none.
#[tokio::test]
async fn a_server_that_hangs_up_at_starttls_gets_mail_without_it() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let address = scripted(&scene, 2, hangs_up_at_starttls).await;
    plain(&scene, "hangs", address);
    let line = scene.expect("a@hangs.test", &[DEFERRED]).await;
    let reason = "the connection was closed at STARTTLS: 454 4.7.0 TLS not available";
    assert_eq!(line["reason"], reason);
    scene.expect("a@hangs.test", &[SENT, ("tls", "-")]).await;
}

/// Other mail is not held up because of one recipient or one content.
#[tokio::test]
async fn a_server_that_breaks_off_after_mail_gets_other_mail() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = single(&scene, "shut").await;
    for (fault, reason) in [
        (MailFault::Close(Stage::Rcpt), "the connection was closed at RCPT"),
        (
            MailFault::Close(Stage::Content),
            "the connection was closed at the end of the content",
        ),
    ] {
        receiver.set_faults(vec![fault]);
        for _ in 0..6 {
            let line = scene.expect("a@shut.test", &[DEFERRED]).await;
            assert!(line["reason"].starts_with(reason), "{line:?}");
        }
        receiver.set_faults(vec![]);
        scene.expect("b@shut.test", &[SENT]).await;
    }
}

#[tokio::test]
async fn whatever_a_server_breaks_the_next_host_takes_the_message() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let (first, second) = pair(&scene, "next").await;
    for stage in STAGES {
        let mut faults = vec![
            reply(stage.clone(), "421 4.3.2 closing"),
            reply(stage.clone(), "hello there"),
            reply(stage.clone(), "650 6.0.0 what"),
            MailFault::MixedCodes(stage.clone()),
            MailFault::HugeReply(stage.clone(), 100_000),
        ];
        if stage != Stage::Content {
            faults.push(MailFault::Close(stage.clone()));
        }
        for fault in faults {
            // A protocol error in the reply to the final dot leaves open what became of the message.
            let open = stage == Stage::Content
                && !matches!(&fault, MailFault::Reply(_, text) if text.starts_with("421"));
            first.set_faults(vec![fault.clone()]);
            second.clear();
            // Otherwise the host would soon be left alone.
            scene.scheduler().forget(Forget::All);
            let line = scene.send_to("a@next.test").await;
            if open {
                assert_line(&line, &[DEFERRED, ("dsn", "-")]);
                assert!(
                    line["reason"].contains("may have taken the message"),
                    "{fault:?}: {line:?}"
                );
                assert_eq!(second.connections().len(), 0, "{fault:?}");
            } else {
                let expected = [SENT, ("relay", "mx2.next.test [127.0.0.3]")];
                assert_line(&line, &expected);
            }
        }
    }
    // It did take two of those whose fate it left open.
    assert_eq!(first.messages().len(), 2);
}

#[tokio::test]
async fn only_whom_the_server_would_take_mail_for_may_get_it_twice() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let (first, second) = pair(&scene, "lost").await;
    for more in [vec![], vec![MailFault::NoPipelining]] {
        let faults = vec![
            reply_for("a@lost.test", "550 5.1.1 nobody"),
            reply_for("b@lost.test", "450 4.2.1 later"),
            MailFault::Close(Stage::Content),
        ];
        first.set_faults([faults, more].concat());
        second.clear();
        let recipients = ["a@lost.test", "b@lost.test", "c@lost.test"];
        let lines = scene.send(&recipients, LETTER).await;
        assert_line(&lines[0], &[BOUNCED, ("reply", "550 5.1.1 nobody")]);
        assert_line(&lines[1], &[SENT, ("relay", "mx2.lost.test [127.0.0.3]")]);
        let open = "the connection was closed at the end of the content; the server may have taken the message all the same";
        assert_line(&lines[2], &[DEFERRED, ("dsn", "-"), ("reason", open)]);
        assert_eq!(second.messages()[0].recipients, ["b@lost.test"]);
    }
}

#[tokio::test]
async fn no_reply_of_a_single_host_but_a_clear_refusal_bounces() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = single(&scene, "one").await;
    for stage in STAGES {
        let settled = matches!(stage, Stage::Mail | Stage::Rcpt | Stage::Data | Stage::Content);
        for (text, status, dsn) in [
            ("421 4.3.2 closing", "deferred", "421"),
            ("459 4.0.0 odd", "deferred", "459"),
            (
                "559 5.5.9 odder",
                if settled { "bounced" } else { "deferred" },
                "559",
            ),
            ("555-5.5.4 first\r\n551 5.5.4 second", "deferred", "-"),
        ] {
            receiver.set_faults(vec![reply(stage.clone(), text)]);
            // Otherwise the destination would soon count as failing.
            scene.scheduler().forget(Forget::All);
            let line = scene
                .expect("a@one.test", &[("status", status), ("dsn", dsn)])
                .await;
            let class = if status == "bounced" { '5' } else { '4' };
            assert!(line["enhanced"].starts_with(class), "{stage:?} {text}: {line:?}");
        }
    }
    assert_eq!(receiver.messages().len(), 0);
}

#[tokio::test]
async fn a_time_limit_is_for_the_whole_stage() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = single(&scene, "slow").await;
    for (fault, cause) in [
        (
            MailFault::Drip(Duration::from_millis(200)),
            "timeout at the greeting",
        ),
        (MailFault::Silence(Stage::Greeting), "timeout at the greeting"),
        (MailFault::Silence(Stage::EhloInTls), "timeout at EHLO"),
        (MailFault::Silence(Stage::StartTls), "timeout at STARTTLS"),
        (MailFault::Silence(Stage::Mail), "timeout at MAIL"),
        (
            MailFault::Silence(Stage::Content),
            "timeout at the end of the content; the server may have taken the message all the same",
        ),
    ] {
        receiver.set_faults(vec![fault.clone()]);
        // Otherwise the destination and its host would be left alone.
        scene.scheduler().forget(Forget::All);
        let began = Instant::now();
        let line = scene.send_to("a@slow.test").await;
        assert!(began.elapsed() < Duration::from_secs(4), "{fault:?}");
        assert_line(&line, &[DEFERRED, ("dsn", "-"), ("reason", cause)]);
    }
    // A server without haste, but within the limit of each stage.
    receiver.set_faults(vec![MailFault::Pause(
        Stage::Greeting,
        Duration::from_millis(1_200),
    )]);
    scene.expect("a@slow.test", &[SENT]).await;
}

#[tokio::test]
async fn a_connection_lost_within_the_content_leaves_no_part_of_a_command_behind() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let (first, second) = pair(&scene, "cut").await;
    first.set_faults(vec![MailFault::CloseInContent]);
    let content = b"x".repeat(70).into_iter().chain(*b"\r\n").collect::<Vec<u8>>();
    let content = [b"Subject: long\r\n\r\n".to_vec(), content.repeat(200_000)].concat();
    let line = scene.send(&["a@cut.test"], &content).await.remove(0);
    assert_line(&line, &[SENT, ("relay", "mx2.cut.test [127.0.0.3]")]);
    assert_eq!((first.messages().len(), first.count_of("QUIT")), (0, 0));
    assert!(second.messages()[0].content == content);
}

#[tokio::test]
async fn many_recipients_go_in_transactions_of_a_hundred() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = single(&scene, "many").await;
    let recipients: Vec<String> = (0..250).map(|number| format!("u{number}@many.test")).collect();
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    let lines = scene.send(&recipients, LETTER).await;
    assert!(lines.iter().all(|line| line["status"] == "sent"));
    let sizes: Vec<usize> = receiver
        .messages()
        .iter()
        .map(|one| one.recipients.len())
        .collect();
    assert_eq!(sizes, [100, 100, 50]);
    assert_eq!((receiver.connections().len(), receiver.count_of("RSET")), (1, 0));
}

#[tokio::test]
async fn a_transaction_without_content_is_reset_before_the_next() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = single(&scene, "reset").await;
    let recipients: Vec<String> = (0..101).map(|number| format!("u{number}@reset.test")).collect();
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    for faults in [vec![], vec![MailFault::NoPipelining]] {
        let refusal = MailFault::ReplyTimes(Stage::Rcpt, 100, "550 5.1.1 nobody".into());
        receiver.set_faults([vec![refusal], faults].concat());
        receiver.clear();
        let lines = scene.send(&recipients, LETTER).await;
        assert_line(&lines[0], &[BOUNCED, ("dsn", "550")]);
        assert_line(&lines[100], &[SENT]);
        let commands = &receiver.connections()[0].commands;
        let second = commands
            .iter()
            .rposition(|line| line.starts_with("MAIL"))
            .unwrap();
        assert_eq!(commands[second - 1], "RSET");
    }
}

#[tokio::test]
async fn a_session_that_ends_early_bounces_nobody_who_was_still_to_come() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = single(&scene, "early").await;
    let recipients: Vec<String> = (0..101).map(|number| format!("u{number}@early.test")).collect();
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    for fault in [
        reply(Stage::Mail, "421 4.3.2 closing"),
        MailFault::Close(Stage::Rcpt),
        MailFault::Close(Stage::Content),
        MailFault::MixedCodes(Stage::Data),
    ] {
        receiver.set_faults(vec![fault.clone()]);
        let lines = scene.send(&recipients, LETTER).await;
        for line in [&lines[0], &lines[99], &lines[100]] {
            assert_line(line, &[DEFERRED]);
            assert_eq!(line["relay"], "mx.early.test [127.0.0.2]", "{fault:?}");
        }
    }
}

#[tokio::test]
async fn replies_before_a_421_count() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = single(&scene, "stop").await;
    for more in [vec![], vec![MailFault::NoPipelining]] {
        let faults = vec![
            reply_for("a@stop.test", "550 5.1.1 nobody"),
            reply_for("b@stop.test", "421 4.7.0 too many"),
        ];
        receiver.set_faults([faults, more].concat());
        let recipients = ["a@stop.test", "b@stop.test", "c@stop.test"];
        let lines = scene.send(&recipients, LETTER).await;
        assert_line(&lines[0], &[BOUNCED, ("dsn", "550")]);
        for line in &lines[1..] {
            assert_line(line, &[DEFERRED, ("dsn", "421"), ("enhanced", "4.7.0")]);
        }
    }
}

#[tokio::test]
async fn a_refused_recipient_is_refused_though_the_server_hangs_up() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = single(&scene, "gone").await;
    for more in [vec![], vec![MailFault::NoPipelining]] {
        let close_at = [Stage::RcptFor("c@gone.test".into()), Stage::Data];
        for at in close_at {
            let faults = vec![
                reply_for("a@gone.test", "550 5.1.1 nobody"),
                MailFault::Close(at.clone()),
            ];
            receiver.set_faults([faults, more.clone()].concat());
            let recipients = ["a@gone.test", "b@gone.test", "c@gone.test"];
            let lines = scene.send(&recipients, LETTER).await;
            assert_line(&lines[0], &[BOUNCED, ("dsn", "550"), ("enhanced", "5.1.1")]);
            for line in &lines[1..] {
                assert_line(line, &[DEFERRED, ("dsn", "-"), ("enhanced", "4.4.2")]);
            }
        }
    }
}

#[tokio::test]
async fn a_refused_sender_is_refused_though_the_server_hangs_up() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let address = scripted(&scene, 2, |line| match line.get(..4) {
        Some("EHLO") => ("250-scripted\r\n250 PIPELINING\r\n", false),
        Some("MAIL") => ("550 5.7.1 blocked\r\n", true),
        _ => ("500 5.5.1 no\r\n", false),
    })
    .await;
    plain(&scene, "blocked", address);
    let refused = [BOUNCED, ("dsn", "550"), ("enhanced", "5.7.1")];
    scene.expect("a@blocked.test", &refused).await;
}

#[tokio::test]
async fn no_content_goes_to_a_server_that_did_not_ask_for_it() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    // It answers each line, content included, with 250, and with two lines to DATA.
    let address = scripted(&scene, 2, |line| match line.get(..4) {
        Some("EHLO") => ("250 scripted\r\n", false),
        Some("DATA") => ("250 2.0.0 fine\r\n250 2.0.0 taken\r\n", false),
        _ => ("250 2.0.0 yes\r\n", false),
    })
    .await;
    plain(&scene, "eager", address);
    scene
        .expect("a@eager.test", &[DEFERRED, ("dsn", "-"), ("enhanced", "4.4.2")])
        .await;
    // 354 though every recipient was refused: the end of the content and nothing before it.
    let address = scripted(&scene, 3, |line| match line.get(..4) {
        Some("EHLO") => ("250-scripted\r\n250 PIPELINING\r\n", false),
        Some("RCPT") => ("550 5.1.1 nobody\r\n", false),
        Some("DATA") => ("354 go\r\n", false),
        _ if line.starts_with("Subject") => ("250 2.0.0 content seen\r\n", true),
        _ => ("250 2.0.0 yes\r\n", false),
    })
    .await;
    plain(&scene, "refusing", address);
    let refused = [BOUNCED, ("dsn", "550"), ("enhanced", "5.1.1")];
    scene.expect("a@refusing.test", &refused).await;
}

/// Replies to every line, and says this to DATA at once.
fn early(line: &str, data: &'static str) -> (&'static str, bool) {
    match line.get(..4) {
        Some("EHLO") => ("250 scripted\r\n", false),
        Some("DATA") => (data, false),
        _ => ("250 2.0.0 yes\r\n", line == "."),
    }
}

/// A reply that comes before the final dot answers nothing: the message is not sent, and nobody bounces.
#[tokio::test]
async fn a_reply_before_the_final_dot_is_not_the_reply_to_it() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let hasty = scripted(&scene, 2, |line| early(line, "354 go\r\n250 2.0.0 taken\r\n")).await;
    let grumpy = scripted(&scene, 3, |line| early(line, "354 go\r\n552 5.3.4 too large\r\n")).await;
    for (name, address) in [("hasty", hasty), ("grumpy", grumpy)] {
        plain(&scene, name, address);
        let ends = [DEFERRED, ("dsn", "-"), ("enhanced", "4.4.2")];
        scene.expect(&format!("a@{name}.test"), &ends).await;
    }
}

/// Words beside replies: blank lines, several codes in one, and a refusal before anything was asked.
#[tokio::test]
async fn replies_of_odd_shapes_are_read_for_what_they_say() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let blank = scripted(&scene, 2, |line| match line.get(..4) {
        Some("EHLO") => ("\r\n250-scripted\r\n250 8BITMIME\r\n\r\n", false),
        Some("DATA") => ("354\r\n\r\n", false),
        Some("MAIL" | "RCPT") => ("\n259\r\n", false),
        _ if line == "." => ("250-\r\n250 2.0.0 taken\r\n", true),
        _ => ("", false),
    })
    .await;
    plain(&scene, "blank", blank);
    scene
        .expect("a@blank.test", &[SENT, ("reply", "250- 250 2.0.0 taken")])
        .await;
    let mixed = scripted(&scene, 3, |_| {
        ("220-mx.example\r\n521 5.3.2 no mail here\r\n", true)
    })
    .await;
    plain(&scene, "mixed", mixed);
    let line = scene.expect("a@mixed.test", &[DEFERRED, ("dsn", "-")]).await;
    let words = "the lines of one reply have different codes: 220-mx.example 521 5.3.2 no mail here";
    assert!(line["reason"].ends_with(words), "{line:?}");
    for (last, keywords) in [(4, ""), (5, "250-PIPELINING\r\n")] {
        let blocking = match keywords {
            "" => |_: &str| {
                (
                    "250 scripted\r\n550-5.7.1 blocked\r\n550 5.7.1 for good\r\n",
                    true,
                )
            },
            _ => |_: &str| {
                (
                    "250-scripted\r\n250 PIPELINING\r\n550-5.7.1 blocked\r\n550 5.7.1 for good\r\n",
                    true,
                )
            },
        };
        let name = format!("blocking{last}");
        plain(&scene, &name, scripted(&scene, last, blocking).await);
        let reply = ("reply", "550-5.7.1 blocked 550 5.7.1 for good");
        scene.expect(&format!("a@{name}.test"), &[BOUNCED, reply]).await;
    }
}

/// A blank line among several replies could stand for one of them.
#[tokio::test]
async fn a_reply_that_has_no_place_at_its_command_is_a_protocol_error() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = single(&scene, "odd").await;
    for (stage, text, command) in [
        (Stage::Data, "250 2.1.5 ok", "DATA"),
        (Stage::Mail, "354 go", "MAIL"),
        (Stage::Rcpt, "354 go", "RCPT"),
    ] {
        receiver.set_faults(vec![reply(stage, text)]);
        let reason = format!("protocol error at {command}: an unexpected reply: {text}");
        let expected = [DEFERRED, ("enhanced", "4.4.2"), ("reason", &reason), ("dsn", "-")];
        scene.expect("a@odd.test", &expected).await;
    }
}

#[tokio::test]
async fn a_blank_line_in_a_group_of_replies_is_no_reply() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let address = scripted(&scene, 2, |line| match line.get(..4) {
        Some("EHLO") => ("250-scripted\r\n250 PIPELINING\r\n", false),
        Some("RCPT") => ("\r\n550 5.1.1 nobody\r\n", false),
        Some("DATA") => ("354 go\r\n", false),
        _ => ("250 2.0.0 yes\r\n", false),
    })
    .await;
    plain(&scene, "shifted", address);
    let ends = [DEFERRED, ("dsn", "-"), ("enhanced", "4.4.2")];
    scene.expect("a@shifted.test", &ends).await;
}

/// A server that reads nothing while its replies are not read must not be sent more than fits into our own buffers.
#[tokio::test]
async fn a_group_of_commands_is_small() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let address = SocketAddr::from(([127, 0, 0, 2], scene.port));
    let listener = TcpListener::bind(address).await.unwrap();
    plain(&scene, "large", address);
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"220 slow\r\n").await.unwrap();
        let (mut largest, mut recipients, mut in_content) = (0, 0, false);
        loop {
            let mut group = vec![0; 1 << 20];
            let mut length = 0;
            // All that comes until nothing more comes.
            while let Ok(read) = tokio::time::timeout(
                Duration::from_millis(if length == 0 { 2_000 } else { 100 }),
                stream.read(&mut group[length..]),
            )
            .await
            {
                match read.unwrap() {
                    0 => return (largest, recipients),
                    read => length += read,
                }
            }
            largest = largest.max(length);
            for line in String::from_utf8_lossy(&group[..length]).lines() {
                recipients += usize::from(line.starts_with("RCPT"));
                let reply = match line.get(..4) {
                    Some("EHLO") => "250-slow\r\n250 PIPELINING\r\n",
                    Some("DATA") => "354 go\r\n",
                    Some("QUIT") => "221 bye\r\n",
                    _ if in_content && line != "." => "",
                    _ => "250 yes\r\n",
                };
                in_content = reply.starts_with("354") || in_content && line != ".";
                stream.write_all(reply.as_bytes()).await.unwrap();
            }
        }
    });
    let long = "x".repeat(400);
    let recipients: Vec<String> = (0..100)
        .map(|number| format!("{long}{number}@large.test"))
        .collect();
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    for line in scene.send(&recipients, LETTER).await {
        assert_line(&line, &[SENT]);
    }
    let (largest, named) = server.await.unwrap();
    assert_eq!(named, 100);
    assert!((4_096..=9_000).contains(&largest), "{largest}");
}
