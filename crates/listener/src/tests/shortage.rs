#![allow(clippy::disallowed_types, reason = "the time that really passes is meant")]

use super::*;
use std::io;
use std::time::Instant;

/// This many refusals are delayed for as many seconds, however busy the machine is.
const MANY: usize = 20;

fn io_error() -> SpoolError {
    SpoolError::Io(Arc::new(io::Error::other("disk on fire")))
}

#[tokio::test]
async fn trouble_of_the_spool_is_temporary() {
    let world = World::new().await;
    let mut client = world.client().await;
    for (trouble, reply) in [
        (SpoolError::Full, "452 4.3.1 Insufficient system storage"),
        (SpoolError::TooManyMessages, "452 4.3.1 Too many messages"),
        (io_error(), "451 4.3.0"),
    ] {
        world.trouble(Some(Trouble::AtCommit(trouble.clone())));
        let answer = client.transaction(b"x\r\n.\r\n").await.to_log();
        assert!(answer.starts_with(reply), "{answer}");
        // The room runs out between MAIL and DATA.
        world.trouble(None);
        client
            .dialogue(&[
                ("MAIL FROM:<a@b.example>", "250"),
                ("RCPT TO:<c@d.example>", "250"),
            ])
            .await;
        world.trouble(Some(Trouble::AtCreate(trouble.clone())));
        client.dialogue(&[("DATA", reply)]).await;
        // If it is known beforehand, the client is told beforehand, and there is no transaction.
        client
            .dialogue(&[
                ("MAIL FROM:<a@b.example>", reply),
                ("RCPT TO:<c@d.example>", "503 5.5.1"),
                ("MAIL FROM:<> SIZE=1000001", "552 5.3.4"),
            ])
            .await;
        world.trouble(None);
        assert!(client.transaction(b"x\r\n.\r\n").await.is_positive());
    }
    assert_eq!(world.hooked.lock().len(), 3);
}

/// RFC 1870 §6.1: a message that does not fit now is deferred before it is sent; one that can never fit is refused for
/// good.
#[tokio::test]
async fn a_declared_size_that_does_not_fit_is_put_off_at_mail() {
    let world = World::new().await;
    let mut client = world.client().await;
    world.trouble(Some(Trouble::Room(500_000)));
    client
        .dialogue(&[
            (
                "MAIL FROM:<a@b.example> SIZE=500001",
                "452 4.3.1 Insufficient system storage",
            ),
            ("RCPT TO:<c@d.example>", "503 5.5.1"),
            ("MAIL FROM:<a@b.example> SIZE=1000001", "552 5.3.4"),
        ])
        .await;
    assert_eq!(world.log_lines("status=full").len(), 1);
    // A message that fits, or whose size is not known, is accepted.
    for parameter in [" SIZE=500000", ""] {
        client
            .dialogue(&[
                (&format!("MAIL FROM:<a@b.example>{parameter}"), "250 2.1.0"),
                ("RCPT TO:<c@d.example>", "250 2.1.5"),
                ("DATA", "354"),
                ("x\r\n.", "250 2.0.0"),
            ])
            .await;
    }
    assert_eq!(world.contents(), [b"\r\nx\r\n", b"\r\nx\r\n"]);
    assert_eq!(world.log_lines("status=accepting").len(), 1);
}

#[tokio::test]
async fn a_declared_size_is_asked_for_again_at_data() {
    let world = World::new().await;
    let mut client = world.client().await;
    client
        .dialogue(&[
            ("MAIL FROM:<a@b.example> SIZE=500001", "250"),
            ("RCPT TO:<c@d.example>", "250"),
        ])
        .await;
    world.trouble(Some(Trouble::Room(500_000)));
    client.dialogue(&[("DATA", "452 4.3.1")]).await;
    assert!(client.transaction(b"x\r\n.\r\n").await.is_positive());
}

#[tokio::test]
async fn what_is_declared_counts_only_of_clients_that_may_relay() {
    let world = World::with(ListenerConfig {
        networks: Vec::new(),
        ..config()
    })
    .await;
    let mut client = world.client().await;
    world.trouble(Some(Trouble::Room(500_000)));
    client
        .dialogue(&[
            ("MAIL FROM:<a@b.example> SIZE=500001", "250 2.1.0"),
            ("RCPT TO:<c@d.example>", "550 5.7.1"),
        ])
        .await;
    assert!(world.log_lines("event=spool").is_empty());
}

#[tokio::test]
async fn a_shortage_is_told_when_it_begins_and_when_it_is_over() {
    let world = World::new().await;
    let mut client = world.client().await;
    world.trouble(Some(Trouble::AtCreate(SpoolError::Full)));
    for _ in 0..3 {
        client.dialogue(&[("MAIL FROM:<a@b.example>", "452 4.3.1")]).await;
    }
    world.trouble(None);
    for _ in 0..2 {
        assert!(client.transaction(b"x\r\n.\r\n").await.is_positive());
    }
    let lines = world.log_lines("event=spool");
    assert_eq!(
        lines[0],
        "status=full, client=unknown [127.0.0.1], \
         reason=\"the spool has too little space or too few inodes left\", event=spool"
    );
    assert!(
        lines[1].starts_with("status=accepting, refused=3, lasted="),
        "{}",
        lines[1]
    );
    assert_eq!(lines.len(), 2);
    assert!(world.log_lines("event=rejected").is_empty());
}

/// Nobody needs to send anything for that.
#[tokio::test]
async fn a_shortage_is_over_as_soon_as_there_is_room() {
    let world = World::new().await;
    let mut client = world.client().await;
    world.trouble(Some(Trouble::AtCreate(SpoolError::Full)));
    client.dialogue(&[("MAIL FROM:<a@b.example>", "452 4.3.1")]).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(world.log_lines("status=accepting").is_empty());
    world.trouble(None);
    while world.log_lines("status=accepting").is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn other_failures_are_told() {
    let world = World::new().await;
    let mut client = world.client().await;
    world.trouble(Some(Trouble::AtCreate(io_error())));
    for _ in 0..2 {
        client.dialogue(&[("MAIL FROM:<a@b.example>", "451 4.3.0")]).await;
    }
    assert_eq!(
        world.log_lines("event="),
        ["status=failed, client=unknown [127.0.0.1], \
          reason=\"spool input or output failed: disk on fire\", event=spool"; 2]
    );
}

/// A client that retries at once is slowed down, and no other.
#[tokio::test]
async fn refusals_wait_and_hold_up_no_other_session() {
    let world = World::new().await;
    let mut spinning = world.client().await;
    let mut other = world.client().await;
    world.trouble(Some(Trouble::AtCreate(SpoolError::TooManyMessages)));
    let start = Instant::now();
    spinning.send(b"MAIL FROM:<a@b.example>\r\n").await;
    spinning.expect("452 4.3.1 Too many messages").await;
    assert!(start.elapsed() >= Duration::from_secs(1));
    spinning.send(&b"MAIL FROM:<a@b.example>\r\n".repeat(MANY)).await;
    other.dialogue(&[("NOOP", "250"), ("VRFY x", "252")]).await;
    world.trouble(None);
    assert!(other.transaction(b"x\r\n.\r\n").await.is_positive());
    let answered = tokio::time::timeout(Duration::ZERO, spinning.reply()).await;
    assert!(answered.is_err());
}

#[tokio::test]
async fn a_pipelined_group_is_refused_whole_and_the_session_stays_in_step() {
    let world = World::new().await;
    let mut client = world.client().await;
    world.trouble(Some(Trouble::AtCreate(SpoolError::Full)));
    client
        .send(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nNOOP\r\n")
        .await;
    for start in ["452 4.3.1", "503 5.5.1", "503 5.5.1", "250 2.0.0"] {
        client.expect(start).await;
    }
    world.trouble(None);
    client
        .send(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n")
        .await;
    for start in ["250 2.1.0", "250 2.1.5", "354", "250 2.0.0 Ok: queued", "221"] {
        client.expect(start).await;
    }
    assert_eq!(world.contents(), [b"\r\nx\r\n"]);
}

/// Commands pipelined after a MAIL for which there is no room do not count as errors of the client.
#[tokio::test]
async fn a_large_group_is_refused_without_its_session() {
    let world = World::new().await;
    let mut client = world.client().await;
    let group = |parameter: &str| {
        let recipients = "RCPT TO:<c@d.example>\r\n".repeat(150);
        format!("MAIL FROM:<a@b.example>{parameter}\r\n{recipients}DATA\r\n")
    };
    for (parameter, trouble, start) in [
        ("", Some(Trouble::AtCreate(SpoolError::Full)), "452 4.3.1"),
        (" SIZE=1000001", None, "552 5.3.4"),
    ] {
        world.trouble(trouble);
        client.send(group(parameter).as_bytes()).await;
        client.expect(start).await;
        for _ in 0..151 {
            client.expect("503 5.5.1").await;
        }
    }
    assert!(client.transaction(b"x\r\n.\r\n").await.is_positive());
    // They do count when no MAIL was refused before them.
    for _ in 0..99 {
        client.dialogue(&[("DATA", "503 5.5.1")]).await;
    }
    client.dialogue(&[("DATA", "421 4.7.0")]).await;
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_the_pause() {
    let world = World::new().await;
    let mut client = world.client().await;
    world.trouble(Some(Trouble::AtCreate(SpoolError::Full)));
    let start = Instant::now();
    client.send(&b"MAIL FROM:<a@b.example>\r\n".repeat(MANY)).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.shutdown.send(true).unwrap();
    client.expect("452 4.3.1").await;
    // Those behind it are not begun any more.
    client.expect("421 4.3.2").await;
    client.expect_end().await;
    assert!(start.elapsed() < Duration::from_secs(10));
}
