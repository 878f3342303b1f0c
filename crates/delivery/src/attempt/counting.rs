//! What an attempt sees of TLS, for reports to the receiving side (RFC 8460).
//!
//! Each session is counted once for each destination whose mail goes over it, however many messages that are, because each
//! has policies of its own and gets a report of its own; so is one that could not be set up. A host that is passed over for
//! what it or its domain publishes counts as a session that failed. Which policies it is judged by follows from what was
//! decided about the host:
//!
//! | decided | TLSA | MTA-STS | none |
//! |---|---|---|---|
//! | T4 | met, or why not | judged as well, by what was presented | |
//! | T3 | always failed, be it that mail is delivered | judged | |
//! | no DANE there | | judged | if there is none |
//! | the second round of `soft-fail` | | judged | |
//! | DANE switched off here, or TLSA ignored | | judged | |
//!
//! Not counted: what says nothing about TLS, such as a connection that cannot be made (RFC 8460 §4.3.4); what is wrong with
//! our own resolver; mail for which the receiver's policies do not count, our own reports among it; destinations that are
//! addresses.

use dane::{PkixFailure, WebPkiVerdict};
use mail::cause::{Cause, Demand, TlsFault, Unproven};
use mail::tls_results::printed;
use mail::{DaneVerdict, NextHop, SkipReason, TlsFailure, TlsPolicy, TlsResult, TlsSession, TlsTag};
use policy::decision::{Action, Decision, Requirement};
use policy::facts::MessageTls;
use policy::failure::Failure;
use rustls::pki_types::CertificateDer;

use super::judged::{Judged, Session, sts_trouble};
use super::target::Target;
use super::walk::Attempt;
use crate::connections::{Ends, PooledSession, TlsOutcome};
use crate::route::{Route, RouteHost};

/// The most hosts that are counted where all of a destination are passed over.
const PASSED_OVER: usize = 8;

impl Attempt<'_, '_> {
    /// A session that has met its requirement is used for a message, be it the first or a later one.
    pub(super) fn count_session(&mut self, target: &Target<'_>, pooled: &mut PooledSession) {
        let Some(session) = self.session_at(target, pooled.ends()) else {
            return;
        };
        if !pooled.is_first_of(session.destination) {
            return;
        }
        let met = || match pooled.tls() {
            TlsOutcome::Session(_) => Judged::Met,
            TlsOutcome::Missing(cause) => match cause.tls_result() {
                Some(result) => Judged::Failed(session.failure(result, cause)),
                None => Judged::Unknown,
            },
            TlsOutcome::NotTried => Judged::Unknown,
        };
        let tlsa = match &target.terms.verdict {
            DaneVerdict::Verify | DaneVerdict::VerifyHostOnly => Judged::Met,
            DaneVerdict::EncryptNoUsable => {
                let unusable = Cause::Policy(Demand::NoUsableTlsa);
                Judged::Failed(session.failure(TlsResult::TlsaInvalid, &unusable))
            }
            DaneVerdict::NotReached
            | DaneVerdict::Skip(_)
            | DaneVerdict::Softfail(_)
            | DaneVerdict::Fail(_) => Judged::Unknown,
        };
        let sts = match (session.is_allowed(), met()) {
            (None, _) | (_, Judged::Unknown) => Judged::Unknown,
            (Some(false), Judged::Met | Judged::Failed(_)) => Judged::Failed(session.not_in_policy()),
            // It was verified for this name in the handshake.
            (Some(true), Judged::Met) if target.terms.requirement == Requirement::Pkix => Judged::Met,
            (Some(true), Judged::Met) => self.judge_chain(&session, pooled.certificates()),
            (Some(true), failed @ Judged::Failed(_)) => failed,
        };
        let none = if publishes_nothing(target) {
            met()
        } else {
            Judged::Unknown
        };
        self.count(&session, session.by_policy(tlsa, sts, none));
    }

    /// A session could not be set up.
    pub(super) fn count_failed(&mut self, target: &Target<'_>, cause: &Cause, ends: &Ends) {
        let (Some(session), Some(result)) = (self.session_at(target, ends), cause.tls_result()) else {
            return;
        };
        let failed = || Judged::Failed(session.failure(result, cause));
        let (is_of_dane, is_of_web_pki) = match cause {
            Cause::Tls(TlsFault::Unproven(Unproven::Dane(_))) => (true, false),
            Cause::Tls(TlsFault::Unproven(Unproven::WebPki(..))) => (false, true),
            Cause::Tls(_)
            | Cause::Ours(_)
            | Cause::Dns(..)
            | Cause::Destination(_)
            | Cause::Policy(_)
            | Cause::Connection(_)
            | Cause::Login(_)
            | Cause::Smtp(_) => (false, false),
        };
        let is_dane_asked = match &target.terms.verdict {
            DaneVerdict::Verify | DaneVerdict::VerifyHostOnly | DaneVerdict::EncryptNoUsable => true,
            DaneVerdict::NotReached
            | DaneVerdict::Skip(_)
            | DaneVerdict::Softfail(_)
            | DaneVerdict::Fail(_) => false,
        };
        let tlsa = if is_dane_asked && !is_of_web_pki {
            failed()
        } else {
            Judged::Unknown
        };
        let sts = match session.is_allowed() {
            Some(false) => Judged::Failed(session.not_in_policy()),
            Some(true) if !is_of_dane => failed(),
            Some(true) | None => Judged::Unknown,
        };
        let none = if publishes_nothing(target) {
            failed()
        } else {
            Judged::Unknown
        };
        self.count(&session, session.by_policy(tlsa, sts, none));
    }

    /// A host is not connected to because of what it, or its domain, publishes.
    pub(super) fn count_passed_over(&mut self, route: &Route, host: Option<&RouteHost>, cause: &Cause) {
        let Some(result) = cause.tls_result() else {
            return;
        };
        let known = TlsFailure {
            mx_host: host.and_then(RouteHost::name).cloned(),
            ..TlsFailure::of(result)
        };
        let Some(session) = self.session(route, host, known) else {
            return;
        };
        let (policy, failure) = match cause {
            // It is not for the receiving side to mend.
            Cause::Dns(_, failure) if failure.culprit.is_ours() => return,
            Cause::Policy(Demand::MtaStsMismatch) => (session.sts(), session.not_in_policy()),
            Cause::Policy(_)
            | Cause::Dns(..)
            | Cause::Ours(_)
            | Cause::Destination(_)
            | Cause::Connection(_)
            | Cause::Tls(_)
            | Cause::Login(_)
            | Cause::Smtp(_) => {
                let policy = session.tlsa().unwrap_or_else(|| session.tlsa_unknown());
                (Some(policy), session.failure(result, cause))
            }
        };
        self.count(&session, policy.map(|policy| (policy, Some(failure))));
    }

    /// What the look-ups alone tell: that the MTA-STS policy could not be had, or that the whole destination is passed over.
    pub(super) fn count_found(&mut self, route: &Route) {
        match &route.decision {
            Decision::Try(_) => self.count_sts_trouble(route),
            Decision::Stop(failure, _) => self.count_passed_over(route, None, &failure.cause),
            Decision::PassOver(_, candidates) => {
                self.count_sts_trouble(route);
                // Each may stand in a report of its own, of which strangers could make many.
                for candidate in candidates.iter().take(PASSED_OVER) {
                    match &candidate.decision.action {
                        Action::PassOver(Failure { cause, .. }) => {
                            self.count_passed_over(route, Some(&candidate.host), cause);
                        }
                        Action::Connect { .. } => {}
                    }
                }
            }
        }
    }

    /// Counted in each attempt that meets it, whether a session is set up in it or not.
    fn count_sts_trouble(&mut self, route: &Route) {
        let Some(session) = self.session(route, None, TlsFailure::of(TlsResult::StsPolicyFetchError)) else {
            return;
        };
        let trouble = sts_trouble(route);
        self.count(&session, trouble.map(|(policy, failure)| (policy, Some(failure))));
    }

    fn session_at<'a>(&self, target: &'a Target<'_>, ends: &Ends) -> Option<Session<'a>> {
        let known = TlsFailure {
            sending_ip: ends.from,
            mx_host: target.host.name().cloned(),
            mx_helo: ends.greeted_as.as_ref().map(|name| printed(name.as_str())),
            receiving_ip: Some(target.address.to_canonical()),
            ..TlsFailure::of(TlsResult::ValidationFailure)
        };
        self.session(target.route, Some(target.host), known)
    }

    /// `None` if nothing is counted.
    fn session<'a>(
        &self,
        route: &'a Route,
        host: Option<&'a RouteHost>,
        known: TlsFailure,
    ) -> Option<Session<'a>> {
        let is_counted = match route.message {
            // A report of ours that must be given to a relay with a login obeys policies, and is not counted all the same.
            MessageTls::Usual | MessageTls::Required | MessageTls::RequiredOfReport => {
                self.deliverer.counts_tls && self.lease.parameters.tls != TlsTag::OwnReport
            }
            MessageTls::Waived | MessageTls::Exempt => false,
        };
        let destination = match &route.next_hop {
            NextHop::Domain { domain: name, .. } | NextHop::Host { host: name, .. } => Some(name),
            NextHop::Address { .. } => None,
        };
        Some(Session {
            route,
            host,
            destination: destination.filter(|name| is_counted && name.as_str() != "localhost")?,
            known,
        })
    }

    /// What the WebPKI says about what the host presented; it is asked whatever was demanded of it.
    fn judge_chain(&self, session: &Session<'_>, chain: &[CertificateDer<'_>]) -> Judged {
        let Some((host, name)) = session.host.and_then(|host| Some((host, host.name()?))) else {
            return Judged::Unknown;
        };
        // Another name was asked for in the handshake, so the host may have chosen another certificate.
        let is_of_name = host.dane.as_ref().is_none_or(|dane| dane.base == *name);
        match self.deliverer.connections.web_pki_verdict(chain, name) {
            WebPkiVerdict::NotAsked => Judged::Unknown,
            WebPkiVerdict::Valid => Judged::Met,
            WebPkiVerdict::Invalid(_) if !is_of_name => Judged::Unknown,
            WebPkiVerdict::Invalid(failure) => {
                let result = match failure {
                    PkixFailure::NameMismatch => TlsResult::CertificateHostMismatch,
                    PkixFailure::Expired => TlsResult::CertificateExpired,
                    PkixFailure::NotYetValid => TlsResult::ValidationFailure,
                    PkixFailure::Untrusted(_) | PkixFailure::UnsupportedKey(_) => {
                        TlsResult::CertificateNotTrusted
                    }
                };
                let known = session.known.clone().of_kind(result);
                Judged::Failed(known.because(&failure.to_string()))
            }
        }
    }

    /// Counts how each policy was met, or failed.
    fn count(
        &mut self,
        session: &Session<'_>,
        judged: impl IntoIterator<Item = (TlsPolicy, Option<TlsFailure>)>,
    ) {
        let at = self.deliverer.clock.now();
        let sessions = judged.into_iter().map(|(policy, failure)| TlsSession {
            at,
            destination: session.destination.clone(),
            policy,
            failure,
        });
        self.trail.tls.extend(sessions);
    }
}

/// Whether no TLSA records apply to the host, and that is known because they were sought.
fn publishes_nothing(target: &Target<'_>) -> bool {
    match &target.terms.verdict {
        DaneVerdict::Skip(
            SkipReason::InsecureHost | SkipReason::NoSecureTlsa | SkipReason::AddressLiteral,
        ) => true,
        DaneVerdict::Skip(
            SkipReason::InsecureMx
            | SkipReason::EncryptInsecureMx
            | SkipReason::DisabledByPolicy
            | SkipReason::TlsRequiredNo
            | SkipReason::Danefail { .. }
            | SkipReason::Exception { .. },
        )
        | DaneVerdict::Verify
        | DaneVerdict::VerifyHostOnly
        | DaneVerdict::EncryptNoUsable
        | DaneVerdict::Softfail(_)
        | DaneVerdict::NotReached
        | DaneVerdict::Fail(_) => false,
    }
}
