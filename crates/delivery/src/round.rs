//! One address of one host: what is asked of it, and what it came to.

use std::net::IpAddr;

use dane::VerifyCode;
use mail::{DaneVerdict, FailCause};
use policy::cause::Failure;
use policy::decision::{Action, HostDecision, Requirement};
use tokio::time::Instant;

use crate::connections::{ClearedSession, TlsFacts};
use crate::failure::{SessionFailure, Standing};
use crate::record::Connection;
use crate::route::{Route, RouteHost};

/// Where to go on after one address.
pub(crate) enum Next {
    /// At the next address of the host.
    Address(Option<DaneFailure>),
    /// At the next host.
    Host(Option<DaneFailure>),
}

/// Why DANE passed a host over.
pub(crate) struct DaneFailure {
    pub(crate) cause: FailCause,
    /// The verdict of the check, where one was made.
    pub(crate) valid: Option<VerifyCode>,
}

impl DaneFailure {
    pub(crate) fn new(verdict: &DaneVerdict, valid: Option<VerifyCode>) -> Option<Self> {
        match verdict {
            DaneVerdict::Fail(cause) => Some(Self {
                cause: cause.clone(),
                valid,
            }),
            DaneVerdict::NotReached
            | DaneVerdict::Verify
            | DaneVerdict::VerifyHostOnly
            | DaneVerdict::EncryptNoUsable
            | DaneVerdict::Skip(_)
            | DaneVerdict::Softfail(_) => None,
        }
    }
}

/// What is asked of a host.
pub(crate) struct Terms {
    pub(crate) requirement: Requirement,
    /// What the log says when it did.
    pub(crate) verdict: DaneVerdict,
    /// In the second round of soft-fail: the verdict of the check that the host failed in the first.
    pub(crate) failed_check: Option<VerifyCode>,
}

/// Which of the two rounds a host is in.
pub(crate) enum Pass {
    /// In the first, under all that was decided.
    First,
    /// In the second round of soft-fail.
    Second(DaneFailure),
}

impl Pass {
    /// What is asked of a host in this round; or why it is passed over.
    pub(crate) fn terms(&self, decision: &HostDecision) -> Result<Terms, Failure> {
        if let (Self::Second(failed), Some(requirement)) = (self, decision.soft_fail) {
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

/// One address of one host, and what is asked of it.
pub(crate) struct Round<'a> {
    /// The route that says so.
    pub(crate) route: &'a Route,
    pub(crate) host: &'a RouteHost,
    pub(crate) address: IpAddr,
    pub(crate) terms: Terms,
}

impl Round<'_> {
    pub(crate) fn standing(&self, cleared: bool) -> Standing<'_> {
        Standing {
            requirement: self.terms.requirement,
            verdict: &self.terms.verdict,
            cleared,
        }
    }

    pub(crate) fn connection(&self, session: &ClearedSession, began: Instant) -> Connection {
        let mut tls = session.tls().clone();
        tls.valid = self.terms.failed_check.or(tls.valid);
        Connection {
            requirement: session.requirement(),
            ..self.ready_now(tls, began)
        }
    }

    pub(crate) fn failed_connection(&self, failure: &SessionFailure, began: Instant) -> Connection {
        let tls = TlsFacts {
            valid: failure.verify_code(),
            fail: failure.tlsfail(),
            ..TlsFacts::default()
        };
        self.ready_now(tls, began)
    }

    /// A connection that can send from now on, or has just failed.
    fn ready_now(&self, tls: TlsFacts, began: Instant) -> Connection {
        Connection {
            address: self.address,
            tls,
            requirement: self.terms.requirement,
            verdict: self.terms.verdict.clone(),
            began,
            ready: Instant::now(),
        }
    }
}
