//! The look-ups of one attempt.

use std::sync::Arc;

use arc_swap::ArcSwap;
use dns::Resolver;
use jiff::civil::Date;
use mail::NextHop;
use policy::Policy;
use policy::settings::DaneMode;

use super::found::Route;
use super::search::find;
use super::target::{Target, Way, has_fallback};
use crate::config::DeliveryConfig;

/// The look-ups of one attempt, which may have to be repeated.
pub(crate) struct LookUps<'a> {
    pub(crate) next_hop: &'a NextHop,
    pub(crate) way: Way,
    /// The policy in force, which a reload may replace meanwhile.
    pub(crate) policy: &'a ArcSwap<Policy>,
    pub(crate) resolver: &'a Resolver,
    pub(crate) config: &'a DeliveryConfig,
    pub(crate) today: Date,
}

impl LookUps<'_> {
    /// Makes the look-ups under the policy in force, and says which that is. Each has the resolver's own deadline.
    pub(crate) async fn make(&self) -> (Route, Arc<Policy>) {
        let Self {
            next_hop,
            way,
            policy: _,
            resolver,
            config,
            today,
        } = *self;
        let policy = self.policy.load_full();
        let route = find(next_hop, way, &policy, resolver, config, today).await;
        (route, policy)
    }

    /// Whether this policy is still in force.
    pub(crate) fn is_in_force(&self, policy: &Arc<Policy>) -> bool {
        Arc::ptr_eq(&self.policy.load(), policy)
    }

    /// What is known about the destination without look-ups: its mode and its port.
    pub(crate) fn not_made(&self) -> (DaneMode, u16) {
        let policy = self.policy.load().for_destination(self.next_hop, self.today);
        let target = Target::of(self.next_hop, &policy, self.way);
        (policy.dane, target.port(self.config))
    }

    /// The look-ups of the destination's fallback, if it has one that may be used.
    pub(crate) fn of_fallback(&self) -> Option<Self> {
        let policy = self.policy.load().for_destination(self.next_hop, self.today);
        let is_used = self.way == Way::Usual && has_fallback(&policy);
        is_used.then_some(Self {
            way: Way::Fallback,
            ..*self
        })
    }
}
