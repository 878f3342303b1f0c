//! One visit at one address: the connection, and what is sent over it.

use std::sync::Arc;

use mail::Stage;
use mail::cause::{Cause, ConnectionFault, SmtpFault, TlsFault};
use spool::LeasedRecipient;
use tokio::time::Instant;

use super::damage::end_all;
use super::pending::{self, fail_all};
use super::record::HostRecord;
use super::target::{DaneFailure, Next, Shown, Target};
use super::walk::Attempt;
use crate::connections::{ClearedSession, InClear, Place, PooledSession, Want, Witness, log_in};
use crate::failure::SessionFailure;
use crate::transaction::{self, Ended, Verdict};

/// Somebody between this relay and the host interferes with the traffic: no other address of the host is tried.
const TAMPERED: Cause = Cause::Tls(TlsFault::DataBeforeHandshake);

impl Attempt<'_, '_> {
    /// A new connection and its result; as for [`Attempt::send`].
    pub(super) async fn connect(&mut self, target: &Target<'_>, want: &Want, place: Place) -> Option<Next> {
        let (began, witness) = (Instant::now(), Witness::default());
        let opened = self.open(target, want, place, &witness).await;
        let shown = Shown::new(began, witness);
        let presented = shown.presented.clone();
        let connection = match &opened {
            Ok(session) => target.connection(session, shown),
            Err(failure) => target.failed_connection(failure, shown),
        };
        let record = Arc::new(HostRecord::connected(target.route, target.host, connection));
        self.sessions.push(Arc::clone(&record));
        match opened {
            Ok(mut session) => {
                if let Err(next) = self.log_in(&mut session, target, &record).await {
                    tokio::spawn(session.quit());
                    return Some(next);
                }
                let session = self.deliverer.connections.pooled(session, want, presented);
                self.send(session, target, record).await
            }
            Err(failure) => {
                let (valid, tampered) = (failure.valid, failure.cause == TAMPERED);
                let failure = Arc::new(failure.into_failure(target.uncleared()));
                fail_all(self.named(), &failure, &record);
                let dane = DaneFailure::new(&failure, valid);
                Some(if tampered {
                    Next::Host(dane)
                } else {
                    Next::Address(dane)
                })
            }
        }
    }

    /// Logs in where that is needed; or where to continue without the session.
    async fn log_in(
        &mut self,
        session: &mut ClearedSession,
        target: &Target<'_>,
        record: &Arc<HostRecord>,
    ) -> Result<(), Next> {
        let Some(login) = target.login else {
            return Ok(());
        };
        let logins = &self.deliverer.logins;
        let failure = match log_in(session, login).await {
            Ok(()) => {
                logins.worked(login);
                return Ok(());
            }
            Err(failure) => Arc::new(failure.into_failure(target.cleared())),
        };
        logins.failed(login, &failure);
        fail_all(self.named(), &failure, record);
        Err(match &failure.cause {
            // Too many wrong logins lock an account, and another address of the host would say the same.
            Cause::Login(_) => Next::Host(None),
            Cause::Ours(_)
            | Cause::Dns(..)
            | Cause::Destination(_)
            | Cause::Policy(_)
            | Cause::Connection(_)
            | Cause::Tls(_)
            | Cause::Smtp(_) => Next::Address(None),
        })
    }

    async fn open(
        &self,
        target: &Target<'_>,
        want: &Want,
        place: Place,
        witness: &Witness,
    ) -> Result<ClearedSession, SessionFailure> {
        let in_clear = InClear {
            accepted: self.lease.created,
            clock: &*self.deliverer.clock,
            first_delay: self.deliverer.first_delay,
            last_begin: self.last_begin,
        };
        let connections = &self.deliverer.connections;
        connections
            .open(&target.peer(Some(witness)), want, place, Some(&in_clear))
            .await
    }

    /// Sends over a session that other messages have used before; as for [`Attempt::send`].
    pub(super) async fn send_over_kept(
        &mut self,
        mut session: PooledSession,
        target: &Target<'_>,
    ) -> Option<Next> {
        let shown = Shown {
            began: Instant::now(),
            presented: session.presented().cloned(),
        };
        let connection = target.connection(session.session(), shown);
        let record = HostRecord::connected(target.route, target.host, connection);
        self.send(session, target, Arc::new(record)).await
    }

    /// Sends the message to all recipients that are not done. `None` if the server had ended the session after an
    /// earlier message: nothing was said about this one, and a new connection is needed.
    async fn send(
        &mut self,
        mut session: PooledSession,
        target: &Target<'_>,
        record: Arc<HostRecord>,
    ) -> Option<Next> {
        let recipients: Vec<&LeasedRecipient> = self.named().map(|one| one.recipient).collect();
        let ended = transaction::send(session.session(), self.lease, &recipients).await;
        if session.is_used() && is_stale(&ended) {
            return None;
        }
        let damage = ended.judged.iter().find_map(|one| one.verdict.damage());
        for judged in ended.judged {
            if let Some(pending) = self.pending.get_mut(&judged.recipient.index) {
                pending.take(judged, target, &record);
            }
        }
        if let Some(damage) = damage {
            // No other server would get more of it.
            self.damage = Some(damage);
            end_all(
                pending::open(&mut self.pending),
                damage,
                HostRecord::none(target.route),
            );
            return Some(Next::Host(None));
        }
        if ended.usable {
            self.deliverer.connections.put(session);
        }
        Some(if !ended.left.is_empty() {
            Next::SameAddress(ended.left.into_iter().map(|one| one.index).collect())
        } else if ended.usable {
            Next::Host(None)
        } else {
            // No command can be sent any more: a QUIT in the middle of the content would be content.
            Next::Address(None)
        })
    }
}

/// Whether the server had ended the session before the transaction began: it closed the connection at its first
/// command, or answered 421 (RFC 5321 §3.8). If it said anything about any recipient, that counts.
fn is_stale(ended: &Ended<'_>) -> bool {
    let at_first = |stage: Stage| matches!(stage, Stage::Rset | Stage::Mail);
    let is_nothing = |verdict: &Verdict| match verdict {
        Verdict::Failed(failure) => match &failure.cause {
            Cause::Connection(ConnectionFault::Closed(stage)) => at_first(*stage),
            Cause::Smtp(SmtpFault::Refused { stage, code, .. }) => at_first(*stage) && code.get() == 421,
            // Found out here, from what the server had announced.
            Cause::Smtp(SmtpFault::TooLarge(_) | SmtpFault::No8BitMime | SmtpFault::NoSmtpUtf8(_)) => true,
            Cause::Connection(
                ConnectionFault::Unreachable(_)
                | ConnectionFault::TimedOut(_)
                | ConnectionFault::Protocol(..),
            )
            | Cause::Ours(_)
            | Cause::Dns(..)
            | Cause::Destination(_)
            | Cause::Policy(_)
            | Cause::Login(_)
            | Cause::Tls(_) => false,
        },
        Verdict::Accepted(_) | Verdict::Open(_) | Verdict::Damaged(_) => false,
    };
    !ended.usable && ended.judged.iter().all(|judged| is_nothing(&judged.verdict))
}
