//! The way of one look-up: the cache, the gate, aliases followed hop by hop, and one deadline around everything.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hickory_proto::op::Query;
use hickory_proto::rr::{Name, RData, RecordType};
use mail::{Domain, LookupFailure, Security};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::asked::{Asked, Found};
use crate::belief::{Belief, Doubt, State, Testing};
use crate::cache::TimedCache;
use crate::flight::Flights;
use crate::hop::{Finding, Hop};
use crate::outage::Outage;
use crate::record::{absolute, to_domain, to_name};
use crate::resolver::to_names;
use crate::self_test::Fault;
use crate::subtrees::Subtrees;
use crate::trusting::Trusting;
use crate::upstream::{Asking, Upstream};
use crate::validate::Validator;
use crate::{
    Alias, Answer, Data, Exchange, Lookup, Mode, NoAnswer, ResolverConfig, ResolverError, TrustAnchors,
};

/// More aliases than this in a row are taken for a loop (RFC 7672 §2.1.3 asks for a limit and names none).
const MAX_ALIASES: usize = 12;
/// How long a failed look-up is not made again (RFC 2308 §7.1 allows five minutes; a mended zone shall be seen at once).
const FAILURE_LIFE: Duration = Duration::from_secs(5);
/// The longest that an answer is kept, however long its TTL.
const ANSWER_LIFE: Duration = Duration::from_hours(24);

/// How an answer is kept and handed out.
type Kept = Result<Found, NoAnswer>;

/// Everything behind a [`crate::Resolver`].
pub(crate) struct Lookups {
    upstream: Arc<Upstream>,
    trusting: Trusting,
    state: ArcSwap<State>,
    /// Whether a self-test is under way or about to begin. The first look-ups wait for its end.
    testing: watch::Sender<bool>,
    proving: Flights<(), Result<Security, NoAnswer>>,
    answers: TimedCache<Asked, Kept>,
    under_way: Flights<Asked, Kept>,
    doubt: Doubt,
    config: ResolverConfig,
}

impl Lookups {
    pub(crate) fn new(config: ResolverConfig) -> Self {
        let upstream = Arc::new(Upstream::new(config.servers.clone(), config.timeout));
        let validator = Validator::new(
            Arc::clone(&upstream),
            config.trust_anchors.clone(),
            config.octets_of_keys(),
        );
        Self {
            trusting: Trusting::new(Arc::clone(&upstream)),
            upstream,
            state: ArcSwap::from_pointee(State {
                mode: config.mode,
                belief: Belief::Untested,
                insecure: to_names(&config.domain_insecure),
                validator: Arc::new(validator),
            }),
            testing: watch::Sender::new(false),
            proving: Flights::new(),
            answers: TimedCache::new(config.octets_of_answers()),
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
            self.answers.clear();
        }
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

    /// Whether they are others than before. Nothing that was found with those is kept.
    pub(crate) fn set_trust_anchors(&self, anchors: TrustAnchors) -> bool {
        if *self.state.load().validator.anchors() == anchors {
            return false;
        }
        // Keys, delegations and verdicts on signatures stay with the old one.
        let upstream = Arc::clone(&self.upstream);
        let validator = Arc::new(Validator::new(upstream, anchors, self.config.octets_of_keys()));
        self.state.rcu(|state| State {
            validator: Arc::clone(&validator),
            ..State::clone(state)
        });
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

    /// The hosts that the MX records of a name lead to, as far as an answer is kept.
    fn known_exchangers(&self, name: &Name) -> Vec<Name> {
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
                // A null MX (RFC 7505) names no host, and all names are below the root.
                Exchange::Root | Exchange::Address(_) => None,
            });
        hosts.collect()
    }

    pub(crate) async fn doubted(&self) {
        self.doubt.arisen().await;
    }

    /// The answer, from the cache or from the servers.
    pub(crate) async fn lookup(&self, asked: Asked) -> Kept {
        if self.state.load().is_refuted() {
            return Err(refuted());
        }
        if let Some((mut known, rest)) = self.answers.get(&asked) {
            if let Ok(found) = &mut known {
                found.set_ttl(u32::try_from(rest.as_secs()).unwrap_or(u32::MAX));
            }
            return known;
        }
        self.under_way.share(&asked, || self.ask(&asked)).await
    }

    async fn ask(&self, asked: &Asked) -> Kept {
        let start = Instant::now();
        let gate = timeout_at(start + self.config.timeout, self.gate()).await;
        let state = gate.unwrap_or_else(|_| Err(untested(LookupFailure::Timeout)));
        let result = match &state {
            Ok(state) => self.find(state, start, asked).await,
            Err(cause) => Err(cause.clone()),
        };
        self.doubt.note(result.is_err());
        let Ok(state) = state else { return result };
        let life = match &result {
            Ok(found) => Duration::from_secs(found.ttl().into()).min(ANSWER_LIFE),
            Err(_) => FAILURE_LIFE,
        };
        self.answers.insert(asked.clone(), result.clone(), life);
        // Looked at after the insertion: whoever changes the state changes it first and clears the cache then.
        let now = self.state.load();
        if !Arc::ptr_eq(&state, &now) {
            self.answers.remove(asked);
        }
        if now.is_refuted() {
            return Err(refuted());
        }
        result
    }

    async fn find(&self, state: &State, start: Instant, asked: &Asked) -> Kept {
        let (name, record_type) = asked.question()?;
        let answer = self.follow(state, start, &name, record_type).await?;
        asked
            .read(answer)
            .map_err(|failure| failure.about(&name, record_type))
    }

    /// The state to look up with, once it is known to be good for that.
    async fn gate(&self) -> Result<Arc<State>, NoAnswer> {
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
            Err(failure) if failure.cause.is_bogus() => {
                return Err(failure.ours().called(LookupFailure::Indeterminate));
            }
            Err(outage) => return Err(outage.ours()),
        };
        // A self-test that ended meanwhile knows more.
        self.change(|state| match state.belief {
            Belief::Untested => state.belief = belief,
            Belief::Shown | Belief::Refuted => {}
        });
        self.settled()?
            .ok_or_else(|| untested(LookupFailure::Indeterminate))
    }

    /// The state, if it is good to look up with; nothing if that is not known yet.
    fn settled(&self) -> Result<Option<Arc<State>>, NoAnswer> {
        let state = self.state.load_full();
        match (state.mode, state.belief) {
            (Mode::Validate, _) | (Mode::TrustAd, Belief::Shown) => Ok(Some(state)),
            (Mode::TrustAd, Belief::Refuted) => Err(refuted()),
            (Mode::TrustAd, Belief::Untested) => Ok(None),
        }
    }

    pub(crate) async fn root(&self) -> Result<Option<Security>, NoAnswer> {
        match self.mode() {
            Mode::TrustAd => self.trusting.root().await.map(Some),
            Mode::Validate if !self.state.load().validator.reaches(&Name::root()) => Ok(None),
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
        let reply = self.upstream.exchange(&question, Asking::Unchecked).await;
        let reply = reply.map_err(|failure| failure.cause)?;
        Ok(reply
            .message
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
                Err(_) => {
                    let late = overdue(state, &here, start, self.config.timeout);
                    return Err(late.about(&here, record_type));
                }
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
            });
        }
        let lost = NoAnswer::new(LookupFailure::AliasLoop, Outage::Aliases(MAX_ALIASES));
        Err(lost.about(&here, record_type))
    }

    async fn hop(&self, state: &State, name: &Name, record_type: RecordType) -> Result<Hop, NoAnswer> {
        if is_not_in_dns(name) {
            return Ok(Hop {
                security: Security::Insecure,
                finding: Finding::NxDomain,
                ttl: 0,
            });
        }
        match state.mode {
            Mode::Validate if state.insecure.iter().any(|zone| zone.zone_of(name)) => {
                state.validator.unvalidated(name, record_type).await
            }
            Mode::Validate => state.validator.hop(name, record_type).await,
            Mode::TrustAd => self.trusting.hop(name, record_type).await,
        }
    }
}

fn overdue(state: &State, name: &Name, start: Instant, patience: Duration) -> NoAnswer {
    let late = || NoAnswer::new(LookupFailure::Timeout, Outage::Overdue(patience));
    match state.mode {
        Mode::Validate => state.validator.overdue(name, start).unwrap_or_else(late),
        Mode::TrustAd => late(),
    }
}

/// The resolver that is to be believed does not validate.
fn refuted() -> NoAnswer {
    let fault = Outage::SelfTest(Box::new(Fault::NotValidating));
    NoAnswer::new(LookupFailure::Indeterminate, fault).ours()
}

/// Nothing is known of it yet.
fn untested(cause: LookupFailure) -> NoAnswer {
    NoAnswer::new(cause, Outage::NotYetTested).ours()
}

/// Names that nobody is asked about, because nothing in the DNS can stand there: `.onion` (RFC 7686 §2), `.invalid` (RFC 6761
/// §6.4) and `localhost` (§6.3). The last does not lead to this machine either: as the host of a stranger's MX record, where it
/// often says that there is no mail service, it would have us deliver to ourselves.
fn is_not_in_dns(name: &Name) -> bool {
    const OUTSIDE: [&[u8]; 3] = [b"onion", b"invalid", b"localhost"];
    name.iter()
        .next_back()
        .is_some_and(|last| OUTSIDE.iter().any(|outside| last.eq_ignore_ascii_case(outside)))
}
