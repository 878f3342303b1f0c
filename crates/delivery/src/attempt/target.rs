//! One address of one host: what is required of it, and the result.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use dane::{MatchingType, Selector, TlsaRecord, Usage, VerifyCode};
use mail::{Cause, DaneVerdict, FailCause};
use policy::decision::{Action, HostDecision, Requirement};
use policy::failure::{Failure, Standing};
use policy::login::Login;
use spool::RecipientIndex;
use tokio::time::Instant;

use super::record::Connection;
use super::result::Later;
use crate::connections::{ClearedSession, Peer, Seen, TlsOutcome, Witness};
use crate::failure::SessionFailure;
use crate::route::{Route, RouteHost};
use crate::trace::{Step, Trace};

/// Where to continue after one address.
pub(crate) enum Next {
    /// With the next address of the host.
    Address(Option<DaneFailure>),
    /// With the next host.
    Host(Option<DaneFailure>),
    /// With another session at the same address, for these recipients.
    SameAddress(BTreeSet<RecipientIndex>),
    /// No connection may be started any more, for this reason.
    Nowhere(Failure),
    /// Nowhere: the attempt is made again.
    Later(Later),
}

/// What became of one session.
pub(crate) enum Visit {
    /// The server has said what there is to say.
    Done(Next),
    /// It had ended the session after an earlier message: nothing was said about this one, and a new one is needed.
    Stale,
    /// It takes no more connections than it has; nothing was said about this message.
    Full,
}

/// Why DANE ruled out a host.
pub(crate) struct DaneFailure {
    pub(crate) cause: FailCause,
    /// The verdict of the check, if there was one.
    pub(crate) valid: Option<VerifyCode>,
}

impl DaneFailure {
    pub(crate) fn new(failure: &Failure, valid: Option<VerifyCode>) -> Option<Self> {
        failure.dane_failed().map(|cause| Self { cause, valid })
    }
}

/// What is required of a host.
pub(crate) struct Terms {
    pub(crate) requirement: Requirement,
    /// What the log says when the requirement is met.
    pub(crate) verdict: DaneVerdict,
    /// Without DANE: the verdict of the check that the host failed with DANE.
    pub(crate) failed_check: Option<VerifyCode>,
}

/// The round in which a host is tried.
pub(crate) enum Phase {
    /// With everything that was decided.
    AsDecided,
    /// The second round of soft-fail, without DANE, which failed for this cause.
    WithoutDane(DaneFailure),
}

impl Phase {
    /// What is required of a host, or why it is skipped.
    pub(crate) fn terms(&self, decision: &HostDecision) -> Result<Terms, Failure> {
        if let (Self::WithoutDane(failed), Some(requirement)) = (self, decision.soft_fail) {
            return Ok(Terms {
                requirement,
                verdict: DaneVerdict::Softfail(failed.cause.clone()),
                failed_check: failed.valid,
            });
        }
        match &decision.action {
            Action::Connect { requirement, verdict } => Ok(Terms {
                requirement: *requirement,
                verdict: verdict.clone(),
                failed_check: None,
            }),
            Action::PassOver(failure) => Err(failure.clone()),
        }
    }
}

/// One address of one host, and what is required of it.
pub(crate) struct Target<'a> {
    /// The route to which the host belongs.
    pub(crate) route: &'a Route,
    pub(crate) host: &'a RouteHost,
    pub(crate) address: IpAddr,
    pub(crate) terms: Terms,
    /// With what to log in before anything is sent.
    pub(crate) login: Option<&'a Login>,
    /// Is told what happens there.
    pub(crate) trace: Trace,
}

impl Target<'_> {
    /// The server as a connection needs it.
    pub(crate) fn peer<'w>(&'w self, witness: Option<&'w Witness>) -> Peer<'w> {
        Peer {
            host: self.host.name.as_ref(),
            socket: SocketAddr::new(self.address, self.route.port),
            tls: self.route.tls,
            dane: self.host.dane.as_ref(),
            witness,
            trace: self.trace.clone(),
        }
    }

    /// Tells that a session has met what is required.
    pub(crate) fn tell_verified(&self, session: &ClearedSession) {
        self.trace.tell(|| Step::Verified {
            requirement: session.requirement(),
            verdict: &self.terms.verdict,
        });
    }

    /// The standing of a host that has not met its requirement.
    pub(crate) fn uncleared(&self) -> Standing {
        Standing::Uncleared {
            requirement: self.terms.requirement,
            planned: self.terms.verdict.clone(),
            message: self.route.message,
        }
    }

    /// The standing of a host that has met it.
    pub(crate) fn cleared(&self) -> Standing {
        Standing::Cleared(self.terms.verdict.clone())
    }

    /// A connection that can now send.
    pub(crate) fn connection(&self, session: &ClearedSession, shown: Shown) -> Connection {
        let tls = session.tls().clone();
        let checked = tls.session().and_then(|session| session.valid);
        Connection {
            valid: self.terms.failed_check.or(checked),
            requirement: session.requirement(),
            ..self.ready_now(tls, None, shown)
        }
    }

    /// A connection that has just failed.
    pub(crate) fn failed_connection(&self, failure: &SessionFailure, shown: Shown) -> Connection {
        let missing = TlsOutcome::Missing(failure.cause.clone());
        Connection {
            valid: failure.valid,
            ..self.ready_now(missing, Some(failure.cause.clone()), shown)
        }
    }

    fn ready_now(&self, tls: TlsOutcome, failed: Option<Cause>, shown: Shown) -> Connection {
        Connection {
            address: self.address,
            tls,
            valid: None,
            requirement: self.terms.requirement,
            verdict: self.terms.verdict.clone(),
            published: self.host.dane.as_ref().map(|dane| Arc::clone(&dane.set)),
            presented: shown.presented,
            failed,
            began: shown.began,
            ready: Instant::now(),
        }
    }
}

/// What the server presented on a connection, whatever the result.
pub(crate) struct Shown {
    pub(crate) began: Instant,
    /// The record 3 1 1 for the server's certificate.
    pub(crate) presented: Option<TlsaRecord>,
    /// Everything that was seen, as long as it is looked at: whoever made the chain decides how large it is.
    pub(crate) seen: Seen,
}

impl Shown {
    pub(crate) fn new(began: Instant, witness: Witness) -> Self {
        let seen = witness.into_seen();
        let presented = seen.chain.first().and_then(|leaf| {
            TlsaRecord::for_certificate(Usage::DaneEe, Selector::Spki, MatchingType::Sha256, leaf)
        });
        Self {
            began,
            presented,
            seen,
        }
    }
}
