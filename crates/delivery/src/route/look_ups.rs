//! The look-ups of one attempt.

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
    pub(crate) policy: &'a Policy,
    pub(crate) resolver: &'a Resolver,
    pub(crate) config: &'a DeliveryConfig,
    pub(crate) today: Date,
}

impl LookUps<'_> {
    /// Makes the look-ups. Each has the resolver's own deadline.
    pub(crate) async fn make(&self) -> Route {
        let Self {
            next_hop,
            way,
            policy,
            resolver,
            config,
            today,
        } = *self;
        find(next_hop, way, policy, resolver, config, today).await
    }

    /// What is known about the destination without look-ups: its mode and its port.
    pub(crate) fn not_made(&self) -> (DaneMode, u16) {
        let policy = self.policy.for_destination(self.next_hop, self.today);
        let target = Target::of(self.next_hop, &policy, self.way);
        (policy.dane, target.port(self.config))
    }

    /// The look-ups of the destination's fallback, if it has one that may be used.
    pub(crate) fn of_fallback(&self) -> Option<Self> {
        let policy = self.policy.for_destination(self.next_hop, self.today);
        let is_used = self.way == Way::Usual && has_fallback(&policy);
        is_used.then_some(Self {
            way: Way::Fallback,
            ..*self
        })
    }
}
