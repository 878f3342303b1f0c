//! Opening a session: connection, greeting, EHLO, STARTTLS, and the clearance that comes out of it.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use mail::DomainPart;
use policy::decision::Requirement;
use smtp::{Command, Extension, Extensions, Reply};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::clearance::{Clearance, Cleared};
use crate::config::Timeouts;
use crate::failure::SessionFailure;
use crate::stage::Stage;
use crate::tls::{Peer, TlsClient, TlsFacts};
use crate::wire::{Stream, Wire};

/// What every session shares.
#[derive(Clone)]
pub(crate) struct Caller {
    /// The name given in EHLO.
    pub(crate) hostname: DomainPart,
    pub(crate) timeouts: Timeouts,
    pub(crate) tls: TlsClient,
}

/// Whether a session may begin a handshake, where TLS is not demanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handshake {
    /// If STARTTLS is offered.
    IfOffered,
    /// No: it broke a moment ago.
    Avoid,
}

/// A session that has come as far as the last EHLO.
pub(crate) struct Session {
    pub(crate) wire: Wire,
    pub(crate) extensions: Extensions,
    pub(crate) tls: TlsFacts,
    /// A transaction was begun and has not come to the reply to its final dot.
    pub(crate) unfinished: bool,
}

/// A session whose requirement is met, and the permission to send that comes of it.
pub(crate) struct Opened {
    pub(crate) session: Session,
    pub(crate) cleared: Cleared,
}

impl Caller {
    /// Connects and meets `requirement`, or says why not.
    pub(crate) async fn open(
        &self,
        address: SocketAddr,
        source: Option<IpAddr>,
        peer: &Peer<'_>,
        requirement: Requirement,
        handshake: Handshake,
    ) -> Result<Opened, SessionFailure> {
        let stream = self.connect(address, source).await?;
        let mut wire = Wire::new(Stream::Plain(stream));
        match self.greet(&mut wire, requirement).await {
            Ok(extensions) => self.secure(wire, extensions, peer, requirement, handshake).await,
            Err(failure) => {
                self.leave(wire, &failure).await;
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
        let greeting = wire.reply(Stage::Banner, self.timeouts.banner).await?;
        if greeting.code.class() != 2 {
            return Err(SessionFailure::Refused(Stage::Banner, greeting));
        }
        let reply = self.hello(wire, &Command::Ehlo(&self.hostname)).await?;
        if reply.code.class() == 2 {
            return Ok(Extensions::from_ehlo(&reply));
        }
        let unknown = matches!(reply.code.get(), 500 | 502 | 504 | 550);
        if requirement != Requirement::Opportunistic || !unknown {
            return Err(SessionFailure::Refused(Stage::Ehlo, reply));
        }
        let reply = self.hello(wire, &Command::Helo(&self.hostname)).await?;
        if reply.code.class() == 2 {
            Ok(Extensions::none())
        } else {
            Err(SessionFailure::Refused(Stage::Ehlo, reply))
        }
    }

    async fn hello(&self, wire: &mut Wire, command: &Command<'_>) -> Result<Reply, SessionFailure> {
        wire.command(command, &Extensions::none(), Stage::Ehlo, self.timeouts.ehlo)
            .await
    }

    async fn secure(
        &self,
        mut wire: Wire,
        extensions: Extensions,
        peer: &Peer<'_>,
        requirement: Requirement,
        handshake: Handshake,
    ) -> Result<Opened, SessionFailure> {
        let optional = requirement == Requirement::Opportunistic;
        if optional && handshake == Handshake::Avoid {
            return in_clear(wire, extensions, requirement, None);
        }
        if !extensions.offers(Extension::StartTls) {
            let failure = SessionFailure::StarttlsNotOffered;
            return self.clear_or_fail(wire, extensions, requirement, failure).await;
        }
        let began = Instant::now();
        let reply = wire
            .command(
                &Command::StartTls,
                &extensions,
                Stage::Starttls,
                self.timeouts.starttls,
            )
            .await?;
        if optional && reply.code.get() == 421 {
            // The session is over; whether a new one may go on in clear is a question of its own.
            return Err(SessionFailure::Closed(Stage::Starttls));
        }
        if reply.code.get() != 220 {
            let failure = SessionFailure::StarttlsRefused(reply);
            return self.clear_or_fail(wire, extensions, requirement, failure).await;
        }
        let stream = wire.into_plain()?;
        let shaking = self.tls.handshake(stream, peer, requirement);
        let left = self.timeouts.starttls.saturating_sub(began.elapsed());
        let secured = match timeout(left, shaking).await {
            Ok(secured) => secured?,
            Err(_) => return Err(SessionFailure::TimedOut(Stage::Starttls)),
        };
        let mut wire = Wire::new(Stream::Tls(Box::new(secured.stream)));
        // Everything learned in clear is forgotten (RFC 3207 §4.2).
        let reply = self.hello(&mut wire, &Command::Ehlo(&self.hostname)).await?;
        if reply.code.class() != 2 {
            let failure = SessionFailure::Refused(Stage::Ehlo, reply);
            self.leave(wire, &failure).await;
            return Err(failure);
        }
        let extensions = Extensions::from_ehlo(&reply);
        let cleared = secured.clearance.meets(requirement).ok_or_else(unmet)?;
        Ok(Opened {
            session: Session {
                wire,
                extensions,
                tls: secured.facts,
                unfinished: false,
            },
            cleared,
        })
    }

    /// Goes on in clear where TLS is not demanded.
    async fn clear_or_fail(
        &self,
        wire: Wire,
        extensions: Extensions,
        requirement: Requirement,
        failure: SessionFailure,
    ) -> Result<Opened, SessionFailure> {
        if requirement == Requirement::Opportunistic {
            return in_clear(wire, extensions, requirement, failure.tlsfail());
        }
        self.leave(wire, &failure).await;
        Err(failure)
    }

    /// Ends a session politely where the server still listens.
    async fn leave(&self, wire: Wire, failure: &SessionFailure) {
        match failure {
            SessionFailure::Refused(..)
            | SessionFailure::StarttlsNotOffered
            | SessionFailure::StarttlsRefused(_) => {
                wire.quit(self.timeouts.quit).await;
            }
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
}

fn in_clear(
    wire: Wire,
    extensions: Extensions,
    requirement: Requirement,
    fail: Option<String>,
) -> Result<Opened, SessionFailure> {
    let cleared = Clearance::clear().meets(requirement).ok_or_else(unmet)?;
    let tls = TlsFacts {
        fail,
        ..TlsFacts::default()
    };
    Ok(Opened {
        session: Session {
            wire,
            extensions,
            tls,
            unfinished: false,
        },
        cleared,
    })
}

fn unmet() -> SessionFailure {
    SessionFailure::Handshake("the connection does not meet its requirement".to_owned())
}

/// The system's words without its error number.
fn describe(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}
