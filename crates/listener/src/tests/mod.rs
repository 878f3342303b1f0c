//! Sessions over real sockets on loopback, into a spool in memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod chunks;
mod commands;
mod content;
mod international;
mod limits;
mod load;
mod logins;
mod proxies;
mod reports;
mod shortage;
mod tls;

use parking_lot::Mutex;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use jiff::Timestamp;
use mail::sighting::FailingSpot;
use mail::{Domain, Envelope, Event, EventLog, Mailbox, NextHop, QueueId};
use smtp::{Reply, ReplyParser};
use spool::incoming::{Complete, Room};
use spool::{
    Accepted, Incoming, Lease, Leasing, NewMessage, Notices, Outcomes, Pending, Report, Reported, Settled,
    Spool, SpoolError,
};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::{Encryption, Limits, Listener, ListenerConfig};

/// What the spool does instead of its work.
#[derive(Debug, Clone)]
enum Trouble {
    AtCreate(SpoolError),
    /// There is room for this many octets, for each message anew.
    Room(u64),
    AtCommit(SpoolError),
    /// Panics on a recipient whose local part is `panic`.
    Panic,
}

/// Room for this many octets, regardless of earlier messages.
#[derive(Debug)]
struct Octets(u64);

impl Room for Octets {
    fn has(&self, octets: u64) -> Result<(), SpoolError> {
        (octets <= self.0).then_some(()).ok_or(SpoolError::Full)
    }

    fn take(&self, octets: u64) -> Result<(), SpoolError> {
        self.has(octets)
    }
}

struct MemorySpool {
    directory: TempDir,
    trouble: Mutex<Option<Trouble>>,
    messages: Mutex<Vec<(NewMessage, Vec<u8>)>>,
    commit_time: Duration,
}

impl Spool for MemorySpool {
    fn create(&self) -> Result<Incoming, SpoolError> {
        match &*self.trouble.lock() {
            Some(Trouble::AtCreate(error)) => Err(error.clone()),
            Some(Trouble::Room(octets)) => Ok(Incoming::within(
                Arc::from(self.directory.path()),
                Arc::new(Octets(*octets)),
            )),
            _ => Ok(Incoming::new(Arc::from(self.directory.path()))),
        }
    }

    async fn commit(&self, incoming: Incoming, message: NewMessage) -> Result<Accepted, SpoolError> {
        tokio::time::sleep(self.commit_time).await;
        let content = match incoming.complete().await? {
            Complete::Memory(bytes) => bytes.to_vec(),
            Complete::File(file) => std::fs::read(file.path()).unwrap(),
        };
        let trouble = self.trouble.lock().clone();
        match trouble {
            Some(Trouble::AtCommit(error)) => return Err(error),
            Some(Trouble::Panic) if message.envelope.recipients[0].address.local_part() == "panic" => {
                panic!("as asked")
            }
            _ => {}
        }
        let accepted = Accepted {
            id: message.id,
            size: content.len() as u64,
            pending: Vec::new(),
        };
        self.messages.lock().push((message, content));
        Ok(accepted)
    }

    async fn pending(&self, _: Option<QueueId>, _: usize) -> Result<Vec<Pending>, SpoolError> {
        Ok(Vec::new())
    }

    async fn lease(&self, _: QueueId, _: &NextHop) -> Result<Leasing, SpoolError> {
        Ok(Leasing::Nothing)
    }

    async fn settle(
        &self,
        _: Lease,
        _: impl Into<Outcomes> + Send,
        _: Timestamp,
    ) -> Result<Settled, SpoolError> {
        Err(SpoolError::Closed)
    }

    async fn failing(&self) -> Result<Vec<FailingSpot>, SpoolError> {
        Ok(Vec::new())
    }

    async fn unreported(&self) -> Result<Vec<QueueId>, SpoolError> {
        Ok(Vec::new())
    }

    async fn notices(&self, _: QueueId) -> Result<Option<Notices>, SpoolError> {
        Ok(None)
    }

    async fn report(&self, _: Notices, _: Option<Report>) -> Result<Reported, SpoolError> {
        Err(SpoolError::Closed)
    }

    fn release(&self, _: Lease) {}
}

#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl EventLog for Lines {
    fn write(&self, event: &Event) {
        self.0.lock().push(event.to_text());
    }
}

/// A listener on loopback with its environment.
struct World {
    address: std::net::SocketAddr,
    spool: Arc<MemorySpool>,
    log: Arc<Lines>,
    hooked: Arc<Mutex<Vec<QueueId>>>,
    config: watch::Sender<Arc<ListenerConfig>>,
    shutdown: watch::Sender<bool>,
    running: JoinHandle<()>,
    listener: Arc<Listener<MemorySpool>>,
}

fn config() -> ListenerConfig {
    let hostname = Domain::parse("relay.example").unwrap();
    let postmaster = Mailbox::parse("postmaster@admin.example").unwrap();
    ListenerConfig {
        networks: vec!["127.0.0.0/8".parse().unwrap()],
        limits: Limits {
            message_size: 1_000_000,
            ..Limits::default()
        },
        ..ListenerConfig::new(hostname, postmaster)
    }
}

impl World {
    async fn new() -> Self {
        Self::with(config()).await
    }

    async fn with(settings: ListenerConfig) -> Self {
        Self::slow(settings, Duration::ZERO).await
    }

    async fn slow(settings: ListenerConfig, commit_time: Duration) -> Self {
        Self::on(settings, commit_time, Encryption::StartTls).await
    }

    async fn on(settings: ListenerConfig, commit_time: Duration, encryption: Encryption) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let spool = Arc::new(MemorySpool {
            directory: TempDir::new().unwrap(),
            trouble: Mutex::new(None),
            messages: Mutex::default(),
            commit_time,
        });
        let log = Arc::new(Lines::default());
        let hooked: Arc<Mutex<Vec<QueueId>>> = Arc::default();
        let (config, settings) = watch::channel(Arc::new(settings));
        let (shutdown, stop) = watch::channel(false);
        let hook = Arc::clone(&hooked);
        let listener = Arc::new(Listener::new(
            Arc::clone(&spool),
            settings,
            Arc::clone(&log) as Arc<dyn EventLog>,
            move |accepted| hook.lock().push(accepted.id),
        ));
        let serving = Arc::clone(&listener);
        let running = tokio::spawn(async move { serving.run(vec![(socket, encryption)], stop).await });
        Self {
            address,
            spool,
            log,
            hooked,
            config,
            shutdown,
            running,
            listener,
        }
    }

    async fn connect(&self) -> Client {
        Client {
            stream: Box::new(TcpStream::connect(self.address).await.unwrap()),
            input: BytesMut::new(),
            parser: ReplyParser::new(),
        }
    }

    /// A client after greeting and EHLO.
    async fn client(&self) -> Client {
        let mut client = self.connect().await;
        client.expect("220 relay.example ESMTP").await;
        client.say("EHLO client.example").await;
        client
    }

    /// The contents without our Received field.
    fn contents(&self) -> Vec<Vec<u8>> {
        let messages = self.spool.messages.lock();
        messages
            .iter()
            .map(|(_, content)| below_received(content))
            .collect()
    }

    fn contents_with_received(&self) -> Vec<String> {
        let messages = self.spool.messages.lock();
        messages
            .iter()
            .map(|(_, content)| String::from_utf8(content.clone()).unwrap())
            .collect()
    }

    fn envelopes(&self) -> Vec<Envelope> {
        let messages = self.spool.messages.lock();
        messages
            .iter()
            .map(|(message, _)| message.envelope.clone())
            .collect()
    }

    fn log_lines(&self, word: &str) -> Vec<String> {
        let lines = self.log.0.lock();
        lines.iter().filter(|line| line.contains(word)).cloned().collect()
    }

    /// What sessions were refused, once this many sessions have ended.
    async fn rejected(&self, sessions: usize) -> Vec<String> {
        loop {
            let lines = self.log_lines("event=rejected");
            if lines.len() >= sessions {
                return lines;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn trouble(&self, trouble: Option<Trouble>) {
        *self.spool.trouble.lock() = trouble;
    }

    fn spool_directory(&self) -> &Path {
        self.spool.directory.path()
    }
}

/// Removes the first field with its continuation lines.
fn below_received(content: &[u8]) -> Vec<u8> {
    let mut lines = content.split_inclusive(|octet| *octet == b'\n');
    assert!(lines.next().unwrap().starts_with(b"Received: from "));
    lines
        .skip_while(|line| line.starts_with(b"\t"))
        .collect::<Vec<_>>()
        .concat()
}

/// In plain text or over TLS.
trait Transport: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Transport for T {}

struct Client {
    stream: Box<dyn Transport>,
    input: BytesMut,
    parser: ReplyParser,
}

impl Client {
    async fn send(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).await.unwrap();
    }

    async fn reply(&mut self) -> Reply {
        self.try_reply()
            .await
            .expect("a reply before the end of the connection")
    }

    async fn try_reply(&mut self) -> Option<Reply> {
        loop {
            if let Some(reply) = self.parser.parse(&mut self.input).unwrap() {
                return Some(reply);
            }
            let read = self.stream.read_buf(&mut self.input);
            let read = tokio::time::timeout(Duration::from_secs(20), read)
                .await
                .expect("a reply in time");
            if read.is_err() || read.is_ok_and(|read| read == 0) {
                return None;
            }
        }
    }

    async fn expect(&mut self, start: &str) {
        let reply = self.reply().await.to_log();
        assert!(reply.starts_with(start), "{reply} is not {start}");
    }

    async fn say(&mut self, line: &str) -> Reply {
        self.send(format!("{line}\r\n").as_bytes()).await;
        self.reply().await
    }

    /// The keywords of the reply to EHLO.
    async fn keywords(&mut self) -> Vec<String> {
        let reply = self.say("EHLO client.example").await;
        reply.lines.iter().skip(1).map(ToString::to_string).collect()
    }

    async fn dialogue(&mut self, turns: &[(&str, &str)]) {
        for (line, start) in turns {
            let reply = self.say(line).await.to_log();
            assert!(reply.starts_with(start), "{line} gave {reply}, not {start}");
        }
    }

    /// A whole transaction, with the content as it is sent over the wire.
    async fn transaction(&mut self, wire: &[u8]) -> Reply {
        self.dialogue(&[
            ("MAIL FROM:<a@b.example>", "250 2.1.0"),
            ("RCPT TO:<c@d.example>", "250 2.1.5"),
            ("DATA", "354"),
        ])
        .await;
        self.send(wire).await;
        self.reply().await
    }

    async fn expect_end(&mut self) {
        assert_eq!(self.try_reply().await, None);
    }
}
