//! The states of a session: greeted, secured, cleared. Each is made from the previous one and consumes it.
//!
//! What a session has achieved is a private part of its state, so it can neither be forged nor be used for another
//! session. Mail is sent only over a [`ClearedSession`]:
//!
//! ```
//! use delivery::connections::ClearedSession;
//! use spool::{Lease, LeasedRecipient};
//!
//! async fn relay(session: &mut ClearedSession, lease: &Lease, to: &[&LeasedRecipient]) {
//!     delivery::transaction::send(session, lease, to).await;
//! }
//! ```
//!
//! A session that has got as far as TLS, but has not been checked against its requirement, cannot send anything:
//!
//! ```compile_fail,E0308
//! use delivery::connections::Secured;
//! use spool::{Lease, LeasedRecipient};
//!
//! async fn relay(session: &mut Secured, lease: &Lease, to: &[&LeasedRecipient]) {
//!     delivery::transaction::send(session, lease, to).await;
//! }
//! ```
//!
//! Nor can one that has only been greeted:
//!
//! ```compile_fail,E0308
//! use delivery::connections::Greeted;
//! use spool::{Lease, LeasedRecipient};
//!
//! async fn relay(session: &mut Greeted, lease: &Lease, to: &[&LeasedRecipient]) {
//!     delivery::transaction::send(session, lease, to).await;
//! }
//! ```
//!
//! Two sessions can be swapped, each with all that it has achieved:
//!
//! ```
//! use delivery::connections::ClearedSession;
//!
//! fn swap(one: &mut ClearedSession, other: &mut ClearedSession) {
//!     std::mem::swap(one, other);
//! }
//! ```
//!
//! What one session has achieved cannot be given to another:
//!
//! ```compile_fail,E0616
//! use delivery::connections::ClearedSession;
//!
//! fn swap(one: &mut ClearedSession, other: &mut ClearedSession) {
//!     std::mem::swap(&mut one.achieved, &mut other.achieved);
//! }
//! ```
//!
//! ```compile_fail,E0451
//! use delivery::connections::{ClearedSession, Secured};
//!
//! fn borrow(cleared: ClearedSession, other: Secured) -> ClearedSession {
//!     let Secured { wire, .. } = other;
//!     ClearedSession { wire, ..cleared }
//! }
//! ```

use std::time::Duration;

use dane::Match;
use mail::cause::{Cause, OurFault};
use mail::{DomainPart, Stage};
use policy::decision::Requirement;
use policy::settings::RouteTls;
use rustls::pki_types::CertificateDer;
use smtp::{Command, Extension, Extensions, Reply};

use super::clearance::Achieved;
use super::places::Place;
use super::tls::{Handshaken, Peer};
use super::tls_outcome::TlsOutcome;
use super::wire::{OverTls, Wire};
use crate::config::Timeouts;
use crate::failure::SessionFailure;
use crate::trace::{Tap, Trace};

/// A server that has answered EHLO, in plain text.
pub struct Greeted {
    pub(super) wire: Wire,
    pub(super) extensions: Extensions,
}

/// A session that is as secure as it gets: over TLS, or in plain text if that was all there was.
pub struct Secured {
    wire: Wire,
    extensions: Extensions,
    tls: TlsOutcome,
    achieved: Achieved,
}

/// A session that has met its requirement: the only type that can send. It keeps the place of its connection until it is
/// dropped.
pub struct ClearedSession {
    wire: Wire,
    extensions: Extensions,
    tls: TlsOutcome,
    achieved: Achieved,
    requirement: Requirement,
    place: Place,
    /// A transaction was started and has not yet had the reply to its final dot.
    unfinished: bool,
    used: Used,
}

/// What a session has used up of the server's limits (RFC 9422).
#[derive(Debug, Default)]
struct Used {
    transactions: u32,
    /// The domains of recipients, if the server limits them.
    domains: Vec<DomainPart>,
    /// The recipients of this message that the server has taken in one transaction before it said that they were too many.
    recipients: Option<usize>,
}

impl Secured {
    /// A session in plain text, and why there is no TLS; `None` if it was not tried.
    pub(super) fn in_clear(greeted: Greeted, fail: Option<Cause>) -> Self {
        Self::without_tls(greeted, fail, Achieved::Clear)
    }

    /// The same, if the handshake broke on the connection before.
    pub(super) fn in_clear_for_now(greeted: Greeted, fail: Option<Cause>) -> Self {
        Self::without_tls(greeted, fail, Achieved::ClearForNow)
    }

    fn without_tls(greeted: Greeted, fail: Option<Cause>, achieved: Achieved) -> Self {
        Self {
            wire: greeted.wire,
            extensions: greeted.extensions,
            tls: fail.map_or(TlsOutcome::NotTried, TlsOutcome::Missing),
            achieved,
        }
    }

    /// A completed handshake, the greeting if TLS began before it, and the EHLO after it: everything learned in plain text
    /// is forgotten (RFC 3207 §4.2).
    pub(super) async fn over_tls(
        handshaken: Handshaken,
        peer: &Peer<'_>,
        requirement: Requirement,
        hostname: &DomainPart,
        timeouts: Timeouts,
    ) -> Result<Self, SessionFailure> {
        let Handshaken {
            stream,
            facts,
            achieved,
        } = handshaken;
        let mut wire = Wire::new(OverTls(Box::new(stream)), timeouts, Tap::of(&peer.trace));
        if peer.tls == RouteTls::Implicit {
            let greeting = wire.reply(Stage::Banner).await?;
            if greeting.code.class() != 2 {
                wire.quit().await;
                return Err(SessionFailure::refused(Stage::Banner, &greeting));
            }
        }
        let extensions = match wire.hello(hostname, requirement).await {
            Ok(extensions) => extensions,
            Err(failure) => {
                if failure.cause.reply_code().is_some() {
                    wire.quit().await;
                }
                return Err(failure);
            }
        };
        Ok(Self {
            wire,
            extensions,
            tls: TlsOutcome::Session(facts),
            achieved,
        })
    }

    /// Whether it is over TLS.
    pub(super) fn is_over_tls(&self) -> bool {
        self.tls.session().is_some()
    }

    /// The session if it meets `requirement`, the one with which it was opened.
    pub(super) fn clear(
        self,
        requirement: Requirement,
        place: Place,
    ) -> Result<ClearedSession, SessionFailure> {
        if !self.achieved.meets(requirement) {
            return Err(Cause::Ours(OurFault::NoProof).into());
        }
        Ok(ClearedSession {
            wire: self.wire,
            extensions: self.extensions,
            tls: self.tls,
            achieved: self.achieved,
            requirement,
            place,
            unfinished: false,
            used: Used::default(),
        })
    }
}

impl ClearedSession {
    /// What the server offers.
    pub(crate) fn offers(&self, extension: Extension) -> bool {
        self.extensions.offers(extension)
    }

    /// The maximum size of content in octets, if the server announced one.
    pub(crate) fn size_limit(&self) -> Option<u64> {
        self.extensions.size_limit()
    }

    /// What became of TLS.
    pub(crate) fn tls(&self) -> &TlsOutcome {
        &self.tls
    }

    /// The certificates that the server presented, leaf first; none in plain text.
    pub(crate) fn certificates(&self) -> &[CertificateDer<'static>] {
        self.wire.certificates()
    }

    /// What the session had to achieve, and has achieved.
    pub(crate) fn requirement(&self) -> Requirement {
        self.requirement
    }

    /// Whether there was a login.
    pub(super) fn is_logged_in(&self) -> bool {
        self.extensions.is_logged_in()
    }

    /// The login was accepted.
    pub(super) fn logged_in(&mut self) {
        self.extensions = self.extensions.logged_in();
    }

    /// Whether it is cleared for messages with this requirement.
    pub(super) fn is_cleared_for(&self, requirement: Requirement) -> bool {
        self.requirement == requirement && self.achieved.meets(requirement)
    }

    /// Whether another message may use it: not if a new connection might achieve more.
    pub(super) fn is_reusable(&self) -> bool {
        self.achieved.is_best()
    }

    /// Whether the server's limits leave room for another message, whatever the domains of its recipients.
    pub(super) fn has_room(&self) -> bool {
        let most = self.extensions.limits().domains;
        self.has_transactions() && most.is_none_or(|most| self.used.domains.len() < most.get() as usize)
    }

    fn has_transactions(&self) -> bool {
        let most = self.extensions.limits().transactions;
        most.is_none_or(|most| self.used.transactions < most.get())
    }

    /// The TLSA record that authenticated the server, if one did.
    pub(super) fn matched(&self) -> Option<&Match> {
        self.achieved.matched()
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn place_mut(&mut self) -> &mut Place {
        &mut self.place
    }

    /// From here on, this trace has what passes.
    pub(crate) fn traced_by(&mut self, trace: &Trace) {
        self.wire.tapped_by(Tap::of(trace));
    }

    /// The session is kept for another message, which nobody may listen to.
    pub(crate) fn untraced(&mut self) {
        self.wire.untapped();
    }

    /// How long each stage may take.
    pub(crate) fn timeouts(&self) -> &Timeouts {
        self.wire.timeouts()
    }

    /// Begins a message: what was learned from the refusals of the one before it is forgotten.
    pub(crate) fn begin_message(&mut self) {
        self.extensions.forgo_nothing();
        self.used.recipients = None;
    }

    /// Makes no use of an extension for the rest of the message, though it is offered.
    pub(crate) fn forgo(&mut self, extension: Extension) {
        self.extensions.forgo(extension);
    }

    /// The most recipients that the server takes in one transaction, as far as it has said or shown that.
    pub(crate) fn recipients_limit(&self) -> Option<usize> {
        let stated = self.extensions.limits().recipients;
        let stated = stated.map(|limit| usize::try_from(limit.get()).unwrap_or(usize::MAX));
        stated.into_iter().chain(self.used.recipients).min()
    }

    /// The server took so many recipients in a transaction and no more.
    pub(crate) fn learn_recipients_limit(&mut self, recipients: usize) {
        self.used.recipients = Some(recipients);
    }

    /// Whether the server's limits leave room for another transaction with a recipient at this domain (RFC 9422 §3).
    pub(crate) fn has_room_for(&self, domain: &DomainPart) -> bool {
        let limits = self.extensions.limits();
        let domains = &self.used.domains;
        let known = limits
            .domains
            .is_none_or(|most| domains.contains(domain) || domains.len() < most.get() as usize);
        self.has_transactions() && known
    }

    /// Counts a recipient's domain towards the server's limit.
    pub(crate) fn count_domain(&mut self, domain: &DomainPart) {
        if self.extensions.limits().domains.is_some() && !self.used.domains.contains(domain) {
            self.used.domains.push(domain.clone());
        }
    }

    /// Whether a transaction was started and has not yet ended.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.unfinished
    }

    /// Starts a transaction.
    pub(crate) fn begin(&mut self) {
        self.unfinished = true;
        self.used.transactions = self.used.transactions.saturating_add(1);
    }

    /// The transaction has had the reply to its final dot.
    pub(crate) fn finish(&mut self) {
        self.unfinished = false;
    }

    /// Appends a command to what [`ClearedSession::flush`] will send.
    pub(crate) fn queue(&mut self, command: &Command<'_>) {
        self.wire.queue(command, &self.extensions);
    }

    /// The octets of what was queued and not yet sent.
    pub(crate) fn queued(&self) -> usize {
        self.wire.queued()
    }

    /// Sends what was queued.
    pub(crate) async fn flush(&mut self, stage: Stage) -> Result<(), SessionFailure> {
        self.wire.flush(stage).await
    }

    /// Sends octets of the content; each call is a block with its own time limit.
    pub(crate) async fn write(&mut self, octets: &[u8], stage: Stage) -> Result<(), SessionFailure> {
        self.wire.write(octets, stage).await
    }

    /// Reads one reply.
    pub(crate) async fn reply(&mut self, stage: Stage) -> Result<Reply, SessionFailure> {
        self.wire.reply(stage).await
    }

    /// Whether the server has sent nothing beyond the replies that were read.
    pub(crate) async fn is_silent(&mut self) -> bool {
        self.wire.is_silent().await
    }

    /// Reads one reply, with its own time limit.
    pub(crate) async fn reply_within(
        &mut self,
        stage: Stage,
        limit: Duration,
    ) -> Result<Reply, SessionFailure> {
        self.wire.reply_within(stage, limit).await
    }

    /// Sends one command and reads its reply.
    pub(crate) async fn command(
        &mut self,
        command: &Command<'_>,
        stage: Stage,
    ) -> Result<Reply, SessionFailure> {
        self.wire.command(command, &self.extensions, stage).await
    }

    /// Sends QUIT and closes. Deliveries that wait for a connection to any host do not have to wait for that; only the
    /// limit of the receiving address counts this connection until it is closed.
    pub(crate) async fn quit(self) {
        let Self { wire, mut place, .. } = self;
        place.closing();
        wire.quit().await;
    }
}
