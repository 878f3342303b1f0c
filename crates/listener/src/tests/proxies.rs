//! PROXY, XCLIENT and XFORWARD.

use super::*;

fn behind_proxies() -> ListenerConfig {
    ListenerConfig {
        networks: vec!["192.0.2.0/24".parse().unwrap()],
        proxies: vec!["127.0.0.1/32".parse().unwrap()],
        ..config()
    }
}

fn header(client: [u8; 4]) -> Vec<u8> {
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
