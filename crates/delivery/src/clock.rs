//! The present time, and how far stored times can be trusted.
//!
//! Everything that is stored, or compared with something stored, uses one [`Clock`]. It may be wrong, jump in both
//! directions or stop while the machine sleeps: this must never make the relay lose a message, give it up early or
//! forget it.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::time::Instant;

pub use mail::{Clock, SystemClock};

/// The date in the system's time zone, which is the one meant by the dates of a policy.
pub(crate) fn local_date(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::system()).date()
}

/// `time` plus `duration`, limited to the end of time.
pub(crate) fn later(time: Timestamp, duration: Duration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}

/// `time` minus `duration`, limited to the beginning of time.
pub(crate) fn earlier(time: Timestamp, duration: Duration) -> Timestamp {
    time.checked_sub(duration).unwrap_or(Timestamp::MIN)
}

/// The time from one to the other; zero if the second comes first.
pub(crate) fn since(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// A time in milliseconds since 1970, as precise as the spool keeps it: half the size of a [`Timestamp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Millis(i64);

impl Millis {
    /// The end of time.
    pub(crate) const NEVER: Self = Self(i64::MAX);

    /// The beginning of time.
    pub(crate) const BEGINNING: Self = Self(i64::MIN);

    pub(crate) fn since_1970(millis: i64) -> Self {
        Self(millis)
    }

    pub(crate) fn in_millis(self) -> i64 {
        self.0
    }

    /// This much earlier, limited to the beginning of time.
    pub(crate) fn minus(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(millis))
    }

    /// This much later, limited to the end of time.
    pub(crate) fn plus(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// How long it is until `other`; zero if `other` has passed.
    pub(crate) fn until(self, other: Self) -> Duration {
        let millis = other.0.saturating_sub(self.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or_default())
    }
}

impl From<Timestamp> for Millis {
    fn from(time: Timestamp) -> Self {
        Self(time.as_millisecond())
    }
}

/// The present time, by the clock and by the time that the machine has been awake.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) clock: Millis,
    pub(crate) awake: Instant,
}

impl Now {
    pub(crate) fn by(clock: &dyn Clock) -> Self {
        Self {
            clock: clock.now().into(),
            awake: Instant::now(),
        }
    }
}
