//! What waits for its time, in as little memory as possible: a million messages are nothing unusual.

use std::collections::{BTreeSet, HashMap, HashSet, hash_map};
use std::sync::Arc;
use std::time::Duration;

use mail::{NextHop, QueueId};
use spool::Pending;

use super::job::Job;
use super::retry::JITTER;
use crate::clock::Millis;

/// A clock that is kept right may go back this far.
const STEP: Duration = Duration::from_secs(1);

/// One waiting part of a message. Ordered by the time at which it is taken up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    /// When it is taken up.
    wake: Millis,
    /// The message: [`QueueId::to_bytes`], which needs no alignment.
    id: [u8; 16],
    /// Shared by all entries for this next hop.
    next_hop: Arc<NextHop>,
    /// The due time in the spool when the entry was made.
    due: Millis,
}

/// A part of a message: its id as in [`Entry`], and its next hop.
type Part = ([u8; 16], Arc<NextHop>);

/// When an entry is taken up, and its due time in the spool.
type Times = (Millis, Millis);

impl Entry {
    fn part(&self) -> Part {
        (self.id, Arc::clone(&self.next_hop))
    }
}

/// What waits for its time.
///
/// Each part of a message has one entry, the earliest of those inserted: if another task put the part off, the entry
/// may still have the old time. Whoever takes an entry up finds out (see [`Job::due`]).
pub(crate) struct Schedule {
    entries: BTreeSet<Entry>,
    /// The times of each part's entry.
    times: HashMap<Part, Times>,
    /// The next hops of all entries, and of all jobs in progress.
    next_hops: HashSet<Arc<NextHop>>,
    /// The longest time for which anything is ever put off, without jitter.
    longest: Duration,
}

impl Schedule {
    pub(crate) fn new(longest: Duration) -> Self {
        Self {
            entries: BTreeSet::new(),
            times: HashMap::new(),
            next_hops: HashSet::new(),
            longest,
        }
    }

    /// Takes up `pending` when it is due.
    pub(crate) fn insert(&mut self, pending: Pending, now: Millis) {
        let due = Millis::from(pending.due);
        let wake = self.plausible(due, now);
        let next_hop = self.shared(pending.next_hop);
        self.keep_earlier(Entry {
            wake,
            id: pending.id.to_bytes(),
            next_hop,
            due,
        });
    }

    /// Takes up at `wake` what could not be done, keeping its due time.
    pub(crate) fn insert_again(&mut self, job: Job, wake: Millis) {
        self.keep_earlier(Entry {
            wake,
            id: job.id.to_bytes(),
            next_hop: job.next_hop,
            due: job.due,
        });
    }

    /// Adds an entry, which replaces a later one for the same part.
    fn keep_earlier(&mut self, entry: Entry) {
        let times = (entry.wake, entry.due);
        match self.times.entry(entry.part()) {
            hash_map::Entry::Vacant(vacant) => {
                vacant.insert(times);
            }
            hash_map::Entry::Occupied(known) if known.get().0 <= entry.wake => return,
            hash_map::Entry::Occupied(mut known) => {
                let (wake, due) = known.insert(times);
                self.entries.remove(&Entry {
                    wake,
                    due,
                    ..entry.clone()
                });
            }
        }
        self.entries.insert(entry);
    }

    /// Removes an entry.
    fn remove(&mut self, entry: &Entry) {
        self.entries.remove(entry);
        self.times.remove(&entry.part());
    }

    fn shared(&mut self, next_hop: NextHop) -> Arc<NextHop> {
        if let Some(known) = self.next_hops.get(&next_hop) {
            return Arc::clone(known);
        }
        let next_hop = Arc::new(next_hop);
        self.next_hops.insert(Arc::clone(&next_hop));
        next_hop
    }

    /// The next job whose time has come.
    pub(crate) fn take_due(&mut self, now: Millis) -> Option<Job> {
        let entry = self.entries.first().filter(|entry| entry.wake <= now)?.clone();
        self.remove(&entry);
        Some(Job {
            id: QueueId::from_bytes(entry.id),
            next_hop: entry.next_hop,
            due: entry.due,
        })
    }

    /// Ends a job. Its next hop is forgotten if nothing else is left for it.
    pub(crate) fn forget(&mut self, job: Job) {
        let next_hop = job.next_hop;
        // One reference is ours here, the other is in the set.
        if Arc::strong_count(&next_hop) <= 2 {
            self.next_hops.remove(&next_hop);
        }
    }

    /// How long until something is due; `None` if nothing is waiting.
    pub(crate) fn until_next(&self, now: Millis) -> Option<Duration> {
        self.entries.first().map(|entry| now.until(entry.wake))
    }

    /// Moves up entries that are further ahead than anything is ever put off: the clock went back after they were made,
    /// and they would wait until it has caught up. Returns how many there were.
    pub(crate) fn pull_in(&mut self, now: Millis) -> usize {
        let mut pulled = 0;
        while let Some(last) = self.entries.last()
            && self.plausible(last.wake, now) != last.wake
        {
            let wake = self.plausible(last.wake, now);
            self.keep_earlier(Entry { wake, ..last.clone() });
            pulled += 1;
        }
        pulled
    }

    /// `due` itself, or the longest delay from now if `due` is further ahead than is possible, allowing for the jitter
    /// and for the steps of a clock that is kept right.
    fn plausible(&self, due: Millis, now: Millis) -> Millis {
        let slack = self.longest.mul_f64(JITTER).saturating_add(STEP);
        if due > now.plus(self.longest.saturating_add(slack)) {
            now.plus(self.longest)
        } else {
            due
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use jiff::Timestamp;

    const HOUR: u64 = 3600;

    fn pending(domain: &str, due: Timestamp) -> Pending {
        Pending {
            id: QueueId::generate(),
            next_hop: domain.parse().unwrap(),
            due,
            recipients: 1,
            size: 1,
        }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_second(1_000_000_000 + i64::try_from(seconds).unwrap()).unwrap()
    }

    fn schedule() -> Schedule {
        Schedule::new(Duration::from_hours(4))
    }

    #[test]
    fn in_the_order_of_their_times() {
        let mut schedule = schedule();
        let [late, early] = [pending("a.example", at(20)), pending("a.example", at(10))];
        let ids = [early.id, late.id];
        for one in [late, early] {
            schedule.insert(one, at(0).into());
        }
        assert_eq!(schedule.until_next(at(3).into()), Some(Duration::from_secs(7)));
        assert!(schedule.take_due(at(9).into()).is_none());
        let taken: Vec<QueueId> = std::iter::from_fn(|| schedule.take_due(at(20).into()))
            .map(|job| job.id)
            .collect();
        assert_eq!(taken, ids);
        assert_eq!(schedule.until_next(at(0).into()), None);
    }

    #[test]
    fn nothing_waits_for_a_clock_that_went_back() {
        let mut schedule = schedule();
        let days = 10 * 24 * HOUR;
        schedule.insert(pending("a.example", at(days)), at(days - HOUR).into());
        let near = pending("b.example", at(2 * HOUR));
        schedule.insert(near.clone(), at(0).into());
        // Ten days back, so that one entry is far ahead; the other is where it was.
        assert_eq!(schedule.pull_in(at(0).into()), 1);
        assert_eq!(schedule.pull_in(at(60).into()), 0);
        assert_eq!(
            schedule.take_due(at(2 * HOUR).into()).map(|job| job.id),
            Some(near.id)
        );
        assert!(schedule.take_due(at(4 * HOUR - 1).into()).is_none());
        let pulled = schedule.take_due(at(4 * HOUR).into()).unwrap();
        // Its due time is still that of the spool.
        assert_eq!(pulled.due, at(days).into());
    }

    #[test]
    fn what_is_found_far_ahead_is_taken_up_after_the_longest_delay() {
        let mut schedule = schedule();
        let just = 4 * HOUR + 48 * 60 + 1;
        schedule.insert(pending("a.example", at(just)), at(0).into());
        assert_eq!(schedule.until_next(at(0).into()), Some(Duration::from_secs(just)));
        let mut schedule = self::schedule();
        schedule.insert(pending("a.example", at(just + 1)), at(0).into());
        assert_eq!(schedule.until_next(at(0).into()), Some(Duration::from_hours(4)));
    }

    #[test]
    fn next_hops_are_shared_and_forgotten() {
        let mut schedule = schedule();
        for _ in 0..3 {
            schedule.insert(pending("a.example", at(0)), at(0).into());
        }
        assert_eq!(schedule.next_hops.len(), 1);
        let jobs: Vec<Job> = std::iter::from_fn(|| schedule.take_due(at(0).into())).collect();
        for job in jobs {
            assert_eq!(schedule.next_hops.len(), 1);
            schedule.forget(job);
        }
        assert_eq!(schedule.next_hops.len(), 0);
    }

    #[test]
    fn however_often_a_part_is_told_of_it_waits_once_for_the_earliest_time() {
        let mut schedule = schedule();
        let parts: Vec<Pending> = (0..3_000).map(|_| pending("a.example", at(HOUR))).collect();
        for round in 0..10 {
            for part in &parts {
                let due = at(if round == 0 { HOUR } else { 100 - round });
                schedule.insert(Pending { due, ..part.clone() }, at(0).into());
                schedule.insert(part.clone(), at(0).into());
            }
            assert_eq!((schedule.entries.len(), schedule.times.len()), (3_000, 3_000));
        }
        let elsewhere = Pending {
            id: parts[0].id,
            ..pending("b.example", at(HOUR))
        };
        schedule.insert(elsewhere, at(0).into());
        let taken: Vec<Job> = std::iter::from_fn(|| schedule.take_due(at(91).into())).collect();
        assert_eq!(taken.len(), 3_000);
        assert!(taken.iter().all(|job| job.due == at(91).into()));
        assert_eq!((schedule.entries.len(), schedule.times.len()), (1, 1));
        // A part that was taken up waits again if it is inserted again.
        schedule.insert(parts[0].clone(), at(91).into());
        assert_eq!(schedule.entries.len(), 2);
    }

    #[test]
    fn an_entry_is_small() {
        assert!(size_of::<Entry>() <= 40 && size_of::<(Part, Times)>() <= 40);
    }
}
