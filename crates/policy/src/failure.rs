//! A failure: its cause, how far the host had got, and what follows from both for the message and the log.

use mail::cause::{Cause, ConnectionFault, Demand, Lookup, NoWay, OurFault, SmtpFault, TlsFault, Unproven};
use mail::{DaneVerdict, EnhancedStatus, FailCause, Phase, Reason, SkipReason, Stage};

use crate::facts::MessageTls;
use crate::requirement::Requirement;

/// One failure, ready for the log, the queue and the DSN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub cause: Cause,
    /// How far the host had got.
    pub standing: Standing,
    /// In plain words, or the server's own text; shared by all recipients to whom it applies.
    pub reason: Reason,
}

/// How far a host had got when it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// There was no connection.
    Apart,
    /// Nor was there one for this: the administrator's own route leads nowhere.
    Misrouted,
    /// The connection had not met its requirement.
    Uncleared {
        /// What the connection had to achieve.
        requirement: Requirement,
        /// What the log would have said on success.
        planned: DaneVerdict,
        /// What the message asks for itself.
        message: MessageTls,
    },
    /// The connection had met its requirement: this is what the log would have said on success.
    Cleared(DaneVerdict),
}

/// What a failure means for the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finality {
    /// Trying again will not help.
    Permanent,
    /// An outage: try again.
    Transient,
    /// A security rule was not met: try again, and report this before any other cause.
    Security,
}

impl Failure {
    /// The same about a next hop that the administrator has named.
    pub(crate) fn of_route(self) -> Self {
        Self {
            reason: format!("{}; a route of the policy leads there", self.cause).into(),
            standing: Standing::Misrouted,
            ..self
        }
    }

    /// What it means for the message. Before the requirement is met, only one reply can fail the message for good: a
    /// 521 greeting where no authentication was required (RFC 7504 §3).
    pub fn finality(&self) -> Finality {
        match &self.cause {
            // RFC 8689 §4.2.1.
            Cause::Tls(fault) if self.lacks_what_is_required(fault) => Finality::Permanent,
            Cause::Ours(OurFault::NoRoots | OurFault::NoProof)
            | Cause::Dns(Lookup::Tlsa, _)
            | Cause::Policy(
                Demand::AddressLiteral
                | Demand::InsecureMx
                | Demand::AddressName
                | Demand::InsecureHost
                | Demand::NoSecureTlsa
                | Demand::NoUsableTlsa
                | Demand::MtaStsMismatch
                | Demand::MtaStsUnproven
                | Demand::MtaStsUnknown
                | Demand::SecurePathOfReport
                | Demand::SecureRoute
                | Demand::NoName,
            )
            | Cause::Login(_)
            | Cause::Tls(_) => Finality::Security,
            Cause::Dns(Lookup::Mx | Lookup::Address, failure) if failure.is_bogus() => Finality::Security,
            Cause::Smtp(fault) if self.is_final(fault) => Finality::Permanent,
            // The route can be mended while the mail waits.
            Cause::Destination(_) if self.standing == Standing::Misrouted => Finality::Transient,
            Cause::Policy(Demand::SecurePath | Demand::SecureAddress)
            | Cause::Destination(
                NoWay::NullMx
                | NoWay::NoSuchDomain(_)
                | NoWay::OwnMx
                | NoWay::NoAddresses
                | NoWay::IgnoredAddresses,
            ) => Finality::Permanent,
            Cause::Ours(
                OurFault::Content
                | OurFault::DamagedContent
                | OurFault::TooLate(_)
                | OurFault::NotAsked
                | OurFault::NothingTried
                | OurFault::SourceAddress(_)
                | OurFault::NoSocket
                | OurFault::PolicyNotFetched
                | OurFault::NoTurn(_),
            )
            | Cause::Dns(Lookup::Mx | Lookup::Address, _)
            | Cause::Destination(NoWay::OtherFamily | NoWay::HostGone)
            | Cause::Connection(_)
            | Cause::Smtp(_) => Finality::Transient,
        }
    }

    fn is_final(&self, fault: &SmtpFault) -> bool {
        match (&self.standing, fault) {
            (
                Standing::Uncleared { requirement, .. },
                SmtpFault::Refused {
                    stage: Stage::Banner,
                    code,
                    ..
                },
            ) => code.get() == 521 && requirement.allows_plain_text(),
            (Standing::Apart | Standing::Misrouted | Standing::Uncleared { .. }, _) => false,
            (
                Standing::Cleared(_),
                SmtpFault::Refused {
                    stage,
                    code,
                    enhanced,
                },
            ) => match stage.phase() {
                // "Too many recipients" (RFC 5321 §4.5.3.1.10).
                Phase::Envelope if *stage == Stage::Rcpt && code.get() == 552 => {
                    !enhanced.is_some_and(EnhancedStatus::is_too_many_recipients)
                }
                Phase::Envelope | Phase::Content => code.is_permanent(),
                Phase::Greeting | Phase::Securing | Phase::Closing => false,
            },
            (Standing::Cleared(_), SmtpFault::Lacks(_)) => true,
        }
    }

    /// Whether the message requires TLS, and this host has not what that takes. A handshake that breaks and STARTTLS put
    /// off may be an outage.
    fn lacks_what_is_required(&self, fault: &TlsFault) -> bool {
        let is_required = match &self.standing {
            Standing::Uncleared { message, .. } => *message == MessageTls::Required,
            Standing::Apart | Standing::Misrouted | Standing::Cleared(_) => false,
        };
        is_required
            && match fault {
                TlsFault::NotOffered | TlsFault::Unproven(_) => true,
                TlsFault::Refused(code) => code.is_permanent(),
                TlsFault::DataBeforeHandshake
                | TlsFault::TimedOut
                | TlsFault::Closed
                | TlsFault::Protocol(_)
                | TlsFault::Handshake(_) => false,
            }
    }

    /// Whether the host was out of reach or said that it cannot take the message now: another next hop may be asked.
    pub fn is_outage(&self) -> bool {
        match &self.cause {
            Cause::Connection(_) => true,
            Cause::Smtp(SmtpFault::Refused { code, .. }) => !code.is_permanent(),
            Cause::Smtp(SmtpFault::Lacks(_))
            | Cause::Ours(_)
            | Cause::Dns(..)
            | Cause::Destination(_)
            | Cause::Policy(_)
            | Cause::Tls(_)
            | Cause::Login(_) => false,
        }
    }

    /// Whether it says nothing about other messages: TLS failed, and this message requires it for itself.
    pub fn is_of_message(&self) -> bool {
        match (&self.standing, &self.cause) {
            (Standing::Uncleared { message, .. }, Cause::Tls(_)) => message.is_required(),
            (
                Standing::Apart | Standing::Misrouted | Standing::Uncleared { .. } | Standing::Cleared(_),
                _,
            ) => false,
        }
    }

    /// Whether the failure ends the message instead of deferring it.
    pub fn is_permanent(&self) -> bool {
        self.finality() == Finality::Permanent
    }

    /// The status as reported: its class depends on whether the failure is permanent.
    pub fn reported_status(&self) -> EnhancedStatus {
        let class = if self.is_permanent() { 5 } else { 4 };
        let status = match &self.cause {
            Cause::Tls(fault) if self.lacks_what_is_required(fault) => EnhancedStatus::NO_SECURE_PATH,
            cause => cause.enhanced(),
        };
        status.with_class(class)
    }

    /// The value of `dane=`. If a requirement set by DANE was not met, DANE failed; otherwise the planned verdict
    /// stands, unless the server had to authenticate and never got that far.
    pub fn verdict(&self) -> DaneVerdict {
        match &self.standing {
            Standing::Apart | Standing::Misrouted => match self.cause {
                Cause::Policy(Demand::AddressLiteral | Demand::AddressName) => {
                    DaneVerdict::Skip(SkipReason::AddressLiteral)
                }
                Cause::Policy(_)
                | Cause::Ours(_)
                | Cause::Dns(..)
                | Cause::Destination(_)
                | Cause::Connection(_)
                | Cause::Tls(_)
                | Cause::Login(_)
                | Cause::Smtp(_) => self.fail_or_nothing(),
            },
            Standing::Uncleared { planned, .. } => self.unmet(planned),
            Standing::Cleared(planned) => planned.clone(),
        }
    }

    fn unmet(&self, planned: &DaneVerdict) -> DaneVerdict {
        match (planned, &self.cause) {
            // TLS was all that DANE demanded, and it came about: a name is demanded by the message or by our policy.
            (DaneVerdict::EncryptNoUsable, Cause::Tls(TlsFault::Unproven(Unproven::WebPki(..)))) => {
                planned.clone()
            }
            (DaneVerdict::Verify | DaneVerdict::VerifyHostOnly | DaneVerdict::EncryptNoUsable, _)
            // `insecure_mx = "encrypt"` requires TLS because of the TLSA records, although it does not check against
            // them.
            | (DaneVerdict::Skip(SkipReason::EncryptInsecureMx), Cause::Tls(_)) => self.fail_or_nothing(),
            (
                DaneVerdict::NotReached
                | DaneVerdict::Skip(_)
                | DaneVerdict::Softfail(_)
                | DaneVerdict::Fail(_),
                Cause::Connection(ConnectionFault::Unreachable(_) | ConnectionFault::TimedOut(Stage::Connect))
                | Cause::Ours(OurFault::SourceAddress(_) | OurFault::NoSocket),
            ) => DaneVerdict::NotReached,
            (
                DaneVerdict::NotReached
                | DaneVerdict::Skip(_)
                | DaneVerdict::Softfail(_)
                | DaneVerdict::Fail(_),
                _,
            ) => planned.clone(),
        }
    }

    fn fail_or_nothing(&self) -> DaneVerdict {
        self.cause
            .dane()
            .map_or(DaneVerdict::NotReached, DaneVerdict::Fail)
    }

    /// What DANE found wrong, if DANE is what failed.
    pub fn dane_failed(&self) -> Option<FailCause> {
        match self.verdict() {
            DaneVerdict::Fail(cause) => Some(cause),
            DaneVerdict::NotReached
            | DaneVerdict::Verify
            | DaneVerdict::VerifyHostOnly
            | DaneVerdict::EncryptNoUsable
            | DaneVerdict::Skip(_)
            | DaneVerdict::Softfail(_) => None,
        }
    }
}

impl From<Cause> for Failure {
    /// A failure before any connection.
    fn from(cause: Cause) -> Self {
        Self {
            reason: cause.to_string().into(),
            standing: Standing::Apart,
            cause,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mail::ReplyCode;
    use mail::cause::{BrokenHandshake, Missing, WebPkiFlaw};

    fn refused(stage: Stage, code: u16, enhanced: Option<&str>) -> Cause {
        Cause::Smtp(SmtpFault::Refused {
            stage,
            code: ReplyCode::new(code).unwrap(),
            enhanced: enhanced.map(|code| code.parse().unwrap()),
        })
    }

    fn failure(cause: Cause, standing: Standing) -> Failure {
        Failure {
            standing,
            ..Failure::from(cause)
        }
    }

    fn uncleared(requirement: Requirement, planned: DaneVerdict) -> Standing {
        Standing::Uncleared {
            requirement,
            planned,
            message: MessageTls::Usual,
        }
    }

    #[test]
    fn nothing_unauthenticated_fails_a_message() {
        use Requirement::{Dane, Opportunistic};
        let verify = || DaneVerdict::Verify;
        let skip = || DaneVerdict::Skip(SkipReason::InsecureHost);
        for (cause, standing, permanent) in [
            (
                refused(Stage::Banner, 521, None),
                uncleared(Opportunistic, skip()),
                true,
            ),
            (
                refused(Stage::Banner, 521, None),
                uncleared(Dane, verify()),
                false,
            ),
            (
                refused(Stage::Banner, 554, None),
                uncleared(Opportunistic, skip()),
                false,
            ),
            (
                refused(Stage::Ehlo, 550, None),
                uncleared(Opportunistic, skip()),
                false,
            ),
            (refused(Stage::Rcpt, 550, None), Standing::Cleared(verify()), true),
            (
                refused(Stage::Rcpt, 450, None),
                Standing::Cleared(verify()),
                false,
            ),
            (refused(Stage::Rcpt, 552, None), Standing::Cleared(verify()), true),
            (
                refused(Stage::Rcpt, 552, Some("5.5.3")),
                Standing::Cleared(verify()),
                false,
            ),
            (
                refused(Stage::Rcpt, 552, Some("5.2.2")),
                Standing::Cleared(verify()),
                true,
            ),
            (
                refused(Stage::Rset, 500, None),
                Standing::Cleared(verify()),
                false,
            ),
            (
                Cause::Smtp(SmtpFault::Lacks(Missing::Size(1))),
                Standing::Cleared(verify()),
                true,
            ),
        ] {
            assert_eq!(
                failure(cause.clone(), standing).is_permanent(),
                permanent,
                "{cause:?}"
            );
        }
    }

    #[test]
    fn a_message_that_requires_tls_fails_where_a_host_has_not_what_it_takes() {
        let code = |code| ReplyCode::new(code).unwrap();
        let skip = || DaneVerdict::Skip(SkipReason::NoSecureTlsa);
        let standing = |message| Standing::Uncleared {
            requirement: Requirement::Pkix,
            planned: skip(),
            message,
        };
        for (fault, lacks) in [
            (TlsFault::NotOffered, true),
            (TlsFault::Unproven(Unproven::Key), true),
            (TlsFault::Refused(code(554)), true),
            (TlsFault::Refused(code(454)), false),
            (TlsFault::Handshake(BrokenHandshake::Closed), false),
            (TlsFault::TimedOut, false),
        ] {
            for (message, is_final) in [
                (MessageTls::Required, lacks),
                (MessageTls::RequiredOfReport, false),
                (MessageTls::Usual, false),
            ] {
                let failure = failure(Cause::Tls(fault.clone()), standing(message));
                assert_eq!(failure.is_permanent(), is_final, "{fault:?} {message:?}");
                if is_final {
                    assert_eq!(failure.reported_status().to_string(), "5.7.10");
                }
            }
        }
        let path: Failure = Cause::Policy(Demand::SecurePath).into();
        assert_eq!(path.reported_status().to_string(), "5.7.10");
        let of_report: Failure = Cause::Policy(Demand::SecurePathOfReport).into();
        assert_eq!(of_report.reported_status().to_string(), "4.7.10");
        let keyword = failure(
            Cause::Smtp(SmtpFault::Lacks(Missing::RequireTls)),
            Standing::Cleared(skip()),
        );
        assert_eq!(keyword.reported_status().to_string(), "5.7.30");
    }

    #[test]
    fn dane_has_failed_where_its_requirement_was_not_met() {
        let not_offered = || Cause::Tls(TlsFault::NotOffered);
        let failed = DaneVerdict::Fail(FailCause::StarttlsNotOffered);
        let verdict = |cause, planned| failure(cause, uncleared(Requirement::Encrypted, planned)).verdict();
        for planned in [
            DaneVerdict::Verify,
            DaneVerdict::VerifyHostOnly,
            DaneVerdict::EncryptNoUsable,
            DaneVerdict::Skip(SkipReason::EncryptInsecureMx),
        ] {
            assert_eq!(verdict(not_offered(), planned.clone()), failed, "{planned}");
        }
        for reason in [SkipReason::NoSecureTlsa, SkipReason::InsecureMx] {
            let skip = DaneVerdict::Skip(reason);
            assert_eq!(verdict(not_offered(), skip.clone()), skip);
        }
        // Its certificate is not DANE's matter there.
        let unnamed = Unproven::WebPki(WebPkiFlaw::NameMismatch, "words".to_owned());
        assert_eq!(
            verdict(
                Cause::Tls(TlsFault::Unproven(unnamed)),
                DaneVerdict::EncryptNoUsable
            ),
            DaneVerdict::EncryptNoUsable
        );
        let skip = DaneVerdict::Skip(SkipReason::NoSecureTlsa);
        for planned in [DaneVerdict::Verify, skip] {
            assert_eq!(
                verdict(Cause::timed_out(Stage::Connect), planned),
                DaneVerdict::NotReached
            );
        }
    }
}
