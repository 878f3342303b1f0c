use super::*;
use smtp::LongLines;

#[tokio::test]
async fn no_variant_of_the_end_of_data_smuggles_a_message() {
    let world = World::new().await;
    let mut client = world.client().await;
    for end in [
        "\n.\n",
        "\n.\r\n",
        "\r.\r",
        "\r.\r\n",
        "\r.\n",
        "\r\n.\n",
        "\r\n.\r",
        "\r\n\0.\r\n",
        "\r\n.\0\r\n",
    ] {
        let wire = format!(
            "x: y\r\n\r\nfirst{end}MAIL FROM:<s@s.example>\r\nRCPT TO:<t@t.example>\r\nDATA\r\nsecond\r\n.\r\n"
        );
        let reply = client.transaction(wire.as_bytes()).await;
        assert!(reply.is_permanent_failure(), "{end:?}: {}", reply.to_log());
        // Only the true end of data counted as one: the session is in sync.
        client.dialogue(&[("NOOP", "250 2.0.0")]).await;
    }
    assert!(world.contents().is_empty());
    assert!(client.transaction(b"clean\r\n.\r\n").await.is_positive());
    assert_eq!(world.contents(), [b"\r\nclean\r\n"]);
}

trait Permanent {
    fn is_permanent_failure(&self) -> bool;
}

impl Permanent for Reply {
    fn is_permanent_failure(&self) -> bool {
        self.code.is_permanent() && self.enhanced().is_some()
    }
}

#[tokio::test]
async fn too_much_is_swallowed_then_refused() {
    let world = World::with(ListenerConfig {
        limits: Limits {
            message_size: 1000,
            ..Limits::default()
        },
        ..config()
    })
    .await;
    let mut client = world.client().await;
    client
        .dialogue(&[("MAIL FROM:<a@b.example> SIZE=1001", "552 5.3.4")])
        .await;
    // The declared size is not binding, and never determines where the data ends.
    client
        .dialogue(&[
            ("MAIL FROM:<a@b.example> SIZE=10", "250"),
            ("RCPT TO:<c@d.example>", "250"),
            ("DATA", "354"),
        ])
        .await;
    let line = b"123456789012345678901234567890123456789012345678\r\n";
    client.send(&[&line.repeat(20), &b".\r\n"[..]].concat()).await;
    client.expect("250 2.0.0").await;
    let wire = [&line.repeat(20_000)[..], b"x\r\n.\r\n"].concat();
    let reply = client.transaction(&wire).await;
    assert!(reply.to_log().starts_with("552 5.3.4"), "{}", reply.to_log());
    client.dialogue(&[("NOOP", "250"), ("QUIT", "221")]).await;
    assert_eq!(world.contents().len(), 1);
}

#[tokio::test]
async fn large_content_comes_through_octet_for_octet() {
    let world = World::new().await;
    let mut client = world.client().await;
    let mut content = b"Subject: large\r\n\r\n".to_vec();
    for number in 0..15_000_u32 {
        content.extend_from_slice(format!("line {number} \u{e9} . \r\n").as_bytes());
    }
    let wire = [&content[..], b".\r\n"].concat();
    assert!(client.transaction(&wire).await.is_positive());
    assert!(world.contents()[0] == content);
    assert_eq!(world.envelopes()[0].parameters.body, mail::BodyType::EightBitMime);
    assert_eq!(std::fs::read_dir(world.spool_directory()).unwrap().count(), 0);
}

#[tokio::test]
async fn no_content_becomes_a_part_of_our_received_field() {
    let world = World::new().await;
    let mut client = world.client().await;
    for (content, separator) in [
        ("Subject: x\r\n folded\r\n\r\nbody\r\n", ""),
        ("\r\nbody\r\n", ""),
        ("Subject: x\r\n", ""),
        ("", ""),
        (" folded: first\r\nSubject: x\r\n\r\nbody\r\n", "\r\n"),
        ("\tfolded\r\n", "\r\n"),
        (" \r\n", "\r\n"),
        ("no field\r\nSubject: x\r\n\r\nbody\r\n", "\r\n"),
        ("body\r\n", "\r\n"),
        ("From a@b 2026\r\nSubject: x\r\n\r\nbody\r\n", "X-Mailbox-Line: "),
        // There is no header, so no character of a header is beyond ASCII.
        (" caf\u{e9}\r\n", "\r\n"),
    ] {
        let wire = format!("{content}.\r\n");
        for pieces in [wire.len(), 1] {
            client
                .dialogue(&[
                    ("MAIL FROM:<a@b.example>", "250"),
                    ("RCPT TO:<c@d.example>", "250"),
                    ("DATA", "354"),
                ])
                .await;
            for piece in wire.as_bytes().chunks(pieces) {
                client.send(piece).await;
            }
            client.expect("250 2.0.0").await;
            let stored = world.contents_with_received().pop().unwrap();
            let (received, below) = stored.split_once("+0000\r\n").unwrap();
            assert!(received.starts_with("Received: from client.example "));
            assert_eq!(below, format!("{separator}{content}"), "by {pieces}");
            assert!(!world.envelopes().pop().unwrap().parameters.smtputf8);
        }
    }
}

#[tokio::test]
async fn lines_beyond_998_octets_are_folded() {
    let world = World::new().await;
    let mut client = world.client().await;
    let wire = format!("Subject: s\r\n\r\n{}\r\n.\r\n", "x".repeat(1500));
    assert!(client.transaction(wire.as_bytes()).await.is_positive());
    let folded = format!(
        "Subject: s\r\n\r\n{}\r\n {}\r\n",
        "x".repeat(998),
        "x".repeat(502)
    );
    assert_eq!(world.contents(), [folded.as_bytes()]);
}

#[tokio::test]
async fn lines_beyond_998_octets_are_refused_where_that_is_set() {
    let world = World::with(ListenerConfig {
        limits: Limits {
            long_lines: LongLines::Refuse,
            ..Limits::default()
        },
        ..config()
    })
    .await;
    let mut client = world.client().await;
    let line = |octets: usize| format!("{}\r\n.\r\n", "x".repeat(octets));
    assert!(client.transaction(line(998).as_bytes()).await.is_positive());
    let reply = client.transaction(line(999).as_bytes()).await.to_log();
    assert!(reply.starts_with("550 5.6.0"), "{reply}");
    let reply = client.transaction(b"a\0b\r\n.\r\n").await.to_log();
    assert!(reply.starts_with("550 5.6.0"), "{reply}");
}

#[tokio::test]
async fn loops_end_at_a_hundred_received_fields() {
    let world = World::new().await;
    let mut client = world.client().await;
    let message = |fields: usize| format!("{}\r\nbody\r\n.\r\n", "Received: by x; y\r\n".repeat(fields));
    assert!(client.transaction(message(60).as_bytes()).await.is_positive());
    assert!(client.transaction(message(99).as_bytes()).await.is_positive());
    let reply = client.transaction(message(100).as_bytes()).await.to_log();
    assert!(reply.starts_with("554 5.4.6"), "{reply}");
}

#[tokio::test]
async fn a_lost_connection_leaves_nothing() {
    let world = World::new().await;
    let mut client = world.client().await;
    client
        .dialogue(&[
            ("MAIL FROM:<a@b.example>", "250"),
            ("RCPT TO:<c@d.example>", "250"),
            ("DATA", "354"),
        ])
        .await;
    client.send(&b"0123456789\r\n".repeat(30_000)).await;
    drop(client);
    for _ in 0..200 {
        if world.listener.connections() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(world.listener.connections(), 0);
    assert!(world.contents().is_empty());
    assert_eq!(std::fs::read_dir(world.spool_directory()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_panic_ends_its_own_session_only() {
    let world = World::new().await;
    world.trouble(Some(Trouble::Panic));
    let mut bystander = world.client().await;
    let mut client = world.client().await;
    client
        .dialogue(&[
            ("MAIL FROM:<a@b.example>", "250"),
            ("RCPT TO:<panic@d.example>", "250"),
            ("DATA", "354"),
        ])
        .await;
    client.send(b".\r\n").await;
    client.expect_end().await;
    assert!(bystander.transaction(b"x\r\n.\r\n").await.is_positive());
    assert_eq!(world.log_lines("event=session").len(), 1);
}

/// Pieces make no difference: what was added stands at the end of the header, whatever the header ends with.
#[test]
fn missing_fields_are_added_where_that_is_configured() {
    use crate::MissingFields;
    use crate::fuzzing::play;

    const DATE: &str = "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\n";
    const ID: &str = "Message-ID: <00000000000000000000000000@relay.example>\r\n";
    let settings = || ListenerConfig {
        missing_fields: MissingFields::Add,
        ..config()
    };
    for (content, expected) in [
        (
            "Subject: x\r\n\r\nb\r\n",
            format!("Subject: x\r\n{DATE}{ID}\r\nb\r\n"),
        ),
        ("DATE: now\r\n\r\nb\r\n", format!("DATE: now\r\n{ID}\r\nb\r\n")),
        (
            "X: y\r\n z\r\nmessage-id: <a@b>\r\n\r\n",
            format!("X: y\r\n z\r\nmessage-id: <a@b>\r\n{DATE}\r\n"),
        ),
        (
            "Message-ID:\r\n <a@b>\r\nDate: now\r\n\r\nDate: b\r\n",
            "Message-ID:\r\n <a@b>\r\nDate: now\r\n\r\nDate: b\r\n".to_owned(),
        ),
        ("Subject: x\r\n", format!("Subject: x\r\n{DATE}{ID}")),
        (
            "Subject: x\r\nbody\r\n",
            format!("Subject: x\r\n{DATE}{ID}body\r\n"),
        ),
        ("body\r\n", format!("{DATE}{ID}\r\nbody\r\n")),
        ("\r\nbody\r\n", format!("{DATE}{ID}\r\nbody\r\n")),
        ("", format!("{DATE}{ID}")),
    ] {
        let wire = format!("EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n{content}.\r\n");
        let chunks = format!(
            "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT {}\r\n{content}BDAT 0 LAST\r\n",
            content.len()
        );
        for (wire, size) in [
            (&wire, 1),
            (&wire, 7),
            (&wire, 1000),
            (&chunks, 1),
            (&chunks, 1000),
        ] {
            let pieces: Vec<&[u8]> = wire.as_bytes().chunks(size).collect();
            let played = play(settings(), &pieces);
            let [(_, stored)] = &*played.messages else {
                panic!("{content:?}: {}", played.replies.escape_ascii());
            };
            let below = String::from_utf8(below_received(stored)).unwrap();
            assert_eq!(below, expected, "{content:?} by {size}");
        }
    }
}

#[tokio::test]
async fn an_added_message_id_is_in_the_log() {
    let world = World::with(ListenerConfig {
        missing_fields: crate::MissingFields::Add,
        ..config()
    })
    .await;
    let mut client = world.client().await;
    assert!(client.transaction(b"Subject: x\r\n\r\n.\r\n").await.is_positive());
    let id = world.hooked.lock()[0];
    let line = &world.log_lines("event=accepted")[0];
    assert!(
        line.contains(&format!("message-id=<{id}@relay.example>")),
        "{line}"
    );
}

#[tokio::test]
async fn received_can_leave_out_the_client() {
    let world = World::with(ListenerConfig {
        client_in_received: crate::ClientInReceived::LeftOut,
        ..config()
    })
    .await;
    let mut client = world.client().await;
    assert!(client.transaction(b"Subject: x\r\n\r\n.\r\n").await.is_positive());
    let content = &world.contents_with_received()[0];
    assert!(
        content.starts_with("Received: by relay.example with ESMTP id "),
        "{content}"
    );
    assert!(
        !content.contains("127.0.0.1") && !content.contains("client.example"),
        "{content}"
    );
    // The administrator sees it all the same.
    assert!(world.log_lines("event=accepted")[0].contains("client=unknown [127.0.0.1], "));
}

/// Not even a false end of data does more than stand in the content.
#[tokio::test]
async fn lone_line_feeds_are_rewritten_where_that_is_configured() {
    let world = World::with(ListenerConfig {
        limits: Limits {
            lone_lf: crate::LoneLf::Rewrite,
            ..Limits::default()
        },
        ..config()
    })
    .await;
    let mut client = world.client().await;
    let wire = b"Subject: x\n\na\n.\nMAIL FROM:<x@y>\r\n.\r\n";
    assert!(client.transaction(wire).await.is_positive());
    assert_eq!(client.transaction(b"a\rb\r\n.\r\n").await.code.get(), 550);
    assert_eq!(
        world.contents(),
        [b"Subject: x\r\n\r\na\r\n.\r\nMAIL FROM:<x@y>\r\n"]
    );
}
