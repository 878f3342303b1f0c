//! What lies beneath the validation: the upstream, its answers cut down to what the question is about, and the keys and
//! delegations fetched on the way to an answer, each kept for its time.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, Stream};
use hickory_net::NetError;
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::xfer::DnsHandle;
use hickory_proto::op::{DnsRequest, DnsResponse, Message, Query};
use hickory_proto::rr::{Name, RecordType};
use mail::LookupFailure;
use tokio::time::Instant;

use crate::cache::TimedCache;
use crate::flight::Flights;
use crate::hop::{failure_of, is_answer};
use crate::upstream::{Asking, Upstream};

use super::prune::pruned;

/// How long a failed inner question is not asked again: long enough to spare the server, short enough to see it mended.
const FAILURE_LIFE: Duration = Duration::from_secs(2);
/// The longest that keys and delegations are kept, however long their TTL.
const KEY_LIFE: Duration = Duration::from_hours(1);
/// How many failures are remembered; beyond that the old ones go.
const FAILURES: usize = 1024;

type Key = (Name, RecordType);

/// Clones share everything.
#[derive(Clone)]
pub(super) struct Beneath(Arc<Shared>);

struct Shared {
    upstream: Arc<Upstream>,
    kept: TimedCache<Key, Arc<Message>>,
    under_way: Flights<Key, Result<Arc<Message>, LookupFailure>>,
    failures: Mutex<HashMap<Key, (Instant, LookupFailure)>>,
}

impl Beneath {
    pub(super) fn new(upstream: Arc<Upstream>, capacity: usize) -> Self {
        let kept = TimedCache::new(capacity);
        Self(Arc::new(Shared {
            upstream,
            kept,
            under_way: Flights::new(),
            failures: Mutex::default(),
        }))
    }

    /// One question, its answer pruned. Keys and delegations come from the cache where they are known.
    pub(super) async fn fetch(&self, question: &Query) -> Result<Arc<Message>, LookupFailure> {
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
        let answer = self.0.under_way.share(&key, || self.ask(question)).await;
        match &answer {
            Ok(message) => self.0.kept.insert(key, Arc::clone(message), life(message)),
            Err(cause) => self.note_failure(key, cause.clone()),
        }
        answer
    }

    async fn ask(&self, question: &Query) -> Result<Arc<Message>, LookupFailure> {
        let message = self.0.upstream.exchange(question, Asking::Unchecked).await?;
        if is_answer(&message) {
            Ok(Arc::new(pruned(message, question)))
        } else {
            Err(failure_of(message.metadata.response_code))
        }
    }

    /// Whether a key or delegation on the way to a name could not be fetched since `start`, or shortly before.
    pub(super) fn failed_on_the_way(&self, name: &Name, start: Instant) -> bool {
        let failures = self.failures();
        failures
            .iter()
            .any(|((owner, _), (at, _))| owner.zone_of(name) && *at + FAILURE_LIFE >= start)
    }

    /// Drops the keys and delegations above a name that turned out bogus: what is forged or just being rolled must not stick.
    pub(super) fn forget_way_to(&self, name: &Name) {
        self.0.kept.retain(|(owner, _), _| !owner.zone_of(name));
    }

    /// Drops everything about a name and what is below it, and all failures.
    pub(super) fn flush(&self, name: &Name) {
        self.0
            .kept
            .retain(|(owner, _), _| !name.zone_of(owner) && !owner.zone_of(name));
        self.failures().clear();
    }

    fn failed_lately(&self, key: &Key) -> Option<LookupFailure> {
        let failures = self.failures();
        failures
            .get(key)
            .filter(|(at, _)| at.elapsed() < FAILURE_LIFE)
            .map(|(_, cause)| cause.clone())
    }

    fn note_failure(&self, key: Key, cause: LookupFailure) {
        let mut failures = self.failures();
        if failures.len() >= FAILURES {
            failures.retain(|_, (at, _)| at.elapsed() < FAILURE_LIFE);
        }
        if failures.len() < FAILURES {
            failures.insert(key, (Instant::now(), cause));
        }
    }

    fn failures(&self) -> MutexGuard<'_, HashMap<Key, (Instant, LookupFailure)>> {
        self.0.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DnsHandle for Beneath {
    type Response = Pin<Box<dyn Stream<Item = Result<DnsResponse, NetError>> + Send>>;
    type Runtime = TokioRuntimeProvider;

    fn send(&self, request: DnsRequest) -> Self::Response {
        let (beneath, question) = (self.clone(), request.queries.first().cloned());
        // Validated questions carry AD. One without is the library's own search for zone cuts by NS records, which are unsigned
        // at a cut; where a zone ends we prove from the top (`Validator::standing`), so there is nothing to be asked.
        let own_search = !request.metadata.authentic_data;
        Box::pin(stream::once(async move {
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
struct Carried(LookupFailure);

fn into_library(cause: LookupFailure) -> NetError {
    NetError::Io(Arc::new(io::Error::other(Carried(cause))))
}

/// The failure behind an error of the library. What is not ours is its refusal to read a message.
pub(super) fn out_of_library(error: &NetError) -> LookupFailure {
    match error {
        NetError::Io(error) => {
            let carried = error.get_ref().and_then(|inner| inner.downcast_ref::<Carried>());
            carried.map_or(LookupFailure::Timeout, |carried| carried.0.clone())
        }
        NetError::Timeout => LookupFailure::Timeout,
        _ => LookupFailure::Malformed,
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
