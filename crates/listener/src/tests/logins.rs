//! AUTH.
#![allow(clippy::disallowed_types, reason = "the time that really passes is meant")]

use super::*;
use crate::users::hash_password;
use crate::{Users, users};

/// "user" with the password "secret"; no client may relay by its address.
fn with_users() -> ListenerConfig {
    let hash = hash_password("secret").unwrap();
    assert!(users::is_name("user"));
    ListenerConfig {
        networks: Vec::new(),
        users: Some(Arc::new(Users::parse(&format!("user:{hash}\n")).unwrap())),
        ..config()
    }
}

const RIGHT: &str = "AUTH PLAIN AHVzZXIAc2VjcmV0";
const WRONG: &str = "AUTH PLAIN AHVzZXIAd3Jvbmc=";
const NOBODY: &str = "AUTH PLAIN AG5vYm9keQBzZWNyZXQ=";

#[tokio::test]
async fn users_may_relay() {
    let world = World::with(with_users()).await;
    for mechanism in [
        &[(RIGHT, "235 2.7.0")][..],
        &[("AUTH PLAIN", "334"), ("AHVzZXIAc2VjcmV0", "235 2.7.0")],
        &[
            ("AUTH LOGIN", "334 VXNlcm5hbWU6"),
            ("dXNlcg==", "334 UGFzc3dvcmQ6"),
            ("c2VjcmV0", "235 2.7.0"),
        ],
    ] {
        let mut client = world.client().await;
        assert!(client.keywords().await.contains(&"AUTH PLAIN LOGIN".to_owned()));
        client
            .dialogue(&[
                ("MAIL FROM:<a@b.example>", "250"),
                (
                    "RCPT TO:<c@d.example>",
                    "550 5.7.1 Relay access denied: authenticate first",
                ),
                (RIGHT, "503 5.5.1"),
                ("RSET", "250"),
            ])
            .await;
        client.dialogue(mechanism).await;
        assert!(!client.keywords().await.contains(&"AUTH PLAIN LOGIN".to_owned()));
        client.dialogue(&[(RIGHT, "503 5.5.1")]).await;
        assert!(client.transaction(b".\r\n").await.is_positive());
    }
    assert!(world.contents_with_received()[0].contains(" with ESMTPA id "));
    assert!(world.log_lines("event=accepted")[0].contains(", auth=user, "));
}

#[tokio::test]
async fn whatever_is_wrong_looks_the_same_and_comes_late() {
    let world = World::with(with_users()).await;
    let mut client = world.client().await;
    let began = tokio::time::Instant::now();
    let wrong = client.say(WRONG).await.to_log();
    let nobody = client.say(NOBODY).await.to_log();
    assert_eq!(wrong, nobody);
    assert!(wrong.starts_with("535 5.7.8"));
    assert!(began.elapsed() >= Duration::from_secs(3), "one second, then two");
    client
        .dialogue(&[
            ("AUTH PLAIN =AAA", "501 5.5.2"),
            ("AUTH CRAM-MD5", "504 5.5.4"),
            ("AUTH LOGIN", "334"),
            ("*", "501 5.7.0"),
            (&"x".repeat(1000), "500 5.5.2"),
            ("AUTH PLAIN", "334"),
            (&"x".repeat(13_000), "500 5.5.6"),
            (RIGHT, "235"),
        ])
        .await;
    drop(client);
    let lines = world.rejected(1).await;
    assert!(lines[0].contains("reply=\"535 5.7.8"), "{lines:?}");
    assert!(
        lines
            .iter()
            .all(|line| !line.contains("c2VjcmV0") && !line.contains("secret"))
    );
}

#[tokio::test]
async fn the_fourth_wrong_password_ends_the_session() {
    let world = World::with(with_users()).await;
    let mut client = world.client().await;
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    client
        .dialogue(&[(WRONG, "535"), (WRONG, "535"), (NOBODY, "535"), (WRONG, "535")])
        .await;
    let waited = began.elapsed();
    assert!(waited >= Duration::from_secs(1 + 2 + 4 + 8), "{waited:?}");
    client.expect("421 4.7.0").await;
    client.expect_end().await;
    let lines = world.rejected(1).await;
    assert!(
        lines[0].contains("user=\"user\"") && lines[0].contains("refused=4"),
        "{lines:?}"
    );
}

#[tokio::test]
async fn senders_are_limited_to_their_domains() {
    let world = World::with(ListenerConfig {
        senders: vec![Domain::parse("b.example").unwrap()],
        ..config()
    })
    .await;
    let mut client = world.client().await;
    client
        .dialogue(&[
            ("MAIL FROM:<a@c.example>", "550 5.7.1"),
            ("RCPT TO:<c@d.example>", "503"),
            ("MAIL FROM:<a@sub.b.example>", "550 5.7.1"),
            ("MAIL FROM:<a@[192.0.2.1]>", "550 5.7.1"),
            ("MAIL FROM:<a@B.example>", "250"),
            ("RSET", "250"),
            ("MAIL FROM:<>", "250"),
        ])
        .await;
}

#[tokio::test]
async fn clients_that_may_not_relay_have_few_commands() {
    let world = World::with(ListenerConfig {
        networks: Vec::new(),
        ..config()
    })
    .await;
    let mut client = world.client().await;
    for _ in 0..99 {
        client.dialogue(&[("NOOP", "250")]).await;
    }
    client.dialogue(&[("NOOP", "421 4.7.0")]).await;
}

#[tokio::test]
async fn a_user_that_was_removed_may_not_relay_in_an_open_session_either() {
    let world = World::with(with_users()).await;
    let mut client = world.client().await;
    client.dialogue(&[(RIGHT, "235 2.7.0")]).await;
    assert!(client.transaction(b".\r\n").await.is_positive());
    world.config.send_replace(Arc::new(ListenerConfig {
        users: Some(Arc::new(Users::parse("").unwrap())),
        ..with_users()
    }));
    client
        .dialogue(&[
            ("MAIL FROM:<a@b.example>", "250"),
            ("RCPT TO:<c@d.example>", "550 5.7.1"),
        ])
        .await;
}

/// Nor does a removal in the middle of a transaction change under whose name that is accepted.
#[tokio::test]
async fn a_message_begun_as_a_user_is_accepted_as_this_user() {
    let world = World::with(with_users()).await;
    let mut client = world.client().await;
    client
        .dialogue(&[
            (RIGHT, "235 2.7.0"),
            ("MAIL FROM:<a@b.example>", "250"),
            ("RCPT TO:<c@d.example>", "250"),
            ("DATA", "354"),
        ])
        .await;
    world.config.send_replace(Arc::new(ListenerConfig {
        users: None,
        ..with_users()
    }));
    client
        .dialogue(&[(".", "250"), ("MAIL FROM:<a@b.example>", "250")])
        .await;
    client.dialogue(&[("RCPT TO:<c@d.example>", "550 5.7.1")]).await;
    assert!(world.log_lines("event=accepted")[0].contains(", auth=user, "));
}

#[tokio::test]
async fn a_user_may_have_senders_of_its_own() {
    let domain = |name| Domain::parse(name).unwrap();
    let world = World::with(ListenerConfig {
        networks: vec!["127.0.0.0/8".parse().unwrap()],
        senders: vec![domain("b.example")],
        user_senders: [("user".to_owned(), vec![domain("c.example"), domain("e.example")])].into(),
        ..with_users()
    })
    .await;
    let mut client = world.client().await;
    client
        .dialogue(&[
            ("MAIL FROM:<a@c.example>", "550 5.7.1"),
            ("MAIL FROM:<a@b.example>", "250"),
            ("RSET", "250"),
            (RIGHT, "235"),
            ("MAIL FROM:<a@b.example>", "550 5.7.1"),
            ("MAIL FROM:<a@sub.c.example>", "550 5.7.1"),
            ("MAIL FROM:<a@E.example>", "250"),
            ("RSET", "250"),
            ("MAIL FROM:<a@c.example>", "250"),
            ("RSET", "250"),
            ("MAIL FROM:<>", "250"),
        ])
        .await;
}
