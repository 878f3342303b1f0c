//! Who is delivering what: in the memory of this process, so that the leases of a dead process are free at once.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use mail::{NextHop, QueueId};

type Key = (QueueId, NextHop);

/// The leases in force.
#[derive(Debug, Clone, Default)]
pub struct LeaseTable(Arc<Mutex<HashSet<Key>>>);

/// One entry of a [`LeaseTable`]; dropping it removes the entry.
#[derive(Debug)]
pub struct LeaseGuard {
    table: LeaseTable,
    key: Key,
}

impl LeaseTable {
    /// Takes an entry, unless it is taken.
    pub fn take(&self, id: QueueId, next_hop: &NextHop) -> Option<LeaseGuard> {
        let key = (id, next_hop.clone());
        self.with(|keys| keys.insert(key.clone())).then(|| LeaseGuard {
            table: self.clone(),
            key,
        })
    }

    /// Whether this part of a message is leased now.
    pub fn holds(&self, id: QueueId, next_hop: &NextHop) -> bool {
        self.with(|keys| keys.contains(&(id, next_hop.clone())))
    }

    /// Whether nothing is leased.
    pub fn is_empty(&self) -> bool {
        self.with(|keys| keys.is_empty())
    }

    /// A set of keys is whole after every single operation, so a panic elsewhere leaves nothing half-done.
    fn with<T>(&self, act: impl FnOnce(&mut HashSet<Key>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        self.table.with(|keys| keys.remove(&self.key));
    }
}
