//! Who delivers or reports what: in the memory of this process, so that the leases of a dead process are free at once.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use mail::{NextHop, QueueId};

use crate::doubts::Doubts;

/// What can be leased.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    /// The recipients of a message at one next hop.
    Part(QueueId, NextHop),
    /// What is to be told to the sender of a message.
    Report(QueueId),
}

/// The leases in force.
#[derive(Debug, Clone, Default)]
pub struct LeaseTable(Arc<Table>);

#[derive(Debug, Default)]
struct Table {
    keys: Mutex<HashSet<Key>>,
    doubts: Option<Doubts>,
}

/// One entry of a [`LeaseTable`]; dropping it removes the entry.
#[derive(Debug)]
pub struct LeaseGuard {
    table: LeaseTable,
    key: Key,
    /// Where it is noted that the delivery is in doubt.
    doubt: OnceLock<Option<u32>>,
}

impl LeaseTable {
    /// A table whose deliveries in doubt are noted here.
    pub(crate) fn noting(doubts: Doubts) -> Self {
        Self(Arc::new(Table {
            keys: Mutex::default(),
            doubts: Some(doubts),
        }))
    }

    /// The deliveries of the last process that are in doubt need not be remembered any more.
    pub(crate) fn doubts_told(&self) {
        if let Some(doubts) = &self.0.doubts {
            doubts.told();
        }
    }

    /// Takes an entry for a part of a message, unless it is taken.
    pub fn take(&self, id: QueueId, next_hop: &NextHop) -> Option<LeaseGuard> {
        self.insert(Key::Part(id, next_hop.clone()))
    }

    /// Takes the entry for the report of a message, unless it is taken.
    pub fn take_report(&self, id: QueueId) -> Option<LeaseGuard> {
        self.insert(Key::Report(id))
    }

    /// The parts of messages that are leased now.
    pub fn parts(&self) -> HashMap<QueueId, Vec<NextHop>> {
        self.with(|keys| {
            let mut parts: HashMap<QueueId, Vec<NextHop>> = HashMap::with_capacity(keys.len());
            for key in keys.iter() {
                match key {
                    Key::Part(id, next_hop) => parts.entry(*id).or_default().push(next_hop.clone()),
                    Key::Report(_) => {}
                }
            }
            parts
        })
    }

    fn insert(&self, key: Key) -> Option<LeaseGuard> {
        self.with(|keys| keys.insert(key.clone())).then(|| LeaseGuard {
            table: self.clone(),
            key,
            doubt: OnceLock::new(),
        })
    }

    /// A set of keys is whole after every single operation, so a panic elsewhere leaves nothing half-done.
    fn with<T>(&self, act: impl FnOnce(&mut HashSet<Key>) -> T) -> T {
        act(&mut self.0.keys.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl LeaseGuard {
    /// Notes that from now on it is in doubt whether the next hop has taken the message for this many recipients. The
    /// note goes once the outcome is known ([`LeaseGuard::settled`]); it outlives a guard that is just dropped, as by
    /// the end of the process.
    pub fn in_doubt(&self, recipients: u32) {
        let (Some(doubts), Key::Part(id, _)) = (&self.table.0.doubts, &self.key) else {
            return;
        };
        self.doubt.get_or_init(|| doubts.note(*id, recipients));
    }

    /// Gives the lease back; there is no doubt any more.
    pub fn settled(mut self) {
        if let (Some(Some(slot)), Some(doubts)) = (self.doubt.take(), &self.table.0.doubts) {
            doubts.clear(slot);
        }
    }
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        self.table.with(|keys| keys.remove(&self.key));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn parts_and_reports_of_one_message_do_not_exclude_each_other() {
        let table = LeaseTable::default();
        let (id, hop): (_, NextHop) = (QueueId::generate(), "b.example".parse().unwrap());
        let part = table.take(id, &hop).unwrap();
        let report = table.take_report(id).unwrap();
        assert!(table.take(id, &hop).is_none());
        assert!(table.take_report(id).is_none());
        assert_eq!(table.parts(), HashMap::from([(id, vec![hop.clone()])]));
        part.settled();
        drop(report);
        assert!(table.parts().is_empty());
        assert!(table.take(id, &hop).is_some());
        assert!(table.take_report(id).is_some());
    }

    #[test]
    fn a_doubt_goes_when_it_is_settled_and_stays_otherwise() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("in-doubt");
        let table = LeaseTable::noting(Doubts::open(&path).unwrap().0);
        let hop: NextHop = "b.example".parse().unwrap();
        let ids = [QueueId::generate(), QueueId::generate(), QueueId::generate()];
        let [settled, dropped, sure] = ids.map(|id| table.take(id, &hop).unwrap());
        settled.in_doubt(2);
        dropped.in_doubt(3);
        dropped.in_doubt(3);
        settled.settled();
        drop((dropped, sure));
        let found = Doubts::open(&path).unwrap().1;
        let found: Vec<_> = found.iter().map(|doubt| (doubt.id, doubt.recipients)).collect();
        assert_eq!(found, [(ids[1], 3)]);
    }
}
