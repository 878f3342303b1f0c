//! Who delivers or reports what: kept in the memory of this process, so that the leases of a dead process are free at once.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, OnceLock};

use mail::{NextHop, QueueId};
use parking_lot::Mutex;

/// Where a store records deliveries in doubt, so that the next start finds those that were interrupted by the end of the
/// process.
///
/// Between the last octet of a message and the moment when its outcome is durable, the next hop may have accepted it while
/// our queue does not know. After a crash in between it is sent twice (RFC 5321 §4.1.1.4 accepts that).
pub trait Doubts: fmt::Debug + Send + Sync {
    /// Notes a delivery to so many recipients; `None` if that is not possible, which must not prevent the delivery.
    fn note(&self, id: QueueId, recipients: u32) -> Option<u32>;

    /// The outcome of the delivery with this note is known; removes the note.
    fn clear(&self, note: u32);
}

/// What can be leased.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    /// The recipients of a message at one next hop.
    Part(QueueId, NextHop),
    /// What the sender of a message is to be told.
    Report(QueueId),
}

/// The leases in force.
#[derive(Debug, Clone, Default)]
pub struct LeaseTable(Arc<Table>);

#[derive(Debug, Default)]
struct Table {
    keys: Mutex<HashSet<Key>>,
    doubts: Option<Arc<dyn Doubts>>,
}

/// One entry of a [`LeaseTable`]; dropping it removes the entry.
#[derive(Debug)]
pub struct LeaseGuard {
    table: LeaseTable,
    key: Key,
    /// The note that the delivery is in doubt.
    doubt: OnceLock<Option<u32>>,
}

impl LeaseTable {
    /// A table that records deliveries in doubt here.
    pub fn noting(doubts: Arc<dyn Doubts>) -> Self {
        Self(Arc::new(Table {
            keys: Mutex::default(),
            doubts: Some(doubts),
        }))
    }

    /// Takes an entry for a part of a message, if it is free.
    pub fn take(&self, id: QueueId, next_hop: &NextHop) -> Option<LeaseGuard> {
        self.insert(Key::Part(id, next_hop.clone()))
    }

    /// Takes the entry for the report of a message, if it is free.
    pub fn take_report(&self, id: QueueId) -> Option<LeaseGuard> {
        self.insert(Key::Report(id))
    }

    /// The parts of messages that are leased now.
    pub fn parts(&self) -> HashMap<QueueId, Vec<NextHop>> {
        let keys = self.0.keys.lock();
        let mut parts: HashMap<QueueId, Vec<NextHop>> = HashMap::with_capacity(keys.len());
        for key in keys.iter() {
            match key {
                Key::Part(id, next_hop) => parts.entry(*id).or_default().push(next_hop.clone()),
                Key::Report(_) => {}
            }
        }
        parts
    }

    fn insert(&self, key: Key) -> Option<LeaseGuard> {
        let free = self.0.keys.lock().insert(key.clone());
        free.then(|| LeaseGuard {
            table: self.clone(),
            key,
            doubt: OnceLock::new(),
        })
    }
}

impl LeaseGuard {
    /// Notes that from now on it is in doubt whether the next hop has accepted the message for this many recipients. The
    /// note is removed once the outcome is known ([`LeaseGuard::settled`]); it remains if the guard is just dropped, for
    /// example by the end of the process.
    pub fn in_doubt(&self, recipients: u32) {
        let (Some(doubts), Key::Part(id, _)) = (&self.table.0.doubts, &self.key) else {
            return;
        };
        self.doubt.get_or_init(|| doubts.note(*id, recipients));
    }

    /// Returns the lease; the outcome is known.
    pub fn settled(mut self) {
        if let (Some(Some(slot)), Some(doubts)) = (self.doubt.take(), &self.table.0.doubts) {
            doubts.clear(slot);
        }
    }
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        self.table.0.keys.lock().remove(&self.key);
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
}
