//! A map that forgets: by time, and when it is full.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Values with an end of their life each, at most `capacity` of them.
#[derive(Debug)]
pub(crate) struct TimedCache<K, V> {
    entries: Mutex<HashMap<K, (Instant, V)>>,
    capacity: usize,
}

impl<K: Hash + Eq + Clone, V: Clone> TimedCache<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            entries: Mutex::default(),
            capacity,
        }
    }

    /// The value and the rest of its life.
    pub(crate) fn get(&self, key: &K) -> Option<(V, Duration)> {
        let entries = self.entries();
        let (end, value) = entries.get(key)?;
        let rest = end
            .checked_duration_since(Instant::now())
            .filter(|rest| !rest.is_zero())?;
        Some((value.clone(), rest))
    }

    pub(crate) fn insert(&self, key: K, value: V, life: Duration) {
        let Some(end) = Instant::now().checked_add(life) else {
            return;
        };
        if life.is_zero() || self.capacity == 0 {
            return;
        }
        let mut entries = self.entries();
        if entries.len() >= self.capacity && !entries.contains_key(&key) {
            make_room(&mut entries);
        }
        entries.insert(key, (end, value));
    }

    /// Keeps only the entries for which `keep` says so.
    pub(crate) fn retain(&self, keep: impl Fn(&K, &V) -> bool) {
        self.entries().retain(|key, (_, value)| keep(key, value));
    }

    pub(crate) fn remove(&self, key: &K) {
        self.entries().remove(key);
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<K, (Instant, V)>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops what is over; if that is not enough, an eighth of the rest in no particular order: a wrong guess costs one look-up.
fn make_room<K: Hash + Eq + Clone, V>(entries: &mut HashMap<K, (Instant, V)>) {
    let (now, before) = (Instant::now(), entries.len());
    entries.retain(|_, (end, _)| *end > now);
    let wanted = before - before.div_ceil(8).min(before);
    let surplus = entries.len().saturating_sub(wanted);
    let victims: Vec<K> = entries.keys().take(surplus).cloned().collect();
    for victim in victims {
        entries.remove(&victim);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn entries_end_with_their_life() {
        let cache = TimedCache::new(10);
        cache.insert("a", 1, Duration::from_secs(5));
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(cache.get(&"a"), Some((1, Duration::from_secs(1))));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(cache.get(&"a"), None);
    }

    #[test]
    fn never_more_than_its_capacity() {
        let cache = TimedCache::new(16);
        for number in 0..1000 {
            cache.insert(number, (), Duration::from_mins(1));
            assert!(cache.entries().len() <= 16);
        }
        assert!(cache.get(&999).is_some(), "the newest is kept");
    }

    #[test]
    fn nothing_is_kept_for_no_time() {
        let cache = TimedCache::new(16);
        cache.insert("a", 1, Duration::ZERO);
        assert_eq!(cache.get(&"a"), None);
    }
}
