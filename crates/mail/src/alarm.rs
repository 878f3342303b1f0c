//! Lasting trouble: reported when it begins, again while it lasts, and when it is over.
#![allow(
    clippy::disallowed_types,
    reason = "who asks says what time it is, and need not have a runtime"
)]

use std::time::{Duration, Instant};

/// What the log has been told about one kind of trouble. Whoever meets the trouble raises the alarm each time, and whoever
/// succeeds clears it; the alarm decides which of that is logged, so that the log never suggests that all is well while it
/// is not.
///
/// `T` says what is wrong: a different trouble of the same kind is reported at once.
#[derive(Debug)]
pub struct Alarm<T> {
    pace: Pace,
    standing: Option<Standing<T>>,
    /// When an end was last reported.
    ended: Option<Instant>,
    /// It was cleared too soon after that for its end to be reported.
    is_cleared: bool,
    /// How often it was raised since an end was last reported.
    raised: u64,
}

/// How often an alarm is reported.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// After this time the same trouble is reported again; without it, never.
    pub reminder: Option<Duration>,
    /// The least time between two ends that are reported. Trouble that comes and goes counts as one that lasts.
    pub pause: Duration,
}

/// What was reported last.
#[derive(Debug)]
struct Standing<T> {
    trouble: T,
    since: Instant,
    told: Instant,
}

/// An alarm that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Over {
    /// How often it was raised since an end was last reported.
    pub raised: u64,
    /// The time from when it was first raised to its end.
    pub lasted: Duration,
}

impl<T: PartialEq> Alarm<T> {
    /// An alarm that has not been raised yet.
    pub const fn new(pace: Pace) -> Self {
        Self {
            pace,
            standing: None,
            ended: None,
            is_cleared: false,
            raised: 0,
        }
    }

    /// Raises the alarm. Returns whether to report it: it is new, different, or has not been reported for long.
    #[must_use]
    pub fn raise(&mut self, trouble: T, now: Instant) -> bool {
        self.raised = self.raised.saturating_add(1);
        self.is_cleared = false;
        let since = match &self.standing {
            Some(standing) if standing.trouble == trouble && !self.is_overdue(standing, now) => return false,
            Some(standing) => standing.since,
            None => now,
        };
        self.standing = Some(Standing {
            trouble,
            since,
            told: now,
        });
        true
    }

    /// Clears the alarm. Returns what to report of its end, if it is to be reported; if it is too early for that, the alarm
    /// is to be cleared again when its [end is due](Self::end_due).
    #[must_use]
    pub fn clear(&mut self, now: Instant) -> Option<Over> {
        let is_early = |ended| now.saturating_duration_since(ended) < self.pace.pause;
        if self.ended.is_some_and(is_early) {
            self.is_cleared = self.stands();
            return None;
        }
        self.is_cleared = false;
        let standing = self.standing.take()?;
        self.ended = Some(now);
        Some(Over {
            raised: std::mem::take(&mut self.raised),
            lasted: now.saturating_duration_since(standing.since),
        })
    }

    /// Whether the log says that the trouble goes on.
    pub const fn stands(&self) -> bool {
        self.standing.is_some()
    }

    /// From when on the end of the trouble can be reported, if it is over and the log does not say so yet.
    pub fn end_due(&self) -> Option<Instant> {
        let ended = self.ended.filter(|_| self.is_cleared)?;
        ended.checked_add(self.pace.pause)
    }

    fn is_overdue(&self, standing: &Standing<T>, now: Instant) -> bool {
        let silent = now.saturating_duration_since(standing.told);
        self.pace.reminder.is_some_and(|reminder| silent >= reminder)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn alarm(reminder: Option<Duration>, pause: Duration) -> Alarm<&'static str> {
        Alarm::new(Pace { reminder, pause })
    }

    #[test]
    fn trouble_is_told_when_it_begins_and_when_it_ends_and_counted() {
        let (mut alarm, start) = (alarm(None, MINUTE), Instant::now());
        assert_eq!(alarm.clear(start), None);
        assert!(alarm.raise("full", start));
        for second in 1..100 {
            assert!(!alarm.raise("full", start + Duration::from_secs(second)));
        }
        let over = alarm.clear(start + Duration::from_secs(100)).unwrap();
        assert_eq!((over.raised, over.lasted), (100, Duration::from_secs(100)));
        assert_eq!(alarm.clear(start + Duration::from_secs(101)), None);
        assert!(alarm.raise("full", start + Duration::from_secs(102)));
    }

    #[test]
    fn it_is_told_again_while_it_lasts_and_another_at_once() {
        let (mut alarm, start) = (alarm(Some(MINUTE), Duration::ZERO), Instant::now());
        let told = (0..3600).filter(|second| alarm.raise("a", start + Duration::from_secs(*second)));
        assert_eq!(told.count(), 60);
        let later = start + Duration::from_hours(1);
        assert!(alarm.raise("b", later));
        assert!(!alarm.raise("b", later + Duration::from_secs(59)));
        assert!(alarm.raise("a", later + Duration::from_secs(59)));
        let over = alarm.clear(later + MINUTE).unwrap();
        assert_eq!(
            over.lasted,
            Duration::from_mins(61),
            "all of it was one time of trouble"
        );
    }

    #[test]
    fn the_log_never_believes_that_all_is_well_while_it_is_not() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut alarm = alarm(Some(MINUTE), MINUTE);
        assert!(alarm.raise("a", at(0)));
        assert!(!alarm.raise("a", at(1)), "told already");
        assert!(alarm.clear(at(2)).is_some());
        assert!(alarm.clear(at(3)).is_none(), "told already");
        assert!(alarm.raise("a", at(4)), "the log believed otherwise");
        // It comes and goes: neither is reported again for a while.
        assert_eq!(alarm.end_due(), None);
        assert!(alarm.clear(at(5)).is_none());
        assert_eq!(
            alarm.end_due(),
            Some(at(62)),
            "whoever waits so long tells the end"
        );
        assert!(!alarm.raise("a", at(6)));
        assert_eq!(alarm.end_due(), None, "it goes on");
        assert!(alarm.raise("a", at(64)), "a reminder");
        assert!(alarm.clear(at(65)).is_some());
        assert!(alarm.clear(at(66)).is_none());
        assert!(alarm.end_due().is_none() && !alarm.stands());
        assert!(alarm.raise("a", at(66)));
    }

    #[test]
    fn trouble_that_comes_and_goes_does_not_flood_the_log() {
        let (mut alarm, start) = (alarm(None, MINUTE), Instant::now());
        let (mut begun, mut counted) = (0, 0);
        for second in 0..600 {
            let now = start + Duration::from_secs(second);
            begun += u32::from(alarm.raise("full", now));
            counted += alarm.clear(now).map_or(0, |over| over.raised);
        }
        assert_eq!(begun, 11);
        // Those since the last reported end are counted in the next one.
        assert_eq!(counted, 541);
    }
}
