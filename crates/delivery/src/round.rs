//! One address of one host: what is asked of it, and what it came to.

use std::net::IpAddr;
use std::time::Instant;

use dane::VerifyCode;
use mail::{DaneVerdict, FailCause};
use policy::decision::Requirement;

use crate::failure::{SessionFailure, Standing};
use crate::record::Connection;
use crate::route::RouteHost;
use crate::session::Session;
use crate::tls::TlsFacts;

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
#[derive(Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub(crate) requirement: Requirement,
    /// What the log says when it did.
    pub(crate) verdict: &'a DaneVerdict,
    /// In the second round of soft-fail: the verdict of the check that the host failed in the first.
    pub(crate) failed_check: Option<VerifyCode>,
}

/// One address of one host, and what is asked of it.
pub(crate) struct Round<'a> {
    pub(crate) host: &'a RouteHost,
    pub(crate) address: IpAddr,
    pub(crate) terms: Terms<'a>,
}

impl Round<'_> {
    pub(crate) fn standing(&self, cleared: bool) -> Standing<'_> {
        Standing {
            requirement: self.terms.requirement,
            verdict: self.terms.verdict,
            cleared,
        }
    }

    pub(crate) fn connection(&self, session: &Session, began: Instant) -> Connection {
        let mut tls = session.tls.clone();
        tls.valid = self.terms.failed_check.or(tls.valid);
        Connection {
            address: self.address,
            tls,
            requirement: self.terms.requirement,
            verdict: self.terms.verdict.clone(),
            began,
            ready: Instant::now(),
        }
    }

    pub(crate) fn failed_connection(&self, failure: &SessionFailure, began: Instant) -> Connection {
        let tls = TlsFacts {
            valid: failure.verify_code(),
            fail: failure.tlsfail(),
            ..TlsFacts::default()
        };
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
