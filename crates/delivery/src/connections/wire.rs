//! One connection as octets and replies: reading, writing and the time limits of the stages.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use mail::cause::{Cause, TlsFault};
use mail::{DomainPart, Stage};
use policy::decision::Requirement;
use rustls::pki_types::CertificateDer;
use smtp::reply::BlankLines;
use smtp::{Command, Extensions, Reply, ReplyParser};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;
pub(super) use tokio_util::either::Either::{Left as Plain, Right as OverTls};

use super::tls::broken;
use crate::config::Timeouts;
use crate::failure::SessionFailure;
use crate::trace::Tap;

/// The memory limit for the reply to EHLO, in octets: every keyword matters. It applies while the reply is read.
const EHLO_KEPT: usize = 16 * 1024;

/// A connection in plain text or over TLS.
pub(super) type Stream = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// A connection that exchanges commands and replies, each within the time limit of its stage.
pub(super) struct Wire {
    stream: Stream,
    timeouts: Timeouts,
    input: BytesMut,
    output: BytesMut,
    replies: ReplyParser,
    /// Commands whose replies have not been read.
    awaited: usize,
    /// Hears what passes, if somebody listens.
    tap: Option<Box<Tap>>,
}

impl Wire {
    pub(super) fn new(stream: Stream, timeouts: Timeouts, tap: Option<Box<Tap>>) -> Self {
        Self {
            stream,
            timeouts,
            input: BytesMut::with_capacity(1024),
            output: BytesMut::with_capacity(1024),
            replies: ReplyParser::new(),
            awaited: 0,
            tap,
        }
    }

    /// From here on, this hears what passes.
    pub(super) fn tapped_by(&mut self, tap: Option<Box<Tap>>) {
        self.tap = tap;
    }

    /// Nobody listens any more: the connection is kept for another message.
    pub(super) fn untapped(&mut self) {
        if let Some(tap) = self.tap.take() {
            tap.kept();
        }
    }

    /// EHLO; HELO if the server does not know EHLO and nothing is required (RFC 5321 §3.2).
    pub(super) async fn hello(
        &mut self,
        hostname: &DomainPart,
        requirement: Requirement,
    ) -> Result<Extensions, SessionFailure> {
        let none = Extensions::none();
        let reply = self.command(&Command::Ehlo(hostname), &none, Stage::Ehlo).await?;
        if reply.code.class() == 2 {
            return Ok(Extensions::from_ehlo(&reply));
        }
        let unknown = matches!(reply.code.get(), 500 | 502 | 504 | 550);
        if !requirement.allows_plain_text() || !unknown {
            return Err(SessionFailure::refused(Stage::Ehlo, &reply));
        }
        let reply = self.command(&Command::Helo(hostname), &none, Stage::Ehlo).await?;
        if reply.code.class() == 2 {
            Ok(none)
        } else {
            Err(SessionFailure::refused(Stage::Ehlo, &reply))
        }
    }

    /// The certificates that the server presented, leaf first; none in plain text.
    pub(super) fn certificates(&self) -> &[CertificateDer<'static>] {
        match &self.stream {
            Plain(_) => &[],
            OverTls(stream) => stream.get_ref().1.peer_certificates().unwrap_or_default(),
        }
    }

    /// How long each stage may take.
    pub(super) fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    /// Appends a command to what [`Wire::flush`] will send.
    pub(super) fn queue(&mut self, command: &Command<'_>, extensions: &Extensions) {
        let before = self.output.len();
        command.write_to(extensions, &mut self.output);
        self.awaited += 1;
        if let Some(tap) = &mut self.tap {
            tap.queued(command, self.output.get(before..).unwrap_or_default());
        }
    }

    /// The octets of what was queued and not yet sent.
    pub(super) fn queued(&self) -> usize {
        self.output.len()
    }

    /// Sends what was queued.
    pub(super) async fn flush(&mut self, stage: Stage) -> Result<(), SessionFailure> {
        if let Some(tap) = &mut self.tap {
            tap.flushed();
        }
        let output = self.output.split().freeze();
        self.send(&output, stage).await
    }

    /// Sends octets of the content; each call is a block with its own time limit.
    pub(super) async fn write(&mut self, octets: &[u8], stage: Stage) -> Result<(), SessionFailure> {
        let began = self.tap.is_some().then(Instant::now);
        let sent = self.send(octets, stage).await;
        if let (Some(tap), Some(began)) = (&mut self.tap, began) {
            tap.sent(if sent.is_ok() { octets.len() } else { 0 }, began);
        }
        sent
    }

    async fn send(&mut self, octets: &[u8], stage: Stage) -> Result<(), SessionFailure> {
        let sending = async {
            self.stream.write_all(octets).await?;
            self.stream.flush().await
        };
        match timeout(self.timeouts.of(stage), sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.failed(stage, error)),
            Err(_) => Err(Cause::timed_out(stage).into()),
        }
    }

    /// A session over TLS that ends before its EHLO is answered ended in the handshake: a server that refuses a client
    /// without a certificate says so only after TLS 1.3's Finished.
    fn failed(&mut self, stage: Stage, error: io::Error) -> SessionFailure {
        if let Some(tap) = &mut self.tap {
            tap.closed();
        }
        match (&self.stream, stage) {
            (OverTls(_), Stage::Banner | Stage::Ehlo) => broken(error),
            (Plain(_) | OverTls(_), stage) => SessionFailure::from_io(stage, &error),
        }
    }

    /// Reads one reply; the time limit is for the whole reply, so a slow trickle of octets cannot extend it.
    pub(super) async fn reply(&mut self, stage: Stage) -> Result<Reply, SessionFailure> {
        self.reply_within(stage, self.timeouts.of(stage)).await
    }

    /// Reads one reply with its own time limit.
    pub(super) async fn reply_within(
        &mut self,
        stage: Stage,
        limit: Duration,
    ) -> Result<Reply, SessionFailure> {
        match timeout(limit, self.read_reply(stage)).await {
            Ok(result) => result,
            Err(_) => Err(Cause::timed_out(stage).into()),
        }
    }

    async fn read_reply(&mut self, stage: Stage) -> Result<Reply, SessionFailure> {
        self.replies.keep(kept(stage));
        self.replies.blank_lines(if self.awaited > 1 {
            BlankLines::Refuse
        } else {
            BlankLines::Skip
        });
        loop {
            match self.replies.parse(&mut self.input) {
                Ok(Some(reply)) => {
                    self.awaited = self.awaited.saturating_sub(1);
                    return Ok(reply);
                }
                Ok(None) => {}
                Err(error) => return Err(SessionFailure::no_reply(stage, &error)),
            }
            self.input.reserve(1024);
            let before = self.input.len();
            match self.stream.read_buf(&mut self.input).await {
                Ok(0) => return Err(self.failed(stage, io::ErrorKind::UnexpectedEof.into())),
                Ok(_) => self.heard(before),
                Err(error) => return Err(self.failed(stage, error)),
            }
        }
    }

    /// What is behind this many octets of the input has just arrived.
    fn heard(&mut self, before: usize) {
        if let Some(tap) = &mut self.tap {
            tap.heard(self.input.get(before..).unwrap_or_default());
        }
    }

    /// Whether the server has sent nothing beyond the replies that were read. What it has sent is kept for
    /// [`Wire::reply`]; so is that it has closed.
    pub(super) async fn is_silent(&mut self) -> bool {
        // What has arrived by now is noticed by then.
        tokio::task::yield_now().await;
        loop {
            self.replies.skip_blank_lines(&mut self.input);
            if !self.input.is_empty() {
                return false;
            }
            self.input.reserve(1024);
            let before = self.input.len();
            let Self { stream, input, .. } = self;
            let read = tokio::task::unconstrained(stream.read_buf(input));
            match pin!(read).poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Pending => return true,
                Poll::Ready(Ok(0) | Err(_)) => return false,
                Poll::Ready(Ok(_)) => self.heard(before),
            }
        }
    }

    /// Sends one command and reads its reply.
    pub(super) async fn command(
        &mut self,
        command: &Command<'_>,
        extensions: &Extensions,
        stage: Stage,
    ) -> Result<Reply, SessionFailure> {
        let (began, limit) = (Instant::now(), self.timeouts.of(stage));
        self.queue(command, extensions);
        self.flush(stage).await?;
        self.reply_within(stage, limit.saturating_sub(began.elapsed()))
            .await
    }

    /// Turns the plain-text connection over to a handshake. Octets that arrived before it are an attempt to slip
    /// replies into the protected session (RFC 3207 §6): they fail the host.
    pub(super) fn into_plain(self) -> Result<TcpStream, SessionFailure> {
        match self.stream {
            Plain(stream) if self.input.is_empty() => {
                if let Some(tap) = self.tap {
                    tap.handed_over();
                }
                Ok(stream)
            }
            Plain(_) | OverTls(_) => Err(TlsFault::DataBeforeHandshake.into()),
        }
    }

    /// Sends QUIT and closes; the result no longer matters (RFC 5321 §4.1.1.10).
    pub(super) async fn quit(mut self) {
        let _ = self
            .command(&Command::Quit, &Extensions::none(), Stage::Quit)
            .await;
        let _ = timeout(self.timeouts.quit, self.stream.shutdown()).await;
    }
}

/// How many octets of a reply are kept at this stage.
fn kept(stage: Stage) -> usize {
    if stage == Stage::Ehlo {
        EHLO_KEPT
    } else {
        smtp::reply::KEPT
    }
}
