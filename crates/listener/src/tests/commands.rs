use super::*;

#[tokio::test]
async fn greeting_and_hello() {
    let world = World::new().await;
    let mut client = world.connect().await;
    client.expect("220 relay.example ESMTP").await;
    let ehlo = client.say("EHLO client.example").await;
    assert_eq!(
        *ehlo.lines,
        [
            "relay.example",
            "PIPELINING",
            "SIZE 1000000",
            "8BITMIME",
            "SMTPUTF8",
            "DSN",
            "CHUNKING",
            "LIMITS RCPTMAX=1000",
            "ENHANCEDSTATUSCODES"
        ]
    );
    let helo = client.say("helo client.example").await;
    assert_eq!(*helo.lines, ["relay.example"]);
}

#[tokio::test]
async fn each_command_has_its_reply() {
    let world = World::new().await;
    let mut client = world.connect().await;
    client.expect("220").await;
    client
        .dialogue(&[
            // These work before EHLO.
            ("NOOP", "250 2.0.0"),
            ("HELP", "214-2.0.0"),
            ("VRFY x", "252 2.0.0"),
            ("EXPN x", "502 5.5.1"),
            ("RSET", "250 2.0.0"),
            ("MAIL FROM:<a@b.example>", "503 5.5.1"),
            ("XYZZY", "500 5.5.2"),
            ("EHLO", "501 Syntax"),
            ("MAIL FROM:<a@b.example>", "503 5.5.1"),
            ("EHLO somewhere.else.example", "250"),
            ("RCPT TO:<c@d.example>", "503 5.5.1"),
            ("DATA", "503 5.5.1"),
            ("mAiL fRoM:<a@b.example>", "250 2.1.0"),
            ("MAIL FROM:<a@b.example>", "503 5.5.1"),
            ("DATA", "503 5.5.1"),
            ("XCLIENT ADDR=192.0.2.1", "502 5.5.1"),
            ("XFORWARD ADDR=192.0.2.1", "502 5.5.1"),
            ("AUTH PLAIN AHVzZXIAc2VjcmV0", "503 5.5.1"),
            ("RCPT TO:<c@d.example> RET=FULL", "555 5.5.4"),
            ("RCPT TO:<\u{e9}@d.example>", "553 5.6.7"),
            ("RCPT TO:<>", "501 5.1.3"),
            (
                "RCPT TO:<u@192.0.2.1>",
                "501 5.1.3 An address stands in brackets: u@[192.0.2.1]",
            ),
            ("RCPT TO:<@a,@b:u@d.example> ", "250 2.1.5"),
            ("DATA x", "501 5.5.4"),
            ("RSET x", "501 5.5.4"),
            ("QUIT x", "501 5.5.4"),
            ("EHLO", "501 Syntax"),
            // None of the refusals ended the transaction.
            ("RCPT TO:<c@d.example>", "250 2.1.5"),
            ("EHLO again.example", "250"),
            ("RCPT TO:<c@d.example>", "503 5.5.1"),
            ("MAIL FROM:<> SIZE=1000001", "552 5.3.4"),
            ("MAIL FROM:<> SIZE=1000000 BODY=8BITMIME", "250 2.1.0"),
            ("RSET", "250 2.0.0"),
            ("MAIL FROM:<a@b> REQUIRETLS", "555 5.5.4"),
            ("MAIL FROM:<\u{e9}@b>", "550 5.6.7"),
            ("STARTTLS", "502 5.5.1"),
            ("QUIT ", "221 2.0.0"),
        ])
        .await;
    client.expect_end().await;
}

#[tokio::test]
async fn an_accepted_message_is_spooled_logged_and_handed_on() {
    let world = World::new().await;
    let mut client = world.client().await;
    client
        .dialogue(&[
            ("MAIL FROM:<> BODY=8BITMIME", "250"),
            ("RCPT TO:<\"A b\"@D.example>", "250"),
            ("RCPT TO:<postMASTER>", "250"),
            ("DATA", "354"),
        ])
        .await;
    client
        .send(b"Message-ID: <m@x>\r\nSubject: s\r\n\r\n..dot\r\n.\r\n")
        .await;
    let reply = client.reply().await;
    let id = world.hooked.lock()[0];
    assert_eq!(reply.to_log(), format!("250 2.0.0 Ok: queued as {id}"));
    let envelope = &world.envelopes()[0];
    assert_eq!(envelope.reverse_path.as_str(), "");
    assert_eq!(
        envelope
            .recipients
            .iter()
            .map(|recipient| recipient.address.as_str())
            .collect::<Vec<_>>(),
        ["\"A b\"@D.example", "postmaster@admin.example"]
    );
    // Plain ASCII, whatever BODY declared.
    assert_eq!(envelope.parameters.body, mail::BodyType::SevenBit);
    let content = &world.contents_with_received()[0];
    assert!(
        content.starts_with(&format!(
            "Received: from client.example (unknown [127.0.0.1])\r\n\tby relay.example with ESMTP id {id};\r\n\t"
        )),
        "{content}"
    );
    assert!(
        content.ends_with(" +0000\r\nMessage-ID: <m@x>\r\nSubject: s\r\n\r\n.dot\r\n"),
        "{content}"
    );
    assert_eq!(
        world.log_lines("event=accepted"),
        [format!(
            "id={id}, client=unknown [127.0.0.1], from=<>, nrcpt=2, size={}, message-id=<m@x>, event=accepted",
            content.len()
        )]
    );
}

#[tokio::test]
async fn helo_and_a_single_recipient_show_in_received() {
    let world = World::new().await;
    let mut client = world.connect().await;
    client.expect("220").await;
    client.say("HELO (evil) name").await;
    assert!(client.transaction(b"x: y\r\n\r\n.\r\n").await.is_positive());
    let content = &world.contents_with_received()[0];
    assert!(
        content.starts_with("Received: from ?evil??name (unknown "),
        "{content}"
    );
    assert!(content.contains(" with SMTP id "), "{content}");
    assert!(content.contains("\tfor <c@d.example>;\r\n"), "{content}");
}

#[tokio::test]
async fn several_transactions_in_one_session() {
    let world = World::new().await;
    let mut client = world.client().await;
    for _ in 0..3 {
        client.transaction(b"a\r\n.\r\n").await;
    }
    assert_eq!(world.contents(), [b"\r\na\r\n"; 3]);
    client
        .dialogue(&[("RCPT TO:<c@d.example>", "503"), ("QUIT", "221")])
        .await;
}

#[tokio::test]
async fn only_permitted_networks_may_relay() {
    let world = World::with(ListenerConfig {
        networks: vec!["192.0.2.0/24".parse().unwrap()],
        ..config()
    })
    .await;
    let mut client = world.client().await;
    client.say("MAIL FROM:<a@b.example>").await;
    for path in [
        "c@d.example",
        "c%d.example@relay.example",
        "@relay.example:c@d.example",
        "\"c@d.example\"@relay.example",
        "d.example!c@relay.example",
        "postmaster",
    ] {
        let reply = client.say(&format!("RCPT TO:<{path}>")).await.to_log();
        assert!(reply.starts_with("550 5.7.1"), "{path}: {reply}");
    }
    client.dialogue(&[("DATA", "503"), ("QUIT", "221")]).await;
    assert_eq!(
        world.rejected(1).await,
        [
            "client=unknown [127.0.0.1], from=<a@b.example>, to=<c@d.example>, \
          reply=\"550 5.7.1 Relay access denied\", refused=7, other=\"503 5.5.1 No valid recipients\", event=rejected"
        ]
    );
}

#[tokio::test]
async fn pipelined_commands_are_answered_in_order() {
    let world = World::new().await;
    let mut client = world.client().await;
    client
        .send(
            b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nRCPT TO:<>\r\nRCPT TO:<e@f.example>\r\nDATA\r\n\
              one\r\n.\r\nRSET\r\nMAIL FROM:<g@h.example>\r\nRCPT TO:<i@j.example>\r\nDATA\r\n.\r\nQUIT\r\n",
        )
        .await;
    for start in [
        "250 2.1.0",
        "250 2.1.5",
        "501 5.1.3",
        "250 2.1.5",
        "354",
        "250 2.0.0 Ok: queued",
        "250 2.0.0 Ok",
        "250 2.1.0",
        "250 2.1.5",
        "354",
        "250 2.0.0 Ok: queued",
        "221 2.0.0",
    ] {
        client.expect(start).await;
    }
    client.expect_end().await;
    assert_eq!(world.contents(), [&b"\r\none\r\n"[..], b""]);
}

#[tokio::test]
async fn replies_do_not_wait_for_more_input() {
    let world = World::new().await;
    let mut client = world.client().await;
    client.send(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.ex").await;
    client.expect("250 2.1.0").await;
    client.send(b"ample>\r").await;
    client.send(b"\n").await;
    client.expect("250 2.1.5").await;
}

#[tokio::test]
async fn a_pipelined_group_without_valid_recipients_gets_no_354() {
    let world = World::new().await;
    let mut client = world.client().await;
    client
        .send(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<x>\r\nRCPT TO:<y>\r\nDATA\r\nRSET\r\n")
        .await;
    for start in ["250", "501", "501", "503 5.5.1", "250 2.0.0"] {
        client.expect(start).await;
    }
}

#[tokio::test]
async fn an_overlong_line_is_answered_once() {
    let world = World::new().await;
    let mut client = world.client().await;
    let mut line = b"NOOP \nQUIT\n".repeat(100_000);
    line.extend_from_slice(b"\r\nNOOP\r\n");
    client.send(&line).await;
    client.expect("500 5.5.2").await;
    client.expect("250 2.0.0").await;
}

#[tokio::test]
async fn a_lone_line_feed_begins_no_command() {
    let world = World::new().await;
    let mut client = world.client().await;
    client
        .dialogue(&[
            ("MAIL FROM:<a@b.example>\nRCPT TO:<c@d.example>", "501 5.5.2"),
            ("RCPT TO:<c@d.example>", "503"),
            ("NOOP\rQUIT", "500"),
            ("QUIT", "221"),
        ])
        .await;
}

#[tokio::test]
async fn commands_behind_a_request_of_http_are_never_read() {
    let world = World::new().await;
    let mut client = world.connect().await;
    client.expect("220").await;
    client
        .send(b"POST / HTTP/1.1\r\nHost: x\r\n\r\nEHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n\r\n.\r\n")
        .await;
    client.expect("421 4.7.0").await;
    client.expect_end().await;
    assert!(world.envelopes().is_empty());
}

/// What appliances write is accepted, and passed on in its correct form (RFC 5321 §4.1.2).
#[tokio::test]
async fn odd_addresses_are_taken_and_written_correctly() {
    let world = World::new().await;
    let mut client = world.client().await;
    let long = format!("{}@d.example", "v".repeat(400));
    client
        .dialogue(&[
            ("MAIL FROM: a@b.example SIZE=10", "250 2.1.0"),
            ("RCPT TO: <c..d@e.example>", "250 2.1.5"),
            ("RCPT TO:f.@g.example NOTIFY=NEVER", "250 2.1.5"),
            ("RCPT TO:<.h@i.example>", "250 2.1.5"),
            (&format!("RCPT TO:<{long}>"), "250 2.1.5"),
            ("RCPT TO:<a..b@c..d>", "501 5.1.3"),
            ("DATA", "354"),
            (".", "250 2.0.0"),
        ])
        .await;
    let envelope = world.envelopes().remove(0);
    assert_eq!(envelope.reverse_path.as_str(), "a@b.example");
    let recipients = envelope
        .recipients
        .iter()
        .map(|recipient| recipient.address.as_str());
    assert_eq!(
        recipients.collect::<Vec<_>>(),
        [
            "\"c..d\"@e.example",
            "\"f.\"@g.example",
            "\".h\"@i.example",
            &long
        ]
    );
}

#[tokio::test]
async fn control_characters_are_refused_in_every_command() {
    let world = World::new().await;
    let mut client = world.client().await;
    for line in [
        &b"NOOP\n\r\n"[..],
        b"QUIT\r\r\n",
        b"NOOP \x0c\r\n",
        b"RSET \0\r\n",
        b"EHLO a\x0bb\r\n",
        b"VRFY \x1b[2J\r\n",
        b"MAIL FROM:<a@b>\n\r\n",
        b"MAIL FROM:<a\rb@c>\r\n",
        b"HELP \x7f\r\n",
    ] {
        client.send(line).await;
        client.expect("50").await;
    }
    client
        .dialogue(&[("MAIL FROM:<a@b>\t ", "250"), ("QUIT\t", "221")])
        .await;
}
