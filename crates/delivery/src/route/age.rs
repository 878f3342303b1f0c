//! How long a route holds, and the look-ups by which it is found anew.

use std::net::IpAddr;
use std::time::Duration;

use dns::{Answer, Lookup, Resolver};
use jiff::civil::Date;
use mail::NextHop;
use mail::cause::{Cause, NoWay, OurFault};
use policy::Policy;
use policy::decision::Decision;
use policy::failure::Failure;
use tokio::time::Instant;

use super::{Candidate, Route, RouteHost, find};
use crate::config::DeliveryConfig;
use crate::record::HostRecord;

/// How long after its look-ups an attempt may begin connections. Servers that answer late at each stage could stretch it
/// to days otherwise. Long enough for any server that works, and for a turn at a busy one; what comes later is better
/// served by an attempt of its own, which knows what holds then.
pub(crate) const BEGIN_WITHIN: Duration = Duration::from_mins(10);

/// Answers with a shorter TTL, 0 included, hold this long: they are made to be used for what was under way when they were
/// asked for (RFC 1035 §3.2.1), and the cache gives them out with what is left of their time.
const SHORTEST_LIFE: Duration = Duration::from_secs(30);

/// The look-ups of one attempt, which may have to be made more than once.
pub(crate) struct LookUps<'a> {
    pub(crate) next_hop: &'a NextHop,
    pub(crate) policy: &'a Policy,
    pub(crate) resolver: &'a Resolver,
    pub(crate) config: &'a DeliveryConfig,
    pub(crate) today: Date,
}

impl LookUps<'_> {
    /// Makes them. Each has the resolver's own deadline.
    pub(crate) async fn make(&self) -> Route {
        find(self.next_hop, self.policy, self.resolver, self.config, self.today).await
    }

    /// What the log says of the destination where they are not made.
    pub(crate) fn not_made(&self) -> HostRecord {
        let policy = self.policy.for_destination(self.next_hop, self.today);
        let target = policy.route.as_ref().unwrap_or(self.next_hop);
        HostRecord::without_route(policy.dane, target.port().unwrap_or(self.config.port))
    }
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

impl RouteHost {
    /// How long what is known of it holds: the shortest TTL of its answers. `None`: it was not looked up, or no look-up
    /// gave an answer.
    fn life(&self) -> Option<Duration> {
        let answers = &self.answers;
        let families = [&answers.ipv6, &answers.ipv4].into_iter().flatten();
        let tlsa = answers.tlsa.iter().map(|(_, lookup)| lookup);
        let seconds = families.filter_map(ttl).chain(tlsa.filter_map(ttl)).min()?;
        Some(Duration::from_secs(seconds.into()).max(SHORTEST_LIFE))
    }
}

fn ttl<T>(lookup: &Lookup<T>) -> Option<u32> {
    lookup.as_ref().ok().map(|answer: &Answer<T>| answer.ttl)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use dns::host::Answers;
    use dns::{Data, NoAnswer};
    use mail::{LookupFailure, Security};
    use policy::facts::{Host, HostFindings};
    use policy::settings::{DaneMode, HostPolicy, ModeSource};

    use super::*;

    fn answer<T>(ttl: u32) -> Answer<T> {
        Answer {
            security: Security::Secure,
            data: Data::NoData,
            aliases: [].into(),
            ttl,
        }
    }

    #[test]
    fn a_host_is_known_as_long_as_the_first_of_its_answers_to_end_and_half_a_minute_at_least() {
        let failed = || Err(NoAnswer::from(LookupFailure::Timeout));
        let facts = || Host {
            policy: HostPolicy {
                dane: DaneMode::Opportunistic,
                dane_source: ModeSource::Default,
            },
            findings: HostFindings::AddressName,
            mta_sts: None,
        };
        for (ipv6, ipv4, tlsa, expected) in [
            (None, None, None, None),
            (Some(failed()), Some(failed()), None, None),
            (Some(failed()), Some(Ok(answer(600))), None, Some(600)),
            (
                Some(Ok(answer(300))),
                Some(Ok(answer(600))),
                Some(3600),
                Some(300),
            ),
            (Some(Ok(answer(300))), Some(Ok(answer(600))), Some(60), Some(60)),
            (None, Some(Ok(answer(600))), Some(0), Some(30)),
        ] {
            let name = "_25._tcp.mx.test".parse().unwrap();
            let host = RouteHost {
                answers: Answers {
                    ipv6,
                    ipv4,
                    tlsa: tlsa.map(|ttl| (name, Ok(answer(ttl)))).into_iter().collect(),
                },
                ..RouteHost::unknown(facts())
            };
            assert_eq!(host.life(), expected.map(Duration::from_secs));
        }
    }
}
