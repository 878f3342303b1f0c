//! One visit at one address: the connection, and what is sent over it.

use std::sync::Arc;

use mail::Stage;
use mail::cause::{Cause, ConnectionFault, SmtpFault, TlsFault};
use spool::LeasedRecipient;
use tokio::time::Instant;

use super::addresses::Runner;
use super::damage::end_all;
use super::pending::{self, fail_all};
use super::record::HostRecord;
use super::target::{DaneFailure, Next, Shown, Target, Visit};
use super::walk::Attempt;
use crate::connections::{
    ClearedSession, Dialled, InClear, NotOpened, PooledSession, Seen, Want, Witness, log_in,
};
use crate::failure::SessionFailure;
use crate::trace::Step;
use crate::transaction::{self, Ended, Verdict};

/// Somebody between this relay and the host interferes with the traffic: no other address of the host is tried.
const TAMPERED: Cause = Cause::Tls(TlsFault::DataBeforeHandshake);

impl Attempt<'_, '_> {
    /// A new connection, or what became of it, and the result.
    pub(super) async fn connect(
        &mut self,
        runner: &Runner<'_>,
        dialled: Result<Dialled, NotOpened>,
        began: Instant,
    ) -> Visit {
        let (Runner { target, want }, witness) = (runner, Witness::default());
        let opened = match dialled {
            Ok(dialled) => self.open(target, want, dialled, &witness).await,
            Err(not_opened) => Err(not_opened),
        };
        let mut shown = Shown::new(began, witness);
        let session = match opened {
            Ok(session) => session,
            Err(NotOpened::Failed(failure)) => return Visit::Done(self.failed(target, failure, shown)),
            Err(NotOpened::Full(failure)) => {
                target.trace.tell(|| Step::NotConnected(&failure.reason));
                return Visit::Full;
            }
        };
        target.tell_verified(&session);
        let (presented, ends) = (shown.presented.clone(), std::mem::take(&mut shown.seen).ends);
        let connection = target.connection(&session, shown);
        let record = HostRecord::connected(target.route, target.host, connection);
        let mut session = self.deliverer.connections.pooled(session, want, presented, ends);
        self.see_success(target, &record, Some(session.certificates()));
        self.count_session(target, &mut session);
        let record = self.record(record);
        if let Err(next) = self.log_in(session.session(), target, &record).await {
            session.leave();
            return Visit::Done(next);
        }
        self.send(session, target, record).await
    }

    /// A connection that could not be opened; and where to continue.
    pub(super) fn failed(&mut self, target: &Target<'_>, failure: SessionFailure, mut shown: Shown) -> Next {
        let seen = std::mem::take(&mut shown.seen);
        self.count_failed(target, &failure.cause, &seen.ends);
        let connection = target.failed_connection(&failure, shown);
        let record = HostRecord::connected(target.route, target.host, connection);
        let (valid, tampered) = (failure.valid, failure.cause == TAMPERED);
        let failure = Arc::new(failure.into_failure(target.uncleared()));
        target.trace.tell(|| Step::Failed(&failure));
        let record = self.see_failure(target.route, &failure, record, &seen.chain);
        let record = self.record(record);
        fail_all(self.named(), &failure, &record);
        let dane = DaneFailure::new(&failure, valid);
        if tampered {
            Next::Host(dane)
        } else {
            Next::Address(dane)
        }
    }

    fn record(&mut self, record: HostRecord) -> Arc<HostRecord> {
        let record = Arc::new(record);
        self.trail.sessions.push(Arc::clone(&record));
        record
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
        let failure = match log_in(session, login).await {
            Ok(()) => {
                self.deliverer.logins.worked(login);
                self.see_login(target.route);
                return Ok(());
            }
            Err(failure) => Arc::new(failure.into_failure(target.cleared())),
        };
        target.trace.tell(|| Step::Failed(&failure));
        self.deliverer.logins.failed(login, &failure);
        let record = self.see_failure(target.route, &failure, HostRecord::clone(record), &[]);
        fail_all(self.named(), &failure, &Arc::new(record));
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
        dialled: Dialled,
        witness: &Witness,
    ) -> Result<ClearedSession, NotOpened> {
        let in_clear = InClear {
            accepted: self.lease.created,
            clock: &*self.deliverer.clock,
            first_delay: self.deliverer.first_delay,
            last_begin: self.last_begin,
        };
        let connections = &self.deliverer.connections;
        connections
            .open(&target.peer(Some(witness)), want, dialled, Some(&in_clear))
            .await
    }

    /// Sends over a session that other messages have used before.
    pub(super) async fn send_over_kept(&mut self, mut session: PooledSession, target: &Target<'_>) -> Visit {
        let shown = Shown {
            began: Instant::now(),
            presented: session.presented().cloned(),
            seen: Seen::default(),
        };
        target.trace.tell(|| Step::Reused);
        target.tell_verified(session.session());
        session.session().traced_by(&target.trace);
        let connection = target.connection(session.session(), shown);
        let record = HostRecord::connected(target.route, target.host, connection);
        self.see_success(target, &record, None);
        self.send(session, target, Arc::new(record)).await
    }

    /// Sends the message to all recipients that are not done.
    async fn send(
        &mut self,
        mut session: PooledSession,
        target: &Target<'_>,
        record: Arc<HostRecord>,
    ) -> Visit {
        let recipients: Vec<&LeasedRecipient> = self.named().map(|one| one.recipient).collect();
        let ended = transaction::send(session.session(), self.lease, &recipients).await;
        if session.is_used() && is_stale(&ended) {
            target
                .trace
                .tell(|| Step::Waits("for a new connection: the server had ended this one"));
            if ended.usable {
                session.leave();
            }
            return Visit::Stale;
        }
        self.count_session(target, &mut session);
        self.trail.has_asked = true;
        tell_broken_off(target, &ended);
        let damage = ended.judged.iter().find_map(|one| one.verdict.damage());
        let mut verdicts = ended.judged.iter().map(|one| &one.verdict);
        let is_useless = !session.is_used() && ended.left.is_empty() && verdicts.all(is_put_off);
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
            return Visit::Done(Next::Host(None));
        }
        // Who watches sees its end, too.
        if ended.usable && (is_useless || target.trace.is_watched()) {
            session.leave();
        } else if ended.usable {
            session.session().untraced();
            self.deliverer.connections.put(session);
        }
        Visit::Done(if !ended.left.is_empty() {
            Next::SameAddress(ended.left.into_iter().map(|one| one.index).collect())
        } else if ended.usable {
            Next::Host(None)
        } else {
            // No command can be sent any more: a QUIT in the middle of the content would be content.
            Next::Address(None)
        })
    }
}

/// Tells why a transaction failed, if no reply says so.
fn tell_broken_off(target: &Target<'_>, ended: &Ended<'_>) {
    let mut failures = ended.judged.iter().filter_map(|one| match &one.verdict {
        Verdict::Failed(failure) | Verdict::Open(failure) => Some(failure),
        Verdict::Accepted(_) | Verdict::Damaged(_) => None,
    });
    if let Some(failure) = failures.find(|failure| failure.cause.reply_code().is_none()) {
        target.trace.tell(|| Step::BrokenOff(&failure.reason));
    }
}

/// Whether the server has put a recipient off. If it has done that with all of a new session, it may do so as long as the
/// session lasts: Postfix's postscreen has tested a new client then, and lets it through when it comes again.
fn is_put_off(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Failed(failure) => match &failure.cause {
            Cause::Smtp(SmtpFault::Refused { stage, code, .. }) => *stage == Stage::Rcpt && code.class() == 4,
            Cause::Smtp(SmtpFault::Lacks(_))
            | Cause::Connection(_)
            | Cause::Ours(_)
            | Cause::Dns(..)
            | Cause::Destination(_)
            | Cause::Policy(_)
            | Cause::Login(_)
            | Cause::Tls(_) => false,
        },
        Verdict::Accepted(_) | Verdict::Open(_) | Verdict::Damaged(_) => false,
    }
}

/// Whether the session, not the message, is why nothing was sent over it: the server had ended it, or refused at its first
/// command what it may take from a client that has just come. If it said anything about any recipient, or put the message
/// off, that counts.
fn is_stale(ended: &Ended<'_>) -> bool {
    let is_fault = |verdict: &Verdict| match verdict {
        Verdict::Failed(failure) => is_fault_of_session(&failure.cause),
        Verdict::Accepted(_) | Verdict::Open(_) | Verdict::Damaged(_) => false,
    };
    let is_nothing = |verdict: &Verdict| match verdict {
        // Found out here, from what the server had announced.
        Verdict::Failed(failure) => match &failure.cause {
            Cause::Smtp(SmtpFault::Lacks(_)) => true,
            cause => is_fault_of_session(cause),
        },
        Verdict::Accepted(_) | Verdict::Open(_) | Verdict::Damaged(_) => false,
    };
    let mut verdicts = ended.judged.iter().map(|judged| &judged.verdict);
    ended.left.is_empty() && verdicts.clone().any(is_fault) && verdicts.all(is_nothing)
}

/// See [`is_stale`]: RSET was refused or MAIL for good, 421 (RFC 5321 §3.8), too many messages, or the connection failed
/// there.
fn is_fault_of_session(cause: &Cause) -> bool {
    let at_first = |stage: Stage| matches!(stage, Stage::Rset | Stage::Mail);
    match cause {
        Cause::Connection(
            ConnectionFault::Closed(stage)
            | ConnectionFault::TimedOut(stage)
            | ConnectionFault::Protocol(stage, _),
        ) => at_first(*stage),
        Cause::Smtp(SmtpFault::Refused {
            stage,
            code,
            enhanced,
        }) => {
            // OpenSMTPD has had enough messages in this session: to MAIL there is no recipient that is one too many.
            let is_enough = enhanced.is_some_and(mail::EnhancedStatus::is_too_many_recipients);
            let is_over = code.is_permanent() || code.get() == 421 || is_enough;
            *stage == Stage::Rset || *stage == Stage::Mail && is_over
        }
        Cause::Connection(ConnectionFault::Unreachable(_))
        | Cause::Smtp(SmtpFault::Lacks(_))
        | Cause::Ours(_)
        | Cause::Dns(..)
        | Cause::Destination(_)
        | Cause::Policy(_)
        | Cause::Login(_)
        | Cause::Tls(_) => false,
    }
}
