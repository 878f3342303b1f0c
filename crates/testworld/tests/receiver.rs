//! The receiving server, judged by `openssl s_client`, and each of its faults as a client sees it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use testworld::mail::{Ca, Identity, KeyKind, MailFault, Receiver, Stage, Validity, free_port_on};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

const NAME: &str = "mx.good.demo";

async fn receiver(faults: impl IntoIterator<Item = MailFault>) -> Receiver {
    let identity = Identity::self_signed(&[NAME]).unwrap();
    let builder = Receiver::builder(NAME).identity(&identity);
    faults
        .into_iter()
        .fold(builder, testworld::mail::ReceiverBuilder::fault)
        .start()
        .await
        .unwrap()
}

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
    assert!(
        dane(&receiver, &expired.tlsa_2_0_1())
            .await
            .contains("certificate has expired")
    );
    assert!(
        dane(&receiver, &expired.tlsa_3_1_1()).await.contains("221 "),
        "DANE-EE has no dates"
    );

    let other = ca.issue(&["other.demo"]).unwrap();
    receiver.set_identity(&other);
    assert!(
        dane(&receiver, &other.tlsa_2_1_1())
            .await
            .contains("ostname mismatch")
    );
    assert!(
        dane(&receiver, &good.tlsa_3_1_1()).await.contains("verify error"),
        "another key"
    );

    receiver.set_identity(&good.clone().without_issuer());
    assert!(
        dane(&receiver, &good.tlsa_2_1_1()).await.contains("verify error"),
        "the anchor was not sent"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_versions_can_be_limited() {
    for (fault, good, bad) in [
        (MailFault::Tls12Only, "-tls1_2", "-tls1_3"),
        (MailFault::Tls13Only, "-tls1_3", "-tls1_2"),
    ] {
        let receiver = receiver([fault]).await;
        assert!(
            s_client(receiver.address(), &[good], "QUIT\n")
                .await
                .contains("221 ")
        );
        assert!(
            !s_client(receiver.address(), &[bad], "QUIT\n")
                .await
                .contains("221 ")
        );
    }
}

/// A clear-text client.
struct Client(BufReader<TcpStream>);

impl Client {
    async fn to(receiver: &Receiver) -> Self {
        Self(BufReader::new(
            TcpStream::connect(receiver.address()).await.unwrap(),
        ))
    }

    /// One reply with all its lines; empty at the end of the connection.
    async fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let start = reply.len();
            let read = tokio::time::timeout(Duration::from_secs(5), self.0.read_line(&mut reply));
            if read.await.unwrap().unwrap_or(0) == 0 || reply.as_bytes().get(start + 3) != Some(&b'-') {
                return reply;
            }
        }
    }

    async fn say(&mut self, command: &str) -> String {
        self.0
            .write_all(format!("{command}\r\n").as_bytes())
            .await
            .unwrap();
        self.reply().await
    }

    /// Up to and including DATA.
    async fn until_content(&mut self) {
        self.reply().await;
        for command in ["EHLO client", "MAIL FROM:<>", "RCPT TO:<a@b>", "DATA"] {
            let reply = self.say(command).await;
            assert!(reply.starts_with(['2', '3']), "{command}: {reply}");
        }
    }
}

#[tokio::test]
async fn scripted_replies_at_each_stage() {
    let refused = |stage| MailFault::Reply(stage, "451 4.7.1 Later".to_owned());
    for (stage, command) in [
        (Stage::Ehlo, "EHLO client"),
        (Stage::StartTls, "STARTTLS"),
        (Stage::Mail, "MAIL FROM:<>"),
        (Stage::Noop, "NOOP"),
        (Stage::Rset, "RSET"),
    ] {
        let receiver = receiver([refused(stage)]).await;
        let mut client = Client::to(&receiver).await;
        assert!(client.reply().await.starts_with("220 "));
        assert_eq!(client.say(command).await, "451 4.7.1 Later\r\n");
    }

    let receiver = receiver([
        refused(Stage::RcptFor("Bad@b".to_owned())),
        refused(Stage::Content),
    ])
    .await;
    let mut client = Client::to(&receiver).await;
    client.reply().await;
    client.say("EHLO client").await;
    client.say("MAIL FROM:<>").await;
    assert!(client.say("RCPT TO:<bad@b>").await.starts_with("451"));
    assert!(client.say("RCPT TO:<good@b>").await.starts_with("250"));
    assert!(client.say("DATA").await.starts_with("354"));
    assert!(client.say("text\r\n.").await.starts_with("451"));
    assert!(receiver.messages().is_empty(), "a refused message is not kept");

    receiver.set_faults(Vec::new());
    let mut client = Client::to(&receiver).await;
    client.until_content().await;
    assert!(client.say("text\r\n.").await.starts_with("250"));
    assert_eq!(receiver.messages()[0].envelope_from, "");
    assert_eq!(receiver.messages()[0].tls, None);
}

#[tokio::test]
async fn a_negative_greeting_leaves_only_quit() {
    let receiver = receiver([MailFault::Reply(Stage::Greeting, "521 No mail here".to_owned())]).await;
    let mut client = Client::to(&receiver).await;
    assert_eq!(client.reply().await, "521 No mail here\r\n");
    assert!(client.say("EHLO client").await.starts_with("503"));
    assert!(client.say("QUIT").await.starts_with("221"));
    assert_eq!(client.reply().await, "");
}

#[tokio::test]
async fn a_counted_fault_ends() {
    let grey = MailFault::ReplyTimes(Stage::Rcpt, 2, "450 4.2.0 Greylisted".to_owned());
    let receiver = receiver([grey]).await;
    let mut client = Client::to(&receiver).await;
    client.reply().await;
    client.say("MAIL FROM:<>").await;
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(client.say("RCPT TO:<a@b>").await[..3].to_owned());
    }
    assert_eq!(codes, ["450", "450", "250"]);
}

#[tokio::test]
async fn connections_break_where_told() {
    let receiver = receiver([MailFault::Close(Stage::Content)]).await;
    let mut client = Client::to(&receiver).await;
    client.until_content().await;
    assert_eq!(client.say("text\r\n.").await, "", "after the final dot");

    receiver.set_faults(vec![MailFault::CloseInContent]);
    let mut client = Client::to(&receiver).await;
    client.until_content().await;
    assert_eq!(client.say("text").await, "", "before the final dot");

    receiver.set_faults(vec![MailFault::Close(Stage::Greeting)]);
    assert_eq!(Client::to(&receiver).await.reply().await, "");
    assert!(receiver.messages().is_empty());

    receiver.set_faults(vec![MailFault::Silence(Stage::Ehlo)]);
    let mut client = Client::to(&receiver).await;
    client.reply().await;
    let waited = tokio::time::timeout(Duration::from_millis(200), client.say("EHLO client")).await;
    assert!(waited.is_err());
    assert_eq!(receiver.connections().len(), 4);
}

#[tokio::test]
async fn odd_replies() {
    let faults = [
        MailFault::HugeReply(Stage::Mail, 100_000),
        MailFault::MixedCodes(Stage::Noop),
        MailFault::NoPipelining,
        MailFault::NoStartTls,
    ];
    let receiver = receiver(faults).await;
    let mut client = Client::to(&receiver).await;
    client.reply().await;
    let ehlo = client.say("EHLO client").await;
    assert!(!ehlo.contains("PIPELINING") && !ehlo.contains("STARTTLS") && ehlo.contains("250-8BITMIME"));
    assert!(client.say("STARTTLS").await.starts_with("502"));
    assert_eq!(client.say("MAIL FROM:<>").await.len(), 100_006);
    assert_eq!(
        client.say("NOOP").await,
        "250-this\r\n550-or that\r\n250 or this\r\n"
    );

    receiver.set_faults(vec![MailFault::Drip(Duration::from_millis(5))]);
    let start = Instant::now();
    let greeting = Client::to(&receiver).await.reply().await;
    assert_eq!(greeting, format!("220 {NAME} ESMTP\r\n"));
    assert!(start.elapsed() >= Duration::from_millis(5 * 20));

    receiver.set_faults(vec![MailFault::Pause(Stage::Noop, Duration::from_millis(100))]);
    let mut client = Client::to(&receiver).await;
    client.reply().await;
    let start = Instant::now();
    assert!(client.say("NOOP").await.starts_with("250"));
    assert!(start.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn handshakes_break_where_told() {
    let receiver = receiver([MailFault::InjectAfterStartTls("250 injected".to_owned())]).await;
    let mut client = Client::to(&receiver).await;
    client.reply().await;
    client.say("EHLO client").await;
    client.0.write_all(b"STARTTLS\r\n").await.unwrap();
    let mut segment = vec![0; 200];
    let length = client.0.read(&mut segment).await.unwrap();
    assert_eq!(
        &segment[..length],
        b"220 2.0.0 Ready to start TLS\r\n250 injected\r\n",
        "one segment"
    );

    receiver.set_faults(vec![MailFault::CloseInHandshake]);
    let mut client = Client::to(&receiver).await;
    client.reply().await;
    assert!(client.say("STARTTLS").await.starts_with("220"));
    assert_eq!(client.reply().await, "");

    receiver.set_faults(vec![MailFault::GarbageInHandshake]);
    let mut client = Client::to(&receiver).await;
    client.reply().await;
    assert!(client.say("STARTTLS").await.starts_with("220"));
    assert_eq!(
        client.0.read_u8().await.unwrap(),
        0,
        "no TLS record begins with 0"
    );
}

#[tokio::test]
async fn receivers_share_a_port_and_end_with_their_handles() {
    let ips = ["127.0.0.2", "127.0.0.3", "127.0.0.4"].map(|ip| ip.parse().unwrap());
    let port = free_port_on(&ips).unwrap();
    let mut receivers = Vec::new();
    for ip in ips {
        let builder = Receiver::builder(NAME).address(SocketAddr::new(ip, port));
        receivers.push(builder.start().await.unwrap());
    }
    let ehlo = Client::to(&receivers[2]).await.reply().await;
    assert!(ehlo.starts_with("220 "));
    drop(receivers);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(TcpStream::connect(SocketAddr::new(ips[0], port)).await.is_err());
    assert!(free_port_on(&[]).is_err());
    let public = Receiver::builder(NAME)
        .address("192.0.2.1:25".parse().unwrap())
        .start()
        .await;
    assert!(matches!(
        public.err(),
        Some(testworld::WorldError::NotLoopback(_))
    ));
}
