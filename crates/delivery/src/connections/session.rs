//! The states of a session: greeted, secured, cleared. Each is made from the one before and ends it.
//!
//! What a session has achieved is a private part of its state, so it can neither be made up nor be shown for another
//! session. Nothing is sent but over a [`ClearedSession`]:
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
//! A session that has come as far as TLS, but has not been held against its requirement, sends nothing:
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
//! One that has only been greeted does not either:
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
//! Two sessions can change places, each with all that it has achieved:
//!
//! ```
//! use delivery::connections::ClearedSession;
//!
//! fn swap(one: &mut ClearedSession, other: &mut ClearedSession) {
//!     std::mem::swap(one, other);
//! }
//! ```
//!
//! What one has achieved cannot be given to another:
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

use mail::cause::{Cause, OurFault};
use mail::{DomainPart, Stage};
use policy::decision::Requirement;
use smtp::{Command, Extension, Extensions, Reply};

use super::clearance::Achieved;
use super::places::Places;
use super::tls::{Handshaken, TlsFacts};
use super::wire::{Stream, Wire};
use crate::config::Timeouts;
use crate::failure::SessionFailure;

/// A server that has answered EHLO, in clear.
pub struct Greeted {
    pub(super) wire: Wire,
    pub(super) extensions: Extensions,
}

/// A session that has come as far as it goes: over TLS, or in clear where that was all that was to be had.
pub struct Secured {
    wire: Wire,
    extensions: Extensions,
    tls: TlsFacts,
    achieved: Achieved,
}

/// A session that has met its requirement: the only thing that can send. It keeps the places of its connection until it is
/// dropped.
pub struct ClearedSession {
    wire: Wire,
    extensions: Extensions,
    tls: TlsFacts,
    #[expect(dead_code, reason = "the proof is kept to be held, not to be read")]
    achieved: Achieved,
    requirement: Requirement,
    places: Places,
    /// A transaction was begun and has not come to the reply to its final dot.
    unfinished: bool,
}

impl Secured {
    /// A server that is spoken to in clear, with the reason in the words of `tlsfail=` if there is one.
    pub(super) fn in_clear(greeted: Greeted, fail: Option<String>) -> Self {
        Self {
            wire: greeted.wire,
            extensions: greeted.extensions,
            tls: TlsFacts {
                fail,
                ..TlsFacts::default()
            },
            achieved: Achieved::Clear,
        }
    }

    /// A completed handshake, and the EHLO after it: everything learned in clear is forgotten (RFC 3207 §4.2).
    pub(super) async fn over_tls(
        handshaken: Handshaken,
        hostname: &DomainPart,
        timeouts: Timeouts,
    ) -> Result<Self, SessionFailure> {
        let Handshaken {
            stream,
            facts,
            achieved,
        } = handshaken;
        let mut wire = Wire::new(Stream::Tls(Box::new(stream)), timeouts);
        let hello = Command::Ehlo(hostname);
        let reply = wire.command(&hello, &Extensions::none(), Stage::Ehlo).await?;
        if reply.code.class() != 2 {
            wire.quit().await;
            return Err(SessionFailure::refused(Stage::Ehlo, &reply));
        }
        Ok(Self {
            wire,
            extensions: Extensions::from_ehlo(&reply),
            tls: facts,
            achieved,
        })
    }

    /// The session if it meets `requirement`, which was demanded of it all along.
    pub(super) fn clear(
        self,
        requirement: Requirement,
        places: Places,
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
            places,
            unfinished: false,
        })
    }
}

impl ClearedSession {
    /// What the server offers.
    pub(crate) fn offers(&self, extension: Extension) -> bool {
        self.extensions.offers(extension)
    }

    /// The most octets of content that it takes, if it says so.
    pub(crate) fn size_limit(&self) -> Option<u64> {
        self.extensions.size_limit()
    }

    /// What the log says about TLS.
    pub(crate) fn tls(&self) -> &TlsFacts {
        &self.tls
    }

    /// What it had to achieve, and has.
    pub(crate) fn requirement(&self) -> Requirement {
        self.requirement
    }

    /// How long each stage may take.
    pub(crate) fn timeouts(&self) -> &Timeouts {
        self.wire.timeouts()
    }

    /// Whether a transaction was begun and has not come to its end.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.unfinished
    }

    /// A transaction begins.
    pub(crate) fn begin(&mut self) {
        self.unfinished = true;
    }

    /// It has come to the reply to its final dot.
    pub(crate) fn finish(&mut self) {
        self.unfinished = false;
    }

    /// Appends a command to what [`ClearedSession::flush`] will send.
    pub(crate) fn queue(&mut self, command: &Command<'_>) {
        self.wire.queue(command, &self.extensions);
    }

    /// Sends what was queued.
    pub(crate) async fn flush(&mut self, stage: Stage) -> Result<(), SessionFailure> {
        self.wire.flush(stage).await
    }

    /// Sends octets of the content; each call is a block with a time of its own.
    pub(crate) async fn write(&mut self, octets: &[u8], stage: Stage) -> Result<(), SessionFailure> {
        self.wire.write(octets, stage).await
    }

    /// Reads one reply.
    pub(crate) async fn reply(&mut self, stage: Stage) -> Result<Reply, SessionFailure> {
        self.wire.reply(stage).await
    }

    /// Reads one reply that is worth waiting for only so long.
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

    /// Says QUIT and closes. Others that wait for a connection, to whatever host, need not wait for that; the receiving
    /// address itself counts this one to its end.
    pub(crate) async fn quit(self) {
        let Self { wire, places, .. } = self;
        let _place = places.at_host();
        wire.quit().await;
    }
}
