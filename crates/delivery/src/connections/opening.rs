//! Opening a session: connection, greeting, EHLO, STARTTLS.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mail::cause::{Cause, ConnectionFault, SmtpFault, TlsFault};
use mail::{DomainPart, Stage};
use policy::decision::Requirement;
use policy::settings::RouteTls;
use smtp::{Command, Extension, Extensions};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

use super::dialled::{Dialled, Dialling};
use super::session::{Greeted, Secured};
use super::tls::{Handshaken, Hello, Peer, TlsClient};
use super::wire::{Plain, Wire};
use crate::config::Timeouts;
use crate::failure::SessionFailure;
use crate::trace::Tap;

/// What all sessions share.
pub(super) struct Caller {
    /// The name given in EHLO.
    pub(super) hostname: DomainPart,
    pub(super) timeouts: Timeouts,
    pub(super) tls: TlsClient,
}

/// Whether a session starts a handshake if TLS is not required, and how.
pub(super) enum Handshake {
    /// If STARTTLS is offered.
    IfOffered(Hello),
    /// No: it has just broken, for this reason.
    Avoid(Cause),
}

impl Handshake {
    fn hello(&self) -> Hello {
        match self {
            Self::IfOffered(hello) => *hello,
            Self::Avoid(_) => Hello::Full,
        }
    }
}

impl Caller {
    /// Connects, unless that is done, and continues as far as `requirement` demands, or says why that is not possible.
    pub(super) async fn open(
        &self,
        peer: &Peer<'_>,
        source: Option<IpAddr>,
        requirement: Requirement,
        handshake: Handshake,
        dialled: &mut Dialled,
    ) -> Result<Secured, SessionFailure> {
        let stream = match dialled.stream.take() {
            Some(stream) => stream,
            None => self.connect(peer, source).await?,
        };
        peer.connected(&stream);
        let opened = self.set_up(stream, peer, requirement, handshake).await;
        if opened
            .as_ref()
            .map_or_else(|failure| is_sign_of_life(&failure.cause), |_| true)
        {
            dialled.place.greeted();
        }
        opened
    }

    async fn set_up(
        &self,
        stream: TcpStream,
        peer: &Peer<'_>,
        requirement: Requirement,
        handshake: Handshake,
    ) -> Result<Secured, SessionFailure> {
        if peer.tls == RouteTls::Implicit {
            let handshaken = self
                .shake(
                    stream,
                    peer,
                    requirement,
                    handshake.hello(),
                    self.timeouts.starttls,
                )
                .await?;
            return self.after(handshaken, peer, requirement).await;
        }
        let mut wire = Wire::new(Plain(stream), self.timeouts.clone(), Tap::of(&peer.trace));
        match self.greet(&mut wire, peer, requirement).await {
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

    /// A connection from `source`, or from wherever the system likes.
    pub(super) async fn connect(
        &self,
        peer: &Peer<'_>,
        source: Option<IpAddr>,
    ) -> Result<TcpStream, SessionFailure> {
        let dialling = Dialling::begun(&peer.trace, peer.socket, source);
        let connected = self.dial(peer.socket, source).await;
        dialling.ended(&connected);
        connected
    }

    async fn dial(&self, address: SocketAddr, source: Option<IpAddr>) -> Result<TcpStream, SessionFailure> {
        let unreachable = |error| SessionFailure::unreachable(&error);
        let socket = socket(address.is_ipv4())?;
        if let Some(source) = source {
            let bound = socket.bind(SocketAddr::new(source, 0));
            bound.map_err(|error| SessionFailure::source_address(source, &error))?;
        }
        let stream = match timeout(self.timeouts.connect, socket.connect(address)).await {
            Ok(connected) => connected.map_err(unreachable)?,
            Err(_) => return Err(Cause::timed_out(Stage::Connect).into()),
        };
        // Commands are small and each is waited for: batching them in the kernel would only cause delay.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }

    /// Greeting and EHLO.
    async fn greet(
        &self,
        wire: &mut Wire,
        peer: &Peer<'_>,
        requirement: Requirement,
    ) -> Result<Extensions, SessionFailure> {
        let greeting = wire.reply(Stage::Banner).await?;
        peer.greeted(&greeting);
        if greeting.code.class() != 2 {
            return Err(SessionFailure::refused(Stage::Banner, &greeting));
        }
        wire.hello(&self.hostname, requirement).await
    }

    async fn secure(
        &self,
        mut greeted: Greeted,
        peer: &Peer<'_>,
        requirement: Requirement,
        handshake: Handshake,
    ) -> Result<Secured, SessionFailure> {
        if requirement == Requirement::Clear {
            return Ok(Secured::in_clear(greeted, None));
        }
        let (optional, hello) = (requirement.allows_plain_text(), handshake.hello());
        if let (true, Handshake::Avoid(fail)) = (optional, handshake) {
            return Ok(Secured::in_clear_for_now(greeted, Some(fail)));
        }
        if !greeted.extensions.offers(Extension::StartTls) {
            return in_clear_or_fail(greeted, requirement, TlsFault::NotOffered.into()).await;
        }
        let began = Instant::now();
        let Greeted { wire, extensions } = &mut greeted;
        let reply = wire
            .command(&Command::StartTls, extensions, Stage::Starttls)
            .await?;
        if reply.code.get() != 220 {
            if optional && (reply.code.get() == 421 || !goes_on(wire, extensions).await) {
                // Whether a new session may continue in plain text is decided separately.
                return Err(SessionFailure::ended_at_starttls(&reply));
            }
            let refused = SessionFailure::starttls_refused(&reply);
            return in_clear_or_fail(greeted, requirement, refused).await;
        }
        let stream = greeted.wire.into_plain()?;
        let left = self.timeouts.starttls.saturating_sub(began.elapsed());
        let handshaken = self.shake(stream, peer, requirement, hello, left).await?;
        self.after(handshaken, peer, requirement).await
    }

    /// What follows a handshake.
    async fn after(
        &self,
        handshaken: Handshaken,
        peer: &Peer<'_>,
        requirement: Requirement,
    ) -> Result<Secured, SessionFailure> {
        let timeouts = self.timeouts.clone();
        Secured::over_tls(handshaken, peer, requirement, &self.hostname, timeouts).await
    }

    /// The handshake, within this time.
    async fn shake(
        &self,
        stream: TcpStream,
        peer: &Peer<'_>,
        requirement: Requirement,
        hello: Hello,
        limit: Duration,
    ) -> Result<Handshaken, SessionFailure> {
        let shaking = self.tls.handshake(stream, peer, requirement, hello);
        let Ok(handshaken) = timeout(limit, shaking).await else {
            let failure = SessionFailure::from(Cause::timed_out(Stage::Starttls));
            peer.handshake_failed(&failure);
            return Err(failure);
        };
        handshaken
    }
}

/// A socket for connections by IPv4 or IPv6. A server is out of reach if this machine has only the other one.
fn socket(is_ipv4: bool) -> Result<TcpSocket, SessionFailure> {
    let new = |is_ipv4| {
        if is_ipv4 {
            TcpSocket::new_v4()
        } else {
            TcpSocket::new_v6()
        }
    };
    new(is_ipv4).map_err(|error| match new(!is_ipv4) {
        Ok(_) => SessionFailure::unreachable(&error),
        Err(_) => SessionFailure::no_socket(&error),
    })
}

/// Whether the session goes on after STARTTLS was refused. A server may end it there, and take mail in one without STARTTLS:
/// that must be known before a message is at stake.
async fn goes_on(wire: &mut Wire, extensions: &Extensions) -> bool {
    let reply = wire.command(&Command::Rset, extensions, Stage::Starttls).await;
    reply.is_ok_and(|reply| reply.code.get() != 421)
}

/// Continues in plain text if TLS is not required.
async fn in_clear_or_fail(
    greeted: Greeted,
    requirement: Requirement,
    failure: SessionFailure,
) -> Result<Secured, SessionFailure> {
    if requirement.allows_plain_text() {
        return Ok(Secured::in_clear(greeted, Some(failure.cause)));
    }
    leave(greeted.wire, &failure).await;
    Err(failure)
}

/// Whether a server with which no session could be set up works all the same: it has greeted, and then answered in time. One
/// that is not ready now is not one that works.
fn is_sign_of_life(cause: &Cause) -> bool {
    match cause {
        Cause::Smtp(SmtpFault::Refused { stage, code, .. }) => *stage != Stage::Banner || code.class() != 4,
        Cause::Connection(ConnectionFault::Closed(stage) | ConnectionFault::Protocol(stage, _)) => {
            !matches!(stage, Stage::Connect | Stage::Banner)
        }
        Cause::Connection(ConnectionFault::TimedOut(_) | ConnectionFault::Unreachable(_))
        | Cause::Tls(TlsFault::TimedOut)
        | Cause::Ours(_)
        | Cause::Dns(..)
        | Cause::Destination(_)
        | Cause::Policy(_) => false,
        Cause::Smtp(SmtpFault::Lacks(_))
        | Cause::Login(_)
        | Cause::Tls(
            TlsFault::NotOffered
            | TlsFault::Refused(_)
            | TlsFault::DataBeforeHandshake
            | TlsFault::Closed
            | TlsFault::Protocol(_)
            | TlsFault::Handshake(_)
            | TlsFault::Unproven(_),
        ) => true,
    }
}

/// Ends a session politely if the server is still listening.
async fn leave(wire: Wire, failure: &SessionFailure) {
    match &failure.cause {
        Cause::Smtp(SmtpFault::Refused { .. }) | Cause::Tls(TlsFault::NotOffered | TlsFault::Refused(_)) => {
            wire.quit().await;
        }
        Cause::Smtp(SmtpFault::Lacks(_))
        | Cause::Tls(
            TlsFault::DataBeforeHandshake
            | TlsFault::TimedOut
            | TlsFault::Closed
            | TlsFault::Protocol(_)
            | TlsFault::Handshake(_)
            | TlsFault::Unproven(_),
        )
        | Cause::Ours(_)
        | Cause::Dns(..)
        | Cause::Destination(_)
        | Cause::Policy(_)
        | Cause::Connection(_)
        | Cause::Login(_) => {}
    }
}
