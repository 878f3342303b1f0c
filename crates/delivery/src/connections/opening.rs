//! Opening a session: connection, greeting, EHLO, STARTTLS.

use std::net::{IpAddr, SocketAddr};

use mail::DomainPart;
use policy::decision::Requirement;
use smtp::{Command, Extension, Extensions, Reply};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

use super::session::{Greeted, Secured};
use super::stage::Stage;
use super::tls::{Peer, TlsClient};
use super::wire::{Stream, Wire};
use crate::config::Timeouts;
use crate::failure::SessionFailure;

/// What every session shares.
pub(super) struct Caller {
    /// The name given in EHLO.
    pub(super) hostname: DomainPart,
    pub(super) timeouts: Timeouts,
    pub(super) tls: TlsClient,
}

/// Whether a session may begin a handshake, where TLS is not demanded.
pub(super) enum Handshake {
    /// If STARTTLS is offered.
    IfOffered,
    /// No: it broke a moment ago, as `tlsfail=` is to say.
    Avoid(Option<String>),
}

impl Caller {
    /// Connects and goes as far as `requirement` asks, or says why that is not possible.
    pub(super) async fn open(
        &self,
        peer: &Peer<'_>,
        source: Option<IpAddr>,
        requirement: Requirement,
        handshake: Handshake,
    ) -> Result<Secured, SessionFailure> {
        let stream = self.connect(peer.socket, source).await?;
        let mut wire = Wire::new(Stream::Plain(stream), self.timeouts.clone());
        match self.greet(&mut wire, requirement).await {
            Ok(extensions) => {
                let greeted = Greeted { wire, extensions };
                self.secure(greeted, peer, requirement, handshake).await
            }
            Err(failure) => {
                leave(wire, &failure).await;
                Err(failure)
            }
        }
    }

    async fn connect(
        &self,
        address: SocketAddr,
        source: Option<IpAddr>,
    ) -> Result<TcpStream, SessionFailure> {
        let unreachable = |error: std::io::Error| SessionFailure::Unreachable(describe(&error));
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()
        } else {
            TcpSocket::new_v6()
        };
        let socket = socket.map_err(unreachable)?;
        if let Some(source) = source {
            socket.bind(SocketAddr::new(source, 0)).map_err(unreachable)?;
        }
        let stream = match timeout(self.timeouts.connect, socket.connect(address)).await {
            Ok(connected) => connected.map_err(unreachable)?,
            Err(_) => return Err(SessionFailure::TimedOut(Stage::Connect)),
        };
        // Commands are small and waited for: batching them in the kernel only delays.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }

    /// Greeting and EHLO; HELO where EHLO is unknown and nothing is demanded (RFC 5321 §3.2).
    async fn greet(&self, wire: &mut Wire, requirement: Requirement) -> Result<Extensions, SessionFailure> {
        let greeting = wire.reply(Stage::Banner).await?;
        if greeting.code.class() != 2 {
            return Err(SessionFailure::Refused(Stage::Banner, greeting));
        }
        let reply = hello(wire, &Command::Ehlo(&self.hostname)).await?;
        if reply.code.class() == 2 {
            return Ok(Extensions::from_ehlo(&reply));
        }
        let unknown = matches!(reply.code.get(), 500 | 502 | 504 | 550);
        if requirement != Requirement::Opportunistic || !unknown {
            return Err(SessionFailure::Refused(Stage::Ehlo, reply));
        }
        let reply = hello(wire, &Command::Helo(&self.hostname)).await?;
        if reply.code.class() == 2 {
            Ok(Extensions::none())
        } else {
            Err(SessionFailure::Refused(Stage::Ehlo, reply))
        }
    }

    async fn secure(
        &self,
        mut greeted: Greeted,
        peer: &Peer<'_>,
        requirement: Requirement,
        handshake: Handshake,
    ) -> Result<Secured, SessionFailure> {
        let optional = requirement == Requirement::Opportunistic;
        if let (true, Handshake::Avoid(fail)) = (optional, handshake) {
            return Ok(Secured::in_clear(greeted, fail));
        }
        if !greeted.extensions.offers(Extension::StartTls) {
            return in_clear_or_fail(greeted, requirement, SessionFailure::StarttlsNotOffered).await;
        }
        let began = Instant::now();
        let Greeted { wire, extensions } = &mut greeted;
        let reply = wire
            .command(&Command::StartTls, extensions, Stage::Starttls)
            .await?;
        if optional && reply.code.get() == 421 {
            // The session is over; whether a new one may go on in clear is a question of its own.
            return Err(SessionFailure::Closed(Stage::Starttls));
        }
        if reply.code.get() != 220 {
            return in_clear_or_fail(greeted, requirement, SessionFailure::StarttlsRefused(reply)).await;
        }
        let stream = greeted.wire.into_plain()?;
        let shaking = self.tls.handshake(stream, peer, requirement);
        let left = self.timeouts.starttls.saturating_sub(began.elapsed());
        let handshaken = match timeout(left, shaking).await {
            Ok(handshaken) => handshaken?,
            Err(_) => return Err(SessionFailure::TimedOut(Stage::Starttls)),
        };
        Secured::over_tls(handshaken, &self.hostname, self.timeouts.clone()).await
    }
}

async fn hello(wire: &mut Wire, command: &Command<'_>) -> Result<Reply, SessionFailure> {
    wire.command(command, &Extensions::none(), Stage::Ehlo).await
}

/// Goes on in clear where TLS is not demanded.
async fn in_clear_or_fail(
    greeted: Greeted,
    requirement: Requirement,
    failure: SessionFailure,
) -> Result<Secured, SessionFailure> {
    if requirement == Requirement::Opportunistic {
        return Ok(Secured::in_clear(greeted, failure.tlsfail()));
    }
    leave(greeted.wire, &failure).await;
    Err(failure)
}

/// Ends a session politely where the server still listens.
async fn leave(wire: Wire, failure: &SessionFailure) {
    match failure {
        SessionFailure::Refused(..)
        | SessionFailure::StarttlsNotOffered
        | SessionFailure::StarttlsRefused(_) => wire.quit().await,
        SessionFailure::Unreachable(_)
        | SessionFailure::TimedOut(_)
        | SessionFailure::Closed(_)
        | SessionFailure::Protocol(..)
        | SessionFailure::ResponseInjection
        | SessionFailure::Handshake(_)
        | SessionFailure::Unauthenticated(_)
        | SessionFailure::TooLarge(_)
        | SessionFailure::No8BitMime
        | SessionFailure::NoSmtpUtf8(_)
        | SessionFailure::Content(_)
        | SessionFailure::Damaged(_) => {}
    }
}

/// The system's words without its error number.
fn describe(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}
