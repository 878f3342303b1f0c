//! Mail that waits for its turn until its sender is to be warned, or until it is given up.
//!
//! What is tried has its age looked at after each attempt. What only waits, because its destination is given so many
//! messages a minute or so many connections and no more, is found here: every few minutes, all at once.
//!
//! The age is taken from the message's id, which is made when the message is accepted. So this needs no memory for each
//! message, and a look costs no more than what it finds.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use mail::NextHop;
use tokio::time::Instant;

use super::entry::{Entry, Id, accepted, first_id};
use crate::clock::{Millis, Now};

/// The time from one look to the next: short compared with the ages at which something happens. What is due for a shorter time
/// may be about to get its turn.
const EVERY: Duration = Duration::from_mins(5);
/// An id is made a moment before its message is accepted.
const MOMENT: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// The ages at which something happens to mail.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ages {
    /// The sender is warned.
    pub(crate) warning: Option<Duration>,
    /// The first age at which mail may be given up.
    pub(crate) end: Duration,
}

/// What was found, and when to look again.
#[derive(Debug)]
pub(super) struct Overdue {
    ages: Ages,
    next: Instant,
    /// When the last look was, by the clock.
    last: Millis,
    /// What was found and not taken up yet.
    found: VecDeque<(Arc<NextHop>, Id)>,
}

/// One look: what was not due, or not old enough, at the last one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    ages: Ages,
    last: Millis,
    now: Millis,
}

impl Overdue {
    pub(super) fn new(ages: Ages, now: Instant) -> Self {
        Self {
            ages,
            next: now + EVERY,
            last: Millis::BEGINNING,
            found: VecDeque::new(),
        }
    }

    /// Begins a look, if it is time for one and everything from the last one has been taken up. At `steady` the clock jumped
    /// ahead or the machine woke up for the last time: what became due with that gets its turn first.
    pub(super) fn begin(&mut self, now: Now, steady: Instant) -> Option<Look> {
        if now.awake < self.next.max(steady + EVERY) || !self.found.is_empty() {
            return None;
        }
        self.next = now.awake + EVERY;
        let last = std::mem::replace(&mut self.last, now.clock);
        Some(Look {
            ages: self.ages,
            // After the clock went back nothing is found twice.
            last: last.min(now.clock),
            now: now.clock,
        })
    }

    pub(super) fn add(&mut self, next_hop: &Arc<NextHop>, ids: impl Iterator<Item = Id>) {
        self.found.extend(ids.map(|id| (Arc::clone(next_hop), id)));
    }

    /// What was found first and is still here.
    pub(super) fn take(&mut self) -> Option<(Arc<NextHop>, Id)> {
        self.found.pop_front()
    }
}

impl Look {
    /// The times at which what it finds for the first time may have become due: after the first, up to the second.
    pub(super) fn due(&self) -> (Millis, Millis) {
        (self.last.minus(EVERY), self.now.minus(EVERY))
    }

    /// What may be given up: all before this id.
    pub(super) fn old(&self) -> Id {
        first_id(self.now.minus(self.ages.end))
    }

    /// What has become late since the last look.
    pub(super) fn late(&self) -> Option<Range<Id>> {
        let age = self.ages.warning?.saturating_add(MOMENT);
        let after = self.now.minus(age).plus(MILLISECOND);
        Some(first_id(self.last.minus(age))..first_id(after))
    }

    /// Whether it finds this.
    pub(super) fn finds(&self, entry: &Entry) -> bool {
        let accepted = accepted(entry.id).plus(MOMENT);
        let has_waited = entry.wake.plus(EVERY);
        let is_late = self.ages.warning.is_some_and(|age| {
            let late = accepted.plus(age).max(has_waited);
            self.last < late && late <= self.now
        });
        has_waited <= self.now && (is_late || accepted.plus(self.ages.end) <= self.now)
    }
}
