//! Times counted by how long they are: written by many tasks at once, without a lock, and read for metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often something took how long. Its classes are fixed; each ends, with its end included, at one of the bounds, and
/// the last has no end.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [Duration],
    /// One for each bound, and one for what is longer than all of them.
    counts: Box<[AtomicU64]>,
    /// Of all, in nanoseconds; after 584 years it begins again.
    sum: AtomicU64,
}

/// A histogram at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// The number of observations up to each bound, shorter ones included.
    pub up_to: Vec<(Duration, u64)>,
    /// The number of all observations.
    pub count: u64,
    /// All of them together.
    pub sum: Duration,
}

impl Histogram {
    /// With classes that end at these bounds, the shortest first.
    pub fn new(bounds: &'static [Duration]) -> Self {
        Self {
            bounds,
            counts: std::iter::repeat_with(AtomicU64::default)
                .take(bounds.len().saturating_add(1))
                .collect(),
            sum: AtomicU64::new(0),
        }
    }

    /// Counts one that took so long.
    pub fn observe(&self, time: Duration) {
        let class = self.bounds.partition_point(|bound| *bound < time);
        if let Some(count) = self.counts.get(class) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.sum.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// What has been counted. What is being counted at this moment may be missing in one of the numbers.
    pub fn observed(&self) -> Observed {
        let mut count = 0_u64;
        let mut all = self.counts.iter().map(|class| {
            count = count.saturating_add(class.load(Ordering::Relaxed));
            count
        });
        let up_to = self.bounds.iter().copied().zip(all.by_ref()).collect();
        let longer = all.next().unwrap_or_default();
        Observed {
            up_to,
            count: longer,
            sum: Duration::from_nanos(self.sum.load(Ordering::Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: &[Duration] = &[Duration::from_millis(1), Duration::from_secs(1)];

    #[test]
    fn a_bound_belongs_to_the_class_that_ends_there() {
        let histogram = Histogram::new(BOUNDS);
        for time in [0, 1, 2, 1_000, 1_001] {
            histogram.observe(Duration::from_millis(time));
        }
        let observed = histogram.observed();
        let counts: Vec<u64> = observed.up_to.iter().map(|(_, count)| *count).collect();
        assert_eq!((counts, observed.count), (vec![2, 4], 5));
        assert_eq!(observed.sum, Duration::from_millis(2_004));
    }
}
