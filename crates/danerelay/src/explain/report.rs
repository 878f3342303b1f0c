//! The complete answer, for people and for programs.

use mail::{Cause, Domain, LookupStatus, NextHop};
use policy::Policy;
use policy::failure::{Failure, Finality};
use policy::settings::{Key, Limits, ModeSource, RouteTls};
use serde::{Deserialize, Serialize};

use super::fallback::{self, FallbackReport};
use super::findings::Step;
use super::hosts::HostReport;
use super::investigation::Investigation;
use super::modes::{ModeReport, Would};
use super::places::{Place, Places, places};
use super::remedy::{self, Remedy};
use super::resolver::{ModeWord, ResolverReport};
use super::sts::StsReport;

/// What this relay would do, and why.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) destination: String,
    /// The resolver that was used, which was tested first.
    pub(crate) resolver: ResolverReport,
    pub(crate) policy: PolicyReport,
    /// Where what set `dane` is written.
    pub(crate) decided_by: Option<Written>,
    /// The policy file; `None` for the built-in policy.
    pub(crate) policy_file: Option<String>,
    /// The next hop to which the policy sends the mail instead.
    pub(crate) route: Option<String>,
    /// How TLS begins at the route's servers.
    pub(crate) route_tls: Option<RouteTls>,
    /// The file with the login for them.
    pub(crate) route_login: Option<String>,
    /// The next hop of mail for which every host is out of reach.
    pub(crate) fallback: Option<String>,
    /// The limits for all mail to the destination.
    pub(crate) limits: Limits,
    pub(crate) port: u16,
    /// `None` if no MX records are looked up.
    pub(crate) mx: Option<Step>,
    /// The MTA-STS policy; `None` if none was asked about.
    pub(crate) mta_sts: Option<StsReport>,
    /// In the order in which they would be tried.
    pub(crate) hosts: Vec<HostReport>,
    /// With `--connect`: the hosts of the fallback, if mail would go there because every host is out of reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fallback_tried: Option<FallbackReport>,
    pub(crate) would: Would,
    /// Whether DNS, the network or our own resolver is the problem: then this is not a finding about the destination.
    pub(crate) outage: bool,
    /// The enhanced status code, if nothing would be delivered.
    pub(crate) enhanced: Option<String>,
    /// What `dane=` would say in that case.
    pub(crate) dane: Option<String>,
    pub(crate) reason: Option<String>,
    /// What each mode would do now, from the weakest to the strongest.
    pub(crate) modes: Vec<ModeReport>,
    /// What to write into the policy file until the destination is fixed, in the file's format.
    pub(crate) exception: Option<String>,
    /// What the administrator should know.
    pub(crate) notes: Vec<String>,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Written {
    pub(crate) kind: WrittenKind,
    pub(crate) file: String,
    /// From 1.
    pub(crate) line: usize,
}

/// What is written there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WrittenKind {
    Default,
    Rule,
    StrictList,
    SoftFailList,
    Danefail,
    Exception,
}

impl Written {
    /// `None` for what is built in.
    pub(super) fn of(policy: &Policy, source: &ModeSource) -> Option<Self> {
        let (file, line) = policy.place_of(source)?;
        let kind = match source {
            ModeSource::Default => WrittenKind::Default,
            ModeSource::Rule { .. } => WrittenKind::Rule,
            ModeSource::StrictList { .. } => WrittenKind::StrictList,
            ModeSource::SoftFailList { .. } => WrittenKind::SoftFailList,
            ModeSource::Danefail { .. } => WrittenKind::Danefail,
            ModeSource::Exception(_) => WrittenKind::Exception,
        };
        let file = file.display().to_string();
        Some(Self { kind, file, line })
    }
}

/// What the policy says about the destination.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PolicyReport {
    pub(crate) dane: String,
    /// What set `dane`.
    pub(crate) source: String,
    pub(crate) insecure_mx: String,
    pub(crate) tls: String,
    pub(crate) mta_sts: String,
    pub(crate) honor_tls_required_no: bool,
    /// Where these, the route, the fallback and the limits are written.
    #[serde(default)]
    pub(crate) places: Places,
}

impl Report {
    pub(super) fn new(found: &Investigation<'_>) -> Self {
        let route = found.route;
        let configured = route.policy.route.as_ref();
        let decided_by = Written::of(found.policy, &route.policy.dane_source);
        let cause = fallback::obstacle(&found.tried(), found.fallback.as_ref());
        let blame = cause.as_ref().map(|cause| blame(cause, &found.resolver));
        let remedy = match (&cause, blame) {
            (Some(cause), Some(Blame::Destination)) => remedy::propose(found, cause),
            (Some(_), Some(Blame::Outage | Blame::OurResolver) | None) | (None, _) => Remedy {
                exception: None,
                notes: Vec::new(),
            },
        };
        Self {
            destination: found.destination.to_string(),
            resolver: found.resolver.clone(),
            policy: PolicyReport {
                dane: route.policy.dane.to_string(),
                source: route.policy.dane_source.to_string(),
                insecure_mx: route.policy.insecure_mx.to_string(),
                tls: route.policy.tls.to_string(),
                mta_sts: route.policy.mta_sts.to_string(),
                honor_tls_required_no: route.policy.honor_tls_required_no,
                places: all_places(found, decided_by.as_ref()),
            },
            decided_by,
            policy_file: found.policy.file().map(str::to_owned),
            route: route.policy.routed().map(NextHop::to_string),
            route_tls: configured.map(|route| route.tls),
            route_login: configured
                .and_then(|route| route.login.as_ref())
                .map(|login| login.file().to_owned()),
            fallback: route.policy.usable_fallback().map(NextHop::to_string),
            limits: route.policy.limits,
            port: route.port,
            mx: found.mx.clone(),
            mta_sts: StsReport::new(&route.sts),
            hosts: HostReport::all((route, found.policy), found.probes.as_deref()),
            fallback_tried: found.fallback.as_ref().map(|fallback| fallback.report.clone()),
            would: Would::after(cause.as_ref()),
            outage: blame.is_some_and(|blame| blame != Blame::Destination),
            enhanced: cause
                .as_ref()
                .map(|failure| failure.reported_status().to_string()),
            dane: cause.as_ref().map(|failure| failure.verdict().to_string()),
            reason: cause.as_ref().map(|failure| reason(failure, &found.resolver)),
            modes: found.modes.clone(),
            exception: remedy.exception,
            notes: notes(found, remedy.notes),
        }
    }
}

/// Where each key is written, `dane` included.
fn all_places(found: &Investigation<'_>, dane: Option<&Written>) -> Places {
    let mut places = places(found.policy, found.policy.lines(found.destination));
    if let Some(Written { file, line, .. }) = dane {
        let (file, line) = (file.clone(), *line);
        places.insert(Key::Dane, Place { file, line });
    }
    places
}

/// Who is responsible for the problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blame {
    /// The destination, or our own policy.
    Destination,
    /// It cannot be determined: DNS or the network failed.
    Outage,
    /// Our own resolver.
    OurResolver,
}

fn blame(cause: &Failure, resolver: &ResolverReport) -> Blame {
    match &cause.cause {
        Cause::Dns(_, failure) if failure.culprit.is_ours() || resolver.fault.is_some() => Blame::OurResolver,
        Cause::Dns(_, failure) if LookupStatus::from(&failure.cause).is_undecided() => Blame::Outage,
        // A route that leads nowhere, and a login that cannot be used, are what the policy says.
        Cause::Dns(..) | Cause::Policy(_) | Cause::Tls(_) | Cause::Destination(_) | Cause::Login(_) => {
            Blame::Destination
        }
        Cause::Ours(_) => Blame::Outage,
        Cause::Connection(_) | Cause::Smtp(_) => match cause.finality() {
            Finality::Transient => Blame::Outage,
            Finality::Permanent | Finality::Security => Blame::Destination,
        },
    }
}

/// Why nothing would be delivered. If our own resolver fails, that is mentioned first.
fn reason(cause: &Failure, resolver: &ResolverReport) -> String {
    match &resolver.fault {
        Some(fault) if blame(cause, resolver) == Blame::OurResolver && !cause.cause.culprit().is_ours() => {
            format!("our own resolver fails: {fault}; {}", cause.reason)
        }
        Some(_) | None => cause.reason.to_string(),
    }
}

/// What is wrong on our own side, which exceptions from DNSSEC apply to the names involved, and other advice.
fn notes(found: &Investigation<'_>, more: Vec<String>) -> Vec<String> {
    let fault = found.resolver.fault.iter();
    let mut notes: Vec<String> = fault
        .map(|fault| format!("the resolver fails its test: {fault}"))
        .collect();
    notes.extend(found.resolver.obstacle.clone());
    notes.extend(exempted(found));
    notes.extend(more);
    notes
}

/// The exceptions from DNSSEC that apply to the names involved, aliases and where they lead included.
fn exempted(found: &Investigation<'_>) -> Vec<String> {
    let steps: Vec<Step> = found.mx.iter().cloned().chain(found.address_steps()).collect();
    let names = steps.iter().flat_map(|step| [step.name.as_str(), step.reached()]);
    let names: Vec<&str> = names.chain(found.host_names().map(Domain::as_str)).collect();
    let anchors = found.policy.negative_trust_anchors(found.today);
    let involved = anchors.filter(|anchor| {
        let zone = anchor.name.as_str();
        names.iter().any(|name| remedy::is_at_or_below(name, zone))
    });
    involved
        .map(|anchor| match found.resolver.mode {
            ModeWord::Validate => format!(
                "{} and all below it count as unsigned: exception {}",
                anchor.name, anchor.entry
            ),
            ModeWord::TrustAd => format!(
                "exception {} has no effect: with dns.mode = \"trust-ad\" another resolver validates",
                anchor.entry
            ),
        })
        .collect()
}
