//! What clients request about reports (RFC 3461).

use super::*;
use mail::{Ret, notification::OriginalRecipient};

#[tokio::test]
async fn what_is_asked_reaches_the_spool_octet_for_octet() {
    let world = World::new().await;
    let mut client = world.client().await;
    client
        .dialogue(&[
            ("MAIL FROM:<a@b.example> ret=hdrs ENVID=Qq+2B+3D1", "250 2.1.0"),
            (
                "RCPT TO:<c@d.example> Notify=success,Failure ORCPT=Rfc822;A+2Bb@c.example",
                "250 2.1.5",
            ),
            ("RCPT TO:<e@f.example>", "250 2.1.5"),
            ("RCPT TO:<postmaster> NOTIFY=never", "250 2.1.5"),
            ("DATA", "354"),
            ("Subject: x\r\n\r\nx\r\n.", "250 2.0.0"),
        ])
        .await;
    let envelope = world.envelopes().remove(0);
    assert_eq!(envelope.parameters.ret, Some(Ret::Headers));
    assert_eq!(envelope.parameters.envelope_id.unwrap().as_str(), "Qq+2B+3D1");
    let asked: Vec<_> = envelope
        .recipients
        .iter()
        .map(|recipient| {
            (
                recipient.parameters.notify.as_ref().map(mail::Notify::as_str),
                recipient
                    .parameters
                    .original
                    .as_ref()
                    .map(OriginalRecipient::as_str),
            )
        })
        .collect();
    assert_eq!(
        asked,
        [
            (Some("success,Failure"), Some("Rfc822;A+2Bb@c.example")),
            (None, None),
            (Some("never"), None)
        ]
    );
}

/// RFC 3461 §5.1: valid values change no reply; invalid ones are refused and leave the transaction as it was.
#[tokio::test]
async fn wrong_values_are_refused_and_the_transaction_goes_on() {
    let world = World::new().await;
    let mut client = world.client().await;
    for (line, start) in [
        ("MAIL FROM:<a@b.example> RET=ALL", "501 5.5.4"),
        ("MAIL FROM:<a@b.example> RET=FULL RET=FULL", "501 5.5.4"),
        ("MAIL FROM:<a@b.example> ENVID=a+zz", "501 5.5.4"),
        ("MAIL FROM:<a@b.example> ENVID=+0D", "501 5.5.4"),
        (
            &format!("MAIL FROM:<a@b.example> ENVID={}", "x".repeat(101)),
            "501 5.5.4",
        ),
        ("MAIL FROM:<a@b.example> NOTIFY=NEVER", "555 5.5.4"),
        ("MAIL FROM:<a@b.example> SMTPUTF8=x", "501 5.5.4"),
        (
            &format!("MAIL FROM:<a@b.example> ENVID={} RET=FULL", "x".repeat(100)),
            "250 2.1.0",
        ),
        ("RCPT TO:<c@d.example> NOTIFY=NEVER,SUCCESS", "501 5.5.4"),
        ("RCPT TO:<c@d.example> NOTIFY=", "501 5.5.4"),
        ("RCPT TO:<c@d.example> NOTIFY=NEVER NOTIFY=NEVER", "501 5.5.4"),
        ("RCPT TO:<c@d.example> ORCPT=rfc822;a+0Ab", "501 5.5.4"),
        ("RCPT TO:<c@d.example> ORCPT=rfc822", "501 5.5.4"),
        (
            &format!("RCPT TO:<c@d.example> ORCPT=rfc822;{}", "x".repeat(494)),
            "501 5.5.4",
        ),
        ("RCPT TO:<c@d.example> ENVID=x", "555 5.5.4"),
        ("DATA", "503 5.5.1"),
        (
            &format!(
                "RCPT TO:<c@d.example> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;{}",
                "x".repeat(493)
            ),
            "250 2.1.5",
        ),
        ("DATA", "354"),
        (".", "250 2.0.0"),
    ] {
        client.dialogue(&[(line, start)]).await;
    }
    assert_eq!(world.envelopes()[0].recipients.len(), 1);
}

#[tokio::test]
async fn pipelined() {
    let world = World::new().await;
    let mut client = world.client().await;
    client
        .send(
            b"MAIL FROM:<> ENVID=x\r\nRCPT TO:<c@d.example> NOTIFY=MAYBE\r\nRCPT TO:<e@f.example> NOTIFY=NEVER\r\n\
              DATA\r\nx\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n.\r\n",
        )
        .await;
    for start in [
        "250 2.1.0",
        "501 5.5.4",
        "250 2.1.5",
        "354",
        "250 2.0.0",
        "250 2.1.0",
        "250 2.1.5",
        "354",
        "250 2.0.0",
    ] {
        client.expect(start).await;
    }
    let envelopes = world.envelopes();
    assert!(envelopes[0].parameters.envelope_id.is_some());
    // Nothing carries over from one transaction to the next.
    assert_eq!(envelopes[1].parameters.envelope_id, None);
    assert_eq!(
        envelopes[1].recipients[0].parameters,
        mail::RecipientParameters::default()
    );
}
