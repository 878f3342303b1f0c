//! Who delivers or reports what: in the memory of this process, so that the leases of a dead process are free at once.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, OnceLock};

use mail::{NextHop, QueueId};
use parking_lot::Mutex;

/// Where a store notes deliveries in doubt, so that the next start finds those that the end of the process left there.
///
/// Between the last octet of a message and the moment at which its outcome is durable, the next hop may have taken it
/// while our queue does not know. A crash in between makes it go out twice (RFC 5321 §4.1.1.4 accepts that).
pub trait Doubts: fmt::Debug + Send + Sync {
    /// Notes a delivery for so many recipients; `None` if that is not possible, which must not stop it.
    fn note(&self, id: QueueId, recipients: u32) -> Option<u32>;

    /// The outcome of the delivery with this note is known.
    fn clear(&self, note: u32);
}

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
    doubts: Option<Arc<dyn Doubts>>,
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
    pub fn noting(doubts: Arc<dyn Doubts>) -> Self {
        Self(Arc::new(Table {
            keys: Mutex::default(),
            doubts: Some(doubts),
        }))
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
