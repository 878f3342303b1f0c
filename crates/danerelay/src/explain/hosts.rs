//! One host of a destination: what is known about it, what it must achieve, and the result of connecting to it.

use std::net::IpAddr;

use delivery::probe::{HostProbe, Probe};
use delivery::route::{Candidate, Route, RouteHost};
use mail::Domain;
use mail::event::trace::TraceStep;
use policy::Policy;
use policy::decision::{HostDecision, Requirement};
use policy::facts::{Addresses, HostFindings, Tlsa};
use policy::failure::Failure;
use policy::settings::Limits;
use serde::{Deserialize, Serialize};

use super::findings::{self, Step};
use super::places::{Places, places};
use super::presented::{self, CertificateReport, PublishedRecord};
use crate::tlsa_records::{self, RecordReport};

/// One host, for people and for programs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct HostReport {
    /// `None` if only its address is known; also used for text in place of a name that is not a valid name.
    pub(crate) name: Option<String>,
    pub(crate) addresses: Vec<IpAddr>,
    /// Further addresses, which are not connected to (`delivery.ignore_addresses`).
    pub(crate) ignored: Vec<IpAddr>,
    /// The same (`delivery.address_family`), if there are no others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) other_family: Vec<IpAddr>,
    pub(crate) address_status: AddressStatus,
    /// How much DANE counts for this host, and what set it.
    pub(crate) mode: Option<String>,
    pub(crate) source: Option<String>,
    /// The limits for all mail to it, whatever its destination.
    pub(crate) limits: Limits,
    /// Where these are written.
    #[serde(default)]
    pub(crate) limits_places: Places,
    pub(crate) lookups: Vec<Step>,
    pub(crate) tlsa: TlsaReport,
    pub(crate) action: HostAction,
    pub(crate) requirement: Option<Requirement>,
    /// What `dane=` will say if the requirement is met, or what it says about a host that is skipped.
    pub(crate) dane: Option<String>,
    /// Why the host is skipped.
    pub(crate) reason: Option<String>,
    /// With soft-fail: the requirement of the second round.
    pub(crate) soft_fail: Option<Requirement>,
    /// With `--connect`: the results.
    pub(crate) connections: Option<Vec<ConnectionReport>>,
}

/// How securely the addresses of a host are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AddressStatus {
    Secure,
    Insecure,
    /// Insecure addresses through a secure alias.
    SecureAlias,
    None,
    /// Only such as are not connected to (`delivery.ignore_addresses`, `address_family`).
    Ignored,
    Failed,
    Literal,
}

/// What is done with a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum HostAction {
    Connect,
    PassOver,
    /// The destination itself is the problem.
    NotTried,
}

/// The TLSA records of a host.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TlsaReport {
    pub(crate) status: TlsaStatus,
    pub(crate) base_domain: Option<String>,
    pub(crate) cause: Option<String>,
    pub(crate) records: Vec<RecordReport>,
}

/// How the TLSA records of a host can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TlsaStatus {
    Usable,
    Unusable,
    Absent,
    Failed,
    NotAsked,
}

impl TlsaStatus {
    /// In words for people.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Usable => "usable",
            Self::Unusable => "unusable",
            Self::Absent => "absent",
            Self::Failed => "failed",
            Self::NotAsked => "not asked",
        }
    }
}

/// One address that was connected to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ConnectionReport {
    pub(crate) address: IpAddr,
    /// What the connection had to achieve.
    pub(crate) requirement: Requirement,
    pub(crate) met: bool,
    pub(crate) dane: String,
    /// Version and cipher suite; `None` in plain text.
    pub(crate) tls: Option<String>,
    /// Why TLS was not established.
    pub(crate) tlsfail: Option<String>,
    /// OpenSSL's number and text for the result of the certificate check.
    pub(crate) tlsvalid: Option<String>,
    /// The record that matched.
    pub(crate) matched: Option<String>,
    /// The certificates that the server presented, its own first.
    pub(crate) presented: Vec<CertificateReport>,
    /// The published records, each with the certificate that it matches.
    pub(crate) published: Vec<PublishedRecord>,
    pub(crate) reason: Option<String>,
    /// Whether a message deferred by this is sent in plain text once it is older than the first step of `retry`.
    pub(crate) later_in_clear: bool,
    /// With `--trace`: the dialogue.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) trace: Vec<TraceStep>,
}

impl HostReport {
    /// All hosts of a route, with the results of the connections to them, if there were any.
    pub(super) fn all(on: (&Route, &Policy), probes: Option<&[HostProbe<'_>]>) -> Vec<Self> {
        match probes {
            Some(probes) if !probes.is_empty() => {
                probes.iter().map(|probe| Self::probed(probe, on)).collect()
            }
            Some(_) | None => {
                let hosts = on.0.decision.hosts();
                hosts
                    .map(|(host, decision)| Self::new(host, decision, on))
                    .collect()
            }
        }
    }

    /// `decision` is missing if the destination itself is the problem.
    fn new(host: &RouteHost, decision: Option<&HostDecision>, (route, rules): (&Route, &Policy)) -> Self {
        let (action, requirement, dane, reason) = match decision.map(|decision| route.first_round(decision)) {
            None => (HostAction::NotTried, None, None, None),
            Some(Ok((requirement, verdict))) => (
                HostAction::Connect,
                Some(requirement),
                Some(verdict.to_string()),
                None,
            ),
            Some(Err(failure)) => {
                let dane = Some(failure.verdict().to_string());
                (HostAction::PassOver, None, dane, Some(failure.reason.to_string()))
            }
        };
        let policy = match &host.facts.findings {
            // The mode is the destination's own, which has already been reported.
            HostFindings::AddressLiteral => None,
            HostFindings::AddressName | HostFindings::Named { .. } => Some(&host.facts.policy),
        };
        Self {
            name: host
                .name()
                .map(Domain::as_str)
                .or(host.no_name())
                .map(str::to_owned),
            addresses: host.addresses().to_vec(),
            ignored: host.ignored().to_vec(),
            other_family: host.other_family().to_vec(),
            address_status: address_status(&host.facts.findings),
            mode: policy.map(|policy| policy.dane.to_string()),
            source: policy.map(|policy| policy.dane_source.to_string()),
            limits: host.facts.policy.limits,
            limits_places: host
                .name()
                .map(|name| places(rules, rules.lines_of_mx_host(name)))
                .unwrap_or_default(),
            lookups: findings::host_steps(host, route.port),
            tlsa: TlsaReport::new(host),
            action,
            requirement,
            dane,
            reason,
            soft_fail: decision.and_then(|decision| route.second_round(decision)),
            connections: None,
        }
    }

    /// A host with the results of its connections.
    fn probed(probe: &HostProbe<'_>, on: (&Route, &Policy)) -> Self {
        let Candidate { host, decision } = probe.candidate;
        let tries = probe.tries.iter();
        Self {
            connections: Some(tries.map(|one| ConnectionReport::new(host, one)).collect()),
            ..Self::new(host, Some(decision), on)
        }
    }
}

/// How securely the addresses are known, in one word.
pub(crate) fn address_status(findings: &HostFindings) -> AddressStatus {
    match findings {
        HostFindings::AddressLiteral | HostFindings::AddressName => AddressStatus::Literal,
        HostFindings::Named { addresses, .. } => match addresses {
            Addresses::Unresolvable(_) => AddressStatus::Failed,
            Addresses::Absent(_) => AddressStatus::None,
            Addresses::Ignored(_) | Addresses::OtherFamily => AddressStatus::Ignored,
            Addresses::Insecure => AddressStatus::Insecure,
            Addresses::SecureAlias => AddressStatus::SecureAlias,
            Addresses::Secure => AddressStatus::Secure,
        },
    }
}

impl TlsaReport {
    fn new(host: &RouteHost) -> Self {
        let (status, cause) = match &host.facts.findings {
            HostFindings::AddressLiteral | HostFindings::AddressName => (TlsaStatus::NotAsked, None),
            HostFindings::Named { tlsa, .. } => match tlsa {
                Tlsa::NotAsked => (TlsaStatus::NotAsked, None),
                Tlsa::LookupFailed(failure) => (TlsaStatus::Failed, Some(failure.cause.to_string())),
                Tlsa::Absent => (TlsaStatus::Absent, None),
                Tlsa::Unusable => (TlsaStatus::Unusable, None),
                Tlsa::Usable => (TlsaStatus::Usable, None),
            },
        };
        Self {
            status,
            cause,
            base_domain: host.tlsa().map(|(base, _)| base.to_string()),
            records: host
                .tlsa()
                .map(|(_, set)| tlsa_records::reports(set))
                .unwrap_or_default(),
        }
    }
}

impl ConnectionReport {
    fn new(host: &RouteHost, probe: &Probe) -> Self {
        let failure = probe.failure.as_ref();
        let dane = failure.map_or_else(|| probe.verdict.clone(), Failure::verdict);
        let published = match host.tlsa() {
            Some((_, set)) if !probe.chain.is_empty() => presented::published(set, &probe.chain),
            Some(_) | None => Vec::new(),
        };
        Self {
            address: probe.address,
            requirement: probe.requirement,
            met: failure.is_none(),
            dane: dane.to_string(),
            tls: probe.session.clone(),
            tlsfail: probe.unprotected.clone(),
            tlsvalid: probe.valid.map(|valid| valid.to_string()),
            matched: probe.matched.clone(),
            presented: presented::certificates(&probe.chain),
            published,
            reason: failure.map(|failure| failure.reason.to_string()),
            later_in_clear: probe.later_in_clear,
            trace: probe.trace.clone(),
        }
    }
}
