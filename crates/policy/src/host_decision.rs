//! The decision about one host: rows H1 to H6 and T1 to T4.

use mail::cause::{Cause, Demand, Lookup, NoWay, OurFault};
use mail::{DaneVerdict, LookupFailure, Security, SkipReason};

use crate::facts::{Addresses, DomainMtaSts, Host, HostFindings, MessageTls, MtaSts, Tlsa, Wanted};
use crate::failure::Failure;
use crate::requirement::Requirement;
use crate::settings::{DaneMode, InsecureMx, ModeSource, TlsFloor};

/// What to do with one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostDecision {
    /// The first round.
    pub action: Action,
    /// The second round, used only if no host took the message: the requirement that this host would have with
    /// `dane = "off"`, if the mode is `soft-fail` and DANE may have been the obstacle.
    pub soft_fail: Option<Requirement>,
}

/// What to do with one host in the first round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Connect, and send once the requirement is met.
    Connect {
        /// What the connection must achieve.
        requirement: Requirement,
        /// What the log says once the requirement is met.
        verdict: DaneVerdict,
    },
    /// Never connect (RFC 7672 §2.1.2).
    PassOver(Failure),
}

/// How the host became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// By a secure MX (or NODATA) answer, or by configuration.
    Securely,
    /// By an insecure MX (or NODATA) answer.
    Insecurely,
}

impl From<Security> for Named {
    fn from(security: Security) -> Self {
        match security {
            Security::Secure => Self::Securely,
            Security::Insecure => Self::Insecurely,
        }
    }
}

/// The policy is to be had at the next attempt.
pub(crate) const NOT_FETCHED: Cause = Cause::Ours(OurFault::PolicyNotFetched);

/// What is asked for besides what DNS says.
pub(crate) struct Asked<'a> {
    pub(crate) wanted: &'a Wanted,
    pub(crate) message: MessageTls,
    pub(crate) mta_sts: DomainMtaSts,
}

impl Asked<'_> {
    /// The mode for the destination.
    pub(crate) fn mode(&self) -> DaneMode {
        self.message.mode(self.wanted.dane)
    }

    /// The floor; for a TLS report of our own plain text is enough.
    fn floor(&self) -> TlsFloor {
        match self.message {
            MessageTls::Exempt => self.wanted.tls.min(TlsFloor::May),
            MessageTls::Usual | MessageTls::Required | MessageTls::RequiredOfReport | MessageTls::Waived => {
                self.wanted.tls
            }
        }
    }

    /// There is no way to the next hop. A mistake in a route must not return mail that its sender addressed rightly; a loop
    /// (D11) ends it all the same.
    pub(crate) fn leads_nowhere(&self, no_way: NoWay) -> Failure {
        let is_loop = no_way == NoWay::OwnMx;
        let failure = Failure::from(Cause::Destination(no_way));
        if self.wanted.is_route && !is_loop {
            failure.of_route()
        } else {
            failure
        }
    }

    /// Decides for one host.
    pub(crate) fn decide_host(&self, named: Named, host: &Host) -> HostDecision {
        let mode = self.message.mode(host.policy.dane);
        let is_waived = self.message.is_waived() && mode != DaneMode::Strict;
        let rules = Rules {
            mode,
            source: &host.policy.dane_source,
            asked: self,
            named,
            mta_sts: host.mta_sts.filter(|_| !is_waived),
        };
        match &host.findings {
            HostFindings::AddressLiteral if mode == DaneMode::Strict => {
                pass_over(Cause::Policy(Demand::AddressLiteral))
            }
            HostFindings::AddressName if mode == DaneMode::Strict => {
                pass_over(Cause::Policy(Demand::AddressName))
            }
            HostFindings::AddressLiteral | HostFindings::AddressName if self.message.is_required() => {
                // A forged MX answer must not bounce mail.
                match rules.forbidden().filter(|_| named == Named::Insecurely) {
                    Some(cause) => pass_over(cause),
                    None => self.lacks_path(self.of_address()),
                }
            }
            HostFindings::AddressLiteral | HostFindings::AddressName => {
                rules.without_dane(SkipReason::AddressLiteral)
            }
            HostFindings::Named { addresses, tlsa } => rules.decide(addresses, tlsa),
        }
    }

    /// What a message that requires TLS lacks where the host is an address.
    fn of_address(&self) -> Demand {
        if self.wanted.is_route {
            Demand::SecureRoute
        } else {
            Demand::SecureAddress
        }
    }

    /// A message that requires TLS has no way to the host for this reason. If the MTA-STS policy is not known, it may have one
    /// later.
    fn lacks_path(&self, reason: Demand) -> HostDecision {
        pass_over(Cause::Policy(match (self.message, self.mta_sts) {
            (_, DomainMtaSts::Unknown | DomainMtaSts::Awaited) => Demand::MtaStsUnknown,
            (MessageTls::RequiredOfReport, _) if reason != Demand::SecureRoute => Demand::SecurePathOfReport,
            (_, DomainMtaSts::Absent | DomainMtaSts::Testing | DomainMtaSts::Enforce) => reason,
        }))
    }
}

/// What applies to one host besides its own findings.
struct Rules<'a> {
    mode: DaneMode,
    source: &'a ModeSource,
    asked: &'a Asked<'a>,
    named: Named,
    mta_sts: Option<MtaSts>,
}

impl Rules<'_> {
    /// Rows H1 to H6.
    fn decide(&self, addresses: &Addresses, tlsa: &Tlsa) -> HostDecision {
        let strict = self.mode == DaneMode::Strict;
        match addresses {
            Addresses::Unresolvable(failure) => pass_over(Cause::Dns(Lookup::Address, failure.clone())),
            Addresses::Absent(Security::Insecure) | Addresses::Ignored(Security::Insecure) if strict => {
                pass_over(Cause::Policy(Demand::InsecureHost))
            }
            Addresses::Absent(security) => self.ends(*security, NoWay::NoAddresses),
            Addresses::Ignored(security) => self.ends(*security, NoWay::IgnoredAddresses),
            Addresses::OtherFamily => pass_over(Cause::Destination(NoWay::OtherFamily)),
            Addresses::Insecure | Addresses::SecureAlias | Addresses::Secure if self.lacks_name() => {
                self.asked.lacks_path(Demand::SecurePath)
            }
            Addresses::Insecure | Addresses::SecureAlias | Addresses::Secure
                if self.mode == DaneMode::Off =>
            {
                self.without_dane(self.skip_reason())
            }
            Addresses::Insecure | Addresses::SecureAlias | Addresses::Secure
                if self.ignores_tlsa() && !strict =>
            {
                self.without_dane(SkipReason::InsecureMx)
            }
            Addresses::Insecure if strict => pass_over(Cause::Policy(Demand::InsecureHost)),
            Addresses::Insecure => self.without_dane(SkipReason::InsecureHost),
            Addresses::SecureAlias | Addresses::Secure => self.decide_tlsa(tlsa),
        }
    }

    /// H2.
    fn ends(&self, security: Security, no_way: NoWay) -> HostDecision {
        self.may_be_forged(security)
            .map_or_else(|| pass_over(self.asked.leads_nowhere(no_way)), pass_over)
    }

    /// H2 while an MTA-STS policy is enforced, or may be: only an answer that is secure, about a host that is named
    /// securely, ends a message. Otherwise, why it waits.
    fn may_be_forged(&self, security: Security) -> Option<Cause> {
        if self.named == Named::Securely && security == Security::Secure {
            return None;
        }
        match self.mta_sts {
            Some(MtaSts::EnforceMatch | MtaSts::EnforceMismatch) => {
                Some(Cause::Policy(Demand::MtaStsUnproven))
            }
            Some(MtaSts::Testing) | None => self.is_awaited().then_some(NOT_FETCHED),
        }
    }

    fn is_awaited(&self) -> bool {
        self.asked.mta_sts == DomainMtaSts::Awaited
    }

    /// Why MTA-STS forbids the host, or lets it wait, where DANE alone does not decide.
    fn forbidden(&self) -> Option<Cause> {
        match self.mta_sts {
            Some(MtaSts::EnforceMismatch) => Some(Cause::Policy(Demand::MtaStsMismatch)),
            Some(MtaSts::EnforceMatch | MtaSts::Testing) | None => self.is_awaited().then_some(NOT_FETCHED),
        }
    }

    /// Whether the message requires that the host's name is known securely, and it is not (RFC 8689 §4.2.1). Where a policy
    /// in force does not name the host, that is what is wrong with it.
    fn lacks_name(&self) -> bool {
        let is_enforced = match self.mta_sts {
            Some(MtaSts::EnforceMatch | MtaSts::EnforceMismatch) => true,
            Some(MtaSts::Testing) | None => false,
        };
        self.asked.message.is_required() && self.named == Named::Insecurely && !is_enforced
    }

    /// D8 with `insecure_mx = "may"`.
    fn ignores_tlsa(&self) -> bool {
        self.named == Named::Insecurely && self.asked.wanted.insecure_mx == InsecureMx::May
    }

    /// Rows T1 to T4, for a host to which DANE applies.
    fn decide_tlsa(&self, tlsa: &Tlsa) -> HostDecision {
        let strict = self.mode == DaneMode::Strict;
        match tlsa {
            Tlsa::LookupFailed(failure) => HostDecision {
                action: Action::PassOver(Cause::Dns(Lookup::Tlsa, failure.clone()).into()),
                soft_fail: self.soft_fail(),
            },
            // A host whose TLSA records were not looked up must not count as one without records: that would be a
            // downgrade.
            Tlsa::NotAsked => HostDecision {
                action: Action::PassOver(
                    Cause::Dns(Lookup::Tlsa, LookupFailure::Indeterminate.into()).into(),
                ),
                soft_fail: self.soft_fail(),
            },
            Tlsa::Absent if strict => pass_over(Cause::Policy(Demand::NoSecureTlsa)),
            Tlsa::Absent => self.without_dane(SkipReason::NoSecureTlsa),
            Tlsa::Unusable if strict => pass_over(Cause::Policy(Demand::NoUsableTlsa)),
            Tlsa::Unusable => self.apply(self.at_least_encrypted(), DaneVerdict::EncryptNoUsable),
            Tlsa::Usable => self.authenticate(),
        }
    }

    /// Row T4.
    fn authenticate(&self) -> HostDecision {
        match (self.named, self.asked.wanted.insecure_mx) {
            (Named::Securely, _) => self.apply_alone(Requirement::Dane, DaneVerdict::Verify),
            (Named::Insecurely, InsecureMx::Dane | InsecureMx::May) => {
                self.apply(Requirement::Dane, DaneVerdict::VerifyHostOnly)
            }
            (Named::Insecurely, InsecureMx::Encrypt) => self.apply(
                self.at_least_encrypted(),
                DaneVerdict::Skip(SkipReason::EncryptInsecureMx),
            ),
        }
    }

    fn at_least_encrypted(&self) -> Requirement {
        match self.asked.floor() {
            TlsFloor::Off | TlsFloor::May | TlsFloor::Encrypt => Requirement::Encrypted,
            TlsFloor::Verify => Requirement::Pkix,
        }
    }

    /// DANE alone decides (RFC 8461 §2).
    fn apply_alone(&self, requirement: Requirement, verdict: DaneVerdict) -> HostDecision {
        HostDecision {
            action: Action::Connect {
                requirement: self.authenticated(requirement),
                verdict,
            },
            soft_fail: self.soft_fail(),
        }
    }

    /// A message that requires TLS goes to a server that is authenticated, one way or the other (RFC 8689 §4.2.1).
    fn authenticated(&self, requirement: Requirement) -> Requirement {
        if self.asked.message.is_required() && !requirement.authenticates() {
            Requirement::Pkix
        } else {
            requirement
        }
    }

    /// DANE's requirement, plus that of an enforced MTA-STS policy.
    fn apply(&self, requirement: Requirement, verdict: DaneVerdict) -> HostDecision {
        if let Some(cause) = self.forbidden() {
            return pass_over(cause);
        }
        let requirement = match (self.mta_sts, requirement) {
            (Some(MtaSts::EnforceMatch), Requirement::Dane | Requirement::DaneAndPkix) => {
                Requirement::DaneAndPkix
            }
            (
                Some(MtaSts::EnforceMatch),
                Requirement::Clear | Requirement::Opportunistic | Requirement::Encrypted | Requirement::Pkix,
            ) => Requirement::Pkix,
            (Some(MtaSts::EnforceMismatch | MtaSts::Testing) | None, requirement) => requirement,
        };
        self.apply_alone(requirement, verdict)
    }

    /// DANE does not apply: an enforced MTA-STS policy decides, otherwise the floor.
    fn without_dane(&self, reason: SkipReason) -> HostDecision {
        match self.off_requirement() {
            Ok(requirement) => HostDecision {
                action: Action::Connect {
                    requirement,
                    verdict: DaneVerdict::Skip(reason),
                },
                soft_fail: None,
            },
            Err(cause) => pass_over(cause),
        }
    }

    /// The requirement with `dane = "off"`, or why the host is not for this message now.
    fn off_requirement(&self) -> Result<Requirement, Cause> {
        if let Some(cause) = self.forbidden() {
            return Err(cause);
        }
        Ok(match self.mta_sts {
            Some(MtaSts::EnforceMatch) => Requirement::Pkix,
            Some(MtaSts::EnforceMismatch | MtaSts::Testing) | None => {
                self.authenticated(floor(self.asked.floor()))
            }
        })
    }

    fn soft_fail(&self) -> Option<Requirement> {
        match self.mode {
            DaneMode::SoftFail => self.off_requirement().ok(),
            DaneMode::Off | DaneMode::Opportunistic | DaneMode::Strict => None,
        }
    }

    /// The reason logged for DANE being off, according to what switched it off.
    fn skip_reason(&self) -> SkipReason {
        if self.asked.message.is_waived() {
            return SkipReason::TlsRequiredNo;
        }
        match self.source {
            ModeSource::Danefail { source, line } => SkipReason::Danefail {
                source: source.to_string(),
                line: *line,
            },
            ModeSource::Exception(entry) => SkipReason::Exception {
                until: entry.until.to_string(),
            },
            ModeSource::Default
            | ModeSource::Rule { .. }
            | ModeSource::StrictList { .. }
            | ModeSource::SoftFailList { .. } => SkipReason::DisabledByPolicy,
        }
    }
}

fn floor(tls: TlsFloor) -> Requirement {
    match tls {
        TlsFloor::Off => Requirement::Clear,
        TlsFloor::May => Requirement::Opportunistic,
        TlsFloor::Encrypt => Requirement::Encrypted,
        TlsFloor::Verify => Requirement::Pkix,
    }
}

fn pass_over(failure: impl Into<Failure>) -> HostDecision {
    HostDecision {
        action: Action::PassOver(failure.into()),
        soft_fail: None,
    }
}
