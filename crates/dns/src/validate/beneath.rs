//! What lies beneath the validation: the upstream, its answers cut down to what the question is about, and the keys and
//! delegations fetched on the way to an answer, each kept for its time. Keys that are not proved to be the zone's own do not get
//! any further ([`keyset`](super::keyset)).

use std::cell::Cell;
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, Stream};
use hickory_net::NetError;
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::xfer::DnsHandle;
use hickory_proto::dnssec::rdata::DNSKEY;
use hickory_proto::op::{DnsRequest, DnsResponse, Message, Query};
use hickory_proto::rr::{Name, RecordType};
use mail::LookupFailure;
use tokio::time::Instant;

use crate::cache::TimedCache;
use crate::flight::Flights;
use crate::hop::is_answer;
use crate::subtrees::Subtrees;
use crate::upstream::{Asking, Upstream};
use crate::{NoAnswer, TrustAnchors};

use super::keyset::{delegation, is_named, signed_for};
use super::prune::pruned;

/// How long a failed inner question is not asked again: long enough to spare the server, short enough to see it mended.
const FAILURE_LIFE: Duration = Duration::from_secs(2);
/// The longest that keys and delegations are kept, however long their TTL.
const KEY_LIFE: Duration = Duration::from_hours(1);
/// How many failures are remembered; beyond that the old ones go.
const FAILURES: usize = 1024;

/// How many questions the library may have for one that we have. A name five zones down with two signatures on everything, as
/// while algorithms change, takes a hundred: each signature has it look for the keys, and up from there.
const QUESTIONS: usize = 256;

tokio::task_local! {
    /// The questions that the library had so far.
    static ASKED: Cell<usize>;
}

type Key = (Name, RecordType);

/// Clones share everything.
#[derive(Clone)]
pub(super) struct Beneath(Arc<Shared>);

struct Shared {
    upstream: Arc<Upstream>,
    anchors: TrustAnchors,
    kept: TimedCache<Key, Arc<Message>>,
    under_way: Flights<Key, Result<Arc<Message>, NoAnswer>>,
    failures: Mutex<HashMap<Key, (Instant, NoAnswer)>>,
}

impl Beneath {
    pub(super) fn new(upstream: Arc<Upstream>, anchors: TrustAnchors, octets: usize) -> Self {
        let kept = TimedCache::new(octets);
        Self(Arc::new(Shared {
            upstream,
            anchors,
            kept,
            under_way: Flights::new(),
            failures: Mutex::default(),
        }))
    }

    pub(super) fn anchors(&self) -> &TrustAnchors {
        &self.0.anchors
    }

    /// One question, its answer pruned, and without keys where they are not proved to be the zone's. Keys and delegations come
    /// from the cache where they are known.
    pub(super) async fn fetch(&self, question: &Query) -> Result<Arc<Message>, NoAnswer> {
        let key = (question.name().clone(), question.query_type());
        if !matches!(key.1, RecordType::DNSKEY | RecordType::DS) {
            return self.ask(question).await;
        }
        if let Some((known, _)) = self.0.kept.get(&key) {
            return Ok(known);
        }
        if let Some(cause) = self.failed_lately(&key) {
            return Err(cause);
        }
        let answer = match key.1 {
            RecordType::DNSKEY => self.0.under_way.share(&key, || self.ask_for_keys(question)).await,
            _ => self.0.under_way.share(&key, || self.ask(question)).await,
        };
        match &answer {
            Ok(message) => self.0.kept.insert(key, Arc::clone(message), life(message)),
            Err(cause) => self.note_failure(key, cause.clone()),
        }
        answer
    }

    /// The keys of a zone, for as long as their signature is good, and what names the keys that made it.
    async fn ask_for_keys(&self, question: &Query) -> Result<Arc<Message>, NoAnswer> {
        let zone = question.name();
        let mut message = self.ask(question).await?;
        let (are_proved, longest) = self.proof_of_keys(&message, zone).await?;
        let longest = u32::try_from(longest.as_secs()).unwrap_or(u32::MAX);
        let answer = Arc::make_mut(&mut message);
        if !are_proved {
            answer
                .answers
                .retain(|record| record.record_type() != RecordType::DNSKEY);
        }
        for record in answer.answers.iter_mut().chain(&mut answer.authorities) {
            record.ttl = record.ttl.min(longest);
        }
        Ok(message)
    }

    /// Whether the keys in a message are the zone's, and for how long that stands. That there is no delegation stands as long as
    /// its absence; that a signature is missing or wrong may be mended the next moment.
    async fn proof_of_keys(&self, message: &Message, zone: &Name) -> Result<(bool, Duration), NoAnswer> {
        let anchored = |key: &DNSKEY| self.anchors().vouch_for(zone, key);
        if let Some(signed) = signed_for(message, zone, anchored) {
            return Ok((true, signed));
        }
        if zone.is_root() {
            return Ok((false, Duration::ZERO));
        }
        let above = Query::query(zone.clone(), RecordType::DS);
        let named = Box::pin(self.fetch(&above)).await?;
        let known = self.0.kept.get(&(zone.clone(), RecordType::DS));
        let rest = known.map_or(Duration::ZERO, |(_, rest)| rest);
        let delegation = delegation(&named, zone);
        if delegation.is_empty() {
            return Ok((false, rest));
        }
        Ok(
            match signed_for(message, zone, |key| is_named(key, zone, &delegation)) {
                Some(signed) => (true, signed.min(rest)),
                None => (false, Duration::ZERO),
            },
        )
    }

    /// One question to the servers themselves, its answer pruned.
    pub(super) async fn ask(&self, question: &Query) -> Result<Arc<Message>, NoAnswer> {
        let reply = self.0.upstream.exchange(question, Asking::Unchecked).await?;
        if is_answer(&reply.message, question) {
            Ok(Arc::new(pruned(reply.message, question)))
        } else {
            Err(reply.failure(question))
        }
    }

    /// Why a key or delegation on the way to a name could not be fetched since `start`, or shortly before, if that is so.
    pub(super) fn failed_on_the_way(&self, name: &Name, start: Instant) -> Option<NoAnswer> {
        let failures = self.failures();
        let missing = failures
            .iter()
            .find(|((owner, _), (at, _))| owner.zone_of(name) && *at + FAILURE_LIFE >= start);
        missing.map(|(_, (_, failure))| failure.clone())
    }

    /// Drops the keys and delegations above a name that turned out bogus: what is forged or just being rolled must not stick.
    pub(super) fn forget_way_to(&self, name: &Name) {
        self.0.kept.retain(|(owner, _), _| !owner.zone_of(name));
    }

    /// Drops everything about these names, what is above and what is below them, and all failures.
    pub(super) fn flush(&self, trees: &Subtrees) {
        let concerns = |owner: &Name| trees.reach_down_to(owner) || trees.reach_up_to(owner);
        self.0.kept.retain(|(owner, _), _| !concerns(owner));
        self.failures().clear();
    }

    fn failed_lately(&self, key: &Key) -> Option<NoAnswer> {
        let failures = self.failures();
        failures
            .get(key)
            .filter(|(at, _)| at.elapsed() < FAILURE_LIFE)
            .map(|(_, cause)| cause.clone())
    }

    fn note_failure(&self, key: Key, cause: NoAnswer) {
        let mut failures = self.failures();
        if failures.len() >= FAILURES {
            failures.retain(|_, (at, _)| at.elapsed() < FAILURE_LIFE);
        }
        if failures.len() < FAILURES {
            failures.insert(key, (Instant::now(), cause));
        }
    }

    fn failures(&self) -> MutexGuard<'_, HashMap<Key, (Instant, NoAnswer)>> {
        self.0.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs what the library does for one question, which ends in failure where whoever answers makes it too much: signatures that
/// lead nowhere, at each step of a long way, would multiply.
pub(super) async fn bounded<F: Future>(task: F) -> F::Output {
    ASKED.scope(Cell::new(0), task).await
}

fn is_too_much() -> bool {
    ASKED
        .try_with(|asked| asked.replace(asked.get().saturating_add(1)) >= QUESTIONS)
        .unwrap_or(false)
}

impl DnsHandle for Beneath {
    type Response = Pin<Box<dyn Stream<Item = Result<DnsResponse, NetError>> + Send>>;
    type Runtime = TokioRuntimeProvider;

    fn send(&self, request: DnsRequest) -> Self::Response {
        let (beneath, question) = (self.clone(), request.queries.first().cloned());
        // Validated questions carry AD. One without is the library's own search for zone cuts by NS records, which are unsigned
        // at a cut; where a zone ends we prove from the top (`Validator::standing`), so there is nothing to be asked.
        let own_search = !request.metadata.authentic_data;
        let is_too_much = is_too_much();
        Box::pin(stream::once(async move {
            if is_too_much {
                return Err(NetError::Message("too many signatures lead nowhere"));
            }
            let question = question.ok_or(NetError::Message("a request without a question"))?;
            if own_search {
                let mut nothing = Message::query();
                nothing.add_query(question);
                return Ok(DnsResponse::from_message(nothing.into_response())?);
            }
            let message = beneath.fetch(&question).await.map_err(into_library)?;
            Ok(DnsResponse::from_message(Message::clone(&message))?)
        }))
    }
}

/// One of our failures on its way through the library, which hands errors on as they are.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Carried(NoAnswer);

fn into_library(cause: NoAnswer) -> NetError {
    NetError::Io(Arc::new(io::Error::other(Carried(cause))))
}

/// The failure behind an error of the library. What is not ours is its refusal to read a message.
pub(super) fn out_of_library(error: &NetError) -> NoAnswer {
    match error {
        NetError::Io(error) => {
            let carried = error.get_ref().and_then(|inner| inner.downcast_ref::<Carried>());
            carried.map_or_else(|| LookupFailure::Timeout.into(), |carried| carried.0.clone())
        }
        NetError::Timeout => LookupFailure::Timeout.into(),
        _ => LookupFailure::Malformed.into(),
    }
}

/// How long an answer about keys may be kept: its shortest TTL.
fn life(message: &Message) -> Duration {
    let shortest = message
        .answers
        .iter()
        .chain(&message.authorities)
        .map(|record| record.ttl)
        .min();
    Duration::from_secs(shortest.unwrap_or(0).into()).min(KEY_LIFE)
}
