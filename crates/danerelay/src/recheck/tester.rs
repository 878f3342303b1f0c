//! The test of one destination or host, and of many at once.

use std::sync::Arc;
use std::time::Duration;

use delivery::probe::{HostProbe, Probe, Prober};
use delivery::route::{self, Means, Route, Sought};
use delivery::{DeliveryConfig, TlsClient};
use dns::Resolver;
use jiff::Zoned;
use mail::{AddressError, Cause, DaneVerdict, Domain, NextHop};
use policy::Policy;
use policy::decision::Action;
use policy::failure::{Failure, Finality};
use policy::settings::DaneMode;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::subject::{Subject, Tested};
use super::turns::Turns;

/// Tests that have begun, those that wait for their turn included.
const BEGUN: usize = 200;
/// The time limit for the look-ups of one of them, and for its connections.
const LONGEST: Duration = Duration::from_mins(2);

/// Looks names up and connects.
pub(crate) struct Tester {
    resolver: Resolver,
    delivery: DeliveryConfig,
    prober: Prober,
    /// Without what weakens it.
    policy: Policy,
    /// For the hosts of destinations that are strict.
    strict: Policy,
}

/// How something is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// It would be delivered to without what weakens it, and no host fails. Of a zone only the name itself is known.
    Healed,
    /// Some host would be delivered to, and another fails.
    Partly,
    /// It still fails.
    Failing,
    /// It does not exist, or takes no mail.
    Gone,
    /// DNS or the network fails, so that nothing is known.
    Undecided,
    /// It stands for many names.
    Untested,
}

impl State {
    /// The word that is shown.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Healed => "healed",
            Self::Partly => "partly",
            Self::Failing => "failing",
            Self::Gone => "gone",
            Self::Undecided => "undecided",
            Self::Untested => "untested",
        }
    }
}

/// What was found, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) state: State,
    pub(crate) reason: String,
    /// Whether each host was reached.
    pub(crate) is_whole: bool,
}

impl Tester {
    /// The resolver must have no exceptions of the policy itself. Fails if our own name cannot be used in EHLO.
    pub(crate) fn new(
        resolver: Resolver,
        delivery: DeliveryConfig,
        tls: &TlsClient,
        policy: &Policy,
    ) -> Result<Self, AddressError> {
        Ok(Self {
            resolver,
            prober: Prober::new(&delivery, tls)?,
            delivery,
            policy: policy.unweakened(),
            strict: policy.supposing(DaneMode::Strict),
        })
    }

    /// Tests one, in its turn.
    async fn test(&self, subject: &Subject, turns: &Turns) -> Finding {
        match &subject.tested {
            Tested::Domain(name) => self.connect(domain(name), &self.policy, turns).await,
            Tested::Mx(host) => {
                let next_hop = NextHop::Host {
                    host: host.clone(),
                    port: None,
                };
                self.connect(next_hop, self.policy_for_host_of(subject), turns)
                    .await
            }
            Tested::Zone(name) => {
                let _turn = turns.one().await;
                in_time(self.look_up(domain(name))).await.unwrap_or_else(late)
            }
            Tested::Many(..) => finding(
                State::Untested,
                "it stands for many names, none of which is known",
            ),
        }
    }

    /// The destinations of a host are not known. If the exception is from strict, some of them demand DANE.
    fn policy_for_host_of(&self, subject: &Subject) -> &Policy {
        match &subject.exception {
            Some(exception) if exception.override_strict => &self.strict,
            Some(_) | None => &self.policy,
        }
    }

    async fn route(&self, next_hop: &NextHop, policy: &Policy) -> Route {
        // It is DANE that is tested.
        let means = Means::without_sts(policy, &self.resolver, &self.delivery, Zoned::now().date());
        route::find(Sought::usual(next_hop), means).await
    }

    /// Looks up whose hosts these are, and connects to them when it is the turn of one more. Others are tested meanwhile, and
    /// waiting counts as no part of the test.
    async fn connect(&self, next_hop: NextHop, policy: &Policy, turns: &Turns) -> Finding {
        let turn = turns.one().await;
        let Some(route) = in_time(self.route(&next_hop, policy)).await else {
            return late();
        };
        drop(turn);
        if let Some(failure) = route.decision.failure() {
            return of_failure(failure);
        }
        let hosts = route.decision.hosts().filter_map(|(host, _)| host.name());
        let _places = turns.at(hosts).await;
        let _turn = turns.one().await;
        let probes = in_time(self.prober.probe(&route)).await;
        probes.map_or_else(late, |probes| of_probes(&probes))
    }

    /// Whether the signatures of the name itself and of its hosts are valid; what hosts do is another matter.
    async fn look_up(&self, next_hop: NextHop) -> Finding {
        let route = self.route(&next_hop, &self.policy).await;
        if let Some(failure) = route.decision.failure() {
            return of_failure(failure);
        }
        let decisions = route.decision.hosts().filter_map(|(_, decision)| decision);
        let mut unknown = decisions.filter_map(|decision| match &decision.action {
            Action::PassOver(failure) if matches!(failure.cause, Cause::Dns(..)) => Some(failure),
            Action::PassOver(_) | Action::Connect { .. } => None,
        });
        match unknown.next() {
            Some(failure) => of_failure(failure),
            None => finding(
                State::Healed,
                "its records can be validated; names below it were not looked up",
            ),
        }
    }
}

/// What comes of it, if it is complete in time.
async fn in_time<T>(part: impl Future<Output = T>) -> Option<T> {
    timeout(LONGEST, part).await.ok()
}

fn late() -> Finding {
    finding(State::Undecided, "the test was not complete within two minutes")
}

fn domain(name: &Domain) -> NextHop {
    NextHop::Domain {
        domain: name.clone(),
        port: None,
    }
}

fn finding(state: State, reason: &str) -> Finding {
    Finding {
        state,
        reason: reason.to_owned(),
        is_whole: true,
    }
}

fn of_failure(failure: &Failure) -> Finding {
    let state = match (&failure.cause, failure.finality()) {
        (Cause::Dns(_, lookup), _) if lookup.is_bogus() => State::Failing,
        (Cause::Dns(..), _) => State::Undecided,
        (Cause::Destination(_), _) => State::Gone,
        (_, Finality::Security) => State::Failing,
        (_, Finality::Transient | Finality::Permanent) => State::Undecided,
    };
    finding(state, &failure.reason)
}

fn of_probes(probes: &[HostProbe<'_>]) -> Finding {
    let failures = || probes.iter().flat_map(HostProbe::failures);
    let failing = failures()
        .map(of_failure)
        .find(|found| found.state == State::Failing);
    let unknown = failures().find(|failure| matches!(failure.cause, Cause::Dns(..)));
    let mut good = probes.iter().filter_map(good_try);
    match (good.next(), failing, unknown) {
        (Some(_), Some(failing), _) => Finding {
            state: State::Partly,
            ..failing
        },
        (Some(good), None, None) => {
            let (mut words, silent) = (
                verified(&good.verdict),
                probes.iter().find(|one| good_try(one).is_none()),
            );
            if let Some(failure) = silent.and_then(|host| host.failures().last()) {
                words = format!("{words}; not reached: {}", failure.reason);
            }
            Finding {
                is_whole: silent.is_none(),
                ..finding(State::Healed, &words)
            }
        }
        (None, Some(failing), _) => failing,
        // What cannot be looked up may be just what was wrong.
        (_, None, Some(unknown)) => finding(State::Undecided, &unknown.reason),
        (None, None, None) => {
            let words = failures().last().map(|failure| failure.reason.to_string());
            finding(
                State::Undecided,
                words.as_deref().unwrap_or("no host could be connected to"),
            )
        }
    }
}

/// An address of the host at which everything was as required.
fn good_try<'a>(host: &'a HostProbe<'_>) -> Option<&'a Probe> {
    host.tries.iter().find(|one| one.failure.is_none())
}

fn verified(verdict: &DaneVerdict) -> String {
    match verdict {
        DaneVerdict::Verify => "DANE is verified".to_owned(),
        DaneVerdict::VerifyHostOnly => {
            "DANE is verified for the host only: the MX records are not signed".to_owned()
        }
        DaneVerdict::NotReached
        | DaneVerdict::EncryptNoUsable
        | DaneVerdict::Skip(_)
        | DaneVerdict::Softfail(_)
        | DaneVerdict::Fail(_) => format!("nothing is required any more: {verdict}"),
    }
}

/// Tests all, some at once, each begun at least `gap` after the one before it, and gives each to `found` as soon as it is known.
pub(crate) async fn test_all(
    tester: Arc<Tester>,
    subjects: impl IntoIterator<Item = Subject>,
    gap: Duration,
    mut found: impl FnMut(Subject, Finding),
) {
    let turns = Arc::new(Turns::default());
    let mut tests = JoinSet::new();
    for subject in subjects {
        while tests.len() >= BEGUN
            && let Some(done) = tests.join_next().await
        {
            if let Ok((subject, finding)) = done {
                found(subject, finding);
            }
        }
        if !gap.is_zero() {
            sleep(gap).await;
        }
        let (tester, turns) = (Arc::clone(&tester), Arc::clone(&turns));
        tests.spawn(async move {
            let finding = tester.test(&subject, &turns).await;
            (subject, finding)
        });
        while let Some(done) = tests.try_join_next() {
            if let Ok((subject, finding)) = done {
                found(subject, finding);
            }
        }
    }
    while let Some(done) = tests.join_next().await {
        // A panic has been logged.
        if let Ok((subject, finding)) = done {
            found(subject, finding);
        }
    }
}
