//! Lines in, replies out, and the faults in between: what all commands have in common.
//!
//! Line reading is deliberately simple; this server does not check a peer's SMTP strictly.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::server::Acceptor;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::behaviour::Behaviour;
use super::fault::{MailFault, Stage};
use super::record::Recorder;

/// Longest line taken, in octets.
const MAX_LINE: u64 = 65_536;
/// A client that sends nothing for this long is disconnected.
const IDLE: Duration = Duration::from_mins(5);

/// What follows a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The dialogue goes on, and the reply was positive.
    Accepted,
    /// The dialogue goes on, and the reply was negative.
    Refused,
    /// TLS begins.
    Handshake,
    /// The connection ends.
    Close,
}

/// What the server is going to do at one stage.
pub(super) enum Plan {
    Write(String),
    Close,
    Silence,
}

impl Plan {
    pub(super) fn accepts(&self) -> bool {
        match self {
            Self::Write(reply) => reply.starts_with('2'),
            Self::Close | Self::Silence => false,
        }
    }
}

/// One stream with the behaviour that governs it.
pub(super) struct Wire<'a, S> {
    io: BufStream<S>,
    pub(super) behaviour: &'a Behaviour,
    pub(super) record: &'a Recorder,
    /// Messages taken over this connection.
    pub(super) taken: usize,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Wire<'a, S> {
    pub(super) fn new(stream: S, behaviour: &'a Behaviour, record: &'a Recorder) -> Self {
        Self {
            io: BufStream::new(stream),
            behaviour,
            record,
            taken: 0,
        }
    }

    pub(super) fn has(&self, fault: &MailFault) -> bool {
        self.behaviour.faults.contains(fault)
    }

    pub(super) fn ehlo_stage(&self) -> &'static Stage {
        if self.record.tls.is_some() {
            &Stage::EhloInTls
        } else {
            &Stage::Ehlo
        }
    }

    fn faults_now(&self) -> impl Iterator<Item = &'a MailFault> {
        let (taken, others) = (self.taken, self.record.others);
        let faults = self.behaviour.faults.iter();
        faults.filter_map(move |fault| fault.current(taken, others))
    }

    /// One line with its end; none at the end of the connection.
    pub(super) async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let mut limited = (&mut self.io).take(MAX_LINE);
        let read = tokio::time::timeout(IDLE, limited.read_until(b'\n', &mut line)).await;
        let Ok(octets) = read else { return Ok(None) };
        Ok((octets? > 0).then_some(line))
    }

    /// So many octets; none if the connection ends before.
    pub(super) async fn octets(&mut self, count: usize) -> io::Result<Option<Vec<u8>>> {
        let mut octets = Vec::new();
        let mut limited = (&mut self.io).take(count as u64);
        let Ok(read) = tokio::time::timeout(IDLE, limited.read_to_end(&mut octets)).await else {
            return Ok(None);
        };
        Ok((read? == count).then_some(octets))
    }

    /// The reply of one stage, or what a fault makes of it.
    pub(super) async fn say(&mut self, stage: &Stage, reply: &str) -> io::Result<Next> {
        self.pause(stage).await;
        let plan = self.plan(stage, reply);
        self.perform(plan).await
    }

    /// Waits where a fault wants it.
    pub(super) async fn pause(&self, stage: &Stage) {
        for fault in self.faults_now() {
            if let MailFault::Pause(_, time) = fault
                && fault.is_at(stage)
            {
                tokio::time::sleep(*time).await;
            }
        }
    }

    /// The first fault at this stage decides; without one, the server's own reply stands.
    pub(super) fn plan(&self, stage: &Stage, reply: &str) -> Plan {
        for fault in self.faults_now().filter(|fault| fault.is_at(stage)) {
            match fault {
                MailFault::Reply(_, other) => return Plan::Write(other.clone()),
                MailFault::ReplyTimes(_, _, other) => {
                    if self.record.use_up(fault) {
                        return Plan::Write(other.clone());
                    }
                }
                MailFault::Close(_) => return Plan::Close,
                MailFault::Silence(_) => return Plan::Silence,
                MailFault::HugeReply(_, octets) => {
                    let code = reply.get(..3).unwrap_or("250");
                    return Plan::Write(format!("{code} {}", "x".repeat(*octets)));
                }
                MailFault::MixedCodes(_) => {
                    return Plan::Write("250-this\r\n550-or that\r\n250 or this".to_owned());
                }
                MailFault::Pause(..)
                | MailFault::CloseInContent
                | MailFault::CloseAfter(_)
                | MailFault::After(..)
                | MailFault::Beyond(..)
                | MailFault::Drip(_)
                | MailFault::NoStartTls
                | MailFault::GarbageInHandshake
                | MailFault::CloseInHandshake
                | MailFault::InjectAfterStartTls(_)
                | MailFault::TooManyRecipients(..)
                | MailFault::LargeHello(_)
                | MailFault::NoSni
                | MailFault::NoPipelining
                | MailFault::Tls12Only
                | MailFault::Tls13Only => {}
            }
        }
        Plan::Write(reply.to_owned())
    }

    pub(super) async fn perform(&mut self, plan: Plan) -> io::Result<Next> {
        match plan {
            Plan::Write(reply) => self.write(&reply).await,
            Plan::Close => Ok(Next::Close),
            Plan::Silence => {
                // Until the client goes away.
                while self.line().await?.is_some() {}
                Ok(Next::Close)
            }
        }
    }

    pub(super) async fn write(&mut self, reply: &str) -> io::Result<Next> {
        let octets = format!("{reply}\r\n").into_bytes();
        let drip = self.behaviour.faults.iter().find_map(|fault| {
            if let MailFault::Drip(interval) = fault {
                Some(*interval)
            } else {
                None
            }
        });
        if let Some(interval) = drip {
            for octet in &octets {
                self.io.write_all(&[*octet]).await?;
                self.io.flush().await?;
                tokio::time::sleep(interval).await;
            }
        } else {
            self.io.write_all(&octets).await?;
            self.io.flush().await?;
        }
        // 421 announces the end of the connection (RFC 5321 §3.8).
        if reply.starts_with("421") {
            return Ok(Next::Close);
        }
        Ok(if reply.starts_with(['2', '3']) {
            Next::Accepted
        } else {
            Next::Refused
        })
    }

    pub(super) async fn shut_down(&mut self) -> io::Result<()> {
        self.io.shutdown().await
    }
}

/// The TLS handshake, or what a fault makes of it.
pub(super) async fn handshake(
    mut stream: TcpStream,
    config: Arc<ServerConfig>,
    behaviour: &Behaviour,
) -> io::Result<Option<TlsStream<TcpStream>>> {
    if behaviour.faults.contains(&MailFault::CloseInHandshake) {
        return Ok(None);
    }
    if behaviour.faults.contains(&MailFault::GarbageInHandshake) {
        stream.write_all(b"\x00\xff this is no TLS record \r\n").await?;
        // Read until the client gives up, or the reset would overtake the garbage.
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(IDLE, (&mut stream).take(MAX_LINE).read_to_end(&mut rest)).await;
        return Ok(None);
    }
    for fault in &behaviour.faults {
        if let MailFault::LargeHello(most) = fault
            && hello_length(&stream).await? > *most
        {
            return Ok(None);
        }
    }
    let accepting = async {
        let mut start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let has_sni = start.client_hello().server_name().is_some();
        if has_sni && behaviour.faults.contains(&MailFault::NoSni) {
            start.io.write_all(&UNRECOGNIZED_NAME).await?;
            start.io.shutdown().await?;
            return Ok(None);
        }
        start.into_stream(config).await.map(Some)
    };
    match tokio::time::timeout(IDLE, accepting).await {
        Ok(accepted) => accepted,
        Err(_) => Ok(None),
    }
}

/// The fatal alert `unrecognized_name` (RFC 6066 §3) as a record.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// The octets of the first record, without taking them from the stream.
async fn hello_length(stream: &TcpStream) -> io::Result<usize> {
    let mut header = [0; 5];
    while stream.peek(&mut header).await? < header.len() {
        tokio::task::yield_now().await;
    }
    let [_, _, _, high, low] = header;
    Ok(header.len() + usize::from(u16::from_be_bytes([high, low])))
}
