//! How many of a thing may come at once, and how often one more.

use jiff::{SignedDuration, Timestamp};

/// How many at once, and how often one more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    at_once: i32,
    each: SignedDuration,
}

/// What is left of them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bucket(
    /// When it has all of them again.
    Option<Timestamp>,
);

impl Pace {
    /// So many at once, and one more each time that so much time has passed.
    pub(super) const fn new(at_once: i32, each: SignedDuration) -> Self {
        Self { at_once, each }
    }
}

impl Bucket {
    /// Takes one, if there is one left.
    pub(super) fn take(&mut self, pace: Pace, now: Timestamp) -> bool {
        let is_left = self.is_left(pace, now);
        if is_left {
            self.0 = self.full(pace, now).checked_add(pace.each).ok();
        }
        is_left
    }

    /// Whether there is one left.
    pub(super) fn is_left(&self, pace: Pace, now: Timestamp) -> bool {
        self.full(pace, now).duration_since(now) <= pace.each * (pace.at_once - 1)
    }

    /// When it has all of them, from now on.
    fn full(&self, pace: Pace, now: Timestamp) -> Timestamp {
        // It is never further ahead, unless the clock has gone back.
        let is_possible = |full: &Timestamp| full.duration_since(now) <= pace.each * pace.at_once;
        let known = self.0.filter(is_possible);
        known.map_or(now, |full| full.max(now))
    }

    /// Whether it has all of them.
    pub(super) fn is_full(&self, now: Timestamp) -> bool {
        self.0.is_none_or(|full| full <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace::new(10, SignedDuration::from_hours(1));

    fn taken(bucket: &mut Bucket, minutes: i64) -> usize {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
        (0..100).filter(|_| bucket.take(PACE, now)).count()
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
