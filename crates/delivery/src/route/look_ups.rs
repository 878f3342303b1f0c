//! The look-ups of one attempt.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use dns::Resolver;
use jiff::civil::Date;
use mta_sts::Policies;
use policy::Policy;
use policy::facts::MessageTls;
use policy::settings::DaneMode;

use super::found::Route;
use super::mta_sts::Sts;
use super::search::{Means, Sought, find_again};
use super::target::{Target, Way};
use crate::config::DeliveryConfig;
use crate::trace::Trace;

/// The look-ups of one attempt, which may have to be repeated.
pub(crate) struct LookUps<'a> {
    /// For which mail they are made.
    pub(crate) sought: Sought<'a>,
    /// The policy in force, which a reload may replace meanwhile.
    pub(crate) policy: &'a ArcSwap<Policy>,
    pub(crate) resolver: &'a Resolver,
    pub(crate) mta_sts: Option<&'a Policies>,
    pub(crate) config: &'a DeliveryConfig,
    pub(crate) today: Date,
    /// The MTA-STS policy that was found first.
    pub(crate) sts: OnceLock<Sts>,
    /// Is told what was found.
    pub(crate) trace: &'a Trace,
}

impl LookUps<'_> {
    /// Makes the look-ups under the policy in force, and says which that is. Each has the resolver's own deadline.
    pub(crate) async fn make(&self) -> (Route, Arc<Policy>) {
        let policy = self.policy.load_full();
        let means = Means {
            policy: &policy,
            resolver: self.resolver,
            mta_sts: self.mta_sts,
            config: self.config,
            today: self.today,
        };
        let route = find_again(self.sought, means, self.sts.get()).await;
        self.sts.get_or_init(|| route.sts.clone());
        route.tell(self.trace);
        (route, policy)
    }

    /// Whether this policy is still in force.
    pub(crate) fn is_in_force(&self, policy: &Arc<Policy>) -> bool {
        Arc::ptr_eq(&self.policy.load(), policy)
    }

    /// What is known about the destination without look-ups: its mode and its port.
    pub(crate) fn not_made(&self) -> (DaneMode, u16) {
        let Sought { next_hop, way, .. } = self.sought;
        let policy = self.policy.load().for_destination(next_hop, self.today);
        let target = Target::of(next_hop, &policy, way, self.config);
        (policy.dane, target.port(self.config))
    }

    /// Whether what the receiver has published does not count for the message.
    pub(crate) fn are_waived(&self) -> bool {
        let Sought {
            next_hop,
            tag,
            sender,
            ..
        } = self.sought;
        let policy = self.policy.load().for_destination(next_hop, self.today);
        MessageTls::of(tag, sender, &policy).is_waived()
    }

    /// The look-ups of the destination's fallback, if it has one that may be used.
    pub(crate) fn of_fallback(&self) -> Option<Self> {
        let policy = self
            .policy
            .load()
            .for_destination(self.sought.next_hop, self.today);
        let is_used = self.sought.way == Way::Usual && policy.usable_fallback().is_some();
        let sought = Sought {
            way: Way::Fallback,
            ..self.sought
        };
        is_used.then_some(Self {
            sought,
            sts: OnceLock::new(),
            ..*self
        })
    }
}
