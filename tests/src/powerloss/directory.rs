//! The names in a directory: as processes see them, and as they are durable.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::{OsStr, OsString};

/// Changes that wait for a sync in one directory; older ones are written meanwhile, as every system does some time.
const MOST_UNSYNCED: usize = 256;

/// A file or directory by its number.
pub(super) type Inode = u64;

/// One directory.
#[derive(Debug, Default)]
pub(super) struct Directory {
    seen: BTreeMap<OsString, Inode>,
    durable: BTreeMap<OsString, Inode>,
    /// In the order in which they were made.
    unsynced: VecDeque<Change>,
}

#[derive(Debug)]
struct Change {
    /// Its place among all changes of the disk.
    sequence: u64,
    name: OsString,
    /// `None` removes the name.
    target: Option<Inode>,
}

impl Directory {
    pub(super) fn get(&self, name: &OsStr) -> Option<Inode> {
        self.seen.get(name).copied()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = (&OsString, Inode)> {
        self.seen.iter().map(|(name, inode)| (name, *inode))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// Gives `name` to `target`, or to nothing.
    pub(super) fn set(&mut self, sequence: u64, name: &OsStr, target: Option<Inode>) {
        let name = name.to_owned();
        set(&mut self.seen, name.clone(), target);
        self.unsynced.push_back(Change {
            sequence,
            name,
            target,
        });
        if self.unsynced.len() > MOST_UNSYNCED
            && let Some(oldest) = self.unsynced.pop_front()
        {
            set(&mut self.durable, oldest.name, oldest.target);
        }
    }

    pub(super) fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            set(&mut self.durable, change.name, change.target);
        }
    }

    /// The state found after a loss of power before the change `horizon`; it is durable then.
    pub(super) fn survivor(mut self, horizon: u64) -> Self {
        for change in self.unsynced {
            if change.sequence < horizon {
                set(&mut self.durable, change.name, change.target);
            }
        }
        Self {
            seen: self.durable.clone(),
            durable: self.durable,
            unsynced: VecDeque::new(),
        }
    }

    /// The place of the oldest change that waits for a sync.
    pub(super) fn oldest_unsynced(&self) -> Option<u64> {
        self.unsynced.front().map(|change| change.sequence)
    }

    /// Everything that has or may have a name here, seen or after a loss of power.
    pub(super) fn possible(&self) -> impl Iterator<Item = Inode> {
        let unsynced = self.unsynced.iter().filter_map(|change| change.target);
        self.seen
            .values()
            .chain(self.durable.values())
            .copied()
            .chain(unsynced)
    }
}

fn set(names: &mut BTreeMap<OsString, Inode>, name: OsString, target: Option<Inode>) {
    match target {
        Some(inode) => drop(names.insert(name, inode)),
        None => drop(names.remove(&name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_durable_once_the_directory_is_synced() {
        let [old, new] = ["old", "new"].map(OsStr::new);
        let names = || {
            let mut names = Directory::default();
            names.set(0, old, Some(7));
            names.sync();
            names.set(1, new, Some(7));
            names.set(2, old, None);
            names
        };
        let found = |horizon| {
            let names = names().survivor(horizon);
            (names.get(old), names.get(new))
        };
        assert_eq!(found(1), (Some(7), None));
        assert_eq!(found(2), (Some(7), Some(7)));
        assert_eq!(found(3), (None, Some(7)));
        let mut synced = names();
        synced.sync();
        assert_eq!(synced.survivor(1).get(old), None);
    }
}
