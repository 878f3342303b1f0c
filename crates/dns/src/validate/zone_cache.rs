//! What was found out about zones and delegations on the way to an answer, each kept for its time.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use hickory_proto::rr::{Name, RecordType};
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::NoAnswer;
use crate::budget::Work;
use crate::cache::{Octets, TimedCache};
use crate::flight::Flights;
use crate::subtrees::Subtrees;

/// How long something that gave no answer is not asked for again: long enough to spare the server, short enough to notice
/// the repair.
const FAILURE_LIFE: Duration = Duration::from_secs(2);
/// The longest that anything is kept, however long its TTL.
const LONGEST: Duration = Duration::from_hours(1);
/// How many failures are remembered; beyond that the oldest are dropped.
const FAILURES: usize = 1024;

/// Something and how long it holds.
pub(super) type Found<V> = Result<(V, Duration), NoAnswer>;

/// What follows from the records of one type, for many names.
pub(super) struct ZoneCache<V> {
    record_type: RecordType,
    known: TimedCache<Name, V>,
    under_way: Flights<Name, Result<(V, Duration), Failed>>,
    failures: Mutex<HashMap<Name, (Instant, NoAnswer)>>,
}

#[derive(Clone)]
struct Failed {
    cause: NoAnswer,
    /// It failed because its caller's budget was used up, which says nothing about what was asked.
    is_over: bool,
}

impl<V: Clone + Octets> ZoneCache<V> {
    /// At most so many octets of them.
    pub(super) fn new(record_type: RecordType, octets: usize) -> Self {
        Self {
            record_type,
            known: TimedCache::new(octets),
            under_way: Flights::new(),
            failures: Mutex::default(),
        }
    }

    /// What is known about a name and for how long; otherwise calls `find`.
    pub(super) async fn get<F: Future<Output = Found<V>>>(
        &self,
        name: &Name,
        work: &Work,
        find: impl Fn() -> F,
    ) -> Found<V> {
        loop {
            if let Some(known) = self.known.get(name) {
                return Ok(known);
            }
            if let Some(cause) = self.failed_lately(name) {
                return Err(cause);
            }
            let find = || async {
                let is_over = |cause| Failed {
                    cause,
                    is_over: work.is_over(),
                };
                find().await.map_err(is_over)
            };
            work.awaits(name, self.record_type);
            let found = self.under_way.share(name, find).await;
            work.goes_on();
            match found {
                Ok((value, life)) => {
                    let life = life.min(LONGEST);
                    self.known.insert(name.clone(), value.clone(), life);
                    return Ok((value, life));
                }
                // The limit was another's.
                Err(failed) if failed.is_over && !work.is_over() => {}
                Err(failed) => {
                    // A wrong answer may be corrected the next moment; only servers that do not answer cost time.
                    if !failed.is_over && !failed.cause.cause.is_bogus() {
                        self.note_failure(name, &failed.cause);
                    }
                    return Err(failed.cause);
                }
            }
        }
    }

    pub(super) fn forget(&self, name: &Name) {
        self.known.remove(name);
    }

    /// Drops everything about these names, the names above and below them, and all failures.
    pub(super) fn flush(&self, trees: &Subtrees) {
        let concerns = |owner: &Name| trees.reach_down_to(owner) || trees.reach_up_to(owner);
        self.known.retain(|owner, _| !concerns(owner));
        self.failures().clear();
    }

    fn failed_lately(&self, name: &Name) -> Option<NoAnswer> {
        let failures = self.failures();
        failures
            .get(name)
            .filter(|(at, _)| at.elapsed() < FAILURE_LIFE)
            .map(|(_, cause)| cause.clone())
    }

    fn note_failure(&self, name: &Name, cause: &NoAnswer) {
        let mut failures = self.failures();
        if failures.len() >= FAILURES {
            failures.retain(|_, (at, _)| at.elapsed() < FAILURE_LIFE);
        }
        if failures.len() < FAILURES {
            failures.insert(name.clone(), (Instant::now(), cause.clone()));
        }
    }

    fn failures(&self) -> MutexGuard<'_, HashMap<Name, (Instant, NoAnswer)>> {
        self.failures.lock()
    }
}
