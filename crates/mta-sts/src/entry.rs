//! A policy that was fetched, and for how long it counts (RFC 8461 §3.3, §5.1).

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mail::Domain;
use serde::{Deserialize, Serialize};

use crate::policy::{Mode, Policy};
use crate::record::PolicyId;

/// A policy counts at least this long, whatever its `max_age`: that is for the messages at hand, which all wait for the
/// same fetch.
const SHORTEST_LIFE: Duration = Duration::from_mins(1);
/// After this time a policy is fetched again, while mail goes on (RFC 8461 §3.3 suggests once a day).
const DAY: Duration = Duration::from_hours(24);
/// Policies with a shorter life are fetched when there is mail, and not before: whoever publishes one wants no cache.
const WORTH_REFRESHING: Duration = Duration::from_hours(1);

/// A policy that was fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Whose it is.
    pub domain: Domain,
    /// The id that was published when it was fetched.
    pub id: PolicyId,
    /// When it was fetched.
    pub fetched: Timestamp,
    /// The policy itself.
    pub policy: Arc<Policy>,
}

impl Entry {
    /// Whether it may still be used.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.age(now) < self.policy.max_age().max(SHORTEST_LIFE)
    }

    /// When it ends, unless it is fetched again.
    pub fn ends(&self) -> Timestamp {
        let life = self.policy.max_age().max(SHORTEST_LIFE);
        self.fetched.checked_add(life).unwrap_or(Timestamp::MAX)
    }

    /// Whether it should be fetched again in the background: a day after it was fetched, or halfway through its life. One
    /// that says that there is none protects nothing, and may end.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let life = self.policy.max_age();
        match self.policy.mode {
            Mode::Enforce | Mode::Testing => {
                life >= WORTH_REFRESHING && self.is_valid(now) && self.age(now) >= DAY.min(life / 2)
            }
            Mode::None => false,
        }
    }

    /// A clock that went back makes nothing older.
    fn age(&self, now: Timestamp) -> Duration {
        Duration::try_from(now.duration_since(self.fetched)).unwrap_or_default()
    }

    /// Its octets in memory, roughly.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + 2 * self.domain.as_str().len() + self.id.as_str().len() + self.policy.weight()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn entry(mode: &str, max_age: u32) -> Entry {
        let text = format!("version: STSv1\nmode: {mode}\nmx: mx.example.org\nmax_age: {max_age}\n");
        Entry {
            domain: Domain::parse("example.org").unwrap(),
            id: PolicyId::parse("1").unwrap(),
            fetched: Timestamp::from_second(1_000_000).unwrap(),
            policy: Arc::new(Policy::parse(text.as_bytes()).unwrap()),
        }
    }

    fn after(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).unwrap()
    }

    #[test]
    fn a_policy_counts_for_its_max_age_and_a_minute_at_least() {
        for (max_age, seconds, expected) in [
            (604_800, 604_799, true),
            (604_800, 604_800, false),
            (0, 59, true),
            (0, 60, false),
            (604_800, -1_000, true),
        ] {
            let entry = entry("enforce", max_age);
            assert_eq!(entry.is_valid(after(seconds)), expected, "{max_age} {seconds}");
            assert_eq!(entry.ends() > after(seconds), expected);
        }
    }

    #[test]
    fn what_protects_is_fetched_again_in_time() {
        for (mode, max_age, seconds, expected) in [
            ("enforce", 604_800, 86_399, false),
            ("enforce", 604_800, 86_400, true),
            ("testing", 604_800, 86_400, true),
            ("none", 604_800, 86_400, false),
            ("enforce", 86_400, 43_199, false),
            ("enforce", 86_400, 43_200, true),
            // It has ended already.
            ("enforce", 86_400, 86_400, false),
            ("enforce", 3_600, 1_800, true),
            ("enforce", 3_599, 3_500, false),
        ] {
            assert_eq!(
                entry(mode, max_age).is_due(after(seconds)),
                expected,
                "{mode} {max_age} {seconds}"
            );
        }
    }
}
