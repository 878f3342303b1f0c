//! What each mode would do now, from the same look-ups. Where hosts were connected to, they are again if that may show
//! something else: under a stronger mode, or if nothing could be delivered. Otherwise a weaker mode delivers, too.

use delivery::probe::Prober;
use delivery::route::{self, Means, Route, Sought};
use mail::NextHop;
use policy::decision::HostDecision;
use policy::failure::Failure;
use policy::settings::{DaneMode, ModeSource};
use serde::{Deserialize, Serialize};

use super::fallback::{self, Fallback};
use super::outcome::Tried;

/// From the weakest to the strongest.
const MODES: [DaneMode; 4] = [
    DaneMode::Off,
    DaneMode::SoftFail,
    DaneMode::Opportunistic,
    DaneMode::Strict,
];

/// What would happen to a message for this destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Would {
    /// At least one host may receive it.
    Deliver,
    /// It would wait.
    Defer,
    /// It would be returned.
    Fail,
}

impl Would {
    /// What follows from the reason why nothing would be delivered, if there is one.
    pub(super) fn after(failure: Option<&Failure>) -> Self {
        match failure {
            None => Self::Deliver,
            Some(failure) if failure.is_permanent() => Self::Fail,
            Some(_) => Self::Defer,
        }
    }
}

/// What one mode would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ModeReport {
    pub(crate) mode: DaneMode,
    /// Whether this is what the policy says.
    pub(crate) in_force: bool,
    pub(crate) would: Would,
    /// Whether an exception that holds now was left out, so that more than the mode is supposed.
    #[serde(default)]
    pub(crate) without_exceptions: bool,
    /// What `dane=` would say of the first host that may receive, or of the obstacle.
    pub(crate) dane: Option<String>,
    pub(crate) enhanced: Option<String>,
    pub(crate) reason: Option<String>,
}

/// Whom it is about, and who connects, if anybody does.
pub(super) struct Supposing<'a> {
    pub(super) destination: &'a NextHop,
    pub(super) means: Means<'a>,
    pub(super) prober: Option<&'a Prober>,
}

/// Each mode for everything, for the destination and for each of its hosts, without exceptions; but the one in force as
/// it is.
pub(super) async fn each(
    asked: &Supposing<'_>,
    in_force: &Tried<'_>,
    fallback_in_force: Option<&Fallback>,
) -> Vec<ModeReport> {
    let mode_in_force = in_force.route.policy.dane;
    // What a fallback took says nothing about the usual hosts under another mode.
    let is_delivered = in_force.obstacle().is_none();
    let leaves_out = is_excepted(asked.means, in_force.route);
    let mut reports = Vec::new();
    for mode in MODES {
        if mode == mode_in_force {
            // As it is, with the exceptions for its hosts.
            reports.push(report(mode, in_force, fallback_in_force));
            continue;
        }
        let policy = asked.means.policy.supposing(mode);
        let means = Means {
            policy: &policy,
            ..asked.means
        };
        let route = route::find(Sought::usual(asked.destination), means).await;
        let is_same = demands(&route) == demands(in_force.route);
        let again = match asked.prober {
            Some(_) if is_same || (is_delivered && mode < mode_in_force) => None,
            Some(prober) => Some(prober.probe(&route).await),
            None => None,
        };
        let tried = Tried {
            route: &route,
            probes: again.as_deref().or(in_force.probes.filter(|_| is_same)),
        };
        let fallback = fallback::ask(asked.destination, means, asked.prober, &tried).await;
        reports.push(ModeReport {
            in_force: false,
            without_exceptions: leaves_out,
            ..report(mode, &tried, fallback.as_ref())
        });
    }
    reports
}

/// Whether an exception for the destination, or for one of its hosts, holds now.
fn is_excepted(means: Means<'_>, route: &Route) -> bool {
    let by_exception = |source: &ModeSource| matches!(source, ModeSource::Exception(_));
    let hosts = route.decision.hosts().filter_map(|(host, _)| host.name());
    by_exception(&route.policy.dane_source)
        || hosts.into_iter().any(|host| {
            let policy = means.policy.for_mx_host(&route.policy, host, means.today);
            by_exception(&policy.dane_source)
        })
}

fn report(mode: DaneMode, tried: &Tried<'_>, fallback: Option<&Fallback>) -> ModeReport {
    let failure = fallback::obstacle(tried, fallback);
    ModeReport {
        mode,
        in_force: true,
        without_exceptions: false,
        would: Would::after(failure.as_ref()),
        dane: match &failure {
            Some(failure) => Some(failure.verdict().to_string()),
            None => fallback::first(tried, fallback).map(|verdict| verdict.to_string()),
        },
        enhanced: failure
            .as_ref()
            .map(|failure| failure.reported_status().to_string()),
        reason: failure.as_ref().map(|failure| failure.reason.to_string()),
    }
}

/// What is demanded of each host, whatever their order: equal preferences are shuffled.
fn demands(route: &Route) -> Vec<(String, Option<&HostDecision>)> {
    let mut demands: Vec<_> = route
        .decision
        .hosts()
        .map(|(host, decision)| (format!("{:?} {:?}", host.name(), host.addresses()), decision))
        .collect();
    demands.sort_by(|(one, _), (other, _)| one.cmp(other));
    demands
}
