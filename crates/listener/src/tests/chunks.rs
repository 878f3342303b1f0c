//! BDAT (RFC 3030).

use super::*;

const BEGIN: [(&str, &str); 2] = [
    ("MAIL FROM:<a@b.example>", "250 2.1.0"),
    ("RCPT TO:<c@d.example>", "250 2.1.5"),
];

#[tokio::test]
async fn a_message_in_chunks_is_one_message() {
    let world = World::new().await;
    let mut client = world.client().await;
    client.dialogue(&BEGIN).await;
    client.send(b"BDAT 12\r\nSubject: s\r\n").await;
    client.expect("250 2.0.0").await;
    // Dots have no meaning, and an end of data does not end anything.
    client
        .send(b"BDAT 27 LAST\r\n\r\n.\r\n..\r\n.\r\nMAIL FROM:<x>\r\nNOOP\r\n")
        .await;
    client.expect("250 2.0.0 Ok: queued as ").await;
    client.expect("250 2.0.0 Ok").await;
    assert_eq!(
        world.contents(),
        [b"Subject: s\r\n\r\n.\r\n..\r\n.\r\nMAIL FROM:<x>\r\n"]
    );
}

#[tokio::test]
async fn pipelined_chunks_of_any_size_in_any_pieces() {
    let content = b"Subject: s\r\n\r\nbody \xe9 1\r\nbody 2\r\n";
    for size in [1, 2, 3, 7, content.len()] {
        let mut wire = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n".to_vec();
        for chunk in content.chunks(size) {
            wire.extend_from_slice(format!("BDAT {}\r\n", chunk.len()).as_bytes());
            wire.extend_from_slice(chunk);
        }
        wire.extend_from_slice(b"BDAT 0 LAST\r\nQUIT\r\n");
        for pieces in [wire.len(), 1, 5] {
            let world = World::new().await;
            let mut client = world.client().await;
            for piece in wire.chunks(pieces) {
                client.send(piece).await;
            }
            for _ in 0..2 + content.len().div_ceil(size) {
                client.expect("250 ").await;
            }
            client.expect("250 2.0.0 Ok: queued").await;
            client.expect("221").await;
            assert_eq!(
                world.contents(),
                [content],
                "chunks of {size} in pieces of {pieces}"
            );
            let body = world.envelopes()[0].parameters.body;
            assert_eq!(body, mail::BodyType::EightBitMime);
        }
    }
}

/// A chunk is read whether it is accepted or not, and nothing in it is a command.
#[tokio::test]
async fn refused_chunks_are_swallowed() {
    let world = World::new().await;
    let mut client = world.client().await;
    client
        .send(b"BDAT 21 LAST\r\nMAIL FROM:<a@b.c>\r\n\r\nNOOP\r\n")
        .await;
    client.expect("503 5.5.1 Need MAIL").await;
    client.expect("250 2.0.0").await;
    client.dialogue(&BEGIN[..1]).await;
    client.send(b"BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n").await;
    client.expect("503 5.5.1 No valid recipients").await;
    client.expect("250 2.0.0").await;
    // After the last chunk there can be none without a new transaction.
    client.dialogue(&BEGIN[1..]).await;
    client
        .send(b"BDAT 3 LAST\r\nx\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n")
        .await;
    client.expect("250 2.0.0 Ok: queued").await;
    client.expect("503 5.5.1 Need MAIL").await;
    client.expect("250 2.0.0").await;
    assert_eq!(world.contents(), [b"\r\nx\r\n"]);
}

#[tokio::test]
async fn within_chunks_only_chunks_and_what_ends_them() {
    let world = World::new().await;
    let mut client = world.client().await;
    client.dialogue(&BEGIN).await;
    client.send(b"BDAT 3\r\nx\r\n").await;
    client.expect("250").await;
    client
        .dialogue(&[
            ("DATA", "503 5.5.1"),
            ("MAIL FROM:<e@f.example>", "503 5.5.1"),
            ("RCPT TO:<e@f.example>", "503 5.5.1"),
            ("NOOP", "250"),
            ("BDAT 0 LAST", "250 2.0.0 Ok: queued"),
        ])
        .await;
    for end in ["RSET", "EHLO again.example"] {
        client.dialogue(&BEGIN).await;
        client.send(b"BDAT 3\r\ny\r\n").await;
        client.expect("250").await;
        client
            .dialogue(&[
                (end, "250"),
                ("BDAT 0 LAST", "503 5.5.1 Need MAIL"),
                ("DATA", "503 5.5.1"),
            ])
            .await;
    }
    assert_eq!(world.contents(), [b"\r\nx\r\n"]);
}

/// Nobody knows then where the chunk ends, so nothing after it may be read.
#[tokio::test]
async fn a_chunk_without_a_length_ends_the_session() {
    for command in [
        "BDAT",
        "BDAT x",
        "BDAT -1 LAST",
        "BDAT 99999999999999999999",
        "BDAT 5 LATE",
        "BDAT 5\x0b",
    ] {
        let world = World::new().await;
        let mut client = world.client().await;
        client.dialogue(&BEGIN).await;
        client
            .send(format!("{command}\r\nRSET\r\nMAIL FROM:<x@y.example>\r\n").as_bytes())
            .await;
        client.expect("501 5.5.4").await;
        client.expect_end().await;
    }
}

#[tokio::test]
async fn faults_and_sizes_are_judged_as_behind_data() {
    let world = World::new().await;
    let mut client = world.client().await;
    let large = vec![b'x'; 1_000_001];
    for (chunk, reply) in [
        (&b"a\n.\nb\r\n"[..], "550 5.5.2"),
        (b"a\r", "550 5.5.2"),
        (b"a\0b\r\n", "550 5.6.0"),
        (&large, "552 5.3.4"),
    ] {
        for last in ["", " LAST"] {
            client.dialogue(&BEGIN).await;
            client
                .send(format!("BDAT {}{last}\r\n", chunk.len()).as_bytes())
                .await;
            client.send(chunk).await;
            if last.is_empty() && chunk == b"a\r" {
                client.expect("250").await;
                client.dialogue(&[("BDAT 0 LAST", reply)]).await;
            } else {
                client.expect(reply).await;
            }
            // The message is discarded as well.
            client.dialogue(&[("BDAT 0 LAST", "503 5.5.1")]).await;
        }
    }
    // A CRLF may be split between chunks, and the last line may lack one.
    client.dialogue(&BEGIN).await;
    client.send(b"BDAT 2\r\na\rBDAT 2 LAST\r\n\nb").await;
    client.expect("250").await;
    client.expect("250 2.0.0 Ok: queued").await;
    assert_eq!(world.contents(), [b"\r\na\r\nb\r\n"]);
}

#[tokio::test]
async fn a_spool_without_room_swallows_the_chunk() {
    let world = World::new().await;
    let mut client = world.client().await;
    client.dialogue(&BEGIN).await;
    world.trouble(Some(Trouble::AtCreate(SpoolError::Full)));
    client.send(b"BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n").await;
    client.expect("452 4.3.1").await;
    client.expect("250 2.0.0").await;
}

/// Clients that may not relay have no message to send: what they may have swallowed is bounded, in all.
#[tokio::test]
async fn a_chunk_above_the_limit_ends_the_session_of_a_stranger() {
    let world = World::with(ListenerConfig {
        networks: Vec::new(),
        ..config()
    })
    .await;
    let mut client = world.client().await;
    for _ in 0..2 {
        client.send(b"BDAT 500000 LAST\r\n").await;
        client.send(&b"x".repeat(500_000)).await;
        client.expect("503").await;
    }
    client.dialogue(&[("BDAT 1", "552 5.3.4")]).await;
    client.expect_end().await;
    let mut client = world.client().await;
    client
        .dialogue(&[
            ("MAIL FROM:<a@b.example>", "250"),
            ("BDAT 18446744073709551615 LAST", "552 5.3.4"),
        ])
        .await;
    client.expect_end().await;
    assert!(world.rejected(2).await[1].contains("552 5.3.4"));
}
