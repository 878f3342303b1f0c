//! One look-up: the cache, the limit on concurrent look-ups, aliases followed hop by hop, and one deadline for everything.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use hickory_proto::rr::{Name, RData, RecordType};
use mail::{Domain, LookupFailure, Security};
use tokio::time::{Instant, timeout_at};

use crate::asked::{Asked, Found};
use crate::belief::{Doubt, Expectations, Expected};
use crate::budget::{TooMuch, Walk, Work};
use crate::cache::TimedCache;
use crate::counts::LookupCounts;
use crate::fault::Fault;
use crate::flight::Flights;
use crate::hop::{Finding, Hop};
use crate::outage::Outage;
use crate::places::{Places, TURN};
use crate::record::{absolute, to_domain, to_name, to_names};
use crate::state::State;
use crate::subtrees::Subtrees;
use crate::trusting::{Trusting, has_signatures, signed_question};
use crate::upstream::Asking;
use crate::validate::overdue;
use crate::{
    Alias, Answer, Data, Exchange, Lookup, Mode, NoAnswer, ResolverConfig, ResolverError, Server,
    TrustAnchors,
};

/// More aliases than this in a row are taken for a loop (RFC 7672 §2.1.3 asks for a limit and names none).
const MAX_ALIASES: usize = 12;
/// For how long a failed look-up is not repeated (RFC 2308 §7.1 allows five minutes; a repaired zone shall be noticed at
/// once).
const FAILURE_LIFE: Duration = Duration::from_secs(5);
/// The longest time that an answer is kept, however long its TTL.
const ANSWER_LIFE: Duration = Duration::from_hours(24);

/// What is cached and returned.
type CachedAnswer = Result<Found, NoAnswer>;

/// A look-up made for several callers at once.
#[derive(Clone)]
struct Made {
    answer: CachedAnswer,
    /// It failed because its caller's walk had used up its budget, which means nothing for other callers.
    is_over: bool,
}

/// Everything behind a [`crate::Resolver`].
pub(crate) struct Lookups {
    state: ArcSwap<State>,
    /// The self-tests that look-ups wait for.
    expectations: Expectations,
    answers: TimedCache<Asked, CachedAnswer>,
    under_way: Flights<Asked, Made>,
    places: Places,
    doubt: Doubt,
    /// What the last self-test found, if it means that nothing can be looked up.
    fault: ArcSwapOption<Fault>,
    counts: LookupCounts,
    config: ResolverConfig,
}

impl Lookups {
    pub(crate) fn new(config: ResolverConfig) -> Self {
        Self {
            state: ArcSwap::from_pointee(State::new(&config, to_names(&config.domain_insecure))),
            expectations: Expectations::new(),
            answers: TimedCache::new(config.octets_of_answers()),
            under_way: Flights::new(),
            places: Places::new(config.sockets),
            doubt: Doubt::default(),
            fault: ArcSwapOption::empty(),
            counts: LookupCounts::default(),
            config,
        }
    }

    pub(crate) fn counts(&self) -> &LookupCounts {
        &self.counts
    }

    pub(crate) fn mode(&self) -> Mode {
        self.state.load().mode
    }

    /// Answers are dropped together with the validator that they came from.
    pub(crate) fn set_mode(&self, mode: Mode) -> Result<(), ResolverError> {
        mode.check(&self.state.load().servers)?;
        let before = self.state.rcu(|state| State {
            mode,
            ..State::clone(state)
        });
        if before.mode != mode {
            self.answers.clear();
        }
        Ok(())
    }

    /// Everything that other servers said or showed is dropped.
    pub(crate) fn set_servers(&self, mode: Mode, servers: Vec<Server>) -> Result<(), ResolverError> {
        let config = ResolverConfig {
            mode,
            servers,
            trust_anchors: self.state.load().validator.anchors().clone(),
            ..self.config.clone()
        };
        config.check()?;
        let new = State::new(&config, Vec::new());
        self.state.rcu(|state| State {
            insecure: state.insecure.clone(),
            ..new.clone()
        });
        self.fault.store(None);
        self.answers.clear();
        Ok(())
    }

    pub(crate) fn expect_self_test(&self) -> Expected {
        self.expectations.add()
    }

    /// What the servers are believed by.
    pub(crate) fn trusting(&self) -> Trusting {
        self.state.load().trusting.clone()
    }

    /// Drops all answers if a server has lost our trust; returns whether it did.
    pub(crate) fn forget_what_the_refuted_said(&self) -> bool {
        let lost = self.state.load().upstream.take_losses();
        if lost {
            self.answers.clear();
        }
        lost
    }

    pub(crate) fn set_domain_insecure(&self, names: &[Name]) {
        let before = self.state.rcu(|state| State {
            insecure: names.to_vec(),
            ..State::clone(state)
        });
        let gone = before.insecure.iter().filter(|name| !names.contains(name));
        let new = names.iter().filter(|name| !before.insecure.contains(name));
        self.flush(&gone.chain(new).cloned().collect::<Vec<_>>());
        if before.mode == Mode::TrustAd {
            self.doubt.raise();
        }
    }

    /// Returns whether they differ from the previous ones. Then everything found with those is dropped.
    pub(crate) fn set_trust_anchors(&self, anchors: &TrustAnchors) -> bool {
        if self.state.load().validator.anchors() == anchors {
            return false;
        }
        let octets = self.config.octets_of_keys();
        self.state.rcu(|state| state.anchored(anchors.clone(), octets));
        self.fault.store(None);
        self.answers.clear();
        self.doubt.raise();
        true
    }

    pub(crate) fn has_domain_insecure(&self) -> bool {
        !self.state.load().insecure.is_empty()
    }

    pub(crate) fn flush(&self, names: &[Name]) {
        if names.is_empty() {
            return;
        }
        let mut tops = names.to_vec();
        tops.extend(names.iter().flat_map(|name| self.known_exchangers(name)));
        let trees = Subtrees::new(&tops);
        let below = |owner: &Domain| to_name(owner).is_ok_and(|owner| trees.reach_down_to(&owner));
        self.answers.retain(|asked, found| {
            let mut aliases = found.iter().flat_map(Found::aliases);
            let about = asked
                .question()
                .is_ok_and(|(owner, _)| trees.reach_down_to(&owner));
            !about && !aliases.any(|alias| below(&alias.to))
        });
        self.state.load().validator.flush(&trees);
    }

    /// The hosts that the MX records of a name lead to, if an answer is cached.
    pub(crate) fn known_exchangers(&self, name: &Name) -> Vec<Name> {
        let asked = to_domain(name).map(Asked::Mx);
        let known = asked.ok().and_then(|asked| self.answers.get(&asked));
        let Some((Ok(Found::Mx(answer)), _)) = known else {
            return Vec::new();
        };
        let hosts = answer
            .records()
            .iter()
            .filter_map(|record| match &record.exchange {
                Exchange::Name(host) => to_name(host).ok(),
                Exchange::Invalid(written) => absolute(written),
                // A null MX (RFC 7505) names no host, and every name is below the root.
                Exchange::Root | Exchange::Address(_) => None,
            });
        hosts.collect()
    }

    pub(crate) async fn doubted(&self) {
        self.doubt.arisen().await;
    }

    /// The answer, from the cache or from the servers, as part of a walk.
    pub(crate) async fn lookup(&self, asked: Asked, walk: &Walk) -> CachedAnswer {
        loop {
            if let Some((mut known, rest)) = self.answers.get(&asked) {
                self.counts.count_cached();
                if let Ok(found) = &mut known {
                    found.set_ttl(u32::try_from(rest.as_secs()).unwrap_or(u32::MAX));
                }
                return known;
            }
            // Boxed, so that the usual case, a cached answer, does not need the space for a whole look-up.
            let asking = || Box::pin(self.make(&asked, walk));
            let made = self.under_way.share(&asked, asking).await;
            if !made.is_over || walk.is_over() {
                return made.answer;
            }
        }
    }

    async fn make(&self, asked: &Asked, walk: &Walk) -> Made {
        let work = Work::new(walk);
        let answer = match self.places.enter().await {
            Some(place) => place.within(self.ask(asked, &work)).await,
            None => Err(no_turn(asked)),
        };
        self.counts.count(asked, &answer);
        let is_over = answer.is_err() && work.is_walk_over();
        Made { answer, is_over }
    }

    async fn ask(&self, asked: &Asked, work: &Work) -> CachedAnswer {
        let start = Instant::now();
        let patience = self.config.timeout;
        if timeout_at(start + patience, self.expectations.met())
            .await
            .is_err()
        {
            return Err(NoAnswer::new(LookupFailure::Timeout, Outage::NotYetTested).ours());
        }
        let state = self.state.load_full();
        let losses = state.upstream.losses();
        let found = self.find(&state, start, asked, work).await;
        let result = found.map_err(|failure| self.attributed(failure));
        self.doubt.note(result.is_err());
        let life = match &result {
            Ok(found) => Duration::from_secs(found.ttl().into()).min(ANSWER_LIFE),
            // Another walk may get further.
            Err(_) if work.is_walk_over() => Duration::ZERO,
            Err(_) => FAILURE_LIFE,
        };
        self.answers.insert(asked.clone(), result.clone(), life);
        // Checked after the insertion: whoever changes the state changes it first and clears the cache afterwards.
        if !Arc::ptr_eq(&state, &self.state.load()) || state.upstream.losses() != losses {
            self.answers.remove(asked);
        }
        if self.forget_what_the_refuted_said() {
            self.doubt.raise();
        }
        result
    }

    /// While our own resolver is known to fail, failures are attributed to it.
    fn attributed(&self, failure: NoAnswer) -> NoAnswer {
        match &*self.fault.load() {
            // That the root fails first says less.
            Some(fault) => {
                let cause = failure.cause.clone();
                let fault = Outage::SelfTest(Box::new(Fault::clone(fault)));
                failure.because(cause, fault).ours()
            }
            None => failure,
        }
    }

    pub(crate) fn note_fault(&self, fault: Option<&Fault>) {
        let fault = fault.filter(|fault| fault.stops_everything()).cloned();
        self.fault.store(fault.map(Arc::new));
    }

    async fn find(&self, state: &State, start: Instant, asked: &Asked, work: &Work) -> CachedAnswer {
        let question = asked.question()?;
        let answer = self.follow(state, start, &question, work).await?;
        asked
            .read(answer)
            .map_err(|failure| failure.about(&question.0, question.1))
    }

    /// The status of the root if we validate; secure if there is no anchor for it, because then it shows nothing.
    pub(crate) async fn validated_root(&self) -> Result<Security, NoAnswer> {
        if !self.state.load().validator.reaches(&Name::root()) {
            return Ok(Security::Secure);
        }
        let answer = self.validated(&Name::root(), RecordType::SOA).await?;
        Ok(answer.security)
    }

    /// The answer as we validate it, whatever the mode, bypassing cache and expectations.
    pub(crate) async fn validated(&self, name: &Name, record_type: RecordType) -> Lookup<RData> {
        let state = State {
            mode: Mode::Validate,
            ..State::clone(&self.state.load())
        };
        let (question, work) = ((name.clone(), record_type), Work::new(&Walk::default()));
        self.follow(&state, Instant::now(), &question, &work).await
    }

    pub(crate) fn servers(&self) -> Vec<String> {
        self.state.load().upstream.names()
    }

    pub(crate) fn obstacle(&self) -> Option<String> {
        self.state.load().upstream.obstacle()
    }

    pub(crate) fn has_servers(&self) -> bool {
        !self.state.load().servers.is_empty()
    }

    pub(crate) async fn signatures_arrive(&self) -> Result<bool, NoAnswer> {
        let upstream = Arc::clone(&self.state.load().upstream);
        let question = signed_question();
        let reply = upstream.exchange(&question, Asking::Unchecked).await?;
        has_signatures(&reply, &question)
    }

    /// Follows aliases to the end. Each hop is looked up separately, so each has its own status.
    async fn follow(
        &self,
        state: &State,
        start: Instant,
        question: &(Name, RecordType),
        work: &Work,
    ) -> Lookup<RData> {
        let (mut here, record_type) = question.clone();
        let (mut security, mut ttl, mut aliases) = (Security::Secure, u32::MAX, Vec::<Alias>::new());
        while aliases.len() <= MAX_ALIASES {
            let hop = self.hop(state, &here, record_type, work);
            let Ok(hop) = timeout_at(start + self.config.timeout, hop).await else {
                let late = NoAnswer::new(LookupFailure::Timeout, Outage::Overdue(self.config.timeout));
                return Err(overdue(late, work).about(&here, record_type).behind(aliases));
            };
            let hop = match hop {
                Ok(hop) => hop,
                Err(failure) => return Err(failure.behind(aliases)),
            };
            security = security.and(hop.security);
            ttl = ttl.min(hop.ttl);
            let data = match hop.finding {
                Finding::Alias(target) => {
                    aliases.push(Alias {
                        from: to_domain(&here)?,
                        to: to_domain(&target)?,
                        security: hop.security,
                    });
                    here = target.to_lowercase();
                    continue;
                }
                Finding::Records(records) => Data::Records(records.into()),
                Finding::NoData => Data::NoData,
                Finding::NxDomain => Data::NxDomain,
            };
            return Ok(Answer {
                security,
                data,
                aliases: aliases.into(),
                ttl,
                signed: hop.signed.filter(|_| security == Security::Secure),
            });
        }
        let lost = NoAnswer::new(LookupFailure::AliasLoop, Outage::Aliases(MAX_ALIASES));
        Err(lost.about(&here, record_type).behind(aliases))
    }

    async fn hop(
        &self,
        state: &State,
        name: &Name,
        record_type: RecordType,
        work: &Work,
    ) -> Result<Hop, NoAnswer> {
        if is_not_in_dns(name) {
            return Ok(Hop {
                security: Security::Insecure,
                finding: Finding::NxDomain,
                ttl: 0,
                signed: None,
            });
        }
        if state.servers.is_empty() {
            return Err(state.upstream.nobody());
        }
        match state.mode {
            Mode::Validate if state.is_exempt(name) => {
                state.validator.unvalidated(name, record_type, work).await
            }
            Mode::Validate => state.validator.hop(name, record_type, work).await,
            Mode::TrustAd => {
                let limit = |limit: TooMuch| NoAnswer::from(limit).about(name, record_type);
                work.ask().map_err(limit)?;
                state.trusting.hop(name, record_type).await
            }
        }
    }
}

/// Too many other look-ups are in progress for this one to get a place.
fn no_turn(asked: &Asked) -> NoAnswer {
    let failure = NoAnswer::new(LookupFailure::Timeout, Outage::NoTurn(TURN)).ours();
    match asked.question() {
        Ok((name, record_type)) => failure.about(&name, record_type),
        Err(_) => failure,
    }
}

/// Names that no server is asked about, because they cannot exist in the DNS: `.onion` (RFC 7686 §2), `.invalid` (RFC 6761
/// §6.4) and `localhost` (§6.3). `localhost` is not resolved to this machine either: it is often the host in a stranger's MX
/// record, to say that there is no mail service, and we would deliver to ourselves.
fn is_not_in_dns(name: &Name) -> bool {
    const OUTSIDE: [&[u8]; 3] = [b"onion", b"invalid", b"localhost"];
    name.iter()
        .next_back()
        .is_some_and(|last| OUTSIDE.iter().any(|outside| last.eq_ignore_ascii_case(outside)))
}
