//! The destination's MTA-STS policy, and what it says about each host (RFC 8461 §4.1).

use ::mta_sts::{Discovery, Mode, Policies};
use mail::{Domain, NextHop};
use policy::facts::{Destination, DomainMtaSts, MtaSts};
use policy::settings::MtaStsMode;

use super::hosts::{RouteHost, is_localhost};

/// What is known about the destination's policy.
#[derive(Debug, Clone)]
pub struct Sts {
    /// The policy domain; `None` if none was asked about.
    domain: Option<Domain>,
    discovery: Discovery,
    /// The most that is made of a policy.
    most: MtaStsMode,
}

impl Sts {
    /// Finds the policy of this next hop, unless nothing would be made of it.
    pub(super) async fn find(next_hop: &NextHop, most: MtaStsMode, policies: Option<&Policies>) -> Self {
        let unknown = Self {
            domain: None,
            discovery: Discovery {
                entry: None,
                trouble: None,
            },
            most,
        };
        match (policies, policy_domain(next_hop), most) {
            (None, _, _) | (_, None, _) | (_, _, MtaStsMode::Off) => unknown,
            (Some(policies), Some(domain), MtaStsMode::Testing | MtaStsMode::Enforce) => Self {
                domain: Some(domain.clone()),
                discovery: policies.discover(domain).await,
                most,
            },
        }
    }

    /// The policy domain; `None` if none was asked about.
    pub fn domain(&self) -> Option<&Domain> {
        self.domain.as_ref()
    }

    /// What was found.
    pub fn discovery(&self) -> &Discovery {
        &self.discovery
    }

    /// What is made of it.
    pub fn of_domain(&self) -> DomainMtaSts {
        let mode = self.discovery.entry.as_ref().map(|entry| entry.policy.mode);
        match (mode, self.most) {
            (_, MtaStsMode::Off) | (Some(Mode::None), _) => DomainMtaSts::Absent,
            (None, _) if self.discovery.trouble.is_some() => DomainMtaSts::Unknown,
            (None, _) => DomainMtaSts::Absent,
            (Some(Mode::Testing), _) | (Some(Mode::Enforce), MtaStsMode::Testing) => DomainMtaSts::Testing,
            (Some(Mode::Enforce), MtaStsMode::Enforce) => DomainMtaSts::Enforce,
        }
    }

    /// The value of `sts=`.
    pub fn word(&self) -> Option<&'static str> {
        match self.of_domain() {
            DomainMtaSts::Absent => None,
            DomainMtaSts::Unknown => Some("failed"),
            DomainMtaSts::Testing => Some("testing"),
            DomainMtaSts::Enforce => Some("enforce"),
        }
    }

    /// Whether the policy allows the host that an MX record names so, whatever its mode; `None` if there is no policy.
    pub fn allows(&self, host: Option<&Domain>) -> Option<bool> {
        let entry = self.discovery.entry.as_ref()?;
        Some(host.is_some_and(|host| entry.policy.allows(host)))
    }

    /// Adds to each host what the policy says about it.
    pub(super) fn tell(&self, destination: &mut Destination<RouteHost>) {
        let of_domain = self.of_domain();
        destination.each_host(|host| {
            host.facts.mta_sts = match of_domain {
                DomainMtaSts::Absent | DomainMtaSts::Unknown => None,
                DomainMtaSts::Testing => Some(MtaSts::Testing),
                DomainMtaSts::Enforce if self.allows(host.name()) == Some(true) => Some(MtaSts::EnforceMatch),
                DomainMtaSts::Enforce => Some(MtaSts::EnforceMismatch),
            };
        });
    }
}

/// The policy domain: the next hop itself, unexpanded, and never a domain above it (RFC 8461 §3.4). An address has none.
fn policy_domain(next_hop: &NextHop) -> Option<&Domain> {
    match next_hop {
        NextHop::Domain { domain: name, .. } | NextHop::Host { host: name, .. } => {
            Some(name).filter(|name| !is_localhost(name))
        }
        NextHop::Address { .. } => None,
    }
}
