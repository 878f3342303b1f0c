//! When a deferred recipient is tried again, and when it is given up.

use std::time::Duration;

use jiff::Timestamp;
use mail::ReversePath;

use crate::config::RetrySchedule;

impl RetrySchedule {
    /// When the message is given up.
    pub fn expiry(&self, created: Timestamp, reverse_path: &ReversePath) -> Timestamp {
        let age = match reverse_path {
            ReversePath::Null => self.bounce_max_age,
            ReversePath::Mailbox(_) => self.max_age,
        };
        later(created, age)
    }

    /// The time of the next attempt after `attempts` attempts (at least one), or `None` when the message has
    /// expired. `jitter` lies in 0..=1 and spreads the delay over ±10 %. The last attempt falls on the expiry
    /// itself, so that no message is given up without having been tried until then.
    pub fn next_attempt(
        &self,
        attempts: u32,
        now: Timestamp,
        expiry: Timestamp,
        jitter: f64,
    ) -> Option<Timestamp> {
        if now >= expiry {
            return None;
        }
        let step = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
        let delay = self
            .delays
            .get(step)
            .or(self.delays.last())
            .copied()
            .unwrap_or(Duration::from_hours(1));
        let spread = delay.as_secs_f64() * (0.9 + 0.2 * jitter.clamp(0.0, 1.0));
        let spread = Duration::try_from_secs_f64(spread).unwrap_or(Duration::MAX);
        Some(later(now, spread).min(expiry))
    }

    /// The first delay: a message older than that has been tried before.
    pub fn first_delay(&self) -> Duration {
        self.delays.first().copied().unwrap_or_default()
    }
}

/// `time` plus `duration`, at the end of time at the latest.
fn later(time: Timestamp, duration: Duration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn schedule() -> RetrySchedule {
        RetrySchedule {
            delays: vec![Duration::from_mins(5), Duration::from_mins(10)],
            max_age: Duration::from_hours(120),
            bounce_max_age: Duration::from_hours(1),
        }
    }

    #[test]
    fn the_last_delay_repeats_until_the_expiry() {
        let schedule = schedule();
        let now = Timestamp::from_second(1_000_000).unwrap();
        let expiry = schedule.expiry(now, &ReversePath::parse("a@b.example").unwrap());
        let after = |attempts| {
            let next = schedule.next_attempt(attempts, now, expiry, 0.5).unwrap();
            next.as_second() - now.as_second()
        };
        assert_eq!((after(1), after(2), after(9)), (300, 600, 600));
        let late = expiry.checked_sub(Duration::from_secs(30)).unwrap();
        assert_eq!(schedule.next_attempt(9, late, expiry, 0.5), Some(expiry));
        assert_eq!(schedule.next_attempt(9, expiry, expiry, 0.5), None);
    }

    #[test]
    fn jitter_stays_within_a_tenth() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let expiry = later(now, Duration::from_hours(100));
        let after = |jitter| {
            schedule()
                .next_attempt(1, now, expiry, jitter)
                .unwrap()
                .as_second()
                - now.as_second()
        };
        assert_eq!((after(0.0), after(1.0)), (270, 330));
    }

    #[test]
    fn the_longest_delay_ends_at_the_expiry() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let schedule = RetrySchedule {
            delays: vec![Duration::MAX],
            ..schedule()
        };
        let expiry = later(now, Duration::from_hours(1));
        assert_eq!(schedule.next_attempt(1, now, expiry, 1.0), Some(expiry));
    }

    #[test]
    fn messages_without_a_sender_expire_on_their_own_clock() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        assert_eq!(
            schedule().expiry(now, &ReversePath::Null),
            later(now, Duration::from_hours(1))
        );
    }
}
