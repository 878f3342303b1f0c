//! The policies in memory, within limits: so many, and so many octets. Those that have not been used for longest go first.

use std::collections::HashMap;

use jiff::Timestamp;
use mail::Domain;

use crate::entry::Entry;

/// Once it is full, this share of it is dropped at once: then looking for what to drop costs little for each.
const SHARE: usize = 16;

/// The limits of a [`Cache`].
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The most policies.
    pub entries: usize,
    /// The most octets of all of them.
    pub octets: usize,
}

/// The policies in memory.
#[derive(Debug)]
pub(crate) struct Cache {
    slots: HashMap<Domain, Slot>,
    octets: usize,
    limits: Limits,
    /// Counts uses.
    turn: u64,
}

#[derive(Debug)]
struct Slot {
    entry: Entry,
    used: u64,
    /// It is to be fetched again when there is mail, whatever its id.
    is_to_be_renewed: bool,
}

impl Cache {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            slots: HashMap::new(),
            octets: 0,
            limits,
            turn: 0,
        }
    }

    /// The policy of a domain, if it is still valid.
    pub(crate) fn get(&mut self, domain: &Domain, now: Timestamp) -> Option<Entry> {
        self.turn += 1;
        let slot = self.slots.get_mut(domain)?;
        slot.used = self.turn;
        slot.entry.is_valid(now).then(|| slot.entry.clone())
    }

    /// Takes a policy, in the place of the one that was there: that it was fetched again is no use of it.
    pub(crate) fn insert(&mut self, entry: Entry, now: Timestamp) {
        let used = self.slots.get(&entry.domain).map(|slot| slot.used);
        self.remove(&entry.domain);
        self.octets += entry.weight();
        self.turn += 1;
        let slot = Slot {
            used: used.unwrap_or(self.turn),
            is_to_be_renewed: false,
            entry,
        };
        self.slots.insert(slot.entry.domain.clone(), slot);
        if self.is_over(self.slots.len(), self.octets) {
            self.retain(|entry| entry.is_valid(now));
            self.make_room();
        }
    }

    /// These are to be fetched again.
    pub(crate) fn renew(&mut self, is_meant: impl Fn(&Domain) -> bool) {
        for (domain, slot) in &mut self.slots {
            slot.is_to_be_renewed |= is_meant(domain);
        }
    }

    pub(crate) fn is_to_be_renewed(&self, domain: &Domain) -> bool {
        self.slots.get(domain).is_some_and(|slot| slot.is_to_be_renewed)
    }

    /// Those that may still be used.
    pub(crate) fn valid(&self, now: Timestamp) -> Vec<Entry> {
        self.entries()
            .filter(|entry| entry.is_valid(now))
            .cloned()
            .collect()
    }

    pub(crate) fn remove(&mut self, domain: &Domain) -> bool {
        let removed = self.slots.remove(domain);
        if let Some(slot) = &removed {
            self.octets = self.octets.saturating_sub(slot.entry.weight());
        }
        removed.is_some()
    }

    /// Keeps only these.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Entry) -> bool) {
        self.slots.retain(|_, slot| keep(&slot.entry));
        self.octets = self.entries().map(Entry::weight).sum();
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.slots.values().map(|slot| &slot.entry)
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    fn is_over(&self, entries: usize, octets: usize) -> bool {
        entries > self.limits.entries || octets > self.limits.octets
    }

    /// Drops those not used for longest, until there is some room.
    fn make_room(&mut self) {
        if !self.is_over(self.slots.len(), self.octets) {
            return;
        }
        let mut by_use: Vec<(u64, Domain)> = self
            .slots
            .iter()
            .map(|(domain, slot)| (slot.used, domain.clone()))
            .collect();
        by_use.sort_unstable();
        let (spare, spare_octets) = (self.limits.entries / SHARE, self.limits.octets / SHARE);
        // The one that was used last stays, whatever its size.
        by_use.pop();
        for (_, domain) in by_use {
            if !self.is_over(self.slots.len() + spare, self.octets + spare_octets) {
                break;
            }
            self.remove(&domain);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::*;
    use crate::policy::Policy;
    use crate::record::PolicyId;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn entry(name: &str, hosts: usize) -> Entry {
        let mx = "mx: mx.example.org\n".repeat(hosts);
        let text = format!("version: STSv1\nmode: enforce\n{mx}max_age: 1000\n");
        Entry {
            domain: Domain::parse(name).unwrap(),
            id: PolicyId::parse("1").unwrap(),
            fetched: NOW,
            policy: Arc::new(Policy::parse(text.as_bytes()).unwrap()),
        }
    }

    fn name(number: usize) -> String {
        format!("d{number}.example")
    }

    #[test]
    fn what_is_used_stays() {
        let limits = Limits {
            entries: 32,
            octets: 1 << 20,
        };
        let mut cache = Cache::new(limits);
        let first = Domain::parse(&name(0)).unwrap();
        for number in 0..1000 {
            cache.insert(entry(&name(number), 1), NOW);
            assert!(cache.len() <= limits.entries);
            assert!(cache.get(&first, NOW).is_some(), "{number}");
        }
        let last = Domain::parse(&name(999)).unwrap();
        assert!(cache.get(&last, NOW).is_some());
        assert!(cache.len() >= limits.entries / 2);
    }

    #[test]
    fn that_it_is_fetched_again_is_no_use() {
        let mut cache = Cache::new(Limits {
            entries: 32,
            octets: 1 << 20,
        });
        for number in 0..32 {
            cache.insert(entry(&name(number), 1), NOW);
        }
        cache.insert(entry(&name(0), 1), NOW);
        cache.insert(entry(&name(32), 1), NOW);
        assert!(cache.get(&Domain::parse(&name(0)).unwrap(), NOW).is_none());
        assert!(cache.get(&Domain::parse(&name(31)).unwrap(), NOW).is_some());
    }

    #[test]
    fn octets_count_too() {
        let limits = Limits {
            entries: 1000,
            octets: 64 * 1024,
        };
        let mut cache = Cache::new(limits);
        for number in 0..100 {
            cache.insert(entry(&name(number), 100), NOW);
            assert!(cache.octets <= limits.octets);
        }
        assert!(cache.len() > 1);
        let weights: usize = cache.entries().map(Entry::weight).sum();
        assert_eq!(cache.octets, weights);
    }

    #[test]
    fn what_has_ended_goes_first() {
        let mut cache = Cache::new(Limits {
            entries: 8,
            octets: 1 << 20,
        });
        let later = Timestamp::from_second(2000).unwrap();
        for number in 0..8 {
            let old = Entry {
                fetched: if number < 4 { NOW } else { later },
                ..entry(&name(number), 1)
            };
            cache.insert(old, NOW);
        }
        cache.insert(
            Entry {
                fetched: later,
                ..entry("new.example", 1)
            },
            later,
        );
        assert_eq!(cache.len(), 5);
        assert!(cache.get(&Domain::parse(&name(0)).unwrap(), later).is_none());
    }

    #[test]
    fn an_ended_policy_is_not_found() {
        let mut cache = Cache::new(Limits {
            entries: 8,
            octets: 1 << 20,
        });
        cache.insert(entry("a.example", 1), NOW);
        let domain = Domain::parse("a.example").unwrap();
        assert!(cache.get(&domain, Timestamp::from_second(999).unwrap()).is_some());
        assert!(
            cache
                .get(&domain, Timestamp::from_second(1000).unwrap())
                .is_none()
        );
        assert!(cache.remove(&domain) && !cache.remove(&domain));
        assert_eq!(cache.octets, 0);
    }
}
