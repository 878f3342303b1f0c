//! A session between messages.

use std::collections::HashSet;

use dane::TlsaRecord;
use mail::Domain;
use policy::decision::Requirement;
use rustls::pki_types::CertificateDer;
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::key::ReuseKey;
use super::places::{Kept, Place};
use super::session::ClearedSession;
use super::tls::Ends;
use super::tls_outcome::TlsOutcome;
use crate::config::Reuse;

/// A session that has met its requirement, with all that decides whether another message may use it.
pub(crate) struct PooledSession {
    session: ClearedSession,
    /// `None`: no other message may use it.
    key: Option<ReuseKey>,
    /// The 3 1 1 record of the server's certificate.
    presented: Option<TlsaRecord>,
    ends: Ends,
    /// The destinations in whose TLS reports it is counted: at most one for each message.
    counted: HashSet<Domain>,
    opened: Instant,
    messages: u32,
    reuse: Reuse,
}

impl PooledSession {
    /// A new session, opened on the terms of `key`.
    pub(super) fn new(
        session: ClearedSession,
        key: Option<ReuseKey>,
        presented: Option<TlsaRecord>,
        ends: Ends,
        reuse: Reuse,
    ) -> Self {
        Self {
            key: key
                .filter(|_| session.is_reusable())
                .map(|key| key.proven(session.matched())),
            session,
            presented,
            ends,
            counted: HashSet::new(),
            opened: Instant::now(),
            messages: 0,
            reuse,
        }
    }

    /// The session itself.
    pub(crate) fn session(&mut self) -> &mut ClearedSession {
        &mut self.session
    }

    /// The 3 1 1 record of the server's certificate, if it presented one.
    pub(crate) fn presented(&self) -> Option<&TlsaRecord> {
        self.presented.as_ref()
    }

    /// Between whom it is.
    pub(crate) fn ends(&self) -> &Ends {
        &self.ends
    }

    /// What became of TLS.
    pub(crate) fn tls(&self) -> &TlsOutcome {
        self.session.tls()
    }

    /// The certificates that the server presented, leaf first; none in plain text.
    pub(crate) fn certificates(&self) -> &[CertificateDer<'static>] {
        self.session.certificates()
    }

    /// Whether it is still to be counted for this destination; from now on it is not.
    pub(crate) fn is_first_of(&mut self, destination: &Domain) -> bool {
        !self.counted.contains(destination) && self.counted.insert(destination.clone())
    }

    /// Whether other messages have used it.
    pub(crate) fn is_used(&self) -> bool {
        self.messages > 0
    }

    /// Ends it politely: the server takes no more messages in it.
    pub(crate) fn leave(self) {
        self.close();
    }

    /// The same, and waits until it has ended.
    pub(super) async fn quit(self) {
        self.session.quit().await;
    }

    /// One message more has been sent.
    pub(super) fn count(&mut self) {
        self.messages = self.messages.saturating_add(1);
    }

    /// Whether a message with this requirement may use it: the last check, whatever it was found by.
    pub(super) fn is_cleared_for(&self, requirement: Requirement) -> bool {
        self.session.is_cleared_for(requirement)
    }
}

impl Kept for PooledSession {
    fn key(&self) -> Option<ReuseKey> {
        let is_worn = self.messages >= self.reuse.messages || self.opened.elapsed() >= self.reuse.time;
        self.key.clone().filter(|_| !is_worn && self.session.has_room())
    }

    fn place(&self) -> &Place {
        self.session.place()
    }

    fn place_mut(&mut self) -> &mut Place {
        self.session.place_mut()
    }

    fn close(self) {
        // Without a runtime the program is ending, and the connection ends with it.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(self.session.quit());
        }
    }
}
