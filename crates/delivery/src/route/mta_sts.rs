//! The destination's MTA-STS policy, and what it says about each host (RFC 8461 §4.1).

use ::mta_sts::{Discovery, FetchFailure, Mode, Policies, Trouble};
use mail::{Domain, NextHop};
use policy::facts::{Destination, DomainMtaSts, MtaSts};
use policy::settings::MtaStsMode;

use super::hosts::{RouteHost, is_localhost};

/// What is known about the destination's policy.
#[derive(Debug, Clone)]
pub struct Sts {
    /// The policy domain; `None` if none was asked about.
    domain: Option<Domain>,
    discovery: Discovery,
    /// The most that is made of a policy.
    most: MtaStsMode,
}

impl Sts {
    /// Finds the policy of this next hop, unless nothing would be made of it. What was found earlier in the same attempt
    /// counts: a fetch may take longer than answers of DNS are valid, and must not be waited for again and again.
    pub(super) async fn find(
        next_hop: &NextHop,
        most: MtaStsMode,
        policies: Option<&Policies>,
        earlier: Option<&Self>,
    ) -> Self {
        let unknown = Self {
            domain: None,
            discovery: Discovery {
                entry: None,
                trouble: None,
            },
            most,
        };
        match (policies, policy_domain(next_hop), most) {
            (None, _, _) | (_, None, _) | (_, _, MtaStsMode::Off) => unknown,
            (Some(policies), Some(domain), MtaStsMode::Testing | MtaStsMode::Enforce) => {
                let earlier = earlier.filter(|earlier| earlier.domain.as_ref() == Some(domain));
                let discovery = match earlier {
                    Some(earlier) => earlier.discovery.clone(),
                    None => policies.discover(domain).await,
                };
                Self {
                    domain: Some(domain.clone()),
                    discovery,
                    most,
                }
            }
        }
    }

    /// The policy domain; `None` if none was asked about.
    pub fn domain(&self) -> Option<&Domain> {
        self.domain.as_ref()
    }

    /// What was found.
    pub fn discovery(&self) -> &Discovery {
        &self.discovery
    }

    /// What is made of it.
    pub fn of_domain(&self) -> DomainMtaSts {
        let mode = self.discovery.entry.as_ref().map(|entry| entry.policy.mode);
        match (mode, self.most) {
            (_, MtaStsMode::Off) | (Some(Mode::None), _) => DomainMtaSts::Absent,
            (None, most) => match (&self.discovery.trouble, most) {
                (None, _) => DomainMtaSts::Absent,
                (Some(Trouble::Fetch(FetchFailure::Busy)), MtaStsMode::Enforce) => DomainMtaSts::Awaited,
                (Some(_), _) => DomainMtaSts::Unknown,
            },
            (Some(Mode::Testing), _) | (Some(Mode::Enforce), MtaStsMode::Testing) => DomainMtaSts::Testing,
            (Some(Mode::Enforce), MtaStsMode::Enforce) => DomainMtaSts::Enforce,
        }
    }

    /// The same for the decision: where the live policy is not known, and could be enforced, that is what a message which
    /// requires TLS has to wait for, whatever else is in the cache.
    pub(super) fn for_decision(&self) -> DomainMtaSts {
        let may_be_enforced = self.most == MtaStsMode::Enforce && self.discovery.trouble.is_some();
        match self.of_domain() {
            DomainMtaSts::Absent | DomainMtaSts::Testing if may_be_enforced => DomainMtaSts::Unknown,
            of_domain @ (DomainMtaSts::Absent
            | DomainMtaSts::Unknown
            | DomainMtaSts::Awaited
            | DomainMtaSts::Testing
            | DomainMtaSts::Enforce) => of_domain,
        }
    }

    /// The value of `sts=`.
    pub fn word(&self) -> Option<&'static str> {
        match self.of_domain() {
            DomainMtaSts::Absent => None,
            DomainMtaSts::Unknown | DomainMtaSts::Awaited => Some("failed"),
            DomainMtaSts::Testing => Some("testing"),
            DomainMtaSts::Enforce => Some("enforce"),
        }
    }

    /// Whether the policy allows the host that an MX record names so, whatever its mode; `None` if there is no policy.
    pub fn allows(&self, host: Option<&Domain>) -> Option<bool> {
        let entry = self.discovery.entry.as_ref()?;
        Some(host.is_some_and(|host| entry.policy.allows(host)))
    }

    /// Adds to each host what the policy says about it.
    pub(super) fn tell(&self, destination: &mut Destination<RouteHost>) {
        let of_domain = self.of_domain();
        destination.each_host(|host| {
            host.facts.mta_sts = match of_domain {
                DomainMtaSts::Absent | DomainMtaSts::Unknown | DomainMtaSts::Awaited => None,
                DomainMtaSts::Testing => Some(MtaSts::Testing),
                DomainMtaSts::Enforce if self.allows(host.name()) == Some(true) => Some(MtaSts::EnforceMatch),
                DomainMtaSts::Enforce => Some(MtaSts::EnforceMismatch),
            };
        });
    }
}

/// The policy domain: the next hop itself, unexpanded, and never a domain above it (RFC 8461 §3.4). An address has none.
fn policy_domain(next_hop: &NextHop) -> Option<&Domain> {
    match next_hop {
        NextHop::Domain { domain: name, .. } | NextHop::Host { host: name, .. } => {
            Some(name).filter(|name| !is_localhost(name))
        }
        NextHop::Address { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use ::mta_sts::{Entry, Fetch, Limits, Policy, PolicyId, Sources, SystemClock, TxtLookup};
    use futures_util::FutureExt as _;
    use futures_util::future::BoxFuture;
    use mail::{FailedLookup, LookupFailure};

    use super::*;

    const ENFORCE: MtaStsMode = MtaStsMode::Enforce;

    #[derive(Default)]
    struct Failing(AtomicUsize);

    impl TxtLookup for Failing {
        fn txt<'a>(&'a self, _: &'a Domain) -> BoxFuture<'a, Result<Vec<Vec<u8>>, FailedLookup>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            async { Err(LookupFailure::Timeout.into()) }.boxed()
        }
    }

    impl Fetch for Failing {
        fn fetch<'a>(&'a self, _: &'a Domain) -> BoxFuture<'a, Result<Policy, FetchFailure>> {
            async { Err(FetchFailure::NoAddress) }.boxed()
        }
    }

    fn sts(mode: Option<&str>, trouble: Option<Trouble>, most: MtaStsMode) -> Sts {
        let domain = Domain::parse("a.example").unwrap();
        let entry = mode.map(|mode| Entry {
            domain: domain.clone(),
            id: PolicyId::parse("1").unwrap(),
            fetched: jiff::Timestamp::now(),
            policy: Arc::new(
                Policy::parse(
                    format!("version: STSv1\nmode: {mode}\nmx: mx.a.example\nmax_age: 1000\n").as_bytes(),
                )
                .unwrap(),
            ),
        });
        Sts {
            domain: Some(domain),
            discovery: Discovery { entry, trouble },
            most,
        }
    }

    #[tokio::test]
    async fn an_attempt_asks_once() {
        let world = Arc::new(Failing::default());
        let sources = Sources {
            txt: Arc::clone(&world) as _,
            fetch: Arc::clone(&world) as _,
            clock: Arc::new(SystemClock),
            events: Arc::new(()),
        };
        let limits = Limits {
            entries: 10,
            octets: 10_000,
        };
        let policies = Policies::in_memory(sources, limits);
        let (a, b) = ("a.example".parse().unwrap(), "b.example".parse().unwrap());
        let first = Sts::find(&a, ENFORCE, Some(&policies), None).await;
        let again = Sts::find(&a, MtaStsMode::Testing, Some(&policies), Some(&first)).await;
        assert_eq!(world.0.load(Ordering::Relaxed), 1);
        assert_eq!(
            (&again.discovery, again.most),
            (&first.discovery, MtaStsMode::Testing)
        );
        // Another next hop is another domain.
        Sts::find(&b, ENFORCE, Some(&policies), Some(&first)).await;
        assert_eq!(world.0.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn what_is_not_known_may_be_enforced() {
        use DomainMtaSts::{Absent, Awaited, Enforce, Testing, Unknown};
        let failed = || Some(FetchFailure::NoAddress.into());
        let busy = || Some(FetchFailure::Busy.into());
        for (mode, trouble, most, of_domain, for_decision) in [
            (None, None, ENFORCE, Absent, Absent),
            (None, failed(), ENFORCE, Unknown, Unknown),
            (None, busy(), ENFORCE, Awaited, Awaited),
            (None, busy(), MtaStsMode::Testing, Unknown, Unknown),
            (Some("none"), None, ENFORCE, Absent, Absent),
            (Some("none"), failed(), ENFORCE, Absent, Unknown),
            (Some("testing"), None, ENFORCE, Testing, Testing),
            (Some("testing"), failed(), ENFORCE, Testing, Unknown),
            (Some("testing"), failed(), MtaStsMode::Testing, Testing, Testing),
            (Some("enforce"), failed(), ENFORCE, Enforce, Enforce),
        ] {
            let case = format!("{mode:?} {trouble:?} {most:?}");
            let sts = sts(mode, trouble, most);
            assert_eq!(sts.of_domain(), of_domain, "{case}");
            assert_eq!(sts.for_decision(), for_decision, "{case}");
        }
    }
}
