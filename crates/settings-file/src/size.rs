//! Sizes: `"50 MiB"`, or a bare number of octets.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::forms::{self, Form, Unfit};

/// The units in octets, the largest first.
const UNITS: [(&str, u64); 5] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

/// A number of octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Size(pub u64);

/// The text is not a size.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no size: allowed is {allowed}", allowed = Size::ALLOWED)]
pub struct SizeError(String);

/// The octets; `None` if the text has another form or the number is too large.
fn parse(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let unit = unit.trim_start();
    if unit.is_empty() {
        return Some(number);
    }
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*factor)
}

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        parse(text).map(Self).ok_or_else(|| SizeError(text.to_owned()))
    }
}

impl Form for Size {
    type Value = Self;

    const ALLOWED: &'static str =
        "a whole number of octets, or one with B, KiB, MiB, GiB or TiB in quotes, like \"50 MiB\"";

    fn read(text: &str) -> Result<Self, Unfit> {
        parse(text).map(Self).ok_or(Unfit::Form)
    }

    fn read_number(number: i64) -> Option<Self> {
        number.try_into().ok().map(Self)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().find(|(_, factor)| self.0.is_multiple_of(*factor));
        match unit {
            Some((name, factor)) if self.0 > 0 => write!(f, "{} {name}", self.0 / factor),
            Some(_) | None => f.write_str("0"),
        }
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        forms::one::<Self, D>(deserializer)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn sizes_are_written_as_they_are_read() {
        for text in ["50 MiB", "512 MiB", "1 B", "1 TiB", "1000 B", "0"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
        assert_eq!("50MiB".parse::<Size>().unwrap(), Size(50 << 20));
        assert_eq!("4096".parse::<Size>().unwrap(), Size(4096));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "MiB", "-1 B", "50 mib", "50 MB", "18446744073709551615 KiB"] {
            assert!(text.parse::<Size>().is_err(), "{text:?}");
        }
    }
}
