//! Times in the format of RFC 3339.

use std::time::Duration;

use jiff::civil::{self, DateTime};
use rustls::pki_types::UnixTime;

/// The positions of the separators in `2027-01-31T12:00:00`, and the characters allowed there (RFC 3339 §5.6).
const SEPARATORS: [(usize, &[u8]); 5] = [(4, b"-"), (7, b"-"), (10, b"Tt "), (13, b":"), (16, b":")];
/// The length of a date and time without fraction and offset.
const TO_SECONDS: usize = 19;

/// Parses a time that is an option's value.
pub(super) fn parse(text: &str) -> Result<UnixTime, String> {
    let seconds = seconds_since_1970(text)
        .ok_or_else(|| "allowed: a time of RFC 3339, for example 2027-01-31T12:00:00Z".to_owned())?;
    let seconds = u64::try_from(seconds).map_err(|_| "before 1970".to_owned())?;
    Ok(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}

fn seconds_since_1970(text: &str) -> Option<i64> {
    let in_place = |(place, allowed): &(usize, &[u8])| {
        text.as_bytes()
            .get(*place)
            .is_some_and(|octet| allowed.contains(octet))
    };
    if !SEPARATORS.iter().all(in_place) {
        return None;
    }
    let offset = text
        .get(TO_SECONDS..)?
        .find(|c: char| !matches!(c, '.' | '0'..='9'))?;
    let (local, offset) = text.split_at_checked(offset.checked_add(TO_SECONDS)?)?;
    let local: DateTime = local.parse().ok()?;
    let since = local.duration_since(civil::date(1970, 1, 1).at(0, 0, 0, 0));
    since.as_secs().checked_sub(offset_seconds(offset)?)
}

/// `Z`, or hours up to 23 and minutes up to 59 ahead of UTC or behind it.
fn offset_seconds(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("Z") {
        return Some(0);
    }
    let (sign, clock) = text.split_at_checked(1)?;
    let sign = match sign {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let (hours, minutes) = clock.split_once(':')?;
    let number = |text: &str, most: i64| {
        let digits = text.len() == 2 && text.bytes().all(|octet| octet.is_ascii_digit());
        let value: i64 = text.parse().ok()?;
        (digits && value <= most).then_some(value)
    };
    Some(sign * (number(hours, 23)? * 3600 + number(minutes, 59)? * 60))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::parse;

    #[test]
    fn times_of_rfc_3339() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2027-01-31T12:00:00+01:00", 1_801_393_200),
            ("2027-01-31t11:00:00.750z", 1_801_393_200),
            ("2027-01-31 00:30:00-10:30", 1_801_393_200),
            ("2027-02-01T10:59:00+23:59", 1_801_393_200),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(parse(text).unwrap().as_secs(), seconds, "{text:?}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "now",
            "2027-01-31",
            "2027-01-31T12:00:00",
            "2027-01-31T12:00Z",
            "20270131T120000Z",
            "2027-02-30T12:00:00Z",
            "2027-01-31T24:00:00Z",
            "2027-01-31T12:00:00+25:00",
            "2027-01-31T12:00:00+24:00",
            "2027-01-31T12:00:00+01:60",
            "2027-01-31T12:00:00+1:00",
            "2027-01-31T12:00:00+0100",
            "2027-01-31T12:00:00+01:00:00",
            "2027-01-31T12:00:00Zulu",
            "2027-01-31T12:00:00é",
        ] {
            assert!(parse(text).unwrap_err().contains("RFC 3339"), "{text:?}");
        }
        for text in ["1969-12-31T23:59:59Z", "1970-01-01T00:00:00+00:01"] {
            assert_eq!(parse(text).unwrap_err(), "before 1970", "{text:?}");
        }
    }
}
