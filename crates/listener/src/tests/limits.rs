use super::*;

pub(super) fn limited(limits: Limits) -> ListenerConfig {
    ListenerConfig { limits, ..config() }
}

#[tokio::test]
async fn surplus_recipients_are_put_off() {
    let world = World::with(limited(Limits {
        recipients: 100,
        ..Limits::default()
    }))
    .await;
    let mut client = world.client().await;
    client.say("MAIL FROM:<a@b.example>").await;
    for number in 0..100 {
        let reply = client.say(&format!("RCPT TO:<{number}@d.example>")).await;
        assert_eq!(reply.code.get(), 250);
    }
    client
        .dialogue(&[
            ("RCPT TO:<101@d.example>", "452 4.5.3"),
            ("DATA", "354"),
            (".", "250 2.0.0"),
        ])
        .await;
    assert_eq!(world.envelopes()[0].recipients.len(), 100);
}

/// Their memory is bounded, not only their number; and a hundred are accepted however long they are.
#[tokio::test]
async fn recipients_with_much_behind_them_are_put_off_before_their_number_is_reached() {
    let world = World::new().await;
    let mut client = world.client().await;
    client.say("MAIL FROM:<a@b.example>").await;
    let original = format!("rfc822;{}@d.example", "o".repeat(480));
    let mut taken = 0;
    for number in 0..1000 {
        let reply = client
            .say(&format!("RCPT TO:<{number}@d.example> ORCPT={original}"))
            .await;
        match reply.code.get() {
            250 => taken += 1,
            code => assert_eq!(code, 452),
        }
    }
    assert!((100..300).contains(&taken), "{taken} recipients");
    // There may still be room for a short one; and the next transaction has the full limit again.
    client
        .dialogue(&[("RSET", "250"), ("MAIL FROM:<a@b.example>", "250")])
        .await;
    client
        .dialogue(&[
            (&format!("RCPT TO:<again@d.example> ORCPT={original}"), "250"),
            ("DATA", "354"),
            (".", "250 2.0.0"),
        ])
        .await;
    assert_eq!(world.envelopes()[0].recipients.len(), 1);
}

#[tokio::test]
async fn a_hundred_errors_end_a_session_and_three_do_not() {
    let world = World::new().await;
    let mut client = world.client().await;
    for _ in 0..99 {
        client.dialogue(&[("WHAT", "500 5.5.2")]).await;
    }
    client.dialogue(&[("NOOP", "250"), ("WHAT", "421 4.7.0")]).await;
    client.expect_end().await;
}

/// Refused messages count against the same limit as other errors.
#[tokio::test]
async fn refused_messages_are_errors() {
    let world = World::new().await;
    let too_large = "MAIL FROM:<a@b.example> SIZE=99999999999";
    let mut declared = world.client().await;
    for _ in 0..99 {
        declared.dialogue(&[(too_large, "552 5.3.4")]).await;
    }
    declared.dialogue(&[(too_large, "421 4.7.0")]).await;
    declared.expect_end().await;
    let mut sent = world.client().await;
    for _ in 0..99 {
        assert_eq!(sent.transaction(b"\0\r\n.\r\n").await.code.get(), 550);
    }
    assert_eq!(sent.transaction(b"\0\r\n.\r\n").await.code.get(), 421);
    sent.expect_end().await;
    let rejected = world.rejected(200).await;
    assert_eq!(
        [&*rejected[0], &*rejected[199]],
        [
            "client=unknown [127.0.0.1], from=<a@b.example>, to=-, reply=\"552 5.3.4 Message size exceeds fixed limit\", \
             refused=1, event=rejected",
            "client=unknown [127.0.0.1], from=<a@b.example>, to=-, reply=\"550 5.6.0 Message content has a NUL octet\", \
             refused=1, event=rejected",
        ]
    );
}

#[tokio::test]
async fn the_size_is_judged_of_clients_that_may_relay() {
    let world = World::with(ListenerConfig {
        networks: Vec::new(),
        ..config()
    })
    .await;
    let mut client = world.client().await;
    client
        .dialogue(&[("MAIL FROM:<a@b.example> SIZE=99999999999", "250 2.1.0")])
        .await;
    client
        .dialogue(&[("RCPT TO:<c@d.example>", "550 5.7.1"), ("QUIT", "221")])
        .await;
    let rejected = world.rejected(1).await;
    assert!(rejected[0].contains(" refused=1, "), "{rejected:?}");
}

#[tokio::test]
async fn an_accepted_message_forgives_errors() {
    let world = World::new().await;
    let mut client = world.client().await;
    for _ in 0..2 {
        for _ in 0..60 {
            client.dialogue(&[("WHAT", "500 5.5.2")]).await;
        }
        assert!(client.transaction(b".\r\n").await.is_positive());
    }
}

#[tokio::test]
async fn connections_of_one_client_are_limited() {
    let world = World::with(limited(Limits {
        connections_per_client: 2,
        ..Limits::default()
    }))
    .await;
    let mut first = world.client().await;
    let _second = world.client().await;
    for _ in 0..2 {
        let mut third = world.connect().await;
        third.expect("421 4.7.0 relay.example").await;
        third.expect_end().await;
    }
    assert_eq!(
        world.log_lines("event=connections"),
        ["client=unknown [127.0.0.1], limit=limits.connections_per_client, event=connections"; 2]
    );
    first.say("QUIT").await;
    first.expect_end().await;
    while world.listener.connections() > 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut fourth = world.connect().await;
    fourth.expect("220").await;
}

#[tokio::test]
async fn silence_and_dripping_end_in_a_timeout() {
    let world = World::with(limited(Limits {
        timeout: Duration::from_millis(300),
        ..Limits::default()
    }))
    .await;
    let mut silent = world.client().await;
    silent.expect("421 4.4.2").await;
    silent.expect_end().await;
    let mut dripping = world.client().await;
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let _ = dripping.stream.write_all(b"N").await;
    }
    dripping.expect("421 4.4.2").await;
    let mut in_content = world.client().await;
    in_content
        .dialogue(&[
            ("MAIL FROM:<a@b.example>", "250"),
            ("RCPT TO:<c@d.example>", "250"),
            ("DATA", "354"),
        ])
        .await;
    in_content.send(b"half a mess").await;
    in_content.expect("421 4.4.2").await;
    in_content.expect_end().await;
    assert!(world.contents().is_empty());
}

#[tokio::test]
async fn activity_keeps_a_session() {
    let world = World::with(limited(Limits {
        timeout: Duration::from_millis(400),
        ..Limits::default()
    }))
    .await;
    let mut client = world.client().await;
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        client.dialogue(&[("NOOP", "250")]).await;
    }
}

#[tokio::test]
async fn shutdown_ends_idle_sessions_and_lets_transactions_finish() {
    let world = World::slow(config(), Duration::from_millis(200)).await;
    let mut idle = world.client().await;
    let mut busy = world.client().await;
    busy.dialogue(&[
        ("MAIL FROM:<a@b.example>", "250"),
        ("RCPT TO:<c@d.example>", "250"),
    ])
    .await;
    world.shutdown.send(true).unwrap();
    idle.expect("421 4.3.2").await;
    idle.expect_end().await;
    busy.dialogue(&[("DATA", "354"), (".", "250 2.0.0")]).await;
    busy.expect("421 4.3.2").await;
    busy.expect_end().await;
    world.running.await.unwrap();
    assert_eq!(world.spool.messages.lock().len(), 1);
    assert!(TcpStream::connect(world.address).await.is_err());
}

/// Whoever says nothing more is not waited for, nor is a client that may not relay, whatever it says.
#[tokio::test]
async fn shutdown_does_not_wait_for_strangers_and_silent_clients() {
    let world = World::with(ListenerConfig {
        networks: vec!["192.0.2.0/24".parse().unwrap()],
        proxies: vec!["127.0.0.0/8".parse().unwrap()],
        ..config()
    })
    .await;
    let begun = async |address| {
        let mut client = world.connect().await;
        client.send(&super::proxies::header(address)).await;
        client.expect("220").await;
        client
            .dialogue(&[("EHLO x", "250"), ("MAIL FROM:<a@b.example>", "250")])
            .await;
        client
    };
    let mut silent = begun([192, 0, 2, 7]).await;
    let mut stranger = begun([198, 51, 100, 7]).await;
    let mut sending = begun([192, 0, 2, 8]).await;
    sending
        .dialogue(&[("RCPT TO:<c@d.example>", "250"), ("DATA", "354")])
        .await;
    // One that does not even begin.
    let mut mute = world.connect().await;
    world.shutdown.send(true).unwrap();
    mute.expect_end().await;
    stranger.expect("421 4.3.2").await;
    silent.expect("421 4.3.2").await;
    assert!(!world.running.is_finished(), "content is coming");
    sending.dialogue(&[("Subject: x\r\n\r\n.", "250 2.0.0")]).await;
    sending.expect("421 4.3.2").await;
    world.running.await.unwrap();
}

/// What was pipelined behind a message is not begun any more.
#[tokio::test]
async fn shutdown_lets_no_transaction_begin() {
    let world = World::slow(config(), Duration::from_millis(200)).await;
    let mut client = world.client().await;
    client
        .dialogue(&[
            ("MAIL FROM:<a@b.example>", "250"),
            ("RCPT TO:<c@d.example>", "250"),
            ("DATA", "354"),
        ])
        .await;
    client.send(b".\r\nMAIL FROM:<a@b.example>\r\n").await;
    // It waits for the disk by then, or is about to.
    world.shutdown.send(true).unwrap();
    client.expect("250 2.0.0").await;
    client.expect("421 4.3.2").await;
    client.expect_end().await;
    world.running.await.unwrap();
}

/// Open sessions use them, too, but not in the middle of a transaction.
#[tokio::test]
async fn new_settings_hold_from_the_next_transaction_on() {
    let world = World::new().await;
    let mut client = world.client().await;
    client.say("MAIL FROM:<a@b.example>").await;
    world.config.send_replace(Arc::new(ListenerConfig {
        networks: Vec::new(),
        ..config()
    }));
    client
        .dialogue(&[
            ("RCPT TO:<c@d.example>", "250"),
            ("DATA", "354"),
            (".", "250 2.0.0"),
            ("MAIL FROM:<a@b.example>", "250"),
            ("RCPT TO:<c@d.example>", "550 5.7.1"),
        ])
        .await;
    let mut new = world.client().await;
    new.say("MAIL FROM:<a@b.example>").await;
    new.dialogue(&[("RCPT TO:<c@d.example>", "550 5.7.1")]).await;
}

/// From MAIL until the reply to the content a message is judged by the same settings, whenever they change.
#[tokio::test]
async fn no_transaction_is_judged_by_two_settings() {
    let allowing = |domain: &str, message_size| ListenerConfig {
        senders: vec![Domain::parse(domain).unwrap()],
        limits: Limits {
            message_size,
            ..Limits::default()
        },
        ..config()
    };
    let world = World::with(allowing("b.example", 1000)).await;
    let change = |config| drop(world.config.send_replace(Arc::new(config)));
    let mut client = world.client().await;
    change(allowing("other.example", 1000));
    client.dialogue(&[("MAIL FROM:<a@b.example>", "550 5.7.1")]).await;
    change(allowing("b.example", 1000));
    client
        .dialogue(&[
            ("MAIL FROM:<a@b.example>", "250"),
            ("RCPT TO:<c@d.example>", "250"),
        ])
        .await;
    change(allowing("other.example", 1));
    client.dialogue(&[("DATA", "354"), ("x\r\n.", "250")]).await;
    client.dialogue(&[("MAIL FROM:<a@b.example>", "550 5.7.1")]).await;
}

#[tokio::test]
async fn each_refusal_of_a_client_that_may_relay_is_told_at_once() {
    let world = World::new().await;
    let mut client = world.client().await;
    client
        .dialogue(&[
            ("AUTH PLAIN AHVzZXIAc2VjcmV0", "502"),
            ("MAIL FROM:<a@b.example>", "250"),
            ("RCPT TO:<a..b@>", "501 5.1.3"),
            ("RCPT TO:<c@d.example> X=y", "555 5.5.4"),
        ])
        .await;
    // Passwords are not logged.
    assert_eq!(
        world.log_lines("event=rejected"),
        [
            "client=unknown [127.0.0.1], from=-, to=-, reply=\"502 5.5.1 Command not implemented\", refused=1, \
             command=\"AUTH\", event=rejected",
            "client=unknown [127.0.0.1], from=<a@b.example>, to=-, reply=\"501 5.1.3 Bad recipient address syntax\", \
             refused=1, command=\"RCPT TO:<a..b@>\", event=rejected",
            "client=unknown [127.0.0.1], from=<a@b.example>, to=-, reply=\"555 5.5.4 Parameter not recognized\", \
             refused=1, command=\"RCPT TO:<c@d.example> X=y\", event=rejected",
        ]
    );
}

pub(super) fn nobody_may_relay() -> ListenerConfig {
    ListenerConfig {
        networks: Vec::new(),
        ..config()
    }
}

#[tokio::test]
async fn a_session_that_may_not_relay_has_one_line_of_what_it_was_refused() {
    let world = World::with(nobody_may_relay()).await;
    let mut client = world.client().await;
    client
        .dialogue(&[
            ("MAIL FROM:<a@b.example>", "250"),
            ("RCPT TO:<a..b@>", "501 5.1.3"),
            ("RCPT TO:<c@d.example>", "550 5.7.1"),
            ("RCPT TO:<e@d.example>", "550 5.7.1"),
        ])
        .await;
    assert!(
        world.log_lines("event=rejected").is_empty(),
        "not while it goes on"
    );
    drop(client);
    assert_eq!(
        world.rejected(1).await,
        [
            "client=unknown [127.0.0.1], from=<a@b.example>, to=-, reply=\"501 5.1.3 Bad recipient address syntax\", \
             refused=3, command=\"RCPT TO:<a..b@>\", other=\"550 5.7.1 Relay access denied\", event=rejected"
        ]
    );
}

#[tokio::test]
async fn a_session_that_goes_on_is_told_of_after_a_minute() {
    let world = World::with(nobody_may_relay()).await;
    let mut client = world.client().await;
    client.dialogue(&[("WHAT", "500"), ("WHAT", "500")]).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(59)).await;
    assert!(world.log_lines("event=rejected").is_empty());
    tokio::time::advance(Duration::from_secs(2)).await;
    tokio::time::resume();
    assert!(world.rejected(1).await[0].contains(" refused=2, "));
    client
        .dialogue(&[("NOOP", "250"), ("WHAT", "500"), ("QUIT", "221")])
        .await;
    assert!(world.rejected(2).await[1].contains(" refused=1, "));
}
