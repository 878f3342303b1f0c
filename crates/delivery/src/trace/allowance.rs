//! How many octets may be told: so many at once, and so many more each second.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Octets from which traces take their parts.
#[derive(Debug)]
pub(crate) struct Allowance {
    size: usize,
    each_second: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    left: usize,
    at: Instant,
}

/// A part of an allowance; what is not used of it is given back.
#[derive(Debug)]
pub(super) struct Part {
    of: Arc<Allowance>,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    left: usize,
    /// How much more may be taken out of the allowance.
    more: usize,
}

/// So many octets are taken out at a time.
const CHUNK: usize = 4 * 1024;

impl Allowance {
    /// `size` octets at once, and `each_second` when these are used up.
    pub(super) fn new(size: usize, each_second: usize) -> Self {
        Self {
            size,
            each_second,
            state: Mutex::new(State {
                left: size,
                at: Instant::now(),
            }),
        }
    }

    /// So many octets, and no more.
    pub(crate) fn once(size: usize) -> Self {
        Self::new(size, 0)
    }

    /// A part of this size, if there is so much.
    pub(super) fn whole(self: &Arc<Self>, octets: usize) -> Option<Part> {
        let mut state = self.state.lock();
        self.refill(&mut state);
        state.left = state.left.checked_sub(octets)?;
        Some(self.part(octets, 0))
    }

    /// A part of at most this size, which is taken out bit by bit.
    pub(super) fn at_most(self: &Arc<Self>, octets: usize) -> Part {
        self.part(0, octets)
    }

    fn part(self: &Arc<Self>, left: usize, more: usize) -> Part {
        Part {
            of: Arc::clone(self),
            held: Mutex::new(Held { left, more }),
        }
    }

    /// As much of this as there is.
    fn draw(&self, octets: usize) -> usize {
        let mut state = self.state.lock();
        self.refill(&mut state);
        let drawn = octets.min(state.left);
        state.left -= drawn;
        drawn
    }

    fn refill(&self, state: &mut State) {
        let seconds = state.at.elapsed().as_secs();
        // What is left of a second counts the next time.
        state.at += std::time::Duration::from_secs(seconds);
        let more = usize::try_from(seconds).unwrap_or(usize::MAX);
        let more = more.saturating_mul(self.each_second);
        state.left = state.left.saturating_add(more).min(self.size);
    }
}

impl Part {
    /// Takes so many octets, if at least `rest` remain of the part.
    pub(super) fn take(&self, octets: usize, rest: usize) -> bool {
        let mut held = self.held.lock();
        let Some(missing) = octets.checked_sub(held.left).filter(|missing| *missing > 0) else {
            let is_enough = held.left + held.more >= octets.saturating_add(rest);
            held.left -= if is_enough { octets } else { 0 };
            return is_enough;
        };
        if held.left + held.more < octets.saturating_add(rest) {
            return false;
        }
        let drawn = self.of.draw(missing.max(CHUNK).min(held.more));
        held.left += drawn;
        held.more -= drawn;
        let is_enough = held.left >= octets;
        held.left -= if is_enough { octets } else { 0 };
        is_enough
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let left = self.held.get_mut().left;
        let mut state = self.of.state.lock();
        state.left = state.left.saturating_add(left).min(self.of.size);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_used_up_comes_back_with_time_and_what_is_not_at_once() {
        let allowance = Arc::new(Allowance::new(100, 10));
        let (first, second) = (allowance.whole(60).unwrap(), allowance.at_most(60));
        assert!(allowance.whole(41).is_none());
        assert!(first.take(50, 10) && !first.take(1, 10) && first.take(1, 0));
        assert!(second.take(40, 0) && !second.take(1, 0));
        drop(first);
        assert!(allowance.whole(10).is_none() && allowance.whole(9).is_some());
        tokio::time::advance(Duration::from_millis(1_500)).await;
        assert!(allowance.whole(20).is_none() && allowance.whole(19).is_some());
        tokio::time::advance(Duration::from_secs(1_000)).await;
        assert!(allowance.whole(101).is_none() && allowance.whole(100).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_given_once_does_not_come_back() {
        let allowance = Arc::new(Allowance::once(100));
        assert!(allowance.at_most(100).take(100, 0));
        tokio::time::advance(Duration::from_secs(1_000)).await;
        assert!(!allowance.at_most(100).take(1, 0));
    }
}
