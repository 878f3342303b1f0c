//! What this process remembers of the security of hosts, so that a delivery without news writes nothing about it.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dane::{TlsaRecord, TlsaSet};
use jiff::{SignedDuration, Timestamp};
use mail::sighting::{FailingPlace, Place};
use mail::{Domain, Sighting};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// The most hosts and the most failing places that are remembered: some hundred octets each.
const LIMIT: usize = 16_384;
/// A host that shows the same as before is news again after this time, so that the store knows until when it did.
const NEWS: SignedDuration = SignedDuration::from_hours(24);
/// A host with several addresses works again when the failing one does, or when none has failed for this time.
const QUIET: SignedDuration = SignedDuration::from_hours(1);

/// What is remembered of hosts.
pub(crate) struct Remembered {
    state: Mutex<State>,
    /// Whether anything fails: read without the lock at each delivery.
    fails: AtomicBool,
    /// Told when something begins or ceases to fail.
    changed: Arc<Notify>,
}

#[derive(Default)]
struct State {
    failing: HashMap<Place, Failing>,
    proven: HashMap<Domain, Proven>,
    /// Hosts that were remembered earlier: half of them are forgotten at a time.
    proven_before: HashMap<Domain, Proven>,
}

#[derive(Clone, Copy)]
struct Failing {
    address: Option<IpAddr>,
    last: Timestamp,
}

#[derive(Clone, Copy)]
struct Proven {
    /// A digest of what it showed.
    shown: u64,
    /// When that was passed on.
    told: Timestamp,
    /// When it last did.
    last: Timestamp,
}

impl State {
    /// A stranger may have names without end that fail: the eighth of the places that were not seen for the longest time
    /// makes room for those that fail now. The store keeps what it knows of them.
    fn forget_oldest_failures(&mut self) {
        let mut times: Vec<Timestamp> = self.failing.values().map(|failing| failing.last).collect();
        let (_, &mut last, _) = times.select_nth_unstable(LIMIT / 8);
        let mut left = LIMIT / 8;
        self.failing.retain(|_, failing| {
            let goes = left > 0 && failing.last <= last;
            left -= usize::from(goes);
            !goes
        });
    }
}

impl Remembered {
    /// Nothing yet.
    pub(crate) fn new(changed: Arc<Notify>) -> Self {
        Self {
            state: Mutex::default(),
            fails: AtomicBool::new(false),
            changed,
        }
    }

    /// What the store has recorded.
    pub(crate) fn recall(&self, places: Vec<FailingPlace>) {
        let mut state = self.state.lock();
        for one in places {
            let (address, last) = (one.address, one.last_seen);
            let failing = state
                .failing
                .entry(one.place)
                .or_insert(Failing { address, last });
            if failing.last < last {
                *failing = Failing { address, last };
            }
        }
        self.fails.store(!state.failing.is_empty(), Ordering::Relaxed);
    }

    /// Whether anything fails.
    pub(crate) fn knows_of_failures(&self) -> bool {
        self.fails.load(Ordering::Relaxed)
    }

    /// A place fails. Returns when it last proved itself, if that is remembered.
    pub(crate) fn fails(&self, place: &Place, address: Option<IpAddr>, now: Timestamp) -> Option<Timestamp> {
        let mut state = self.state.lock();
        let failing = Failing { address, last: now };
        let is_new = !state.failing.contains_key(place);
        if is_new && state.failing.len() >= LIMIT {
            state.forget_oldest_failures();
        }
        state.failing.insert(place.clone(), failing);
        self.fails.store(true, Ordering::Relaxed);
        let worked = match place {
            Place::Host(host) => state.find(host).map(|proven| proven.last),
            Place::Domain(_) | Place::Resolver | Place::Login(_) => None,
        };
        drop(state);
        if is_new {
            self.changed.notify_one();
        }
        worked
    }

    /// A place works at this address. Returns whether that ends its failure.
    pub(crate) fn works(&self, place: &Place, address: Option<IpAddr>, now: Timestamp) -> bool {
        if !self.knows_of_failures() {
            return false;
        }
        let mut state = self.state.lock();
        let is_over = state.failing.get(place).is_some_and(|failing| {
            failing.address.is_none()
                || failing.address == address
                || now.duration_since(failing.last) >= QUIET
        });
        if is_over {
            state.failing.remove(place);
            self.fails.store(!state.failing.is_empty(), Ordering::Relaxed);
            drop(state);
            self.changed.notify_one();
        }
        is_over
    }

    /// A host has proven itself by this key and these records. Returns whether that is news.
    pub(crate) fn proves(
        &self,
        host: &Domain,
        shown: (Option<&TlsaRecord>, Option<&TlsaSet>),
        now: Timestamp,
    ) -> bool {
        let shown = digest(shown);
        let mut state = self.state.lock();
        if let Some(known) = state.find(host) {
            known.last = now;
            if known.shown == shown && now.duration_since(known.told) < NEWS {
                return false;
            }
            known.shown = shown;
            known.told = now;
            return true;
        }
        if state.proven.len() >= LIMIT / 2 {
            state.proven_before = std::mem::take(&mut state.proven);
        }
        let (told, last) = (now, now);
        state.proven.insert(host.clone(), Proven { shown, told, last });
        true
    }
}

impl Remembered {
    /// A host has proven itself over a session that had done so before.
    pub(crate) fn still_proves(&self, host: &Domain, now: Timestamp) {
        if let Some(known) = self.state.lock().find(host) {
            known.last = now;
        }
    }

    /// What was seen is not recorded after all: it will be news again.
    pub(crate) fn unsee(&self, sightings: &[Sighting]) {
        let mut state = self.state.lock();
        for sighting in sightings {
            match sighting {
                Sighting::Works(place, _) => {
                    let (address, last) = (None, Timestamp::MIN);
                    state
                        .failing
                        .entry(place.clone())
                        .or_insert(Failing { address, last });
                    self.fails.store(true, Ordering::Relaxed);
                }
                Sighting::Proven(proven) => {
                    state.proven.remove(&proven.host);
                    state.proven_before.remove(&proven.host);
                }
                // It is seen again with the next attempt.
                Sighting::Fails(_) => {}
            }
        }
    }
}

impl State {
    fn find(&mut self, host: &Domain) -> Option<&mut Proven> {
        if let Some(found) = self.proven.get_mut(host) {
            return Some(found);
        }
        self.proven_before.get_mut(host)
    }
}

fn digest((key, records): (Option<&TlsaRecord>, Option<&TlsaSet>)) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    if let Some(set) = records {
        set.usable().hash(&mut hasher);
        set.outranked().hash(&mut hasher);
        for (record, _) in set.unusable() {
            record.hash(&mut hasher);
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use jiff::ToSpan;
    use mail::sighting::Ending;

    fn host(name: &str) -> Domain {
        Domain::parse(name).unwrap()
    }

    fn record(text: &str) -> TlsaRecord {
        text.parse().unwrap()
    }

    #[test]
    fn the_same_proof_is_news_once_a_day_and_another_at_once() {
        let (remembered, now) = (Remembered::new(Arc::default()), Timestamp::UNIX_EPOCH);
        let mx = host("mx.example");
        let (old, new) = (record("3 1 1 aa"), record("3 1 1 bb"));
        let set = TlsaSet::new(vec![old.clone()]);
        let proves = |key, at| remembered.proves(&mx, (Some(key), Some(&set)), at);
        assert!(proves(&old, now));
        assert!(!proves(&old, now + 1.hours()));
        assert!(proves(&new, now + 2.hours()));
        assert!(!proves(&new, now + 25.hours()));
        assert!(proves(&new, now + 26.hours()));
        let other = TlsaSet::new(vec![new.clone()]);
        assert!(remembered.proves(&mx, (Some(&new), Some(&other)), now + 27.hours()));
        let worked = remembered.fails(&Place::Host(mx), None, now + 28.hours());
        assert_eq!(worked, Some(now + 27.hours()));
    }

    #[test]
    fn hosts_without_end_are_not_remembered_without_end() {
        let (remembered, now) = (Remembered::new(Arc::default()), Timestamp::UNIX_EPOCH);
        for number in 0..LIMIT * 2 {
            let mx = host(&format!("mx{number}.example"));
            assert!(remembered.proves(&mx, (None, None), now));
            let domain = host(&format!("d{number}.example"));
            remembered.fails(&Place::Domain(domain), None, now);
        }
        let state = remembered.state.lock();
        assert!(state.proven.len() + state.proven_before.len() <= LIMIT);
        assert_eq!(state.failing.len(), LIMIT);
    }

    #[test]
    fn a_host_works_when_the_address_that_failed_does_or_none_has_failed_for_long() {
        let remembered = Remembered::new(Arc::default());
        let now = Timestamp::UNIX_EPOCH;
        let place = Place::Host(host("mx.example"));
        let [bad, good] = [[192, 0, 2, 1], [192, 0, 2, 2]].map(|octets| Some(IpAddr::from(octets)));
        assert!(!remembered.works(&place, good, now), "nothing fails");
        remembered.fails(&place, bad, now);
        assert!(!remembered.works(&place, good, now + 1.minutes()));
        assert!(remembered.works(&place, bad, now + 1.minutes()));
        assert!(!remembered.works(&place, bad, now + 1.minutes()), "told already");
        remembered.fails(&place, bad, now);
        assert!(remembered.works(&place, good, now + 61.minutes()));
        assert!(!remembered.knows_of_failures());
        // From the last process.
        remembered.recall(vec![FailingPlace {
            place: place.clone(),
            address: None,
            last_seen: now,
        }]);
        assert!(remembered.works(&place, good, now));
        // If that is not recorded, it is seen again.
        remembered.unsee(&[Sighting::Works(place.clone(), Ending::Verified)]);
        assert!(remembered.works(&place, good, now));
    }
}
