//! Content in chunks (RFC 3030).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod scene;

use scene::Scene;
use scene::common::{BOUNCED, LETTER, OPPORTUNISTIC, SENT, assert_line, reply, reply_for};
use testworld::mail::{MailFault, Receiver, Stage};

/// `chunks.test` with one host that offers CHUNKING.
async fn chunking(scene: &Scene) -> Receiver {
    let identity = scene.identity("mx.test");
    let receiver = scene.receiver_with(2, &identity, &["CHUNKING"]).await;
    scene.domain("chunks", &receiver, &identity.tlsa_3_1_1());
    receiver
}

fn last_commands(receiver: &Receiver) -> Vec<String> {
    let commands = receiver.connections().last().unwrap().commands.clone();
    commands
        .into_iter()
        .skip_while(|line| !line.starts_with("MAIL"))
        .collect()
}

#[tokio::test]
async fn one_chunk_saves_a_round_trip_where_commands_are_not_pipelined() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = chunking(&scene).await;
    let dots = b"S: x\r\n\r\n.\r\n..\r\n.x\r\n".to_vec();
    let large = [&dots[..], &b".0123456789\r\n".repeat(30_000)].concat();
    for content in [&dots, &large] {
        receiver.set_faults(vec![MailFault::NoPipelining]);
        receiver.clear();
        let line = scene
            .send(&["a@chunks.test", "b@chunks.test"], content)
            .await
            .remove(0);
        assert_line(&line, &[SENT]);
        assert!(receiver.messages()[0].content == *content);
        let size = content.len();
        assert_eq!(receiver.messages()[0].mail_parameters, format!("SIZE={size}"));
        let expected = [
            format!("MAIL FROM:<sender@origin.test> SIZE={size}"),
            "RCPT TO:<a@chunks.test>".to_owned(),
            "RCPT TO:<b@chunks.test>".to_owned(),
            format!("BDAT {size} LAST"),
        ];
        assert_eq!(last_commands(&receiver)[..4], expected);
    }
    // With PIPELINING, DATA costs none.
    receiver.set_faults(vec![]);
    receiver.clear();
    scene.expect("a@chunks.test", &[SENT]).await;
    assert_eq!((receiver.count_of("BDAT"), receiver.count_of("DATA")), (0, 1));
}

#[tokio::test]
async fn no_chunk_without_a_recipient_and_rset_after_a_failed_one() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = chunking(&scene).await;
    receiver.set_faults(vec![
        MailFault::NoPipelining,
        reply(Stage::Rcpt, "550 5.1.1 nobody"),
    ]);
    scene.expect("a@chunks.test", &[BOUNCED]).await;
    assert_eq!(receiver.count_of("BDAT"), 0);
    let few = MailFault::TooManyRecipients(1, "452 4.5.3 too many".into());
    let refusal = MailFault::ReplyTimes(Stage::Content, 1, "552 5.3.4 too large".into());
    receiver.set_faults(vec![MailFault::NoPipelining, few, refusal]);
    let lines = scene.send(&["a@chunks.test", "b@chunks.test"], LETTER).await;
    assert_line(&lines[0], &[BOUNCED, ("dsn", "552")]);
    assert_line(&lines[1], &[SENT]);
    let commands = last_commands(&receiver);
    let second = commands
        .iter()
        .rposition(|line| line.starts_with("MAIL"))
        .unwrap();
    assert_eq!(commands[second - 1], "RSET");
    assert_eq!(receiver.messages()[0].recipients, ["b@chunks.test"]);
}

/// A filter may let the keyword through and not know the command.
#[tokio::test]
async fn a_server_that_does_not_know_bdat_gets_data_over_another_connection() {
    let scene = Scene::new(OPPORTUNISTIC).await;
    let receiver = chunking(&scene).await;
    for text in ["500 5.5.1 unknown command", "503 5.5.1 bad sequence"] {
        receiver.set_faults(vec![
            MailFault::NoPipelining,
            reply_for("a@chunks.test", "550 5.1.1 nobody"),
            MailFault::ReplyTimes(Stage::Content, 1, text.into()),
        ]);
        receiver.clear();
        let lines = scene.send(&["a@chunks.test", "b@chunks.test"], LETTER).await;
        assert_line(&lines[0], &[BOUNCED, ("reply", "550 5.1.1 nobody")]);
        assert_line(&lines[1], &[SENT]);
        assert_eq!(receiver.connections().len(), 2);
        let commands = last_commands(&receiver);
        assert_eq!(commands[1..3], ["RCPT TO:<b@chunks.test>", "DATA"]);
    }
}
