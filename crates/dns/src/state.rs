//! What can change while look-ups are under way.

use std::sync::Arc;

use hickory_proto::rr::Name;

use crate::trusting::Trusting;
use crate::upstream::Upstream;
use crate::validate::Validator;
use crate::{Mode, ResolverConfig, Server, TrustAnchors};

/// Which servers are asked, who validates, and which names are exempt from validation. Results of look-ups made with an
/// older state are not cached.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) mode: Mode,
    pub(crate) servers: Vec<Server>,
    pub(crate) insecure: Vec<Name>,
    pub(crate) upstream: Arc<Upstream>,
    /// The two ways of asking the same servers: what the servers have shown does not depend on the mode.
    pub(crate) trusting: Trusting,
    pub(crate) validator: Arc<Validator>,
}

impl State {
    pub(crate) fn new(config: &ResolverConfig, insecure: Vec<Name>) -> Self {
        let upstream = Arc::new(Upstream::new(config.servers.clone(), config.timeout));
        Self {
            mode: config.mode,
            servers: config.servers.clone(),
            insecure,
            trusting: Trusting::new(Arc::clone(&upstream)),
            validator: Arc::new(Validator::new(
                Arc::clone(&upstream),
                config.trust_anchors.clone(),
                config.octets_of_keys(),
            )),
            upstream,
        }
    }

    /// Whether nothing is validated at a name: the closest anchor at or above it, if there is one, is a negative one. As in
    /// Unbound, an island can be trusted below an exempt zone, and a zone below a trusted one can be exempt.
    pub(crate) fn is_exempt(&self, name: &Name) -> bool {
        let above = self.insecure.iter().filter(|zone| zone.zone_of(name));
        let negative = above.map(Name::num_labels).max();
        let positive = self.validator.anchors().zone_above(name).map(Name::num_labels);
        negative.is_some() && negative >= positive
    }

    /// The same with other trust anchors. Keys, delegations and verdicts on signatures stay with the old state.
    pub(crate) fn anchored(&self, anchors: TrustAnchors, octets: usize) -> Self {
        let validator = Validator::new(Arc::clone(&self.upstream), anchors, octets);
        Self {
            validator: Arc::new(validator),
            ..self.clone()
        }
    }
}
