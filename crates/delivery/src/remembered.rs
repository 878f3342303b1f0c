//! What this process remembers of the security of hosts, so that a delivery without news writes nothing about it.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dane::{TlsaRecord, TlsaSet};
use jiff::{SignedDuration, Timestamp};
use mail::sighting::{Ending, FailingSpot, Place, Spot};
use mail::{Domain, Sighting};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// The most hosts, and the most places at which something fails, that are remembered: some hundred octets each.
const LIMIT: usize = 16_384;
/// Of so many failures that were over last it is remembered what they were.
const OVER: usize = 1024;
/// A host that shows the same as before is news again after this time, so that the store knows until when it did.
const NEWS: SignedDuration = SignedDuration::from_hours(24);

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
    /// None of the lists is empty.
    failing: HashMap<Place, Vec<FailingSpot>>,
    /// What was over, the last one at the end, until it has been recorded.
    over: VecDeque<FailingSpot>,
    proven: HashMap<Server, Proven>,
    /// Hosts that were remembered earlier: half of them are forgotten at a time.
    proven_before: HashMap<Server, Proven>,
}

/// A host, and the port to which its TLSA records belong.
pub(crate) type Server = (Domain, u16);

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
        let last_seen = |spots: &[FailingSpot]| spots.iter().map(|one| one.last_seen).max();
        let mut times: Vec<_> = self.failing.values().map(|spots| last_seen(spots)).collect();
        let (_, &mut last, _) = times.select_nth_unstable(LIMIT / 8);
        let mut left = LIMIT / 8;
        self.failing.retain(|_, spots| {
            let goes = left > 0 && last_seen(spots) <= last;
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
    pub(crate) fn recall(&self, spots: Vec<FailingSpot>) {
        let mut state = self.state.lock();
        for spot in spots {
            state.add_older(spot);
        }
        self.fails.store(!state.failing.is_empty(), Ordering::Relaxed);
    }

    /// Whether anything fails.
    pub(crate) fn knows_of_failures(&self) -> bool {
        self.fails.load(Ordering::Relaxed)
    }

    /// Something fails. Returns when the host last proved itself, if it is one and that is remembered.
    pub(crate) fn fails(&self, failing: FailingSpot) -> Option<Timestamp> {
        let mut state = self.state.lock();
        let place = &failing.spot.place;
        if !state.failing.contains_key(place) && state.failing.len() >= LIMIT {
            state.forget_oldest_failures();
        }
        let worked = match (place, failing.port) {
            (Place::Host(host), Some(port)) => state.find(&(host.clone(), port)).map(|proven| proven.last),
            (Place::Host(_) | Place::Domain(_) | Place::Resolver | Place::Login(_), _) => None,
        };
        let is_new = state.add(failing);
        self.fails.store(true, Ordering::Relaxed);
        drop(state);
        if is_new {
            self.changed.notify_one();
        }
        worked
    }

    /// A place was reached. Returns what is over there: what has an `ending` now.
    pub(crate) fn over(
        &self,
        place: &Place,
        ending: impl Fn(&FailingSpot) -> Option<Ending>,
    ) -> Vec<(Spot, Ending)> {
        if !self.knows_of_failures() {
            return Vec::new();
        }
        let mut state = self.state.lock();
        let Some(spots) = state.failing.get_mut(place) else {
            return Vec::new();
        };
        let (mut over, mut ended) = (Vec::new(), Vec::new());
        for failing in std::mem::take(spots) {
            match ending(&failing) {
                Some(ending) => {
                    over.push((failing.spot.clone(), ending));
                    ended.push(failing);
                }
                None => spots.push(failing),
            }
        }
        if spots.is_empty() {
            state.failing.remove(place);
            self.fails.store(!state.failing.is_empty(), Ordering::Relaxed);
        }
        state.over.extend(ended);
        let more = state.over.len().saturating_sub(OVER);
        state.over.drain(..more);
        drop(state);
        if !over.is_empty() {
            self.changed.notify_one();
        }
        over
    }

    /// A server has proven itself by this key and these records. Returns whether that is news.
    pub(crate) fn proves(
        &self,
        server: &Server,
        shown: (Option<&TlsaRecord>, Option<&TlsaSet>),
        now: Timestamp,
    ) -> bool {
        let shown = digest(shown);
        let mut state = self.state.lock();
        if let Some(known) = state.find(server) {
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
        state.proven.insert(server.clone(), Proven { shown, told, last });
        true
    }
}

impl Remembered {
    /// A server has proven itself over a session that had done so before.
    pub(crate) fn still_proves(&self, server: &Server, now: Timestamp) {
        if let Some(known) = self.state.lock().find(server) {
            known.last = now;
        }
    }

    /// What was seen is not recorded after all: it will be news again.
    pub(crate) fn unsee(&self, sightings: &[Sighting]) {
        let mut state = self.state.lock();
        for sighting in sightings {
            match sighting {
                Sighting::Works(spot, _) => {
                    let was = state.over.iter().rposition(|one| one.spot == *spot);
                    if let Some(failing) = was.and_then(|at| state.over.remove(at)) {
                        state.add_older(failing);
                        self.fails.store(true, Ordering::Relaxed);
                    }
                }
                Sighting::Proven(proven) => {
                    let port = proven.evidence.port.unwrap_or_default();
                    let server = (proven.host.clone(), port);
                    state.proven.remove(&server);
                    state.proven_before.remove(&server);
                }
                // It is seen again with the next attempt.
                Sighting::Fails(_) => {}
            }
        }
    }
}

impl State {
    /// Adds what fails now. Returns whether it is new.
    fn add(&mut self, failing: FailingSpot) -> bool {
        let spots = self.failing.entry(failing.spot.place.clone()).or_default();
        let Some(known) = spots.iter_mut().find(|one| one.spot == failing.spot) else {
            spots.push(failing);
            return true;
        };
        let domain = failing
            .domain
            .filter(|domain| known.domain.as_ref() == Some(domain));
        *known = FailingSpot { domain, ..failing };
        false
    }

    /// Adds what failed earlier, unless it is known.
    fn add_older(&mut self, failing: FailingSpot) {
        let spots = self.failing.entry(failing.spot.place.clone()).or_default();
        if !spots.iter().any(|one| one.spot == failing.spot) {
            spots.push(failing);
        }
    }

    fn find(&mut self, server: &Server) -> Option<&mut Proven> {
        if let Some(found) = self.proven.get_mut(server) {
            return Some(found);
        }
        self.proven_before.get_mut(server)
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
    use mail::sighting::Trouble;

    fn host(name: &str) -> Domain {
        Domain::parse(name).unwrap()
    }

    fn record(text: &str) -> TlsaRecord {
        text.parse().unwrap()
    }

    fn failing(place: Place, trouble: Trouble, last_seen: Timestamp) -> FailingSpot {
        FailingSpot {
            spot: Spot { place, trouble },
            address: None,
            port: Some(25),
            has_records: true,
            domain: Some(host("a.example")),
            last_seen,
        }
    }

    #[test]
    fn the_same_proof_is_news_once_a_day_and_another_at_once() {
        let (remembered, now) = (Remembered::new(Arc::default()), Timestamp::UNIX_EPOCH);
        let mx = (host("mx.example"), 25);
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
        // Another port is another service.
        let submission = (host("mx.example"), 587);
        assert!(remembered.proves(&submission, (Some(&new), Some(&other)), now + 28.hours()));
        let fails = failing(Place::Host(mx.0), Trouble::NoMatchingTlsa, now + 29.hours());
        assert_eq!(remembered.fails(fails), Some(now + 27.hours()));
    }

    #[test]
    fn hosts_without_end_are_not_remembered_without_end() {
        let (remembered, now) = (Remembered::new(Arc::default()), Timestamp::UNIX_EPOCH);
        for number in 0..LIMIT * 2 {
            let mx = (host(&format!("mx{number}.example")), 25);
            assert!(remembered.proves(&mx, (None, None), now));
            let domain = Place::Domain(host(&format!("d{number}.example")));
            remembered.fails(failing(domain, Trouble::MxBogus, now));
        }
        let state = remembered.state.lock();
        assert!(state.proven.len() + state.proven_before.len() <= LIMIT);
        assert_eq!(state.failing.len(), LIMIT);
    }

    #[test]
    fn what_has_an_ending_is_over_and_what_else_fails_there_is_not() {
        let (remembered, now) = (Remembered::new(Arc::default()), Timestamp::UNIX_EPOCH);
        let place = Place::Host(host("mx.example"));
        let ends = |trouble| {
            remembered.over(&place, |one| {
                (one.spot.trouble == trouble).then_some(Ending::Verified)
            })
        };
        assert_eq!(ends(Trouble::WebPki), [], "nothing fails");
        for trouble in [Trouble::NoMatchingTlsa, Trouble::WebPki] {
            remembered.fails(failing(place.clone(), trouble, now));
        }
        let spot = |trouble| Spot {
            place: place.clone(),
            trouble,
        };
        let over = [(spot(Trouble::WebPki), Ending::Verified)];
        assert_eq!(ends(Trouble::WebPki), over);
        assert_eq!(ends(Trouble::WebPki), [], "told already");
        assert!(remembered.knows_of_failures());
        assert_eq!(ends(Trouble::NoMatchingTlsa).len(), 1);
        assert!(!remembered.knows_of_failures());
        // From the last process.
        remembered.recall(vec![failing(place.clone(), Trouble::WebPki, now)]);
        assert_eq!(ends(Trouble::WebPki), over);
        // If that is not recorded, it fails as before.
        let [(spot, ending)] = over;
        remembered.unsee(&[Sighting::Works(spot, ending)]);
        let known = remembered.over(&place, |one| {
            (one.port == Some(25) && one.domain.is_some()).then_some(Ending::Verified)
        });
        assert_eq!(known.len(), 1);
    }

    #[test]
    fn what_holds_up_several_domains_is_of_none_alone() {
        let (remembered, now) = (Remembered::new(Arc::default()), Timestamp::UNIX_EPOCH);
        let place = Place::Host(host("mx.example"));
        let fails = |name| {
            remembered.fails(FailingSpot {
                domain: Some(host(name)),
                ..failing(place.clone(), Trouble::WebPki, now)
            });
            let state = remembered.state.lock();
            state
                .failing
                .get(&place)
                .and_then(|known| known.first()?.domain.clone())
        };
        assert_eq!(fails("a.example"), Some(host("a.example")));
        assert_eq!(fails("a.example"), Some(host("a.example")));
        assert_eq!(fails("b.example"), None);
        assert_eq!(fails("b.example"), None);
    }
}
