//! The look-ups of one attempt.

use dns::Resolver;
use jiff::civil::Date;
use mail::NextHop;
use policy::Policy;
use policy::settings::DaneMode;

use super::found::Route;
use super::search::find;
use crate::config::DeliveryConfig;

/// The look-ups of one attempt, which may have to be repeated.
pub(crate) struct LookUps<'a> {
    pub(crate) next_hop: &'a NextHop,
    pub(crate) policy: &'a Policy,
    pub(crate) resolver: &'a Resolver,
    pub(crate) config: &'a DeliveryConfig,
    pub(crate) today: Date,
}

impl LookUps<'_> {
    /// Makes the look-ups. Each has the resolver's own deadline.
    pub(crate) async fn make(&self) -> Route {
        find(self.next_hop, self.policy, self.resolver, self.config, self.today).await
    }

    /// What is known about the destination without look-ups: its mode and its port.
    pub(crate) fn not_made(&self) -> (DaneMode, u16) {
        let policy = self.policy.for_destination(self.next_hop, self.today);
        let target = policy.route.as_ref().unwrap_or(self.next_hop);
        (policy.dane, target.port().unwrap_or(self.config.port))
    }
}
