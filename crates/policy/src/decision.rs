//! The decision: from facts to what each connection must achieve, before the first connection.
//!
//! [`decide`] is pure and total. It has two halves: this file for the destination (rows D1 to D11), and
//! `host_decision.rs` for each host (rows H1 to H6 and T1 to T4). The whole table is in `tests/golden/decision.txt`.

use mail::Security;
use mail::cause::{Cause, Demand, Lookup, NoWay};

use crate::conclude::conclude;
use crate::facts::{Destination, DomainMtaSts, Facts, Host};
use crate::failure::Failure;
pub use crate::host_decision::{Action, HostDecision, Named};
use crate::host_decision::{Asked, NOT_FETCHED};
pub use crate::requirement::Requirement;
use crate::settings::DaneMode;

/// What to do with a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision<H = Host> {
    /// Try the hosts in order, each as decided.
    Try(Vec<Candidate<H>>),
    /// Every host must be skipped for good; the failure speaks for all of them.
    PassOver(Failure, Vec<Candidate<H>>),
    /// The destination itself is the problem, whatever its hosts are like.
    Stop(Failure, Vec<H>),
}

/// One host and what to do with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate<H = Host> {
    /// The host, as it was in the facts.
    pub host: H,
    /// What is decided about it.
    pub decision: HostDecision,
}

impl<H> Decision<H> {
    /// The hosts in the order of the facts, each with the decision about it; no decision if the destination itself is
    /// the problem.
    pub fn hosts(&self) -> impl Iterator<Item = (&H, Option<&HostDecision>)> {
        let (candidates, untried) = match self {
            Self::Try(candidates) | Self::PassOver(_, candidates) => (candidates.as_slice(), [].as_slice()),
            Self::Stop(_, hosts) => ([].as_slice(), hosts.as_slice()),
        };
        let decided = candidates.iter().map(|one| (&one.host, Some(&one.decision)));
        decided.chain(untried.iter().map(|host| (host, None)))
    }

    /// Why there is no host to connect to, if there is none.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Try(_) => None,
            Self::PassOver(failure, _) | Self::Stop(failure, _) => Some(failure),
        }
    }
}

/// Decides for a destination.
pub fn decide<H: AsRef<Host>>(facts: Facts<H>) -> Decision<H> {
    let Facts {
        wanted,
        message,
        mta_sts,
        destination,
    } = facts;
    let asked = Asked {
        wanted: &wanted,
        message,
        mta_sts: if message.is_waived() {
            DomainMtaSts::Absent
        } else {
            mta_sts
        },
    };
    let strict = asked.mode() == DaneMode::Strict;
    match destination {
        Destination::AddressLiteral(host) if strict => {
            Decision::Stop(Cause::Policy(Demand::AddressLiteral).into(), vec![host])
        }
        Destination::MxFailed(failure) => stop(Cause::Dns(Lookup::Mx, failure)),
        Destination::NullMx(security) => asked.stop_for_good(NoWay::NullMx, security),
        Destination::NoSuchDomain { security, missing } => {
            asked.stop_for_good(NoWay::NoSuchDomain(missing), security)
        }
        Destination::OwnAddress => stop(Cause::Destination(NoWay::OwnMx)),
        Destination::OwnMx { mx, host } => match (strict, mx, host) {
            (true, Security::Insecure, _) => stop(Cause::Policy(Demand::InsecureMx)),
            (true, Security::Secure, Security::Insecure) => stop(Cause::Policy(Demand::InsecureHost)),
            (true, Security::Secure, Security::Secure) | (false, _, _) => {
                asked.stop_for_good(NoWay::OwnMx, mx.and(host))
            }
        },
        Destination::ImplicitMx {
            security: Security::Insecure,
            host,
        } if strict => Decision::Stop(Cause::Policy(Demand::InsecureMx).into(), vec![host]),
        Destination::Mx {
            security: Security::Insecure,
            hosts,
        } if strict => Decision::Stop(Cause::Policy(Demand::InsecureMx).into(), hosts),
        Destination::ImplicitMx { security, host } => asked.each(security.into(), vec![host]),
        Destination::Mx { security, hosts } => asked.each(security.into(), hosts),
        Destination::AddressLiteral(host) | Destination::Configured(host) => {
            asked.each(Named::Securely, vec![host])
        }
    }
}

fn stop<H>(cause: Cause) -> Decision<H> {
    Decision::Stop(cause.into(), Vec::new())
}

impl Asked<'_> {
    /// D3, D4 and D11 end a message, unless it is a route that leads to nobody. Under `strict`, and while an MTA-STS policy is
    /// enforced or may be, only if the answer is secure, because a forged answer must not bounce mail.
    fn stop_for_good<H>(&self, no_way: NoWay, security: Security) -> Decision<H> {
        match security {
            Security::Insecure if self.mode() == DaneMode::Strict => stop(Cause::Policy(Demand::InsecureMx)),
            Security::Insecure if self.mta_sts == DomainMtaSts::Enforce => {
                stop(Cause::Policy(Demand::MtaStsUnproven))
            }
            Security::Insecure if self.mta_sts == DomainMtaSts::Awaited => stop(NOT_FETCHED),
            Security::Insecure | Security::Secure => Decision::Stop(self.leads_nowhere(no_way), Vec::new()),
        }
    }

    /// Decides for each host separately. If no host may ever be connected to, the destination fails.
    fn each<H: AsRef<Host>>(&self, named: Named, hosts: Vec<H>) -> Decision<H> {
        let candidates = hosts.into_iter().map(|host| Candidate {
            decision: self.decide_host(named, host.as_ref()),
            host,
        });
        let candidates: Vec<Candidate<H>> = candidates.collect();
        let mut failures = Vec::with_capacity(candidates.len());
        for candidate in &candidates {
            match &candidate.decision.action {
                Action::PassOver(failure) if candidate.decision.soft_fail.is_none() => {
                    failures.push(failure.clone());
                }
                Action::PassOver(_) | Action::Connect { .. } => return Decision::Try(candidates),
            }
        }
        let failure = conclude(failures).unwrap_or_else(|| self.leads_nowhere(NoWay::NoAddresses));
        Decision::PassOver(failure, candidates)
    }
}
