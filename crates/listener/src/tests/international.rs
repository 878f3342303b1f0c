//! Addresses and headers beyond ASCII (RFC 6531).

use super::*;

#[tokio::test]
async fn a_message_beyond_ascii_comes_through() {
    let world = World::new().await;
    let mut client = world.client().await;
    client
        .dialogue(&[
            (
                "MAIL FROM:<\u{fc}ber@b\u{fc}cher.example> BODY=8BITMIME SMTPUTF8",
                "250 2.1.0",
            ),
            (
                "RCPT TO:<d\u{e9}j\u{e0}@b\u{fc}cher.example> ORCPT=utf-8;\u{e9}@c.example",
                "250 2.1.5",
            ),
            ("DATA", "354"),
            ("Subject: caf\u{e9}\r\n\r\nx\r\n.", "250 2.0.0"),
        ])
        .await;
    let envelope = world.envelopes().remove(0);
    assert!(envelope.parameters.smtputf8);
    assert_eq!(envelope.reverse_path.as_str(), "\u{fc}ber@b\u{fc}cher.example");
    let recipient = &envelope.recipients[0];
    assert_eq!(recipient.address.as_str(), "d\u{e9}j\u{e0}@b\u{fc}cher.example");
    assert_eq!(recipient.address.domain().to_string(), "xn--bcher-kva.example");
    assert_eq!(
        recipient.parameters.original.as_ref().unwrap().as_str(),
        "utf-8;\u{e9}@c.example"
    );
    let content = &world.contents_with_received()[0];
    assert!(
        content.contains("\tby relay.example with UTF8SMTP id "),
        "{content}"
    );
    assert!(
        content.contains("\tfor <d\u{e9}j\u{e0}@b\u{fc}cher.example>;\r\n"),
        "{content}"
    );
    assert!(
        content.ends_with("\r\nSubject: caf\u{e9}\r\n\r\nx\r\n"),
        "{content}"
    );
    // The log stays ASCII.
    assert!(world.log_lines("event=accepted")[0].contains("from=<\\xC3\\xBCber@b\\xC3\\xBCcher.example>"));
}

/// A message that does not need the extension is passed on without it (RFC 6531 §3.4).
#[tokio::test]
async fn the_extension_is_carried_on_only_where_it_is_needed() {
    let world = World::new().await;
    let mut client = world.client().await;
    for (parameter, content, needed, with) in [
        ("", "Subject: x\r\n\r\nx", false, "ESMTP"),
        // The client did not give the parameter; 8-bit content is passed on as ever.
        ("", "Subject: caf\u{e9}\r\n\r\nx", false, "ESMTP"),
        (" SMTPUTF8", "Subject: x\r\n\r\nx", false, "UTF8SMTP"),
        (" SMTPUTF8", "Subject: x\r\n\r\ncaf\u{e9}", false, "UTF8SMTP"),
        (" SMTPUTF8", "Subject: caf\u{e9}\r\n\r\nx", true, "UTF8SMTP"),
    ] {
        client
            .dialogue(&[
                (&format!("MAIL FROM:<a@b.example>{parameter}"), "250"),
                ("RCPT TO:<c@xn--bcher-kva.example>", "250"),
                ("DATA", "354"),
                (&format!("{content}\r\n."), "250 2.0.0"),
            ])
            .await;
        let envelope = world.envelopes().pop().unwrap();
        assert_eq!(envelope.parameters.smtputf8, needed, "{parameter} {content:?}");
        let content = world.contents_with_received().pop().unwrap();
        assert!(content.contains(&format!(" with {with} id ")), "{content}");
    }
}

/// One recipient's address does not make the other recipients' servers need the extension.
#[tokio::test]
async fn recipients_beyond_ascii_need_it_for_themselves() {
    let world = World::new().await;
    let mut client = world.client().await;
    client
        .dialogue(&[
            ("MAIL FROM:<a@b.example> SMTPUTF8", "250"),
            ("RCPT TO:<\u{e9}@u.example>", "250"),
            ("RCPT TO:<c@d.example>", "250"),
            ("DATA", "354"),
            ("Subject: x\r\n\r\nx\r\n.", "250 2.0.0"),
        ])
        .await;
    let envelope = world.envelopes().remove(0);
    assert!(!envelope.parameters.smtputf8);
    let addresses = envelope
        .recipients
        .iter()
        .map(|recipient| recipient.address.as_str());
    assert_eq!(addresses.collect::<Vec<_>>(), ["\u{e9}@u.example", "c@d.example"]);
}

#[tokio::test]
async fn only_a_transaction_with_the_parameter_may_have_such_addresses() {
    let world = World::new().await;
    let mut client = world.client().await;
    client
        .dialogue(&[
            ("RCPT TO:<\u{e9}@d.example>", "503 5.5.1"),
            ("MAIL FROM:<\u{e9}@b.example>", "550 5.6.7"),
            ("MAIL FROM:<a@b.example>", "250"),
            ("RCPT TO:<\u{e9}@d.example>", "553 5.6.7"),
            ("RCPT TO:<c@d.example> ORCPT=utf-8;\u{e9}@d.example", "553 5.6.7"),
            ("RCPT TO:<c@d.example> ORCPT=utf-8;\\x{E9}@d.example", "250"),
            ("RSET", "250"),
            // The parameter counts for its own transaction only.
            ("MAIL FROM:<\u{e9}@b.example> SMTPUTF8", "250"),
            ("RSET", "250"),
            ("MAIL FROM:<a@b.example>", "250"),
            ("RCPT TO:<\u{e9}@d.example>", "553 5.6.7"),
        ])
        .await;
}

/// A domain can be converted to A-labels, so no message fails because the parameter is missing.
#[tokio::test]
async fn domains_alone_become_a_labels_without_the_parameter() {
    let world = World::new().await;
    let mut client = world.client().await;
    client
        .dialogue(&[
            ("MAIL FROM:<a@b\u{fc}cher.example> BODY=8BITMIME", "250"),
            ("RCPT TO:<c@d\u{fc}rer.example> NOTIFY=NEVER", "250"),
            ("DATA", "354"),
            (".", "250 2.0.0"),
        ])
        .await;
    let envelope = world.envelopes().remove(0);
    assert_eq!(envelope.reverse_path.as_str(), "a@xn--bcher-kva.example");
    assert_eq!(envelope.recipients[0].address.as_str(), "c@xn--drer-0ra.example");
    assert!(!envelope.parameters.smtputf8);
}

#[tokio::test]
async fn octets_that_are_no_utf_8_and_control_characters_are_refused() {
    let world = World::new().await;
    let mut client = world.client().await;
    client
        .dialogue(&[("MAIL FROM:<\u{e9}@b.example> SMTPUTF8", "250")])
        .await;
    for (path, start) in [
        (&b"\xe9@d.example"[..], "501 5.5.2"),
        (b"\xed\xa0\x80@d.example", "501 5.5.2"),
        (b"\xc2\x85@d.example", "501 5.5.2"),
        (b"\xc3\xa9\x00@d.example", "501 5.5.2"),
        (b"a@\xe2\x80\xae.example", "501 5.1.3"),
    ] {
        client.send(&[b"RCPT TO:<", path, b">\r\n"].concat()).await;
        client.expect(start).await;
    }
}
