//! PROXY, XCLIENT and XFORWARD.

use super::*;

fn behind_proxies() -> ListenerConfig {
    ListenerConfig {
        networks: vec!["192.0.2.0/24".parse().unwrap()],
        proxies: vec!["127.0.0.1/32".parse().unwrap()],
        ..config()
    }
}

pub(super) fn header(client: [u8; 4]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend_from_slice(&client);
    header.extend_from_slice(&[127, 0, 0, 1, 1, 2, 3, 4]);
    header
}

#[tokio::test]
async fn a_proxy_says_whose_connection_it_is() {
    let world = World::with(behind_proxies()).await;
    for (client, reply) in [([192, 0, 2, 7], "250 2.1.5"), ([198, 51, 100, 7], "550 5.7.1")] {
        let mut connection = world.connect().await;
        for octet in header(client) {
            connection.send(&[octet]).await;
        }
        connection.expect("220").await;
        connection.say("EHLO x").await;
        connection.say("MAIL FROM:<a@b.example>").await;
        connection.dialogue(&[("RCPT TO:<c@d.example>", reply)]).await;
        if reply.starts_with("250") {
            connection.dialogue(&[("DATA", "354"), (".", "250")]).await;
        }
    }
    assert!(world.contents_with_received()[0].contains(" (unknown [192.0.2.7])\r\n"));
    assert!(world.log_lines("event=accepted")[0].contains("client=unknown [192.0.2.7], "));
}

/// `HAProxy` in front of a local socket names no client: whoever it is has none of `HAProxy`'s own rights.
#[tokio::test]
async fn a_client_that_the_proxy_cannot_name_may_not_relay() {
    let world = World::with(ListenerConfig {
        networks: vec!["127.0.0.0/8".parse().unwrap()],
        ..behind_proxies()
    })
    .await;
    // Of a client without an address, and of the proxy itself.
    for (command, reply) in [(0x21, "550 5.7.1"), (0x20, "250 2.1.5")] {
        let mut connection = world.connect().await;
        connection
            .send(&[b"\r\n\r\n\0\r\nQUIT\n", &[command, 0, 0, 0][..]].concat())
            .await;
        connection.expect("220").await;
        connection
            .dialogue(&[
                ("EHLO x", "250"),
                ("MAIL FROM:<a@b.example>", "250"),
                ("RCPT TO:<c@d.example>", reply),
            ])
            .await;
    }
}

#[tokio::test]
async fn a_proxy_without_a_header_is_not_served() {
    let world = World::with(behind_proxies()).await;
    let mut client = world.connect().await;
    client.send(b"EHLO x\r\n").await;
    client.expect_end().await;
    assert!(world.rejected(1).await[0].contains("command=\"PROXY\""));
}

/// Without the setting, a header is read as commands like any other input, and refused.
#[tokio::test]
async fn nobody_else_may_send_a_header() {
    let world = World::new().await;
    let mut client = world.connect().await;
    client.expect("220").await;
    client
        .send(&[&header([192, 0, 2, 7])[..], b"\r\n"].concat())
        .await;
    client.expect("500").await;
}

fn with_xclient() -> ListenerConfig {
    ListenerConfig {
        networks: vec!["192.0.2.0/24".parse().unwrap()],
        xclient: vec!["127.0.0.1/32".parse().unwrap()],
        ..config()
    }
}

#[tokio::test]
async fn xclient_names_the_client_and_begins_anew() {
    let world = World::with(with_xclient()).await;
    let mut client = world.client().await;
    assert!(
        client
            .keywords()
            .await
            .iter()
            .any(|keyword| keyword.starts_with("XCLIENT NAME ADDR "))
    );
    client
        .dialogue(&[
            ("MAIL FROM:<a@b.example>", "250"),
            ("XCLIENT ADDR=192.0.2.9", "503 5.5.1"),
            ("RSET", "250"),
            ("XCLIENT ADDR=nowhere", "501 5.5.4"),
            ("XCLIENT WHAT=ever", "501 5.5.4"),
            (
                "XCLIENT NAME=mta.example.org ADDR=192.0.2.9 PROTO=ESMTP",
                "220 relay.example",
            ),
            ("MAIL FROM:<a@b.example>", "503 5.5.1"),
            ("EHLO mta.example.org", "250"),
            ("MAIL FROM:<a@b.example>", "250"),
            ("RCPT TO:<c@d.example>", "250"),
            ("DATA", "354"),
            (".", "250 2.0.0"),
            // A client that the proxy has named may not name others, and not itself.
            ("XCLIENT ADDR=127.0.0.1 LOGIN=someone", "502"),
            ("QUIT", "221"),
        ])
        .await;
    let mut client = world.client().await;
    client
        .dialogue(&[
            (
                "XCLIENT NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::1 LOGIN=someone",
                "220",
            ),
            ("EHLO x", "250"),
            ("MAIL FROM:<a@b.example>", "250"),
            ("RCPT TO:<c@d.example>", "250"),
            ("DATA", "354"),
            (".", "250 2.0.0"),
            ("QUIT", "221"),
        ])
        .await;
    let mut client = world.client().await;
    client
        .dialogue(&[
            ("XCLIENT ADDR=198.51.100.1 LOGIN=[UNAVAILABLE]", "220"),
            ("EHLO x", "250"),
            ("MAIL FROM:<a@b.example>", "250"),
            ("RCPT TO:<c@d.example>", "550 5.7.1"),
        ])
        .await;
    let contents = world.contents_with_received();
    assert!(contents[0].contains("(mta.example.org [192.0.2.9])\r\n\tby relay.example with ESMTP id "));
    assert!(contents[1].contains("(unknown [IPv6:2001:db8::1])\r\n\tby relay.example with ESMTPA id "));
    let lines = world.log_lines("event=accepted");
    assert!(
        lines[0].contains("client=mta.example.org [192.0.2.9], "),
        "{lines:?}"
    );
    assert!(lines[1].contains("auth=someone, "), "{lines:?}");
}

#[tokio::test]
async fn xforward_names_the_origin_of_one_message_for_the_log() {
    let settings = ListenerConfig {
        networks: vec!["127.0.0.0/8".parse().unwrap()],
        ..with_xclient()
    };
    let world = World::with(settings).await;
    let mut client = world.client().await;
    client
        .dialogue(&[
            ("XFORWARD NAME=mta.example.org ADDR=192.0.2.9", "250"),
            ("XFORWARD PROTO=ESMTP HELO=x", "250"),
        ])
        .await;
    for _ in 0..2 {
        assert!(client.transaction(b".\r\n").await.is_positive());
    }
    let lines = world.log_lines("event=accepted");
    assert!(
        lines[0].contains("orig_client=mta.example.org [192.0.2.9], "),
        "{lines:?}"
    );
    assert!(!lines[1].contains("orig_client"), "{lines:?}");
}

/// What a filter said is about one message, whatever becomes of that.
#[tokio::test]
async fn xforward_is_forgotten_with_the_message_that_it_is_about() {
    let world = World::with(ListenerConfig {
        networks: vec!["127.0.0.0/8".parse().unwrap()],
        senders: vec![Domain::parse("b.example").unwrap()],
        ..with_xclient()
    })
    .await;
    let mut client = world.client().await;
    for end in [
        &[("RSET", "250")][..],
        &[("EHLO client.example", "250")],
        &[("MAIL FROM:<a@c.example>", "550")],
        &[("MAIL FROM:<a@b.example> SIZE=99999999", "552")],
        &[("MAIL FROM:<a@b.example>", "250"), ("RSET", "250")],
    ] {
        client.dialogue(&[("XFORWARD ADDR=192.0.2.9", "250")]).await;
        client.dialogue(end).await;
        assert!(client.transaction(b".\r\n").await.is_positive(), "{end:?}");
    }
    for trouble in [
        Trouble::AtCreate(SpoolError::Full),
        Trouble::AtCommit(SpoolError::Full),
    ] {
        client.dialogue(&[("XFORWARD ADDR=192.0.2.9", "250")]).await;
        world.trouble(Some(trouble.clone()));
        match trouble {
            Trouble::AtCommit(_) => assert_eq!(client.transaction(b".\r\n").await.code.get(), 452),
            _ => client.dialogue(&[("MAIL FROM:<a@b.example>", "452")]).await,
        }
        world.trouble(None);
        assert!(client.transaction(b".\r\n").await.is_positive(), "{trouble:?}");
    }
    let lines = world.log_lines("event=accepted");
    assert_eq!(lines.len(), 7);
    assert!(
        lines.iter().all(|line| !line.contains("orig_client")),
        "{lines:?}"
    );
}

/// The limits are those of the client that the proxy names, not those of the proxy.
#[tokio::test]
async fn xclient_counts_the_client_that_it_names() {
    let world = World::with(ListenerConfig {
        limits: Limits {
            // Two strangers, and one of a network.
            connections: 16,
            ..Limits::default()
        },
        ..with_xclient()
    })
    .await;
    let mut known = world.client().await;
    world.connect().await.expect("421 4.7.0").await;
    known.dialogue(&[("XCLIENT ADDR=192.0.2.9", "220")]).await;
    let mut stranger = world.client().await;
    stranger.dialogue(&[("XCLIENT ADDR=198.51.100.1", "220")]).await;
    let mut neighbour = world.client().await;
    neighbour
        .dialogue(&[("XCLIENT ADDR=198.51.100.2", "421 4.7.0")])
        .await;
    neighbour.expect_end().await;
    let lines = world.log_lines("event=connections");
    assert_eq!(
        lines[1],
        "client=unknown [198.51.100.2], limit=limits.connections/32, event=connections"
    );
    drop(stranger);
    while world.listener.connections() > 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut neighbour = world.client().await;
    neighbour.dialogue(&[("XCLIENT ADDR=198.51.100.2", "220")]).await;
}

/// What a proxy was refused, or its client before, is not told of the client that it names next.
#[tokio::test]
async fn refusals_are_told_of_the_client_that_was_refused() {
    let world = World::with(with_xclient()).await;
    let mut client = world.client().await;
    client
        .dialogue(&[
            ("WHAT", "500"),
            ("XCLIENT ADDR=192.0.2.9", "220"),
            ("EHLO x", "250"),
        ])
        .await;
    assert_eq!(
        world.log_lines("event=rejected"),
        [
            "client=unknown [127.0.0.1], from=-, to=-, reply=\"500 5.5.2 Command not recognized\", refused=1, event=rejected"
        ]
    );
}

/// A client whose address the proxy does not know is in no network.
#[tokio::test]
async fn xclient_may_not_know_the_address() {
    let world = World::with(ListenerConfig {
        networks: vec!["127.0.0.0/8".parse().unwrap(), "::/8".parse().unwrap()],
        xclient: vec!["127.0.0.0/8".parse().unwrap(), "::/8".parse().unwrap()],
        ..config()
    })
    .await;
    for (login, reply) in [("", "550 5.7.1"), (" LOGIN=someone", "250")] {
        let mut client = world.client().await;
        let xclient = format!("XCLIENT NAME=[TEMPUNAVAIL] ADDR=[UNAVAILABLE] PORT=[UNAVAILABLE]{login}");
        client
            .dialogue(&[
                (&xclient, "220"),
                ("EHLO x", "250"),
                ("MAIL FROM:<a@b.example>", "250"),
                ("RCPT TO:<c@d.example>", reply),
                ("XCLIENT ADDR=127.0.0.1", "502"),
            ])
            .await;
        if reply == "250" {
            client.dialogue(&[("DATA", "354"), (".", "250")]).await;
        }
    }
    let contents = world.contents_with_received();
    assert!(
        contents[0].starts_with("Received: from x (unknown)\r\n"),
        "{contents:?}"
    );
}
