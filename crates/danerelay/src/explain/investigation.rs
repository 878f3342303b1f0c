//! The information that a report is made from.

use delivery::probe::HostProbe;
use delivery::route::Route;
use jiff::civil::Date;
use mail::{Domain, NextHop};
use policy::Policy;

use super::fallback::Fallback;
use super::findings::{Step, StepType, host_steps};
use super::modes::ModeReport;
use super::outcome::Tried;
use super::resolver::ResolverReport;

/// Everything that was found out.
pub(super) struct Investigation<'a> {
    pub(super) destination: &'a NextHop,
    pub(super) policy: &'a Policy,
    pub(super) today: Date,
    pub(super) route: &'a Route,
    /// The look-up of the MX records, if there is one.
    pub(super) mx: Option<Step>,
    pub(super) probes: Option<Vec<HostProbe<'a>>>,
    /// The second way, if the first led to the need of one.
    pub(super) fallback: Option<Fallback>,
    pub(super) modes: Vec<ModeReport>,
    pub(super) resolver: ResolverReport,
}

impl Investigation<'_> {
    /// The usual way.
    pub(super) fn tried(&self) -> Tried<'_> {
        Tried {
            route: self.route,
            probes: self.probes.as_deref(),
        }
    }

    /// The look-ups of the addresses of all hosts.
    pub(super) fn address_steps(&self) -> impl Iterator<Item = Step> {
        let hosts = self.route.decision.hosts();
        let steps = hosts.flat_map(|(host, _)| host_steps(host, self.route.port));
        steps.filter(|step| matches!(step.record_type, StepType::A | StepType::Aaaa))
    }

    /// The names of the hosts, in their order.
    pub(super) fn host_names(&self) -> impl Iterator<Item = &Domain> {
        self.route.decision.hosts().filter_map(|(host, _)| host.name())
    }
}

/// The next hop of a destination, with the policy's own routes applied.
pub(super) fn target<'a>(destination: &'a NextHop, route: &'a Route) -> &'a NextHop {
    route.policy.routed().unwrap_or(destination)
}
