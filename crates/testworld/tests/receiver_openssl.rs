//! The receiving server, judged by `openssl s_client`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod common;

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{NAME, receiver};
use testworld::mail::{Ca, Identity, KeyKind, MailFault, Receiver, Validity};

/// `openssl s_client` with these options, given this input; what it said on both streams.
async fn s_client(address: SocketAddr, options: &[&str], input: &str) -> String {
    let mut command = Command::new("openssl");
    command.args([
        "s_client",
        "-starttls",
        "smtp",
        "-connect",
        &address.to_string(),
        "-servername",
        NAME,
    ]);
    command.args(["-crlf", "-quiet"]).args(options);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let input = input.to_owned();
    let output = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        // A refused handshake may close the pipe first.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    });
    let output = output.await.unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// Asserts what OpenSSL says of the receiver under one TLSA record.
async fn judged(receiver: &Receiver, tlsa: &str, words: &str) {
    let said = dane(receiver, tlsa).await;
    assert!(said.contains(words), "{words} is not in {said}");
}

/// OpenSSL's verdict under one TLSA record.
async fn dane(receiver: &Receiver, tlsa: &str) -> String {
    let options = [
        "-dane_tlsa_domain",
        NAME,
        "-dane_tlsa_rrdata",
        tlsa,
        "-verify_return_error",
    ];
    s_client(receiver.address(), &options, "QUIT\n").await
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_delivers_and_the_message_is_kept() {
    let receiver = receiver([]).await;
    let input = "EHLO client\nMAIL FROM:<a@b.demo> SIZE=10\nRCPT TO:<c@good.demo>\nDATA\n\
                 Subject: hi\n\n..dot\nbye\n.\nQUIT\n";
    let said = s_client(receiver.address(), &[], input).await;
    assert!(
        receiver.wait_for_messages(1, Duration::from_secs(5)).await,
        "{said}"
    );
    let message = &receiver.messages()[0];
    assert_eq!(message.envelope_from, "a@b.demo");
    assert_eq!(message.mail_parameters, "SIZE=10");
    assert_eq!(message.recipients, ["c@good.demo"]);
    assert_eq!(message.content, b"Subject: hi\r\n\r\n.dot\r\nbye\r\n");
    assert!(message.tls.as_ref().unwrap().starts_with("TLSv1_3 "));
    assert_eq!(message.sni.as_deref(), Some(NAME));
    let connections = receiver.connections();
    assert_eq!(connections.len(), 1);
    assert_eq!(
        connections[0].in_clear, 2,
        "EHLO and STARTTLS: {:?}",
        connections[0].commands
    );
    assert_eq!(receiver.count_of("mail"), 1);
    assert_eq!(receiver.count_of("RSET"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_accepts_each_tlsa_record_of_the_right_identity() {
    let ca = Ca::new("Test CA").unwrap();
    for kind in [KeyKind::EcdsaP256, KeyKind::Rsa2048, KeyKind::Ed25519] {
        let identity = Identity::builder(&[NAME]).key(kind).issue(&ca).unwrap();
        let receiver = Receiver::builder(NAME).identity(&identity).start().await.unwrap();
        for (usage, selector, matching) in [
            (3, 1, 1),
            (3, 0, 1),
            (3, 1, 2),
            (3, 0, 0),
            (2, 0, 1),
            (2, 1, 1),
            (2, 0, 2),
            (2, 1, 0),
        ] {
            let said = dane(&receiver, &identity.tlsa(usage, selector, matching)).await;
            assert!(
                !said.contains("verify error") && said.contains("221 "),
                "{kind:?} {usage} {selector} {matching}: {said}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_refuses_the_wrong_identity() {
    let ca = Ca::new("Test CA").unwrap();
    let good = ca.issue(&[NAME]).unwrap();
    let receiver = Receiver::builder(NAME).identity(&good).start().await.unwrap();

    // The right chain and a key that does not belong to it.
    let thief = good.clone().with_key_of(&Identity::self_signed(&[NAME]).unwrap());
    receiver.set_identity(&thief);
    for version in ["-tls1_2", "-tls1_3"] {
        let said = s_client(receiver.address(), &[version], "QUIT\n").await;
        assert!(!said.contains("221 "), "{version}: {said}");
        assert!(said.contains("bad signature"), "{version}: {said}");
    }

    let expired = Identity::builder(&[NAME])
        .validity(Validity::Expired)
        .issue(&ca)
        .unwrap();
    receiver.set_identity(&expired);
    judged(&receiver, &expired.tlsa_2_0_1(), "certificate has expired").await;
    // DANE-EE has no dates.
    judged(&receiver, &expired.tlsa_3_1_1(), "221 ").await;

    let other = ca.issue(&["other.demo"]).unwrap();
    receiver.set_identity(&other);
    judged(&receiver, &other.tlsa_2_1_1(), "ostname mismatch").await;
    // Another key.
    judged(&receiver, &good.tlsa_3_1_1(), "verify error").await;

    // The anchor is not sent.
    receiver.set_identity(&good.clone().without_issuer());
    judged(&receiver, &good.tlsa_2_1_1(), "verify error").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_versions_can_be_limited() {
    for (fault, good, bad) in [
        (MailFault::Tls12Only, "-tls1_2", "-tls1_3"),
        (MailFault::Tls13Only, "-tls1_3", "-tls1_2"),
    ] {
        let receiver = receiver([fault]).await;
        for (version, is_taken) in [(good, true), (bad, false)] {
            let said = s_client(receiver.address(), &[version], "QUIT\n").await;
            assert_eq!(said.contains("221 "), is_taken, "{version}: {said}");
        }
    }
}
