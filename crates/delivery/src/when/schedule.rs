//! All destinations: what waits for each of them, and whose turn it is.
//!
//! A destination with nothing to do costs nothing: it is in one order by the time at which its first message is taken
//! up. Those with something due take turns, so that the backlog of one does not delay the others.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use mail::NextHop;
use mail::cause::Limit;
use mail::event::delivery::DestinationHeldUp;
use spool::Pending;
use tokio::time::Instant;

use super::destination::{Destination, Next, Put, Wake};
use super::entry::Entry;
use super::job::{Course, Job, Share, Shown, Suspension};
use super::overdue::Overdue;
use super::retry::JITTER;
use super::standing::{Glimpse, Standings};
use super::summary;
use crate::clock::{Millis, Now};
use crate::forget::Forget;

/// A clock that is kept right may go back this far.
pub(super) const STEP: Duration = Duration::from_secs(1);

/// Gives the share of a destination, by the policy in force.
pub(super) type Shares = Box<dyn Fn(&NextHop) -> Share + Send>;

/// What waits, by destination.
///
/// Each part of a message has one entry, the earliest of those inserted: if another task put the part off, the entry
/// may still have the old time. Whoever takes an entry up finds out (see [`Job::due`]).
pub(super) struct Schedule {
    destinations: HashMap<Arc<NextHop>, Known>,
    /// When each destination has to be looked at next, by the clock.
    times: BTreeSet<(Millis, Arc<NextHop>)>,
    /// The same by the time that the machine has been awake.
    later: BTreeSet<(Instant, Arc<NextHop>)>,
    /// Destinations with something due, in turn.
    ready: VecDeque<Arc<NextHop>>,
    /// When the log is told of destinations that are held up.
    summaries: VecDeque<(Instant, Arc<NextHop>)>,
    /// What has waited for its turn for long.
    overdue: Overdue,
    shares: Shares,
    /// No destination gets more places than this while others wait.
    fair: usize,
    /// The longest time for which anything is ever put off, without jitter.
    longest: Duration,
}

/// What is to be done next.
#[derive(Debug)]
pub(super) enum Due {
    /// An attempt.
    Attempt(Job),
    /// A deferral without an attempt.
    Defer(Job, Arc<Suspension>),
}

/// A destination, and in which of the orders it is.
#[derive(Debug, Default)]
struct Known {
    destination: Destination,
    place: Place,
}

#[derive(Debug, Clone, Copy, Default)]
enum Place {
    /// In none: it waits until something in progress has ended.
    #[default]
    Nowhere,
    Ready,
    Times(Millis),
    Later(Instant),
}

/// Keeps those most worth looking at, in that order.
fn keep(busiest: &mut Vec<(Glimpse<'_>, &Arc<NextHop>)>, most: usize) {
    busiest.sort_by(|(a, one), (b, other)| b.rank().cmp(&a.rank()).then_with(|| one.cmp(other)));
    busiest.truncate(most);
}

impl Schedule {
    pub(super) fn new(shares: Shares, (connections, longest): (usize, Duration), overdue: Overdue) -> Self {
        let mut schedule = Self {
            destinations: HashMap::new(),
            times: BTreeSet::new(),
            later: BTreeSet::new(),
            ready: VecDeque::new(),
            summaries: VecDeque::new(),
            overdue,
            shares,
            fair: 0,
            longest,
        };
        schedule.resize(connections);
        schedule
    }

    /// Changes the number of places that the destinations share.
    pub(super) fn resize(&mut self, connections: usize) {
        self.fair = (connections / 10).max(1);
    }

    /// Takes up `pending` when it is due.
    pub(super) fn insert(&mut self, pending: Pending, put: Put, now: Now) {
        let due = Millis::from(pending.due);
        let entry = Entry {
            wake: self.plausible(due, now.clock),
            id: pending.id.to_bytes(),
            due,
        };
        let next_hop = self.shared(pending.next_hop);
        self.insert_entry(&next_hop, entry, put, now);
    }

    /// Takes up at `wake` what could not be done, keeping its due time.
    pub(super) fn insert_again(&mut self, job: &Job, wake: Millis, now: Now) {
        let entry = Entry {
            wake,
            id: job.id.to_bytes(),
            due: job.due,
        };
        self.insert_entry(&job.next_hop, entry, Put::Own, now);
    }

    fn insert_entry(&mut self, next_hop: &Arc<NextHop>, entry: Entry, put: Put, now: Now) {
        let known = self.destinations.entry(Arc::clone(next_hop)).or_default();
        known.destination.insert(entry, put, now);
        self.place(next_hop, now);
    }

    fn shared(&self, next_hop: NextHop) -> Arc<NextHop> {
        match self.destinations.get_key_value(&next_hop) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::new(next_hop),
        }
    }

    /// Puts a destination where it is found when it has something to do.
    fn place(&mut self, next_hop: &Arc<NextHop>, now: Now) {
        let Some(known) = self.destinations.get_mut(next_hop) else {
            return;
        };
        let wake = known.destination.wake(now);
        match (known.place, wake) {
            (Place::Ready, _) => return,
            (Place::Times(at), Wake::At(wake)) if at == wake => return,
            (Place::Times(at), _) => {
                self.times.remove(&(at, Arc::clone(next_hop)));
            }
            (Place::Later(at), _) => {
                self.later.remove(&(at, Arc::clone(next_hop)));
            }
            (Place::Nowhere, _) => {}
        }
        known.place = match wake {
            Wake::At(at) => {
                self.times.insert((at, Arc::clone(next_hop)));
                Place::Times(at)
            }
            Wake::After(at) => {
                self.later.insert((at, Arc::clone(next_hop)));
                Place::Later(at)
            }
            Wake::Ended => Place::Nowhere,
            Wake::Never => {
                self.destinations.remove(next_hop);
                return;
            }
        };
    }

    /// Gives a turn to at most so many destinations that have something due.
    pub(super) fn take_due(&mut self, now: Now, most: usize) {
        for _ in 0..most {
            if self.times.first().is_some_and(|(at, _)| *at <= now.clock)
                && let Some((_, next_hop)) = self.times.pop_first()
            {
                self.make_ready(next_hop);
            } else if self.later.first().is_some_and(|(at, _)| *at <= now.awake)
                && let Some((_, next_hop)) = self.later.pop_first()
            {
                self.make_ready(next_hop);
            } else {
                return;
            }
        }
    }

    fn make_ready(&mut self, next_hop: Arc<NextHop>) {
        if let Some(known) = self.destinations.get_mut(&next_hop) {
            known.place = Place::Ready;
            self.ready.push_back(next_hop);
        }
    }

    /// What is to be done next; its destination has one more in progress.
    ///
    /// A destination that has its fair share of all places gives way to the others.
    pub(super) fn next(&mut self, now: Now) -> Option<Due> {
        let mut passed_over = VecDeque::new();
        let mut found = None;
        while let Some(next_hop) = self.ready.pop_front() {
            let Some(known) = self.destinations.get(&next_hop) else {
                continue;
            };
            if known.destination.active() >= self.fair && !self.ready.is_empty() {
                passed_over.push_back(next_hop);
                continue;
            }
            found = self.turn(&next_hop, now);
            if found.is_some() {
                break;
            }
        }
        while found.is_none()
            && let Some(next_hop) = passed_over.pop_front()
        {
            found = self.turn(&next_hop, now);
        }
        // Those passed over stay in front.
        while let Some(next_hop) = passed_over.pop_back() {
            self.ready.push_front(next_hop);
        }
        found
    }

    /// What is to be done next for a destination whose turn it is.
    fn turn(&mut self, next_hop: &Arc<NextHop>, now: Now) -> Option<Due> {
        let share = (self.shares)(next_hop);
        let known = self.destinations.get_mut(next_hop)?;
        known.place = Place::Nowhere;
        let (entry, suspended) = match known.destination.next(share, now) {
            Next::Attempt(entry) => (entry, None),
            Next::Defer(entry, suspension) => (entry, Some(suspension)),
            Next::Full => return None,
            Next::Later(at) => {
                known.place = Place::Later(at);
                self.later.insert((at, Arc::clone(next_hop)));
                self.tell_of(next_hop, now);
                return None;
            }
            Next::Nothing => {
                self.place(next_hop, now);
                return None;
            }
        };
        self.tell_of(next_hop, now);
        self.place(next_hop, now);
        self.make_ready_if_due(next_hop, now);
        let job = entry.of(Arc::clone(next_hop));
        Some(match suspended {
            None => Due::Attempt(job),
            Some(suspension) => Due::Defer(job, suspension),
        })
    }

    /// A destination that has had its turn has another one after the others.
    fn make_ready_if_due(&mut self, next_hop: &Arc<NextHop>, now: Now) {
        if let Some(Known {
            place: Place::Times(at),
            ..
        }) = self.destinations.get(next_hop)
            && *at <= now.clock
        {
            self.times.remove(&(*at, Arc::clone(next_hop)));
            self.make_ready(Arc::clone(next_hop));
        }
    }

    /// Looks for what has waited for its turn for long, if it is time for that. The clock has been right since `steady`.
    pub(super) fn look_for_overdue(&mut self, now: Now, steady: Instant) {
        let Some(look) = self.overdue.begin(now, steady) else {
            return;
        };
        for (next_hop, known) in &self.destinations {
            self.overdue.add(next_hop, known.destination.overdue(&look));
        }
    }

    /// What has waited for its turn for long, and what for; its destination has one more in progress.
    pub(super) fn next_overdue(&mut self, now: Now) -> Option<(Job, Limit)> {
        while let Some((next_hop, id)) = self.overdue.take() {
            let share = (self.shares)(&next_hop);
            let known = self.destinations.get_mut(&next_hop);
            let taken = known.and_then(|known| known.destination.take_overdue(id, share, now));
            if let Some((entry, limit)) = taken {
                self.place(&next_hop, now);
                return Some((entry.of(next_hop), limit));
            }
        }
        None
    }

    /// A turn has ended with an attempt.
    pub(super) fn turn_ended(&mut self, job: &Job, shown: Shown, now: Now) -> (Course, Put) {
        let Some(known) = self.destinations.get_mut(&job.next_hop) else {
            return (Course::Settle, Put::Own);
        };
        let ended = known.destination.turn_ended(job.id, shown, now);
        self.tell_of(&job.next_hop, now);
        self.place(&job.next_hop, now);
        ended
    }

    /// A turn has ended without an attempt.
    pub(super) fn turn_lost(&mut self, job: &Job, now: Now) {
        self.change(&job.next_hop, now, |destination| destination.turn_lost(job.id));
    }

    /// The outcome of an attempt has been written.
    pub(super) fn settled(&mut self, job: &Job, now: Now) {
        self.change(&job.next_hop, now, Destination::settled);
    }

    /// A deferral without an attempt has ended.
    pub(super) fn deferral_ended(&mut self, job: &Job, now: Now) {
        self.change(&job.next_hop, now, Destination::deferral_ended);
    }

    fn change(&mut self, next_hop: &Arc<NextHop>, now: Now, change: impl FnOnce(&mut Destination)) {
        if let Some(known) = self.destinations.get_mut(next_hop) {
            change(&mut known.destination);
        }
        self.place(next_hop, now);
    }

    /// How destinations do; of the busiest, at most so many.
    pub(super) fn look(&self, most: usize) -> Standings {
        let mut standings = Standings {
            destinations: self.destinations.len() as u64,
            ..Standings::default()
        };
        let mut busiest = Vec::new();
        for (next_hop, known) in &self.destinations {
            let glimpse = known.destination.look();
            standings.waiting = standings.waiting.saturating_add(glimpse.waiting);
            standings.failing = standings.failing.saturating_add(u64::from(glimpse.is_failing));
            if glimpse.is_of_note() {
                busiest.push((glimpse, next_hop));
            }
            // So that few are kept, and sorting is rare.
            if busiest.len() >= most.saturating_mul(8) {
                keep(&mut busiest, most);
            }
        }
        keep(&mut busiest, most);
        standings.busiest = busiest
            .into_iter()
            .map(|(glimpse, next_hop)| glimpse.of(next_hop.to_string()))
            .collect();
        standings
    }

    /// Forgets which of these destinations fail and which are busy.
    pub(super) fn reset(&mut self, what: &Forget, now: Now) {
        let known = self.destinations.keys();
        let these: Vec<Arc<NextHop>> = match what {
            Forget::All => known.cloned().collect(),
            Forget::Below(names) => known.filter(|one| names.have_next_hop(one)).cloned().collect(),
            Forget::NextHops(next_hops, _) => {
                let known = next_hops.iter().map(|one| self.destinations.get_key_value(one));
                known.flatten().map(|(known, _)| Arc::clone(known)).collect()
            }
        };
        for next_hop in &these {
            self.change(next_hop, now, Destination::reset);
        }
    }

    /// Has every failing destination probed by the next message whose time comes.
    pub(super) fn probe_now(&mut self, now: Now) {
        let all: Vec<Arc<NextHop>> = self.destinations.keys().cloned().collect();
        for next_hop in &all {
            self.change(next_hop, now, |destination| destination.probe_at(now.awake));
        }
    }

    /// Sees to it that the log is told if the destination is held up.
    fn tell_of(&mut self, next_hop: &Arc<NextHop>, now: Now) {
        if let Some(known) = self.destinations.get_mut(next_hop)
            && known.destination.begins_summary()
        {
            let at = now.awake + summary::EVERY;
            self.summaries.push_back((at, Arc::clone(next_hop)));
        }
    }

    /// What the log is to be told now of a destination that is held up.
    pub(super) fn summary(&mut self, now: Now) -> Option<DestinationHeldUp> {
        while self.summaries.front().is_some_and(|(at, _)| *at <= now.awake)
            && let Some((_, next_hop)) = self.summaries.pop_front()
        {
            let known = self.destinations.get_mut(&next_hop);
            let summary = known.and_then(|known| known.destination.summary(next_hop.to_string()));
            self.place(&next_hop, now);
            if summary.is_some() {
                return summary;
            }
        }
        None
    }

    /// How long until there is something to do; `None` if there is nothing.
    pub(super) fn until_next(&self, now: Now) -> Option<Duration> {
        let clock = self.times.first().map(|(at, _)| now.clock.until(*at));
        let later = self.later.first().map(|(at, _)| *at);
        let summary = self.summaries.front().map(|(at, _)| *at);
        let awake = [later, summary].into_iter().flatten().min();
        let awake = awake.map(|at| at.saturating_duration_since(now.awake));
        [clock, awake].into_iter().flatten().min()
    }

    /// Moves up entries that are further ahead than anything is ever put off: the clock went back after they were made,
    /// and they would wait until it has caught up. Returns how many there were.
    pub(super) fn pull_in(&mut self, now: Now) -> u64 {
        let longest = self.longest;
        let mut pulled = 0;
        let all: Vec<Arc<NextHop>> = self.destinations.keys().cloned().collect();
        for next_hop in &all {
            if let Some(known) = self.destinations.get_mut(next_hop) {
                pulled += known
                    .destination
                    .pull_in(|wake| plausible(wake, now.clock, longest));
            }
            self.place(next_hop, now);
        }
        pulled
    }

    fn plausible(&self, due: Millis, now: Millis) -> Millis {
        plausible(due, now, self.longest)
    }
}

/// `due` itself, or the longest delay from now if `due` is further ahead than is possible, allowing for the jitter and
/// for the steps of a clock that is kept right.
fn plausible(due: Millis, now: Millis, longest: Duration) -> Millis {
    let slack = longest.mul_f64(JITTER).saturating_add(STEP);
    if due > now.plus(longest.saturating_add(slack)) {
        now.plus(longest)
    } else {
        due
    }
}

#[cfg(test)]
mod tests;
