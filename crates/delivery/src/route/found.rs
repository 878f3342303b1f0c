//! What is known and decided about a next hop, and how long it holds.

use std::net::IpAddr;
use std::time::Duration;

use mail::Security;
use mail::cause::{Cause, NoWay, OurFault};
use policy::decision::Decision;
use policy::failure::Failure;
use policy::settings::DestinationPolicy;
use tokio::time::Instant;

use super::hosts::{Candidate, RouteHost};

/// How long after its look-ups an attempt may begin connections. Servers that answer late at each stage could stretch it
/// to days otherwise. Long enough for any server that works, and for a turn at a busy one; what comes later is better
/// served by an attempt of its own, which knows what holds then.
const BEGIN_WITHIN: Duration = Duration::from_mins(10);

/// What is known and decided about a next hop.
#[derive(Debug, Clone)]
pub struct Route {
    /// What the policy says.
    pub policy: DestinationPolicy,
    /// The decision, with all that is known of each host.
    pub decision: Decision<RouteHost>,
    /// The status of the MX (or NODATA) answer, where there was one.
    pub mx: Option<Security>,
    /// The port to connect to.
    pub port: u16,
    /// When the look-ups began.
    pub(crate) begun: Instant,
}

impl Route {
    /// When an attempt on it may begin its last connection.
    pub(crate) fn last_begin(&self) -> Instant {
        self.begun + BEGIN_WITHIN
    }

    /// What holds for a host of this or of an earlier route, at this address; or why it must not be connected to.
    pub(crate) fn standing(&self, host: &RouteHost, address: IpAddr) -> Result<&Candidate, Failure> {
        let candidates = match &self.decision {
            Decision::PassOver(failure, _) | Decision::Stop(failure, _) => return Err(failure.clone()),
            Decision::Try(candidates) => candidates,
        };
        let is_it = |one: &RouteHost| one.name == host.name && one.addresses.contains(&address);
        candidates.iter().find(|one| is_it(&one.host)).ok_or_else(gone)
    }

    /// Whether what is known of this host has outlived its answers (RFC 6698 §8.2).
    pub(crate) fn is_old(&self, host: &RouteHost) -> bool {
        host.life().is_some_and(|life| self.begun.elapsed() > life)
    }
}

/// The destination has changed between the look-ups.
fn gone() -> Failure {
    Cause::Destination(NoWay::HostGone).into()
}

/// An attempt whose time is over.
pub(crate) fn too_late() -> Failure {
    Cause::Ours(OurFault::TooLate(BEGIN_WITHIN.as_secs() / 60)).into()
}
