//! The way of one look-up: the cache, the gate, aliases followed hop by hop, and one deadline around everything.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hickory_proto::op::Query;
use hickory_proto::rr::{Name, RData, RecordType};
use mail::{LookupFailure, Security};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::belief::{Belief, Doubt, State, Testing};
use crate::cache::TimedCache;
use crate::flight::Flights;
use crate::hop::{Finding, Hop};
use crate::record::{to_domain, to_name};
use crate::resolver::to_names;
use crate::trusting::Trusting;
use crate::upstream::{Asking, Upstream};
use crate::validate::Validator;
use crate::{Alias, Answer, Data, Lookup, Mode, ResolverConfig, ResolverError};

/// More aliases than this in a row are taken for a loop (RFC 7672 §2.1.3 asks for a limit and names none).
const MAX_ALIASES: usize = 12;
/// How long a failed look-up is not made again (RFC 2308 §7.1 allows five minutes; a mended zone shall be seen at once).
const FAILURE_LIFE: Duration = Duration::from_secs(5);
/// The longest that an answer is kept, however long its TTL.
const ANSWER_LIFE: Duration = Duration::from_hours(24);

type Key = (Name, RecordType);

/// Everything behind a [`crate::Resolver`].
pub(crate) struct Lookups {
    upstream: Arc<Upstream>,
    validator: Validator,
    trusting: Trusting,
    state: ArcSwap<State>,
    /// Whether a self-test is under way or about to begin. The first look-ups wait for its end.
    testing: watch::Sender<bool>,
    proving: Flights<(), Result<Security, LookupFailure>>,
    answers: TimedCache<Key, Lookup<RData>>,
    under_way: Flights<Key, Lookup<RData>>,
    doubt: Doubt,
    config: ResolverConfig,
}

impl Lookups {
    pub(crate) fn new(config: ResolverConfig) -> Self {
        let upstream = Arc::new(Upstream::new(config.servers.clone(), config.timeout));
        let anchors = config.trust_anchors.clone();
        Self {
            validator: Validator::new(Arc::clone(&upstream), anchors, config.cache_entries),
            trusting: Trusting::new(Arc::clone(&upstream)),
            upstream,
            state: ArcSwap::from_pointee(State {
                mode: config.mode,
                belief: Belief::Untested,
                insecure: to_names(&config.domain_insecure),
            }),
            testing: watch::Sender::new(false),
            proving: Flights::new(),
            answers: TimedCache::new(config.cache_entries),
            under_way: Flights::new(),
            doubt: Doubt::default(),
            config,
        }
    }

    pub(crate) fn mode(&self) -> Mode {
        self.state.load().mode
    }

    pub(crate) fn set_mode(&self, mode: Mode) -> Result<(), ResolverError> {
        let config = ResolverConfig {
            mode,
            ..self.config.clone()
        };
        config.check()?;
        self.change(|state| {
            if state.mode != mode {
                state.belief = Belief::Untested;
            }
            state.mode = mode;
        });
        Ok(())
    }

    pub(crate) fn expect_self_test(&self) {
        self.testing.send_replace(true);
    }

    /// A self-test is under way until the value is dropped.
    pub(crate) fn testing(&self) -> Testing<'_> {
        Testing::new(&self.testing)
    }

    pub(crate) fn judge(&self, belief: Belief) {
        self.change(|state| state.belief = belief);
    }

    /// Changes the state. Answers do not outlive the validator that they came from, nor its good name.
    fn change(&self, change: impl Fn(&mut State)) {
        let changed = |state: &Arc<State>| {
            let mut new = State::clone(state);
            change(&mut new);
            if (new.mode, new.belief) == (state.mode, state.belief) {
                Arc::clone(state)
            } else {
                Arc::new(new)
            }
        };
        let before = self.state.rcu(changed);
        let now = self.state.load();
        if before.mode != now.mode || before.is_refuted() != now.is_refuted() {
            self.answers.retain(|_, _| false);
        }
    }

    pub(crate) fn set_domain_insecure(&self, names: &[Name]) {
        let before = self.state.rcu(|state| State {
            insecure: names.to_vec(),
            ..State::clone(state)
        });
        let gone = before.insecure.iter().filter(|name| !names.contains(name));
        let new = names.iter().filter(|name| !before.insecure.contains(name));
        for name in gone.chain(new) {
            self.flush(name);
        }
        if before.mode == Mode::TrustAd {
            self.doubt.raise();
        }
    }

    pub(crate) fn has_domain_insecure(&self) -> bool {
        !self.state.load().insecure.is_empty()
    }

    pub(crate) fn flush(&self, name: &Name) {
        let below = |owner: &Name| name.zone_of(owner);
        self.answers.retain(|(owner, _), answer| {
            let mut aliases = answer.iter().flat_map(|answer| &answer.aliases);
            !below(owner) && !aliases.any(|alias| to_name(&alias.to).is_ok_and(|target| below(&target)))
        });
        self.validator.flush(name);
    }

    pub(crate) async fn doubted(&self) {
        self.doubt.arisen().await;
    }

    /// The answer, from the cache or from the servers.
    pub(crate) async fn lookup(&self, name: &Name, record_type: RecordType) -> Lookup<RData> {
        if self.state.load().is_refuted() {
            return Err(LookupFailure::Indeterminate);
        }
        let key = (name.clone(), record_type);
        if let Some((mut known, rest)) = self.answers.get(&key) {
            if let Ok(answer) = &mut known {
                answer.ttl = u32::try_from(rest.as_secs()).unwrap_or(u32::MAX);
            }
            return known;
        }
        self.under_way.share(&key, || self.ask(&key)).await
    }

    async fn ask(&self, key: &Key) -> Lookup<RData> {
        let start = Instant::now();
        let gate = timeout_at(start + self.config.timeout, self.gate()).await;
        let state = gate.unwrap_or(Err(LookupFailure::Timeout));
        let result = match &state {
            Ok(state) => self.follow(state, start, &key.0, key.1).await,
            Err(cause) => Err(cause.clone()),
        };
        self.doubt.note(result.is_err());
        let Ok(state) = state else { return result };
        let life = match &result {
            Ok(answer) => Duration::from_secs(answer.ttl.into()).min(ANSWER_LIFE),
            Err(_) => FAILURE_LIFE,
        };
        self.answers.insert(key.clone(), result.clone(), life);
        // Looked at after the insertion: whoever changes the state changes it first and clears the cache then.
        let now = self.state.load();
        if !Arc::ptr_eq(&state, &now) {
            self.answers.remove(key);
        }
        if now.is_refuted() {
            return Err(LookupFailure::Indeterminate);
        }
        result
    }

    /// The state to look up with, once it is known to be good for that.
    async fn gate(&self) -> Result<Arc<State>, LookupFailure> {
        if let Some(state) = self.settled()? {
            return Ok(state);
        }
        // It cannot fail: the other end is ours.
        let _ = self.testing.subscribe().wait_for(|testing| !testing).await;
        if let Some(state) = self.settled()? {
            return Ok(state);
        }
        let root = self.proving.share(&(), || self.trusting.root()).await;
        let belief = match root {
            Ok(Security::Secure) => Belief::Shown,
            Ok(Security::Insecure) => Belief::Refuted,
            // That the root is bogus is no statement about the name.
            Err(LookupFailure::Bogus) => return Err(LookupFailure::Indeterminate),
            Err(outage) => return Err(outage),
        };
        // A self-test that ended meanwhile knows more.
        self.change(|state| match state.belief {
            Belief::Untested => state.belief = belief,
            Belief::Shown | Belief::Refuted => {}
        });
        self.settled()?.ok_or(LookupFailure::Indeterminate)
    }

    /// The state, if it is good to look up with; nothing if that is not known yet.
    fn settled(&self) -> Result<Option<Arc<State>>, LookupFailure> {
        let state = self.state.load_full();
        match (state.mode, state.belief) {
            (Mode::Validate, _) | (Mode::TrustAd, Belief::Shown) => Ok(Some(state)),
            (Mode::TrustAd, Belief::Refuted) => Err(LookupFailure::Indeterminate),
            (Mode::TrustAd, Belief::Untested) => Ok(None),
        }
    }

    pub(crate) async fn root(&self) -> Result<Option<Security>, LookupFailure> {
        match self.mode() {
            Mode::TrustAd => self.trusting.root().await.map(Some),
            Mode::Validate if self.config.trust_anchors.zone_above(&Name::root()).is_none() => Ok(None),
            Mode::Validate => {
                let answer = self.fresh(&Name::root(), RecordType::SOA).await?;
                Ok(Some(answer.security))
            }
        }
    }

    /// The answer, past cache and gate.
    pub(crate) async fn fresh(&self, name: &Name, record_type: RecordType) -> Lookup<RData> {
        let state = self.state.load_full();
        self.follow(&state, Instant::now(), name, record_type).await
    }

    pub(crate) fn obstacle(&self) -> Option<String> {
        self.upstream.obstacle()
    }

    pub(crate) async fn signatures_arrive(&self) -> Result<bool, LookupFailure> {
        let question = Query::query(Name::root(), RecordType::DNSKEY);
        let message = self.upstream.exchange(&question, Asking::Unchecked).await?;
        Ok(message
            .answers
            .iter()
            .any(|record| record.record_type() == RecordType::RRSIG))
    }

    /// Follows aliases to the end. Each hop is looked up by itself, so each has its own status.
    async fn follow(
        &self,
        state: &State,
        start: Instant,
        name: &Name,
        record_type: RecordType,
    ) -> Lookup<RData> {
        let mut here = name.clone();
        let (mut security, mut ttl, mut aliases) = (Security::Secure, u32::MAX, Vec::<Alias>::new());
        while aliases.len() <= MAX_ALIASES {
            let hop = self.hop(state, &here, record_type);
            let hop = match timeout_at(start + self.config.timeout, hop).await {
                Ok(hop) => hop?,
                Err(_) => return Err(self.overdue(state, &here, start)),
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
                Finding::Records(records) => Data::Records(records),
                Finding::NoData => Data::NoData,
                Finding::NxDomain => Data::NxDomain,
            };
            return Ok(Answer {
                security,
                data,
                aliases,
                ttl,
            });
        }
        Err(LookupFailure::AliasLoop)
    }

    async fn hop(&self, state: &State, name: &Name, record_type: RecordType) -> Result<Hop, LookupFailure> {
        if is_onion(name) {
            return Ok(Hop {
                security: Security::Insecure,
                finding: Finding::NxDomain,
                ttl: u32::MAX,
            });
        }
        match state.mode {
            Mode::Validate if state.insecure.iter().any(|zone| zone.zone_of(name)) => {
                self.validator.unvalidated(name, record_type).await
            }
            Mode::Validate => self.validator.hop(name, record_type).await,
            Mode::TrustAd => self.trusting.hop(name, record_type).await,
        }
    }

    fn overdue(&self, state: &State, name: &Name, start: Instant) -> LookupFailure {
        match state.mode {
            Mode::Validate => self.validator.overdue(name, start),
            Mode::TrustAd => LookupFailure::Timeout,
        }
    }
}

/// RFC 7686 §2: these names are not DNS names and must not be asked about.
fn is_onion(name: &Name) -> bool {
    name.iter()
        .next_back()
        .is_some_and(|label| label.eq_ignore_ascii_case(b"onion"))
}
