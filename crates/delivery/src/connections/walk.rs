//! All steps from an address to a session that can send; deliveries and probes use the same ones.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use dane::{TlsaRecord, WebPkiVerdict};
use futures_util::future::join_all;
use jiff::Timestamp;
use mail::cause::Cause;
use mail::{Domain, DomainPart, NextHop};
use policy::decision::Requirement;
use policy::login::Login;
use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;

use super::dialled::{Dialled, NotOpened, not_opened};
use super::key::ReuseKey;
use super::marks::{HandshakeMarks, SmallHellos};
use super::opening::{Caller, Handshake};
use super::paces::Paces;
use super::places::{Destination, Entered, NotHere, Path, Place, Places, Wish};
use super::pool::PooledSession;
use super::session::{ClearedSession, Secured};
use super::source::SourceAddresses;
use super::tls::{Ends, Hello, Peer, TlsClient};
use crate::clock::{Clock, since};
use crate::config::{DeliveryConfig, Reuse, Windows};
use crate::failure::SessionFailure;
use crate::forget::Names;
use crate::trace::Step;

/// What all connections share.
pub(crate) struct Connections {
    pub(super) caller: Caller,
    sources: SourceAddresses,
    marks: HandshakeMarks,
    small_hellos: SmallHellos,
    pub(super) places: Places<PooledSession>,
    paces: Paces,
    reuse: Reuse,
    /// Whether the relay stops.
    stop: watch::Sender<bool>,
}

/// What is wanted: a session with one server, on certain terms.
pub(crate) struct Want {
    requirement: Requirement,
    pub(super) source: Option<IpAddr>,
    /// The terms, if a session on them can be used by several messages.
    key: Option<ReuseKey>,
    wish: Wish,
}

/// What a session has to be like, and where it leads.
pub(crate) struct Terms<'a> {
    pub(crate) requirement: Requirement,
    pub(crate) login: Option<&'a Login>,
    /// How many connections may be open to the address, if the policy says so.
    pub(crate) host_limit: Option<usize>,
    /// Where the look-ups began: it decides about the source address.
    pub(crate) next_hop: &'a NextHop,
}

/// What there is to send with.
pub(crate) enum Ready {
    /// A session that other messages have used before.
    Kept(Box<PooledSession>),
    /// A place for a new connection.
    Place(Place),
    /// The address does not answer, and is not tried now.
    Dead(SessionFailure),
}

/// When a message may be sent in plain text because the handshake broke: once it is older than the first delay, or if
/// the host's handshake broke in the same way before; and only as long as the attempt may start connections.
pub(crate) struct InClear<'a> {
    pub(crate) accepted: Timestamp,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) first_delay: Duration,
    pub(crate) last_begin: Instant,
}

impl InClear<'_> {
    fn is_allowed(&self, seen_before: bool) -> bool {
        let is_old = since(self.accepted, self.clock.now()) >= self.first_delay;
        (seen_before || is_old) && Instant::now() <= self.last_begin
    }
}

impl Want {
    /// Another address of the host will do as well.
    pub(crate) fn or_another(self) -> Self {
        Self {
            wish: Wish {
                has_others: true,
                ..self.wish
            },
            ..self
        }
    }

    /// Who asks comes again later if too many wait already.
    pub(crate) fn or_later(self) -> Self {
        Self {
            wish: Wish {
                comes_again: true,
                ..self.wish
            },
            ..self
        }
    }

    /// From now on only a new connection will do.
    pub(crate) fn only_new(self) -> Self {
        Self {
            wish: Wish {
                key: None,
                ..self.wish
            },
            ..self
        }
    }
}

impl Connections {
    pub(crate) fn new(config: &DeliveryConfig, hostname: DomainPart, tls: TlsClient) -> Self {
        Self {
            caller: Caller {
                hostname,
                timeouts: config.timeouts.clone(),
                tls,
            },
            sources: SourceAddresses::new(&config.source_addresses),
            marks: HandshakeMarks::default(),
            small_hellos: SmallHellos::default(),
            paces: Paces::default(),
            places: Places::new(config.windows(), config.reuse.idle),
            reuse: config.reuse,
            stop: watch::Sender::new(false),
        }
    }

    /// A session with `peer` on these terms, for a destination if it is for a message.
    pub(crate) fn want(&self, peer: &Peer<'_>, terms: &Terms<'_>, destination: Option<Destination>) -> Want {
        let requirement = terms.requirement;
        let source = self.sources.of(terms.next_hop, peer.address());
        let key = ReuseKey::new(peer, source, requirement, terms.login);
        Want {
            requirement,
            source,
            key: key.clone(),
            wish: Wish {
                path: Path {
                    socket: peer.socket,
                    source,
                },
                host: peer.host.cloned(),
                host_limit: terms.host_limit,
                key: key.filter(|_| destination.is_some()),
                destination,
                has_others: false,
                comes_again: false,
            },
        }
    }

    /// A connection over which nothing is said, from the source address that deliveries to this next hop have.
    pub(crate) async fn dial_only(
        &self,
        next_hop: &NextHop,
        peer: &Peer<'_>,
    ) -> Result<TcpStream, SessionFailure> {
        let source = self.sources.of(next_hop, peer.address());
        self.caller.connect(peer, source).await
    }

    /// Waits for whichever comes first: a kept session on equal terms, or a place for a new connection.
    pub(crate) async fn ready(&self, want: &Want) -> Result<Ready, NotHere> {
        loop {
            match self.places.enter(&want.wish).await {
                Entered::Place(place) => return Ok(Ready::Place(place)),
                Entered::NotHere(why) => return Err(why),
                Entered::Dead(dead) => {
                    let again = dead.until.saturating_duration_since(Instant::now());
                    let failure = SessionFailure::left_alone(dead.failure, dead.at.elapsed(), again);
                    return Ok(Ready::Dead(failure));
                }
                // A server that has closed, or announced it, is not asked for more.
                Entered::Kept(mut session) => {
                    if session.is_cleared_for(want.requirement) && session.session().is_silent().await {
                        return Ok(Ready::Kept(Box::new(session)));
                    }
                }
            }
        }
    }

    /// Waits for a place for a new connection.
    pub(crate) async fn place(&self, want: &Want) -> Result<Place, SessionFailure> {
        loop {
            match self.ready(want).await {
                Ok(Ready::Place(place)) => return Ok(place),
                Ok(Ready::Dead(failure)) => return Err(failure),
                Ok(Ready::Kept(session)) => self.places.keep(*session),
                // Who has not said that it may be is not sent away.
                Err(NotHere::Elsewhere | NotHere::Crowded) => {}
            }
        }
    }

    /// Keeps at most the place at the receiving address while something is looked up: after another wait for it the
    /// answers would be too old again.
    pub(crate) fn step_back(&self, ready: Ready) -> Option<Place> {
        match ready {
            Ready::Kept(session) => {
                self.places.keep(*session);
                None
            }
            Ready::Place(mut place) => {
                place.step_back();
                Some(place)
            }
            Ready::Dead(_) => None,
        }
    }

    /// Waits again for the rest of the place.
    pub(crate) async fn ready_again(&self, mut place: Place, want: &Want) -> Ready {
        self.places.enter_again(&mut place, &want.wish).await;
        Ready::Place(place)
    }

    /// Connects. If this is dropped, the connection is closed before anything is said.
    pub(crate) async fn dial(
        &self,
        peer: &Peer<'_>,
        want: &Want,
        place: Place,
    ) -> Result<Dialled, NotOpened> {
        match self.caller.connect(peer, want.source).await {
            Ok(stream) => Ok(Dialled {
                place,
                stream: Some(stream),
            }),
            Err(failure) => Err(not_opened(&place, failure)),
        }
    }

    /// Another address of the host was connected to sooner.
    pub(crate) fn doubt(&self, want: &Want) {
        self.places.doubt(want.wish.path);
    }

    /// These addresses of a host, for a next hop and a port; those that were slower than others lately at the end.
    pub(crate) fn in_order(&self, addresses: &[IpAddr], next_hop: &NextHop, port: u16) -> Vec<IpAddr> {
        let path = |address: &IpAddr| Path {
            socket: SocketAddr::new(*address, port),
            source: self.sources.of(next_hop, *address),
        };
        let mut paths: Vec<Path> = addresses.iter().map(path).collect();
        if paths.len() > 1 {
            self.places.doubted_last(&mut paths);
        }
        paths.into_iter().map(|path| path.socket.ip()).collect()
    }

    /// Connects, unless that is done, and meets the requirement, or says why not. If TLS is not required and the handshake broke, continues in
    /// plain text on a new connection, provided that `in_clear` allows it.
    pub(crate) async fn open(
        &self,
        peer: &Peer<'_>,
        want: &Want,
        mut dialled: Dialled,
        in_clear: Option<&InClear<'_>>,
    ) -> Result<ClearedSession, NotOpened> {
        match self.secured(peer, want, &mut dialled, in_clear).await {
            Ok(secured) => {
                dialled.place.opened();
                secured
                    .clear(want.requirement, dialled.place)
                    .map_err(NotOpened::Failed)
            }
            Err(failure) => Err(not_opened(&dialled.place, failure)),
        }
    }

    async fn secured(
        &self,
        peer: &Peer<'_>,
        want: &Want,
        dialled: &mut Dialled,
        in_clear: Option<&InClear<'_>>,
    ) -> Result<Secured, SessionFailure> {
        let (source, requirement) = (want.source, want.requirement);
        match self.with_some_hello(peer, want, dialled).await {
            Ok(secured) if secured.is_over_tls() => {
                // If it breaks again, that is news.
                self.marks.forget(peer.socket);
                Ok(secured)
            }
            Err(failure) if requirement == Requirement::Opportunistic && failure.cause.broke_handshake() => {
                let Some(in_clear) = in_clear else {
                    return Err(failure);
                };
                let seen_before = self.marks.mark(peer.socket, &failure.cause);
                if !in_clear.is_allowed(seen_before) {
                    return Err(failure);
                }
                peer.trace
                    .tell(|| Step::OnceMore("without TLS, because the handshake failed"));
                let avoid = Handshake::Avoid(failure.cause);
                self.caller.open(peer, source, requirement, avoid, dialled).await
            }
            opened => opened,
        }
    }

    /// Before a broken handshake has consequences the host gets one more try, on a fresh connection: some servers fail on a
    /// hello of two segments, or on SNI. What worked is remembered. If neither works, the first failure counts.
    async fn with_some_hello(
        &self,
        peer: &Peer<'_>,
        want: &Want,
        dialled: &mut Dialled,
    ) -> Result<Secured, SessionFailure> {
        let (source, requirement) = (want.source, want.requirement);
        let small_works = self.small_hellos.is_marked(peer.socket);
        let hello = if small_works { Hello::Small } else { Hello::Full };
        let handshake = Handshake::IfOffered(hello);
        let opened = self
            .caller
            .open(peer, source, requirement, handshake, dialled)
            .await;
        let failure = match opened {
            Err(failure) if failure.cause.failed_after_hello() => failure,
            opened => return opened,
        };
        let other = hello.other();
        peer.trace
            .tell(|| Step::OnceMore("with another first message of TLS"));
        let handshake = Handshake::IfOffered(other);
        match self
            .caller
            .open(peer, source, requirement, handshake, dialled)
            .await
        {
            Ok(secured) => {
                match other {
                    Hello::Small if secured.is_over_tls() => self.small_hellos.mark(peer.socket),
                    Hello::Small => {}
                    Hello::Full => self.small_hellos.forget(peer.socket),
                }
                Ok(secured)
            }
            // A check that failed says more than a handshake that broke.
            Err(second) if second.cause.failed_after_hello() => Err(failure),
            Err(second) if matches!(second.cause, Cause::Tls(_)) => Err(second),
            Err(_) => Err(failure),
        }
    }

    /// What the WebPKI says about what a host presented, whatever was demanded of it.
    pub(crate) fn web_pki_verdict(&self, chain: &[CertificateDer<'_>], host: &Domain) -> WebPkiVerdict {
        self.caller.tls.web_pki_verdict(chain, host)
    }

    /// Whether a message for this destination may be sent to a host now that gets them at this interval; or when it may.
    pub(crate) fn take_turn(
        &self,
        host: &Domain,
        interval: Duration,
        next_hop: &Arc<NextHop>,
    ) -> Result<(), Instant> {
        self.paces.take(host, interval, next_hop, Instant::now())
    }

    /// There may be other intervals from now on.
    pub(crate) fn forget_paces(&self) {
        self.paces.clear();
    }

    /// A session that may be used again after its message.
    pub(crate) fn pooled(
        &self,
        session: ClearedSession,
        want: &Want,
        presented: Option<TlsaRecord>,
        ends: Ends,
    ) -> PooledSession {
        PooledSession::new(session, want.key.clone(), presented, ends, self.reuse)
    }

    /// A message has been sent over it: keeps it for the next one.
    pub(crate) fn put(&self, mut session: PooledSession) {
        session.count();
        self.places.put(session);
    }

    /// How many connections are open.
    pub(crate) fn open_ones(&self) -> usize {
        self.places.open_ones()
    }

    /// Changes how many connections may be open at once, in total and to each address.
    pub(crate) fn resize(&self, windows: Windows) {
        self.places.resize(windows);
    }

    /// Nobody waits for anything any more.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Ends when nobody is to wait any more.
    pub(crate) async fn stopped(&self) {
        // The sender is there as long as this is.
        let _ = self.stop.subscribe().wait_for(|stops| *stops).await;
    }

    /// Ends all kept sessions, each within the time that QUIT has.
    pub(crate) async fn quit_kept(&self) {
        join_all(self.places.take_kept().into_iter().map(PooledSession::quit)).await;
    }

    /// Forgets what was learned about hosts of these names and next hops, and closes the sessions that are kept with them.
    pub(crate) fn forget_named(&self, names: &Names) {
        for server in self.places.forget_named(names) {
            self.marks.forget(server);
            self.small_hellos.forget(server);
        }
    }

    /// Forgets what was learned about all receiving hosts, and closes the sessions that are kept.
    pub(crate) fn forget_hosts(&self) {
        self.marks.clear();
        self.small_hellos.clear();
        self.places.forget();
    }
}
