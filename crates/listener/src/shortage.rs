//! Times in which the spool has no room, each told in two events however many clients come.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// At most one shortage is told in this time: a queue at its limit has room for a moment after each delivery.
const PAUSE: Duration = Duration::from_mins(1);

/// Whether there is a shortage, and what was told of it.
#[derive(Debug, Default)]
pub(crate) struct Shortage {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the shortage began of which the log knows the beginning and not the end.
    told: Option<Instant>,
    /// When a beginning was told last.
    last: Option<Instant>,
    /// Messages refused since an end was told.
    refused: u64,
}

/// A shortage that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Messages refused since the last end that was told.
    pub(crate) refused: u64,
    /// From its first refusal to the first message taken again.
    pub(crate) lasted: Duration,
}

impl Shortage {
    /// Counts a refusal. Whether a beginning is to be told.
    pub(crate) fn refused(&self, now: Instant) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.refused = state.refused.saturating_add(1);
        let told_lately = state
            .last
            .is_some_and(|last| now.saturating_duration_since(last) < PAUSE);
        if state.told.is_some() || told_lately {
            return false;
        }
        state.told = Some(now);
        state.last = Some(now);
        true
    }

    /// A message was taken. The end that is to be told, if there is one.
    pub(crate) fn over(&self, now: Instant) -> Option<Ended> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let since = state.told.take()?;
        Some(Ended {
            refused: std::mem::take(&mut state.refused),
            lasted: now.saturating_duration_since(since),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_shortage_is_told_twice_and_counted() {
        let shortage = Shortage::default();
        let start = Instant::now();
        assert_eq!(shortage.over(start), None);
        assert!(shortage.refused(start));
        for second in 1..100 {
            assert!(!shortage.refused(start + Duration::from_secs(second)));
        }
        let ended = shortage.over(start + Duration::from_secs(100)).unwrap();
        assert_eq!((ended.refused, ended.lasted), (100, Duration::from_secs(100)));
        assert_eq!(shortage.over(start + Duration::from_secs(101)), None);
        assert!(shortage.refused(start + Duration::from_secs(102)));
    }

    #[test]
    fn a_queue_at_its_limit_does_not_flood_the_log() {
        let shortage = Shortage::default();
        let start = Instant::now();
        let (mut begun, mut counted) = (0, 0);
        for second in 0..600 {
            let now = start + Duration::from_secs(second);
            begun += u32::from(shortage.refused(now));
            counted += shortage.over(now).map_or(0, |ended| ended.refused);
        }
        assert_eq!(begun, 10);
        // Those since the last end are told with the next one.
        assert_eq!(counted, 541);
    }
}
