//! Durations: `"30s"`, `"5m"`, `"4h"`, `"5d"`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::forms::{self, Form, Unfit};

/// The units in seconds, the largest first. A day has 24 hours.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// A length of time in whole seconds; `0` and `"0"` are allowed, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Interval(pub Duration);

/// The longest duration, 100 years: added to any time there is, it gives a time that can be represented.
const LONGEST: Duration = Duration::from_hours(36_500 * 24);

/// Why a text is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DurationError {
    /// It does not have the form of one.
    #[error("allowed: a whole number and one of s, m, h, d, like 30s or 5d")]
    Form,
    /// It is longer than 100 years.
    #[error("longer than 100 years; allowed: at most 36500d")]
    TooLong,
}

/// A whole number and its unit, with nothing in between.
fn parse(text: &str) -> Result<Duration, DurationError> {
    let unit = text.chars().last().ok_or(DurationError::Form)?;
    let (_, seconds) = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or(DurationError::Form)?;
    let number = text.strip_suffix(unit).unwrap_or_default();
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DurationError::Form);
    }
    // Digits alone that are no number are too many.
    let number = number.parse::<u64>().ok();
    let time = number.and_then(|number| number.checked_mul(*seconds));
    time.map(Duration::from_secs)
        .filter(|time| *time <= LONGEST)
        .ok_or(DurationError::TooLong)
}

impl From<DurationError> for Unfit {
    fn from(error: DurationError) -> Self {
        match error {
            DurationError::Form => Self::Form,
            DurationError::TooLong => Self::because("longer than 100 years"),
        }
    }
}

/// A duration that needs a unit even if it is zero: `"0s"`.
impl Form for Duration {
    type Value = Self;

    const ALLOWED: &'static str = "a whole number and one of s, m, h, d in quotes, like \"30s\" or \"5d\"";

    fn read(text: &str) -> Result<Self, Unfit> {
        Ok(parse(text)?)
    }
}

impl Form for Interval {
    type Value = Self;

    // A zero without unit is taken, too, but most keys take none.
    const ALLOWED: &'static str = Duration::ALLOWED;

    fn read(text: &str) -> Result<Self, Unfit> {
        Ok(text.parse::<Self>()?)
    }

    fn read_number(number: i64) -> Option<Self> {
        (number == 0).then(Self::default)
    }
}

impl FromStr for Interval {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        if text == "0" {
            return Ok(Self(Duration::ZERO));
        }
        parse(text).map(Self)
    }
}

impl Interval {
    /// An interval of this many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// An interval of this many minutes.
    pub const fn minutes(minutes: u64) -> Self {
        Self::seconds(minutes * 60)
    }

    /// An interval of this many hours.
    pub const fn hours(hours: u64) -> Self {
        Self::minutes(hours * 60)
    }

    /// An interval of this many days.
    pub const fn days(days: u64) -> Self {
        Self::hours(days * 24)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let unit = UNITS.iter().find(|(_, factor)| seconds.is_multiple_of(*factor));
        match unit {
            Some((name, factor)) if seconds > 0 => write!(f, "{}{name}", seconds / factor),
            Some(_) | None => f.write_str("0"),
        }
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        forms::one::<Self, D>(deserializer)
    }
}

impl Serialize for Interval {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn units() {
        assert_eq!(parse("30s").unwrap(), Duration::from_secs(30));
        assert_eq!(parse("5m").unwrap(), Duration::from_mins(5));
        assert_eq!(parse("4h").unwrap(), Duration::from_hours(4));
        assert_eq!(parse("30d").unwrap(), Duration::from_hours(720));
        assert_eq!(parse("0s").unwrap(), Duration::ZERO);
        assert_eq!("7d".parse::<Interval>().unwrap(), Interval::hours(168));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "s", "5", "5 m", "+5m", "-1s", "1.5h", "5w", "5é", "5 parsecs"] {
            assert_eq!(text.parse::<Interval>(), Err(DurationError::Form), "{text:?}");
        }
        assert_eq!(parse("0"), Err(DurationError::Form));
    }

    /// So that no time overflows to which a duration is added.
    #[test]
    fn a_hundred_years_are_the_longest() {
        for text in [
            "36501d",
            "99999999d",
            "999999999999999999d",
            "99999999999999999999s",
        ] {
            assert_eq!(text.parse::<Interval>(), Err(DurationError::TooLong), "{text}");
        }
        assert_eq!("36500d".parse::<Interval>(), Ok(Interval::days(36_500)));
    }

    #[test]
    fn intervals_are_written_as_they_are_read() {
        for text in ["30s", "5m", "4h", "5d", "400d", "90s", "0"] {
            assert_eq!(text.parse::<Interval>().unwrap().to_string(), text);
        }
        assert_eq!("0s".parse::<Interval>().unwrap().to_string(), "0");
    }
}
