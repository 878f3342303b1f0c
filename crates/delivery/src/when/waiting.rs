//! Entries that wait for their time, for one destination, in as little memory as possible: most destinations have few,
//! and one may have a million.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included};

use super::entry::{Entry, Id};
use super::overdue::Look;
use crate::clock::Millis;

/// The last id there can be.
const LAST: Id = [u8::MAX; 16];

/// More entries than this are kept in trees.
const FEW: usize = 32;

/// The entries of one destination, each message at most once.
#[derive(Debug)]
pub(super) enum Waiting {
    /// By time, the last one first.
    Few(Vec<Entry>),
    Many(Box<Many>),
}

/// By time and by age.
#[derive(Debug, Default)]
pub(super) struct Many {
    by_time: BTreeSet<(Millis, Id)>,
    /// The times of each entry: when it is taken up, and when it is due.
    times: BTreeMap<Id, (Millis, Millis)>,
}

impl Default for Waiting {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few(few) => few.len(),
            Self::Many(many) => many.times.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// When a message is taken up, if it is here.
    pub(super) fn wake_of(&self, id: Id) -> Option<Millis> {
        match self {
            Self::Few(few) => few.iter().find(|entry| entry.id == id).map(|entry| entry.wake),
            Self::Many(many) => many.times.get(&id).map(|(wake, _)| *wake),
        }
    }

    /// The first time at which one is taken up.
    pub(super) fn first(&self) -> Option<Millis> {
        match self {
            Self::Few(few) => few.last().map(|entry| entry.wake),
            Self::Many(many) => many.by_time.first().map(|(wake, _)| *wake),
        }
    }

    /// The one that is taken up last.
    pub(super) fn last(&self) -> Option<Entry> {
        match self {
            Self::Few(few) => few.first().copied(),
            Self::Many(many) => many.by_time.last().and_then(|(_, id)| many.entry(*id)),
        }
    }

    /// The messages that a look finds, the oldest first.
    pub(super) fn overdue(&self, look: &Look) -> BTreeSet<Id> {
        let found = |entry: &Entry| look.finds(entry).then_some(entry.id);
        match self {
            Self::Few(few) => few.iter().filter_map(found).collect(),
            Self::Many(many) => many.candidates(look).filter_map(|entry| found(&entry)).collect(),
        }
    }

    /// Removes the one that is taken up first.
    pub(super) fn take_first(&mut self) -> Option<Entry> {
        match self {
            Self::Few(few) => few.pop(),
            Self::Many(many) => {
                let (_, id) = *many.by_time.first()?;
                many.take(id)
            }
        }
    }

    /// Removes the one of the oldest message.
    pub(super) fn take_oldest(&mut self) -> Option<Entry> {
        let oldest = match self {
            Self::Few(few) => few.iter().map(|entry| entry.id).min()?,
            Self::Many(many) => *many.times.first_key_value()?.0,
        };
        self.take(oldest)
    }

    /// Removes the one of this message.
    pub(super) fn take(&mut self, id: Id) -> Option<Entry> {
        match self {
            Self::Few(few) => {
                let at = few.iter().position(|entry| entry.id == id)?;
                Some(few.remove(at))
            }
            Self::Many(many) => many.take(id),
        }
    }

    /// Adds one, whose message is not here yet.
    pub(super) fn insert(&mut self, entry: Entry) {
        match self {
            Self::Few(few) if few.len() < FEW => {
                let later = |one: &Entry| (one.wake, one.id) > (entry.wake, entry.id);
                few.insert(few.partition_point(later), entry);
            }
            Self::Few(few) => {
                let mut many = Many::default();
                few.drain(..).chain([entry]).for_each(|one| many.insert(one));
                *self = Self::Many(Box::new(many));
            }
            Self::Many(many) => many.insert(entry),
        }
    }

    /// Adds all of `others`, none of which is here.
    pub(super) fn append(&mut self, mut others: Self) {
        if self.len() < others.len() {
            std::mem::swap(self, &mut others);
        }
        while let Some(entry) = others.take_first() {
            self.insert(entry);
        }
    }

    /// Gives back memory that is no longer needed.
    pub(super) fn shrink(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }
}

impl Many {
    fn entry(&self, id: Id) -> Option<Entry> {
        let (wake, due) = *self.times.get(&id)?;
        Some(Entry { wake, id, due })
    }

    /// What a look may find: what has come of an age, and what has become due.
    fn candidates(&self, look: &Look) -> impl Iterator<Item = Entry> {
        let late = look.late().map(|late| self.times.range(late));
        let of_age = self.times.range(..look.old()).chain(late.into_iter().flatten());
        let of_age = of_age.map(|(id, _)| *id);
        let (after, until) = look.due();
        let due = self
            .by_time
            .range((Excluded((after, LAST)), Included((until, LAST))));
        let due = due.map(|(_, id)| *id);
        of_age.chain(due).filter_map(|id| self.entry(id))
    }

    fn take(&mut self, id: Id) -> Option<Entry> {
        let (wake, due) = self.times.remove(&id)?;
        self.by_time.remove(&(wake, id));
        Some(Entry { wake, id, due })
    }

    fn insert(&mut self, Entry { wake, id, due }: Entry) {
        self.times.insert(id, (wake, due));
        self.by_time.insert((wake, id));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    #![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    use super::*;
    use crate::clock::Now;
    use crate::when::overdue::{Ages, Overdue};
    use mail::QueueId;
    use std::time::Duration;
    use tokio::time::Instant;

    fn at(seconds: u64) -> Millis {
        Millis::from(jiff::Timestamp::UNIX_EPOCH).plus(Duration::from_secs(seconds))
    }

    /// Entries of which the oldest is taken up last.
    fn filled(count: u64) -> (Waiting, Vec<Entry>) {
        let mut ids: Vec<Id> = (0..count).map(|_| QueueId::generate().to_bytes()).collect();
        ids.sort_unstable();
        let entry = |(id, second)| Entry {
            wake: at(second),
            id,
            due: at(7),
        };
        let entries: Vec<Entry> = ids.into_iter().zip((0..count).rev()).map(entry).collect();
        let mut waiting = Waiting::default();
        for entry in &entries {
            waiting.insert(*entry);
        }
        (waiting, entries)
    }

    #[test]
    fn few_and_many_are_the_same_by_time_and_by_age() {
        for count in [1, 3, 32, 33, 500] {
            let (mut waiting, mut entries) = filled(count);
            assert_eq!(waiting.first(), entries.last().map(|entry| entry.wake));
            assert_eq!(waiting.last(), entries.first().copied());
            assert_eq!(waiting.take_oldest(), Some(entries.remove(0)));
            if let Some(entry) = entries.pop() {
                assert_eq!(waiting.wake_of(entry.id), Some(entry.wake));
                assert_eq!(waiting.take(entry.id), Some(entry));
                assert_eq!(waiting.wake_of(entry.id), None);
            }
            let taken: Vec<Entry> = std::iter::from_fn(|| waiting.take_first()).collect();
            entries.reverse();
            assert_eq!(taken, entries);
            assert!(waiting.is_empty() && waiting.first().is_none());
        }
    }

    #[test]
    fn few_and_many_are_the_same_to_a_look() {
        let minutes = |minutes: u64| Duration::from_mins(minutes);
        let now = Instant::now();
        for count in [5, 32, 33, 600] {
            let mut waiting = Waiting::default();
            // Accepted a minute apart; due at once, except for every third, which is due after 20 minutes.
            for minute in 0..count {
                let accepted = at(60 * minute);
                let wake = accepted.plus(minutes(if minute % 3 == 0 { 20 } else { 0 }));
                let mut id = QueueId::generate().to_bytes();
                let millis = accepted.in_millis().to_be_bytes();
                id[..6].copy_from_slice(&millis[2..]);
                waiting.insert(Entry { wake, id, due: wake });
            }
            let mut overdue = Overdue::new(
                Ages {
                    warning: Some(minutes(10)),
                    end: minutes(60),
                },
                now,
            );
            let mut found = vec![0_u64; 600];
            for minute in (5..900).step_by(5) {
                let awake = now + minutes(minute);
                let clock = at(60 * minute).plus(Duration::from_secs(30));
                let look = overdue.begin(Now { clock, awake }, now).unwrap();
                for id in waiting.overdue(&look) {
                    let accepted = QueueId::from_bytes(id).time().as_second() / 60;
                    let (accepted, age) = (accepted as usize, minute - accepted as u64);
                    found[accepted] += 1;
                    match found[accepted] {
                        1 if accepted % 3 == 0 => assert!((25..30).contains(&age), "{age}"),
                        1 => assert!((10..15).contains(&age), "{age}"),
                        // From its end on it is found by every look.
                        _ => assert!(age >= 60, "{age}"),
                    }
                }
            }
            let (these, none) = found.split_at(count as usize);
            assert!(these.iter().all(|times| *times > 10), "{found:?}");
            assert!(none.iter().all(|times| *times == 0));
        }
    }

    #[test]
    fn two_become_one() {
        for (some, others) in [(3, 40), (40, 3)] {
            let (mut waiting, mine) = filled(some);
            let (more, theirs) = filled(others);
            waiting.append(more);
            assert_eq!(waiting.len(), mine.len() + theirs.len());
            assert!(
                mine.iter()
                    .chain(&theirs)
                    .all(|one| waiting.wake_of(one.id).is_some())
            );
        }
    }
}
