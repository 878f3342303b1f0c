//! The policy of a destination: from the cache, or fetched (RFC 8461 §3.3, §5.1).
//!
//! For each domain there is one fetch at a time, whatever ids it publishes meanwhile, for which all wait who need it; one that
//! failed is not tried again for five minutes. Nobody waits longer than [`PATIENCE`], and a domain's slow policy host delays
//! nobody else's mail.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mail::event::mta_sts::MtaSts;
use mail::{Clock, Domain, Event, EventLog};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout_at};

use crate::cache::{Cache, Limits};
use crate::entry::Entry;
use crate::failure::{FetchFailure, Trouble};
use crate::journal::{Change, Journal};
use crate::record::{PolicyId, published, record_name};
use crate::sources::{Fetch, TxtLookup};
use crate::writer::Writer;

/// The most that a fetch takes, with everything (RFC 8461 §3.3 suggests a minute).
pub const PATIENCE: Duration = Duration::from_mins(1);
/// After a fetch that failed, the same id is not fetched again for this time (RFC 8461 §3.3).
pub const PAUSE: Duration = Duration::from_mins(5);
/// After so many fetches that failed within [`PAUSE`], no other id of the domain is fetched either: a domain that makes up
/// ids must not take the places of others.
const IDS: u8 = 2;
/// The most fetches at once, because each takes a socket. Others wait for their turn, for half of [`PATIENCE`].
const FETCHES: usize = 64;
/// The most failures remembered. Beyond, the oldest is forgotten, and its host asked again.
const FAILURES: usize = 10_000;

/// What is known about a destination's policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    /// The policy that applies: the live one, or the one in the cache.
    pub entry: Option<Entry>,
    /// Why the live one is not known.
    pub trouble: Option<Trouble>,
}

/// What policies come from, and who is told of failures.
#[derive(Clone)]
pub struct Sources {
    /// Looks up records.
    pub txt: Arc<dyn TxtLookup>,
    /// Fetches policies.
    pub fetch: Arc<dyn Fetch>,
    /// Says by when they end.
    pub clock: Arc<dyn Clock>,
    /// Where failures are told.
    pub events: Arc<dyn EventLog>,
}

/// The policies of all destinations. Clones share everything.
#[derive(Clone)]
pub struct Policies(Arc<Shared>);

struct Shared {
    sources: Sources,
    state: Arc<Mutex<State>>,
    places: Semaphore,
    writer: Option<Writer>,
}

struct State {
    cache: Cache,
    under_way: HashMap<Domain, watch::Receiver<Option<Fetched>>>,
    failed: HashMap<Domain, Failed>,
}

type Fetched = Result<Entry, FetchFailure>;

/// The last fetch of a domain that failed.
struct Failed {
    id: PolicyId,
    at: Instant,
    /// How many have failed in a row, each within [`PAUSE`] of the one before.
    times: u8,
    failure: FetchFailure,
}

impl State {
    fn new(cache: Cache) -> Self {
        Self {
            cache,
            under_way: HashMap::new(),
            failed: HashMap::new(),
        }
    }

    /// Why this id is not fetched now, if it is not: it failed not long ago, or too many of the domain did.
    fn failed(&self, domain: &Domain, id: &PolicyId) -> Option<FetchFailure> {
        let failed = self.failed.get(domain)?;
        let is_paused = failed.id == *id || failed.times >= IDS;
        (is_paused && failed.at.elapsed() < PAUSE).then(|| failed.failure.clone())
    }

    fn note_failure(&mut self, domain: &Domain, id: PolicyId, failure: FetchFailure) {
        let before = self.failed.get(domain);
        let before = before.filter(|before| before.at.elapsed() < PAUSE);
        let failed = Failed {
            id,
            at: Instant::now(),
            times: before.map_or(1, |before| before.times.saturating_add(1)),
            failure,
        };
        if self.failed.len() >= FAILURES {
            self.failed.retain(|_, failed| failed.at.elapsed() < PAUSE);
        }
        if self.failed.len() >= FAILURES {
            self.forget_oldest_failures();
        }
        self.failed.insert(domain.clone(), failed);
    }

    /// Many at once: each time takes a look at all.
    fn forget_oldest_failures(&mut self) {
        let mut times: Vec<Instant> = self.failed.values().map(|failed| failed.at).collect();
        let (_, last, _) = times.select_nth_unstable(FAILURES / 8);
        let last = *last;
        self.failed.retain(|_, failed| failed.at > last);
    }
}

impl Policies {
    /// Keeps policies in memory only.
    pub fn in_memory(sources: Sources, limits: Limits) -> Self {
        let state = Arc::new(Mutex::new(State::new(Cache::new(limits))));
        Self::new(sources, state, None)
    }

    /// Reads the policies that are kept in this file, and keeps them there.
    pub fn open(sources: Sources, limits: Limits, path: &Path) -> io::Result<Self> {
        let (journal, cache) = Journal::open(path, limits, sources.clock.now())?;
        let state = Arc::new(Mutex::new(State::new(cache)));
        let (kept, clock) = (Arc::clone(&state), Arc::clone(&sources.clock));
        let whole = move || kept.lock().cache.valid(clock.now());
        let writer = Writer::start(journal, whole, Arc::clone(&sources.events))?;
        Ok(Self::new(sources, state, Some(writer)))
    }

    /// Reads the policies that are kept in this file, and changes nothing there.
    pub fn of_file(sources: Sources, limits: Limits, path: &Path) -> io::Result<Self> {
        let cache = Journal::read(path, limits, sources.clock.now())?;
        Ok(Self::new(sources, Arc::new(Mutex::new(State::new(cache))), None))
    }

    fn new(sources: Sources, state: Arc<Mutex<State>>, writer: Option<Writer>) -> Self {
        Self(Arc::new(Shared {
            sources,
            state,
            places: Semaphore::new(FETCHES),
            writer,
        }))
    }

    /// The policy of a destination. It makes one look-up, which DNS caches; only for a published id that is not in the
    /// cache, or is to be renewed, it waits for a fetch as well.
    pub async fn discover(&self, domain: &Domain) -> Discovery {
        let published = self.published(domain).await;
        let (cached, is_renewed) = self.known(domain);
        let (id, trouble) = match published {
            Ok(id) => (id, None),
            Err(trouble) => (None, Some(trouble)),
        };
        // Losing the record does not remove the policy (RFC 8461 §3.1).
        let is_new = |id: &PolicyId| cached.as_ref().is_none_or(|entry| is_renewed || entry.id != *id);
        let Some(id) = id.filter(is_new) else {
            return Discovery {
                entry: cached,
                trouble,
            };
        };
        match self.fetch(domain, &id).await {
            Ok(entry) => Discovery {
                entry: Some(entry),
                trouble: None,
            },
            Err(failure) => Discovery {
                entry: self.cached(domain),
                trouble: Some(failure.into()),
            },
        }
    }

    /// The policy of a domain that is in the cache.
    pub fn cached(&self, domain: &Domain) -> Option<Entry> {
        self.0.state.lock().cache.get(domain, self.0.sources.clock.now())
    }

    /// The same, and whether it is to be fetched again whatever its id.
    fn known(&self, domain: &Domain) -> (Option<Entry>, bool) {
        let mut state = self.0.state.lock();
        let cached = state.cache.get(domain, self.0.sources.clock.now());
        (cached, state.cache.is_to_be_renewed(domain))
    }

    /// How many policies are in the cache, those included that have ended and were not dropped yet.
    pub fn len(&self) -> usize {
        self.0.state.lock().cache.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets the policies of a name and of all below it, and which fetches failed.
    pub fn flush(&self, name: &Domain) {
        self.forget(|domain| above(domain.as_str()).any(|above| above == name.as_str()));
    }

    /// The policies of these names and of all below them are fetched again when there is mail, whatever failed before. Until
    /// that succeeds, those in the cache count: who can stop a fetch must not get rid of a policy by that.
    pub fn renew_each(&self, names: &[Domain]) {
        let names: HashSet<&str> = names.iter().map(Domain::as_str).collect();
        self.renew(|domain| above(domain.as_str()).any(|name| names.contains(name)));
    }

    /// The same for all.
    pub fn renew_all(&self) {
        self.renew(|_| true);
    }

    fn renew(&self, is_meant: impl Fn(&Domain) -> bool) {
        let mut state = self.0.state.lock();
        state.cache.renew(&is_meant);
        state.failed.retain(|domain, _| !is_meant(domain));
    }

    /// Forgets all policies.
    pub fn flush_all(&self) {
        self.forget(|_| true);
    }

    fn forget(&self, is_meant: impl Fn(&Domain) -> bool) {
        let mut state = self.0.state.lock();
        let meant = state.cache.entries().map(|entry| &entry.domain);
        let meant: Vec<Domain> = meant.filter(|domain| is_meant(domain)).cloned().collect();
        state.cache.retain(|entry| !is_meant(&entry.domain));
        state.failed.retain(|domain, _| !is_meant(domain));
        drop(state);
        if let Some(writer) = &self.0.writer {
            writer.write_all(meant.into_iter().map(Change::Dropped));
        }
    }

    /// The id that is published; `None` if nothing is.
    pub(crate) async fn published(&self, domain: &Domain) -> Result<Option<PolicyId>, Trouble> {
        let Some(name) = record_name(domain) else {
            return Ok(None);
        };
        let records = self.0.sources.txt.txt(&name).await.map_err(Trouble::Lookup)?;
        Ok(published(&records)?)
    }

    pub(crate) fn sources(&self) -> &Sources {
        &self.0.sources
    }

    /// What should be fetched again now, first what ends first.
    pub(crate) fn due(&self) -> Vec<Entry> {
        let now = self.0.sources.clock.now();
        let state = self.0.state.lock();
        let due = state.cache.entries().filter(|entry| entry.is_due(now));
        let mut due: Vec<Entry> = due.cloned().collect();
        drop(state);
        due.sort_by_cached_key(Entry::ends);
        due
    }

    /// The policy with this id, from a new fetch; or what a fetch for the domain brings that is under way: the policy host
    /// knows of no ids.
    pub(crate) async fn fetch(&self, domain: &Domain, id: &PolicyId) -> Fetched {
        let mut under_way = {
            let mut state = self.0.state.lock();
            if let Some(failure) = state.failed(domain, id) {
                return Err(failure);
            }
            if let Some(under_way) = state.under_way.get(domain) {
                under_way.clone()
            } else {
                let (done, under_way) = watch::channel(None);
                state.under_way.insert(domain.clone(), under_way.clone());
                // A task of its own: it goes on if who asked first gives up.
                let key = (domain.clone(), id.clone());
                tokio::spawn(Arc::clone(&self.0).run(key, done));
                under_way
            }
        };
        let fetched = under_way.wait_for(Option::is_some).await;
        let fetched = fetched.ok().and_then(|fetched| fetched.clone());
        fetched.unwrap_or_else(|| Err(FetchFailure::Broken("the fetch was given up".to_owned())))
    }
}

impl Shared {
    async fn run(self: Arc<Self>, key: (Domain, PolicyId), done: watch::Sender<Option<Fetched>>) {
        // Whatever happens, the next one who asks must not wait for this task.
        let _over = Over {
            shared: &self,
            domain: &key.0,
        };
        let fetched = self.fetch(&key.0).await.map(|policy| Entry {
            domain: key.0.clone(),
            id: key.1.clone(),
            fetched: self.sources.clock.now(),
            policy: Arc::new(policy),
        });
        self.note(&key, &fetched);
        done.send_replace(Some(fetched));
    }

    async fn fetch(&self, domain: &Domain) -> Result<crate::Policy, FetchFailure> {
        let last = Instant::now() + PATIENCE;
        // With little of the time left, nothing could be said about the host.
        let place = timeout_at(last - PATIENCE / 2, self.places.acquire()).await;
        let _place = place.ok().and_then(Result::ok).ok_or(FetchFailure::Busy)?;
        let fetched = timeout_at(last, self.sources.fetch.fetch(domain)).await;
        fetched.unwrap_or(Err(FetchFailure::TimedOut(PATIENCE.as_secs())))
    }

    fn note(&self, (domain, id): &(Domain, PolicyId), fetched: &Fetched) {
        let mut state = self.state.lock();
        match fetched {
            Ok(entry) => {
                state.failed.remove(domain);
                state.cache.insert(entry.clone(), entry.fetched);
                drop(state);
                self.write(Change::Fetched(entry.clone()));
            }
            Err(FetchFailure::Busy) => {}
            Err(failure) => {
                state.note_failure(domain, id.clone(), failure.clone());
                drop(state);
                self.sources.events.write(&Event::MtaSts(MtaSts::NotFetched {
                    domain: domain.clone(),
                    id: id.to_string(),
                    reason: failure.to_string(),
                }));
            }
        }
    }

    fn write(&self, change: Change) {
        if let Some(writer) = &self.writer {
            writer.write(change);
        }
    }
}

/// The name, and all names above it.
fn above(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| name.split_once('.').map(|(_, parent)| parent))
}

/// The end of a fetch.
struct Over<'a> {
    shared: &'a Shared,
    domain: &'a Domain,
}

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.shared.state.lock().under_way.remove(self.domain);
    }
}
