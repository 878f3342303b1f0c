//! Durations as configuration files write them: `"30s"`, `"5m"`, `"4h"`, `"5d"`.

use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

use crate::toml_file::forms::{self, Form, Unfit};

/// The text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no duration: allowed are a whole number and one of s, m, h, d, like \"30s\" or \"5d\"")]
pub struct DurationError(pub String);

/// Parses a whole number of seconds (`s`), minutes (`m`), hours (`h`) or days of 24 hours (`d`).
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let wrong = || DurationError(text.to_owned());
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number = text.strip_suffix(unit).unwrap_or_default();
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number
        .checked_mul(seconds)
        .map(Duration::from_secs)
        .ok_or_else(wrong)
}

/// A duration as a schema's field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct Span(#[serde(deserialize_with = "forms::one")] pub Duration);

impl Form for Duration {
    const ALLOWED: &'static str = "a whole number and one of s, m, h, d in quotes, like \"30s\" or \"5d\"";

    fn read(text: &str) -> Result<Self, Unfit> {
        parse(text).map_err(|_| Unfit::Form)
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )]
    use super::*;

    #[test]
    fn units() {
        assert_eq!(parse("30s").unwrap(), Duration::from_secs(30));
        assert_eq!(parse("5m").unwrap(), Duration::from_mins(5));
        assert_eq!(parse("4h").unwrap(), Duration::from_hours(4));
        assert_eq!(parse("30d").unwrap(), Duration::from_hours(720));
        assert_eq!(parse("0s").unwrap(), Duration::ZERO);
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "s",
            "5",
            "5 m",
            "+5m",
            "-1s",
            "1.5h",
            "5w",
            "5é",
            "99999999999999999999s",
            "999999999999999999d",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
