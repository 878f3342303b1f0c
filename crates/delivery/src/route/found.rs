//! The findings and the decision about a next hop, and how long they are valid.

use std::net::IpAddr;
use std::time::Duration;

use mail::cause::{Cause, LoginFault, NoWay, OurFault};
use mail::{DaneVerdict, NextHop, Security};
use policy::decision::{Action, Decision, HostDecision, Requirement};
use policy::facts::MessageTls;
use policy::failure::Failure;
use policy::login::Login;
use policy::settings::{DestinationPolicy, RouteTls};
use tokio::time::Instant;

use super::hosts::{Candidate, RouteHost};
use super::mta_sts::Sts;

/// How long after its look-ups an attempt may start connections. Otherwise servers that answer late at each stage could
/// stretch it to days. This is long enough for any server that works, and for a wait at a busy one; after that, a new
/// attempt is better because it has current information.
const BEGIN_WITHIN: Duration = Duration::from_mins(10);

/// The findings and the decision about a next hop.
#[derive(Debug, Clone)]
pub struct Route {
    /// What the policy says.
    pub policy: DestinationPolicy,
    /// The decision, with the findings about each host.
    pub decision: Decision<RouteHost>,
    /// The status of the MX (or NODATA) answer, where there was one.
    pub mx: Option<Security>,
    /// The destination's MTA-STS policy.
    pub sts: Sts,
    /// Where the look-ups began.
    pub(crate) next_hop: NextHop,
    /// The port to connect to.
    pub port: u16,
    /// What the message asks for itself.
    pub(crate) message: MessageTls,
    /// How TLS begins there.
    pub tls: RouteTls,
    /// With what to log in.
    pub(crate) login: Option<Login>,
    /// When the look-ups began.
    pub(crate) begun: Instant,
}

impl Route {
    /// When an attempt with this route may start its last connection.
    pub(crate) fn last_begin(&self) -> Instant {
        self.begun + BEGIN_WITHIN
    }

    /// The decision about a host, taken from this or an earlier route, at this address; or why it must not be connected
    /// to.
    pub(crate) fn standing(&self, host: &RouteHost, address: IpAddr) -> Result<&Candidate, Failure> {
        let candidates = match &self.decision {
            Decision::PassOver(failure, _) | Decision::Stop(failure, _) => return Err(failure.clone()),
            Decision::Try(candidates) => candidates,
        };
        let is_it = |one: &RouteHost| one.name == host.name && one.addresses.contains(&address);
        candidates.iter().find(|one| is_it(&one.host)).ok_or_else(gone)
    }

    /// A host of an earlier route as it is in this one.
    pub(crate) fn current(&self, host: &RouteHost) -> Option<&RouteHost> {
        let is_it = |one: &RouteHost| {
            one.name == host.name && (one.name.is_some() || one.addresses == host.addresses)
        };
        self.decision.hosts().map(|(one, _)| one).find(|one| is_it(one))
    }

    /// With what to log in at a host that has to meet this requirement; or why that is impossible. The host must be
    /// authenticated, and under a name that is securely known: that in an insecure MX record may be anybody's.
    pub(crate) fn login(&self, requirement: Requirement) -> Result<Option<&Login>, Cause> {
        match (&self.login, self.mx) {
            (None, _) => Ok(None),
            (Some(login), None | Some(Security::Secure)) if requirement.authenticates() => Ok(Some(login)),
            (Some(_), _) => Err(Cause::Login(LoginFault::Unauthenticated)),
        }
    }

    /// What a connection to a host has to achieve in the first round, and what the log says then; or why the host is not
    /// connected to.
    pub fn first_round<'d>(
        &self,
        decision: &'d HostDecision,
    ) -> Result<(Requirement, &'d DaneVerdict), Failure> {
        match &decision.action {
            Action::PassOver(failure) => Err(failure.clone()),
            Action::Connect { requirement, verdict } => {
                self.login(*requirement)?;
                Ok((*requirement, verdict))
            }
        }
    }

    /// What it has to achieve in the second round of soft-fail, if it takes part in that.
    pub fn second_round(&self, decision: &HostDecision) -> Option<Requirement> {
        decision
            .soft_fail
            .filter(|requirement| self.login(*requirement).is_ok())
    }

    /// Whether the findings about this host are older than its answers are valid (RFC 6698 §8.2).
    pub(crate) fn is_old(&self, host: &RouteHost) -> bool {
        host.life().is_some_and(|life| self.begun.elapsed() > life)
    }
}

/// The destination has changed between two look-ups.
fn gone() -> Failure {
    Cause::Destination(NoWay::HostGone).into()
}

/// The time limit of the attempt has passed.
pub(crate) fn too_late() -> Failure {
    Cause::Ours(OurFault::TooLate(BEGIN_WITHIN.as_secs() / 60)).into()
}
