//! A map that forgets entries: when they expire, and when they take too much memory.
//!
//! Whoever answers decides how large an answer is, so the limit is on octets, not on the number of answers. The map below is
//! `quick_cache`: it drops entries that were not asked for again before those that were, so that a flood of answers that
//! nobody needs twice does not push out the others.

use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};
use std::hash::RandomState;
use tokio::time::Instant;

/// What an entry takes beside what its key and value hold on the heap, in octets: its place in the map, the spare room of a
/// growing map, and the allocator's overhead for a few small pieces.
const ENTRY: usize = 184;
/// What an ordinary entry takes: this tells the map how many entries to expect.
const ORDINARY: usize = 400;
/// One entry may take at most this fraction of a cache. Larger ones are not kept: they would push out too many others.
const LARGEST: u64 = 256;
/// An entry of up to this size is always kept, in octets.
const ALWAYS_FITS: u64 = 16 * 1024;
/// How often expired entries are removed. Until then they take memory, but are not returned.
const SWEEP: Duration = Duration::from_mins(1);

/// What a value holds on the heap.
pub(crate) trait Octets {
    /// In octets; rather too many than too few.
    fn octets(&self) -> usize;
}

/// Values that each expire at their own time, at most so many octets in all. Each caller gets a copy of a value, so it
/// should be a type that shares its data.
#[derive(Debug)]
pub(crate) struct TimedCache<K, V> {
    entries: Cache<K, Entry<V>, Scales, RandomState, DefaultLifecycle<K, Entry<V>>>,
    largest: u64,
    begun: Instant,
    /// When expired entries were last removed, in seconds since the start.
    swept: AtomicU64,
}

#[derive(Debug, Clone)]
struct Entry<V> {
    end: Instant,
    weight: u64,
    value: V,
}

#[derive(Debug, Clone)]
struct Scales;

impl<K, V> Weighter<K, Entry<V>> for Scales {
    fn weight(&self, _: &K, kept: &Entry<V>) -> u64 {
        kept.weight
    }
}

impl<K: Hash + Eq + Octets, V: Clone + Octets> TimedCache<K, V> {
    /// A cache of at most `octets` in all; 0 keeps nothing.
    pub(crate) fn new(octets: usize) -> Self {
        let capacity = octets as u64;
        let mut options = OptionsBuilder::new();
        let options = options
            .estimated_items_capacity(octets / ORDINARY)
            .weight_capacity(capacity)
            // Only a few of the removed entries are remembered, because that takes memory too.
            .ghost_allocation(0.1)
            .build();
        let entries = match options {
            Ok(options) => {
                Cache::with_options(options, Scales, RandomState::new(), DefaultLifecycle::default())
            }
            // This happens only if one of the two capacities is missing.
            Err(_) => Cache::with(0, 0, Scales, RandomState::new(), DefaultLifecycle::default()),
        };
        Self {
            entries,
            largest: capacity.min(ALWAYS_FITS.max(capacity / LARGEST)),
            begun: Instant::now(),
            swept: AtomicU64::new(0),
        }
    }

    /// The value and its remaining lifetime.
    pub(crate) fn get(&self, key: &K) -> Option<(V, Duration)> {
        let kept = self.entries.get(key)?;
        let rest = kept
            .end
            .checked_duration_since(Instant::now())
            .filter(|rest| !rest.is_zero())?;
        Some((kept.value, rest))
    }

    pub(crate) fn insert(&self, key: K, value: V, life: Duration) {
        let now = Instant::now();
        let Some(end) = now.checked_add(life) else {
            return;
        };
        self.sweep(now);
        let weight = (ENTRY + key.octets() + value.octets()) as u64;
        if life.is_zero() || weight > self.largest {
            // What was known before is over.
            self.entries.remove(&key);
            return;
        }
        self.entries.insert(key, Entry { end, weight, value });
    }

    /// Keeps only the entries for which `keep` returns true.
    pub(crate) fn retain(&self, keep: impl Fn(&K, &V) -> bool) {
        self.entries.retain(|key, kept| keep(key, &kept.value));
    }

    pub(crate) fn remove(&self, key: &K) {
        self.entries.remove(key);
    }

    pub(crate) fn clear(&self) {
        self.entries.clear();
    }

    /// Drops expired entries from time to time.
    fn sweep(&self, now: Instant) {
        let seconds = now.saturating_duration_since(self.begun).as_secs();
        let last = self.swept.load(Ordering::Relaxed);
        let due = seconds.saturating_sub(last) >= SWEEP.as_secs();
        // Only one of the threads that get here at this time does it.
        let ours = due
            && self
                .swept
                .compare_exchange(last, seconds, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if ours {
            self.entries.retain(|_, kept| kept.end > now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value that states how many octets it holds.
    #[derive(Debug, Clone, PartialEq, Eq)]
    struct Load(usize);

    impl Octets for Load {
        fn octets(&self) -> usize {
            self.0
        }
    }

    impl Octets for u32 {
        fn octets(&self) -> usize {
            0
        }
    }

    const MINUTE: Duration = Duration::from_mins(1);
    const MIB: usize = 1024 * 1024;

    #[tokio::test(start_paused = true)]
    async fn entries_end_with_their_life() {
        let cache = TimedCache::new(MIB);
        cache.insert(1, Load(1), Duration::from_secs(5));
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(cache.get(&1), Some((Load(1), Duration::from_secs(1))));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(cache.get(&1), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_over_is_freed() {
        let cache = TimedCache::new(MIB);
        for number in 0..50 {
            cache.insert(number, Load(1000), Duration::from_secs(5));
        }
        assert_eq!(cache.entries.len(), 50);
        tokio::time::advance(Duration::from_secs(61)).await;
        cache.insert(50, Load(1), MINUTE);
        assert_eq!(cache.entries.len(), 1);
    }

    #[tokio::test]
    async fn never_more_octets_than_its_capacity() {
        for load in [0, 100, 5_000, 16_000] {
            let cache = TimedCache::new(MIB);
            for number in 0..20_000 {
                cache.insert(number, Load(load), MINUTE);
            }
            let octets = cache.entries.len() * (load + ENTRY);
            assert!(octets <= MIB, "{octets} octets with entries of {load}");
            assert!(octets > MIB / 2, "{octets} octets with entries of {load}");
            assert!(cache.get(&19_999).is_some(), "the newest is kept");
        }
    }

    #[tokio::test]
    async fn one_that_is_too_large_drives_out_nothing() {
        let cache = TimedCache::new(4 * MIB);
        for number in 0..1000 {
            cache.insert(number, Load(500), MINUTE);
        }
        let kept = cache.entries.len();
        cache.insert(7, Load(100_000), MINUTE);
        assert_eq!(
            cache.get(&7),
            None,
            "what it takes the place of is not given out either"
        );
        assert_eq!(cache.entries.len(), kept - 1);
    }

    #[tokio::test]
    async fn what_is_asked_for_again_outlives_a_flood() {
        let cache = TimedCache::new(MIB);
        for number in 0..200 {
            cache.insert(number, Load(300), MINUTE);
            assert!(cache.get(&number).is_some());
        }
        for number in 200..100_000 {
            cache.insert(number, Load(10_000), MINUTE);
            if number % 100 == 0 {
                let kept = (0..200).filter(|number| cache.get(number).is_some()).count();
                assert!(kept > 150, "{kept} left after {number}");
            }
        }
    }

    #[tokio::test]
    async fn nothing_is_kept_for_no_time_or_without_room() {
        let cache = TimedCache::new(MIB);
        cache.insert(1, Load(1), Duration::ZERO);
        assert_eq!(cache.get(&1), None);
        let none = TimedCache::new(0);
        none.insert(1, Load(1), MINUTE);
        assert_eq!(none.get(&1), None);
    }
}
