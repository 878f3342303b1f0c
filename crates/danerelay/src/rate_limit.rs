//! How many of a thing may come at once, and how often one more (a token bucket).

#![expect(clippy::disallowed_types, reason = "the log lives in real time")]

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// A number at once, and one more after each interval.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RateLimit {
    burst: u32,
    interval: Duration,
}

/// What is left of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket<T>(
    /// When it has all of them again.
    Option<T>,
);

/// A point in time.
pub(crate) trait Moment: Copy + Ord {
    /// The time that has passed since another; none if that is later.
    fn since(self, earlier: Self) -> Duration;
    /// A later one, if it can be told.
    fn after(self, time: Duration) -> Option<Self>;
}

impl Moment for Instant {
    fn since(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }

    fn after(self, time: Duration) -> Option<Self> {
        self.checked_add(time)
    }
}

impl Moment for Timestamp {
    fn since(self, earlier: Self) -> Duration {
        Duration::try_from(self.duration_since(earlier)).unwrap_or(Duration::ZERO)
    }

    fn after(self, time: Duration) -> Option<Self> {
        self.checked_add(time).ok()
    }
}

impl RateLimit {
    pub(crate) const fn new(burst: u32, interval: Duration) -> Self {
        Self { burst, interval }
    }
}

impl<T> Default for Bucket<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Moment> Bucket<T> {
    /// Takes one, if there is one left.
    pub(crate) fn take(&mut self, limit: RateLimit, now: T) -> bool {
        let is_left = self.is_left(limit, now);
        if is_left {
            self.0 = self.full(limit, now).after(limit.interval);
        }
        is_left
    }

    /// Whether there is one left.
    pub(crate) fn is_left(&self, limit: RateLimit, now: T) -> bool {
        self.full(limit, now).since(now) <= limit.interval.saturating_mul(limit.burst.saturating_sub(1))
    }

    /// When it has all of them, from now on.
    fn full(&self, limit: RateLimit, now: T) -> T {
        // It is never further ahead, unless the clock has gone back.
        let longest = limit.interval.saturating_mul(limit.burst);
        let known = self.0.filter(|full| full.since(now) <= longest);
        known.map_or(now, |full| full.max(now))
    }

    /// Whether it has all of them.
    pub(crate) fn is_full(&self, now: T) -> bool {
        self.0.is_none_or(|full| full <= now)
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    const LIMIT: RateLimit = RateLimit::new(10, Duration::from_hours(1));

    fn taken(bucket: &mut Bucket<Timestamp>, minutes: i64) -> usize {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
        (0..100).filter(|_| bucket.take(LIMIT, now)).count()
    }

    #[test]
    fn ten_at_once_and_one_more_each_hour() {
        let mut bucket = Bucket::default();
        assert_eq!(taken(&mut bucket, 0), 10);
        assert_eq!(taken(&mut bucket, 59), 0);
        assert_eq!(taken(&mut bucket, 60), 1);
        assert_eq!(taken(&mut bucket, 5 * 60), 4);
        assert_eq!(taken(&mut bucket, 100 * 60), 10);
    }

    #[test]
    fn a_clock_that_goes_back_stops_nothing() {
        let mut bucket = Bucket::default();
        assert_eq!(taken(&mut bucket, 1_000_000), 10);
        assert_eq!(taken(&mut bucket, 0), 10);
        assert_eq!(taken(&mut bucket, 1), 0);
    }
}
