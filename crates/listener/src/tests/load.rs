//! Clients that are slow, or in a hurry.

use super::limits::{limited, nobody_may_relay};
use super::*;

/// RFC 5321 §4.5.3.2.7: five minutes for a command; two for clients that may not relay.
#[tokio::test]
async fn the_default_patience_is_that_of_the_rfc() {
    for (settings, seconds) in [(limited(Limits::default()), 300), (nobody_may_relay(), 120)] {
        let world = World::with(settings).await;
        let mut client = world.client().await;
        client.dialogue(&[("NOOP", "250")]).await;
        tokio::time::pause();
        let began = tokio::time::Instant::now();
        let mut octet = [0];
        let read = client.stream.read(&mut octet).await.unwrap();
        let waited = began.elapsed().as_secs();
        assert_eq!((read, octet), (1, [b'4']));
        assert!((seconds - 1..seconds + 1).contains(&waited), "{waited} s");
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_client_that_reads_no_replies_is_cut_off() {
    let world = World::with(limited(Limits {
        timeout: Duration::from_millis(300),
        ..Limits::default()
    }))
    .await;
    let mut client = world.client().await;
    let commands = b"NOOP\r\n".repeat(10_000);
    let flooding = async { while client.stream.write_all(&commands).await.is_ok() {} };
    let cut_off = tokio::time::timeout(Duration::from_mins(1), flooding).await;
    assert!(cut_off.is_ok());
    while world.listener.connections() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_flood_of_commands_keeps_nobody_waiting() {
    let world = World::new().await;
    let flooding = world.client().await;
    let (mut replies, mut commands) = tokio::io::split(flooding.stream);
    let flood = tokio::spawn(async move {
        let many = b"NOOP\r\n".repeat(1000);
        while commands.write_all(&many).await.is_ok() {}
    });
    let read = tokio::spawn(async move { tokio::io::copy(&mut replies, &mut tokio::io::sink()).await });
    let mut other = world.client().await;
    for _ in 0..20 {
        other.dialogue(&[("NOOP", "250")]).await;
    }
    assert!(other.transaction(b"Subject: x\r\n\r\n.\r\n").await.is_positive());
    assert!(!flood.is_finished() && !read.is_finished());
    flood.abort();
    read.abort();
}
