//! The fallback of the policy: asked where every host was out of reach or could not take the message now, as in a delivery.

use delivery::probe::Prober;
use delivery::route::{self, Means, Sought, Way};
use mail::{DaneVerdict, NextHop};
use policy::conclude::conclude;
use policy::failure::Failure;
use serde::{Deserialize, Serialize};

use super::hosts::HostReport;
use super::outcome::Tried;

/// What was found at the fallback.
pub(super) struct Fallback {
    pub(super) report: FallbackReport,
    obstacle: Option<Failure>,
    first: Option<DaneVerdict>,
}

/// The same, for people and for programs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FallbackReport {
    pub(crate) port: u16,
    /// In the order in which they would be tried.
    pub(crate) hosts: Vec<HostReport>,
}

/// Looks the fallback up and connects to its hosts, if there is one and a delivery would ask it.
pub(super) async fn ask(
    destination: &NextHop,
    means: Means<'_>,
    prober: Option<&Prober>,
    usual: &Tried<'_>,
) -> Option<Fallback> {
    let prober = prober?;
    usual.route.policy.usable_fallback()?;
    if !usual.is_out_of_reach() {
        return None;
    }
    let sought = Sought {
        way: Way::Fallback,
        ..Sought::usual(destination)
    };
    let route = route::find(sought, means).await;
    let reached = prober.probe(&route).await;
    let tried = Tried {
        route: &route,
        probes: Some(&reached),
    };
    Some(Fallback {
        report: FallbackReport {
            port: route.port,
            hosts: HostReport::all((&route, means.policy), Some(&reached)),
        },
        obstacle: tried.obstacle(),
        first: tried.first(),
    })
}

/// Why nothing would be delivered, neither on the usual way nor to the fallback.
pub(super) fn obstacle(usual: &Tried<'_>, fallback: Option<&Fallback>) -> Option<Failure> {
    let failure = usual.obstacle()?;
    match fallback {
        Some(fallback) => conclude([failure, fallback.obstacle.clone()?]),
        None => Some(failure),
    }
}

/// What `dane=` would say of the first host that may receive.
pub(super) fn first(usual: &Tried<'_>, fallback: Option<&Fallback>) -> Option<DaneVerdict> {
    match fallback {
        Some(fallback) => fallback.first.clone(),
        None => usual.first(),
    }
}
