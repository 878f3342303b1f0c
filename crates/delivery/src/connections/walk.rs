//! All steps from an address to a session that can send; deliveries and probes use the same ones.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mail::DomainPart;
use policy::decision::Requirement;
use tokio::time::Instant;

use super::marks::HandshakeMarks;
use super::opening::{Caller, Handshake};
use super::places::{HostPlace, HostWindows, Place, Places, Window};
use super::session::ClearedSession;
use super::source::SourceAddresses;
use super::tls::{Peer, TlsClient};
use crate::clock::{Clock, since};
use crate::config::{DeliveryConfig, Windows};
use crate::failure::SessionFailure;

/// What all connections share.
pub(crate) struct Connections {
    caller: Caller,
    sources: SourceAddresses,
    marks: HandshakeMarks,
    hosts: HostWindows,
    all: Arc<Window>,
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
            hosts: HostWindows::new(config.connections_per_host),
            all: Window::new(config.connections),
        }
    }

    /// Waits for a place at an address.
    pub(crate) async fn place_at(&self, address: IpAddr) -> HostPlace {
        self.hosts.enter(address).await
    }

    /// Waits for a place among all connections.
    pub(crate) async fn place(&self) -> Place {
        self.all.enter().await
    }

    /// Waits for both places.
    pub(crate) async fn places(&self, address: IpAddr) -> Places {
        Places {
            host: self.place_at(address).await,
            connection: self.place().await,
        }
    }

    /// Connects and meets `requirement`, or says why not. If TLS is not required and the handshake broke, continues in
    /// plain text on a new connection, provided that `in_clear` allows it.
    pub(crate) async fn open(
        &self,
        peer: &Peer<'_>,
        requirement: Requirement,
        places: Places,
        in_clear: Option<&InClear<'_>>,
    ) -> Result<ClearedSession, SessionFailure> {
        let source = self.sources.next(peer.address());
        let opened = self
            .caller
            .open(peer, source, requirement, Handshake::IfOffered)
            .await;
        let secured = match opened {
            Ok(secured) => secured,
            Err(failure) if requirement == Requirement::Opportunistic && failure.cause.broke_handshake() => {
                let Some(in_clear) = in_clear else {
                    return Err(failure);
                };
                let seen_before = self.marks.mark(peer.address(), &failure.cause);
                if !in_clear.is_allowed(seen_before) {
                    return Err(failure);
                }
                let avoid = Handshake::Avoid(failure.cause.tlsfail());
                self.caller.open(peer, source, requirement, avoid).await?
            }
            Err(failure) => return Err(failure),
        };
        secured.clear(requirement, places)
    }

    /// Changes how many connections may be open at once, in total and to each address.
    pub(crate) fn resize(&self, windows: Windows) {
        self.all.resize(windows.connections);
        self.hosts.resize(windows.per_host);
    }

    /// Forgets what was learned about receiving hosts.
    pub(crate) fn forget_hosts(&self) {
        self.marks.clear();
    }
}
