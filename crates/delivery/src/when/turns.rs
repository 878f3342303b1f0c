//! Whose turn it is: what is due, by destination, so that a slow destination does not delay the others.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use mail::{NextHop, QueueId};

use super::job::Job;

/// Jobs that are due and have not started, and how many are in progress.
pub(crate) struct Turns {
    /// Simultaneous jobs for one destination.
    limit: usize,
    /// Destinations with jobs that are due or in progress.
    destinations: HashMap<Arc<NextHop>, Destination>,
    /// Destinations that have a job waiting and room for it, in turn.
    ready: VecDeque<Arc<NextHop>>,
}

#[derive(Default)]
struct Destination {
    active: usize,
    waiting: VecDeque<Job>,
    /// The messages in the queue, none of them twice.
    messages: HashSet<QueueId>,
    /// Whether the destination is in `ready`.
    in_turn: bool,
}

impl Turns {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            destinations: HashMap::new(),
            ready: VecDeque::new(),
        }
    }

    /// Changes how many jobs for one destination may run at once.
    pub(crate) fn resize(&mut self, limit: usize) {
        self.limit = limit.max(1);
        let waiting: Vec<Arc<NextHop>> = self.destinations.keys().cloned().collect();
        for next_hop in &waiting {
            self.offer_turn(next_hop);
        }
    }

    /// Adds a job at the end of its destination's queue, unless it is already in it.
    pub(crate) fn push(&mut self, job: Job) {
        let next_hop = Arc::clone(&job.next_hop);
        let destination = self.destinations.entry(Arc::clone(&next_hop)).or_default();
        if destination.messages.insert(job.id) {
            destination.waiting.push_back(job);
        }
        self.offer_turn(&next_hop);
    }

    /// The next job that may start; it counts as in progress until [`Turns::ended`].
    pub(crate) fn next(&mut self) -> Option<Job> {
        while let Some(next_hop) = self.ready.pop_front() {
            let Some(destination) = self.destinations.get_mut(&next_hop) else {
                continue;
            };
            destination.in_turn = false;
            if destination.active >= self.limit {
                continue;
            }
            let Some(job) = destination.waiting.pop_front() else {
                continue;
            };
            destination.messages.remove(&job.id);
            destination.active += 1;
            self.offer_turn(&next_hop);
            return Some(job);
        }
        None
    }

    /// A job has ended: its destination has room for another one.
    pub(crate) fn ended(&mut self, job: &Job) {
        if let Some(destination) = self.destinations.get_mut(&job.next_hop) {
            destination.active = destination.active.saturating_sub(1);
            if destination.active == 0 && destination.waiting.is_empty() {
                self.destinations.remove(&job.next_hop);
            }
        }
        self.offer_turn(&job.next_hop);
    }

    fn offer_turn(&mut self, next_hop: &Arc<NextHop>) {
        let Some(destination) = self.destinations.get_mut(next_hop) else {
            return;
        };
        let room = destination.active < self.limit;
        if room && !destination.in_turn && !destination.waiting.is_empty() {
            destination.in_turn = true;
            self.ready.push_back(Arc::clone(next_hop));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::clock::Millis;
    use mail::QueueId;

    fn job(domain: &str) -> Job {
        Job {
            id: QueueId::generate(),
            next_hop: Arc::new(domain.parse().unwrap()),
            due: Millis::NEVER,
        }
    }

    #[test]
    fn what_stands_in_the_row_is_not_added_again() {
        let mut turns = Turns::new(2);
        let one = job("a.example");
        let elsewhere = Job {
            id: one.id,
            ..job("b.example")
        };
        for job in [&one, &elsewhere, &one] {
            turns.push(job.clone());
        }
        let begun: Vec<Job> = std::iter::from_fn(|| turns.next()).collect();
        assert_eq!(begun.len(), 2);
        // It is in progress; if it is pushed again, it gets another turn.
        turns.push(one.clone());
        assert_eq!(turns.next().map(|job| job.id), Some(one.id));
    }

    #[test]
    fn destinations_take_turns_within_their_limit() {
        let mut turns = Turns::new(2);
        for domain in ["a.example", "a.example", "a.example", "b.example"] {
            turns.push(job(domain));
        }
        let begun: Vec<Job> = std::iter::from_fn(|| turns.next()).collect();
        let order: Vec<String> = begun.iter().map(|job| job.next_hop.to_string()).collect();
        assert_eq!(order, ["a.example", "b.example", "a.example"]);
        // The fourth starts when one for its destination has ended.
        turns.ended(&begun[1]);
        assert!(turns.next().is_none());
        turns.ended(&begun[0]);
        let last = turns.next().unwrap();
        turns.ended(&begun[2]);
        turns.ended(&last);
        assert!(turns.destinations.is_empty() && turns.ready.is_empty());
    }

    #[test]
    fn a_wider_window_lets_more_begin_and_a_narrower_one_waits() {
        let mut turns = Turns::new(1);
        for _ in 0..4 {
            turns.push(job("a.example"));
        }
        let first = turns.next().unwrap();
        assert!(turns.next().is_none());
        turns.resize(3);
        let begun: Vec<Job> = std::iter::from_fn(|| turns.next()).collect();
        assert_eq!(begun.len(), 2);
        turns.resize(2);
        turns.ended(&first);
        assert!(turns.next().is_none());
        turns.ended(&begun[0]);
        // It already had its turn when the limit was lowered.
        turns.resize(1);
        assert!(turns.next().is_none());
        turns.resize(2);
        assert!(turns.next().is_some());
    }
}
