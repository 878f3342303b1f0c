//! The receiving servers. They reject some messages for good; reports about those come to them, too.

use super::ledger::{Ledger, Life};
use super::letter::{Letter, Recipient};
use bytes::BytesMut;
use memchr::memmem;
use rand::RngExt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const END_OF_DATA: &[u8] = b"\r\n.\r\n";
const HELLO: &str = "250-sink.test\r\n250-PIPELINING\r\n250-SIZE 100000000\r\n250 8BITMIME\r\n";

/// The sinks' common state. Clones are the same.
#[derive(Clone, Debug)]
pub struct Sinks(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    ledger: Ledger,
    /// Every reply is prompt and good.
    kind: AtomicBool,
    /// Transactions whose final dot was seen and whose reply is still to come.
    answering: AtomicUsize,
}

/// How a sink answers one message.
enum Mood {
    /// 250.
    Take,
    /// 250 after this time.
    TakeLate(Duration),
    /// 451.
    Refuse,
    /// No reply: the connection is closed.
    HangUp,
}

/// One connection from the relay.
struct Session {
    stream: TcpStream,
    input: BytesMut,
    output: Vec<u8>,
    life: Life,
    /// The reverse-path is null: a report.
    is_report: bool,
    recipients: Vec<Recipient>,
}

impl Sinks {
    /// Sinks that enter into this ledger.
    pub fn new(ledger: Ledger) -> Self {
        Self(Arc::new(Shared {
            ledger,
            kind: AtomicBool::new(false),
            answering: AtomicUsize::new(0),
        }))
    }

    /// Serves connections for good.
    pub async fn serve(self, listener: TcpListener) {
        loop {
            // Descriptors can run out for a moment; the relay tries again.
            if let Ok((stream, _)) = listener.accept().await {
                let sinks = self.clone();
                // The relay may be killed in the middle of anything.
                tokio::spawn(async move { sinks.session(stream).await.ok() });
            }
        }
    }

    /// From now on every message is accepted at once.
    pub fn be_kind(&self) {
        self.0.kind.store(true, Ordering::Relaxed);
    }

    /// How many transactions wait for the reply to their final dot.
    pub fn answering(&self) -> usize {
        self.0.answering.load(Ordering::Relaxed)
    }

    async fn session(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut session = Session {
            stream,
            input: BytesMut::with_capacity(16 * 1024),
            output: b"220 sink.test ESMTP\r\n".to_vec(),
            life: 0,
            is_report: false,
            recipients: Vec::new(),
        };
        loop {
            let line = session.line().await?;
            match line.split_once(' ').map_or(line.as_str(), |(verb, _)| verb) {
                "EHLO" => {
                    session.life = life(&line)?;
                    session.say(HELLO);
                }
                "MAIL" => {
                    session.recipients.clear();
                    session.is_report = line.starts_with("MAIL FROM:<>");
                    session.say("250 2.1.0 Ok\r\n");
                }
                "RCPT" => {
                    if !session.is_report {
                        session.recipients.push(recipient(&line)?);
                    }
                    session.say("250 2.1.5 Ok\r\n");
                }
                "DATA" => {
                    session.say("354 Go on\r\n");
                    let content = session.content().await?;
                    self.answer(&mut session, &content).await?;
                }
                "QUIT" => {
                    session.say("221 2.0.0 Bye\r\n");
                    return session.flush().await;
                }
                _ => session.say("250 2.0.0 Ok\r\n"),
            }
        }
    }

    async fn answer(&self, session: &mut Session, content: &[u8]) -> io::Result<()> {
        let answering = Answering::new(&self.0.answering);
        match self.mood() {
            Mood::Take => {}
            Mood::TakeLate(after) => tokio::time::sleep(after).await,
            Mood::Refuse => {
                session.say("451 4.3.2 Not now\r\n");
                return session.flush().await;
            }
            Mood::HangUp => return Err(io::ErrorKind::ConnectionAborted.into()),
        }
        let reply = self.take(session, content)?;
        session.say(reply);
        session.flush().await?;
        drop(answering);
        Ok(())
    }

    /// Records what was received, unless the message is one that every sink rejects.
    fn take(&self, session: &Session, content: &[u8]) -> io::Result<&'static str> {
        let ledger = &self.0.ledger;
        if session.is_report {
            let (number, failed) = Letter::recognise_report(content)
                .ok_or_else(|| io::Error::other("a report about nothing that was sent"))?;
            ledger.report(number, &failed, session.life);
            return Ok("250 2.0.0 Noted\r\n");
        }
        let number = Letter::recognise(content);
        if number.is_some_and(Letter::is_unwanted) {
            return Ok("554 5.7.1 Not wanted\r\n");
        }
        ledger.deliver(number, &session.recipients, session.life);
        Ok("250 2.0.0 Taken\r\n")
    }

    fn mood(&self) -> Mood {
        if self.0.kind.load(Ordering::Relaxed) {
            return Mood::Take;
        }
        let mut chance = rand::rng();
        match chance.random_range(0..100) {
            0..6 => Mood::Refuse,
            6..12 => Mood::HangUp,
            12..24 => Mood::TakeLate(Duration::from_millis(chance.random_range(5..250))),
            _ => Mood::Take,
        }
    }
}

impl Session {
    fn say(&mut self, reply: &str) {
        self.output.extend_from_slice(reply.as_bytes());
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.output).await?;
        self.output.clear();
        Ok(())
    }

    /// The next command. Replies to earlier ones are sent once no other command is waiting.
    async fn line(&mut self) -> io::Result<String> {
        let line = self.until(b"\r\n").await?;
        String::from_utf8(line.to_vec()).map_err(io::Error::other)
    }

    /// Content without its final dot.
    async fn content(&mut self) -> io::Result<BytesMut> {
        let mut content = self.until(END_OF_DATA).await?;
        content.extend_from_slice(b"\r\n");
        Ok(content)
    }

    /// The text before `end`, which is removed.
    async fn until(&mut self, end: &[u8]) -> io::Result<BytesMut> {
        let mut searched = 0;
        loop {
            if let Some(place) = memmem::find(&self.input[searched..], end) {
                let found = self.input.split_to(searched + place);
                let _ = self.input.split_to(end.len());
                return Ok(found);
            }
            searched = self.input.len().saturating_sub(end.len());
            self.flush().await?;
            self.input.reserve(16 * 1024);
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// Counts a transaction as long as it lives.
struct Answering<'a>(&'a AtomicUsize);

impl<'a> Answering<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Which life of the relay says this EHLO.
fn life(line: &str) -> io::Result<Life> {
    let number = line
        .strip_prefix("EHLO life-")
        .and_then(|rest| rest.split_once('.'));
    number
        .and_then(|(number, _)| number.parse().ok())
        .ok_or_else(|| io::Error::other(format!("no life in {line:?}")))
}

fn recipient(line: &str) -> io::Result<Recipient> {
    let address = line
        .strip_prefix("RCPT TO:<")
        .and_then(|rest| rest.split_once('>'));
    address
        .and_then(|(address, _)| Recipient::parse(address))
        .ok_or_else(|| io::Error::other(format!("no recipient in {line:?}")))
}

/// The name that a life of the relay uses in EHLO.
pub fn name_of(life: Life) -> String {
    format!("life-{life}.relay.test")
}

/// Listens on this address.
pub async fn listen(address: SocketAddr) -> TcpListener {
    TcpListener::bind(address)
        .await
        .unwrap_or_else(|error| panic!("cannot listen on {address}: {error}"))
}
