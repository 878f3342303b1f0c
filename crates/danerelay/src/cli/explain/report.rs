//! The whole answer, for people and for programs.

use delivery::probe::HostProbe;
use delivery::route::Route;
use dns::Mode;
use mail::{DaneVerdict, Domain, FailCause, LookupFailure, NextHop};
use policy::cause::{Failure, Finality};
use policy::conclude::conclude;
use policy::decision::{Action, Decision, HostDecision, Named, decide_host};
use policy::facts::{Addresses, Destination, HostFindings, Tlsa};
use serde::Serialize;

use super::findings::{Findings, Step};
use super::hosts::HostReport;
use super::{Probes, target};
use crate::cli::Verdict;
use crate::cli::dns::LookupStatus;

/// What this relay would do, and why.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) destination: String,
    pub(super) policy: PolicyReport,
    /// The file behind the policy; nothing for the built-in one.
    pub(super) policy_file: Option<String>,
    /// Where the policy sends the mail instead.
    pub(super) route: Option<String>,
    pub(super) port: u16,
    /// Nothing where no MX records are asked for.
    pub(super) mx: Option<Step>,
    /// In the order in which they would be tried.
    pub(super) hosts: Vec<HostReport>,
    pub(super) would: Would,
    /// The enhanced status code where nothing would be delivered.
    pub(super) enhanced: Option<String>,
    /// What `dane=` would say then.
    pub(super) dane: Option<String>,
    pub(super) reason: Option<String>,
    /// What the administrator can do about it.
    pub(super) notes: Vec<String>,
    #[serde(skip)]
    cause: Option<Failure>,
}

/// What the policy says about the destination.
#[derive(Debug, Serialize)]
pub(super) struct PolicyReport {
    pub(super) dane: &'static str,
    /// What set `dane`.
    pub(super) source: String,
    pub(super) insecure_mx: &'static str,
    pub(super) tls: &'static str,
    pub(super) honor_tls_required_no: bool,
}

/// The end of a message for this destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Would {
    /// At least one host may be given it.
    Deliver,
    /// It waits.
    Defer,
    /// It goes back.
    Fail,
}

impl Report {
    pub(super) fn new(destination: &NextHop, route: &Route, findings: &Findings, probes: Probes<'_>) -> Self {
        let cause = obstacle(route, probes);
        Self {
            destination: destination.to_string(),
            policy: PolicyReport {
                dane: route.policy.dane.as_str(),
                source: route.policy.dane_source.to_string(),
                insecure_mx: route.policy.insecure_mx.as_str(),
                tls: route.policy.tls.as_str(),
                honor_tls_required_no: route.policy.honor_tls_required_no,
            },
            policy_file: None,
            route: route.policy.route.as_ref().map(NextHop::to_string),
            port: route.port,
            mx: findings.mx.clone(),
            hosts: hosts(route, findings, probes),
            would: match &cause {
                None => Would::Deliver,
                Some(failure) if failure.is_permanent() => Would::Fail,
                Some(_) => Would::Defer,
            },
            enhanced: cause
                .as_ref()
                .map(|failure| failure.reported_status().to_string()),
            dane: cause.as_ref().map(|failure| failure.verdict.to_string()),
            reason: cause.as_ref().map(|failure| failure.reason.clone()),
            notes: notes(route, findings.mode, target(destination, route)),
            cause,
        }
    }

    /// What the exit status says: an outage is no finding about the destination.
    pub(super) fn verdict(&self) -> Verdict {
        let Some(failure) = &self.cause else {
            return Verdict::Good;
        };
        match (&failure.verdict, failure.finality) {
            (DaneVerdict::Fail(cause), _) => {
                lookup_failure(cause).map_or(Verdict::Bad, |failure| LookupStatus::from(failure).verdict())
            }
            (_, Finality::Transient) => Verdict::Undecided,
            (_, Finality::Permanent | Finality::Security) => Verdict::Bad,
        }
    }
}

fn lookup_failure(cause: &FailCause) -> Option<&LookupFailure> {
    match cause {
        FailCause::MxLookup(failure) | FailCause::AddressLookup(failure) | FailCause::TlsaLookup(failure) => {
            Some(failure)
        }
        FailCause::InsecureMx
        | FailCause::InsecureHost
        | FailCause::NoSecureTlsa
        | FailCause::NoUsableTlsa
        | FailCause::NoMatchingTlsa
        | FailCause::StarttlsNotOffered
        | FailCause::StarttlsRefused
        | FailCause::TlsHandshake(_)
        | FailCause::NameMismatch
        | FailCause::Expired
        | FailCause::Untrusted => None,
    }
}

/// Why nothing would be delivered; nothing where at least one host may be given the message.
fn obstacle(route: &Route, probes: Probes<'_>) -> Option<Failure> {
    match (&route.decision, probes) {
        (Decision::Stop(failure), _) => Some(failure.clone()),
        (Decision::Try(_), None) => None,
        (Decision::Try(_), Some(probes)) => {
            let mut tries = probes.iter().flat_map(|host| &host.tries);
            if tries.any(|one| one.failure.is_none()) {
                return None;
            }
            conclude(probes.iter().flat_map(HostProbe::failures).cloned())
        }
    }
}

fn hosts(route: &Route, findings: &Findings, probes: Probes<'_>) -> Vec<HostReport> {
    let decisions = decisions(route);
    let facts = route.facts.destination.hosts();
    let mut reports = Vec::new();
    for (position, host) in route.hosts().iter().enumerate() {
        let mut report = HostReport::new(host, facts.get(position), decisions.get(position));
        report.lookups = findings.hosts.get(position).cloned().unwrap_or_default();
        if let Some(probe) = probes.and_then(|probes| probes.get(position)) {
            report.set_connections(probe);
        }
        reports.push(report);
    }
    reports
}

/// What is decided about each host: none of them counts where the destination itself is the obstacle.
fn decisions(route: &Route) -> Vec<HostDecision> {
    let named = match (&route.decision, &route.facts.destination) {
        (Decision::Try(decisions), _) => return decisions.clone(),
        (Decision::Stop(_), Destination::ImplicitMx { security, .. } | Destination::Mx { security, .. }) => {
            Named::from(*security)
        }
        (Decision::Stop(_), Destination::Configured(_)) => Named::Securely,
        (
            Decision::Stop(_),
            Destination::AddressLiteral
            | Destination::MxFailed(_)
            | Destination::NullMx(_)
            | Destination::NoSuchDomain { .. }
            | Destination::OwnMx { .. },
        ) => return Vec::new(),
    };
    let wanted = &route.facts.wanted;
    let each: Vec<HostDecision> = route
        .facts
        .destination
        .hosts()
        .iter()
        .map(|host| decide_host(wanted, named, host))
        .collect();
    if each.iter().any(allows_delivery) {
        Vec::new()
    } else {
        each
    }
}

fn allows_delivery(decision: &HostDecision) -> bool {
    match decision.action {
        Action::Connect { .. } => true,
        Action::PassOver(_) => decision.soft_fail.is_some(),
    }
}

/// The ways around what DNSSEC forbids (RFC 7646), in the words of whoever validates.
fn notes(route: &Route, mode: Mode, target: &NextHop) -> Vec<String> {
    let mut names = Vec::new();
    if let (Destination::MxFailed(failure), NextHop::Domain { domain, .. }) =
        (&route.facts.destination, target)
        && failure.is_bogus()
    {
        names.push(domain.as_str());
    }
    for (host, facts) in route.hosts().iter().zip(route.facts.destination.hosts()) {
        if is_bogus(&facts.findings) {
            names.extend(host.name().map(Domain::as_str));
        }
    }
    names.iter().map(|name| way_around(mode, name)).collect()
}

fn is_bogus(findings: &HostFindings) -> bool {
    match findings {
        HostFindings::AddressName => false,
        HostFindings::Named { addresses, tlsa } => match (addresses, tlsa) {
            (Addresses::Unresolvable(failure), _) | (_, Tlsa::LookupFailed(failure)) => failure.is_bogus(),
            (
                Addresses::Absent(_) | Addresses::Insecure | Addresses::SecureAlias | Addresses::Secure,
                Tlsa::NotAsked | Tlsa::Absent | Tlsa::Unusable | Tlsa::Usable,
            ) => false,
        },
    }
}

fn way_around(mode: Mode, name: &str) -> String {
    match mode {
        Mode::Validate => format!(
            "{name} is bogus; until its zone is mended, an [[exception]] with dnssec = \"off\" for the zone, a date and \
             a reason lets its mail pass without DNSSEC"
        ),
        Mode::TrustAd => format!(
            "{name} is bogus; until its zone is mended, this line in Unbound's configuration lets its mail pass without \
             DNSSEC: domain-insecure: \"{name}\""
        ),
    }
}
