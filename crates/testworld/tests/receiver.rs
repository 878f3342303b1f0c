//! Each fault of the receiving server as a client sees it.
#![allow(clippy::disallowed_types, reason = "the time that really passes is meant")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod common;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use common::{NAME, receiver};
use testworld::mail::{MailFault, Receiver, Stage, free_port_on};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A clear-text client.
struct Client(BufReader<TcpStream>);

impl Client {
    async fn to(receiver: &Receiver) -> Self {
        Self(BufReader::new(
            TcpStream::connect(receiver.address()).await.unwrap(),
        ))
    }

    /// One that has read the greeting.
    async fn greeted(receiver: &Receiver) -> Self {
        let mut client = Self::to(receiver).await;
        client.reply().await;
        client
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

    /// One that has sent everything up to and including DATA.
    async fn at_content(receiver: &Receiver) -> Self {
        let mut client = Self::greeted(receiver).await;
        for command in ["EHLO client", "MAIL FROM:<>", "RCPT TO:<a@b>", "DATA"] {
            let reply = client.say(command).await;
            assert!(reply.starts_with(['2', '3']), "{command}: {reply}");
        }
        client
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
    let mut client = Client::greeted(&receiver).await;
    client.say("EHLO client").await;
    client.say("MAIL FROM:<>").await;
    assert!(client.say("RCPT TO:<bad@b>").await.starts_with("451"));
    assert!(client.say("RCPT TO:<good@b>").await.starts_with("250"));
    assert!(client.say("DATA").await.starts_with("354"));
    assert!(client.say("text\r\n.").await.starts_with("451"));
    assert!(receiver.messages().is_empty(), "a refused message is not kept");

    receiver.set_faults(Vec::new());
    let mut client = Client::at_content(&receiver).await;
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
    let mut client = Client::greeted(&receiver).await;
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
    let mut client = Client::at_content(&receiver).await;
    assert_eq!(client.say("text\r\n.").await, "", "after the final dot");

    receiver.set_faults(vec![MailFault::CloseInContent]);
    let mut client = Client::at_content(&receiver).await;
    assert_eq!(client.say("text").await, "", "before the final dot");

    receiver.set_faults(vec![MailFault::Close(Stage::Greeting)]);
    assert_eq!(Client::to(&receiver).await.reply().await, "");
    assert!(receiver.messages().is_empty());

    receiver.set_faults(vec![MailFault::Silence(Stage::Ehlo)]);
    let mut client = Client::greeted(&receiver).await;
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
    let mut client = Client::greeted(&receiver).await;
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
    let mut client = Client::greeted(&receiver).await;
    let start = Instant::now();
    assert!(client.say("NOOP").await.starts_with("250"));
    assert!(start.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn handshakes_break_where_told() {
    let receiver = receiver([MailFault::InjectAfterStartTls("250 injected".to_owned())]).await;
    let mut client = Client::greeted(&receiver).await;
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
    let mut client = Client::greeted(&receiver).await;
    assert!(client.say("STARTTLS").await.starts_with("220"));
    assert_eq!(client.reply().await, "");

    receiver.set_faults(vec![MailFault::GarbageInHandshake]);
    let mut client = Client::greeted(&receiver).await;
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
