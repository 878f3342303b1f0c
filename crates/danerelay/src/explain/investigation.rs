//! The information that a report is made from.

use delivery::probe::HostProbe;
use delivery::route::Route;
use jiff::civil::Date;
use mail::{Domain, NextHop};
use policy::Policy;

use super::findings::Step;
use super::modes::ModeReport;
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
    pub(super) modes: Vec<ModeReport>,
    pub(super) resolver: ResolverReport,
}

impl Investigation<'_> {
    /// The next hop, with the policy's own routes applied.
    pub(super) fn target(&self) -> &NextHop {
        target(self.destination, self.route)
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
