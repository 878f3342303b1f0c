//! Numbers, times and lists in words.

use std::fmt::Display;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A number and its noun: `1 message`, `3 messages`, `2 policies`.
pub fn count<N: Copy + Display + PartialEq + From<u8>>(number: N, noun: &str) -> String {
    if number == N::from(1) {
        return format!("1 {noun}");
    }
    let before_y = noun
        .strip_suffix('y')
        .filter(|rest| !rest.ends_with(['a', 'e', 'o', 'u']));
    match before_y {
        Some(rest) => format!("{number} {rest}ies"),
        None => format!("{number} {noun}s"),
    }
}

/// Several items: `one, two, three`.
pub fn list(items: impl IntoIterator<Item = impl Display>) -> String {
    let words: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    words.join(", ")
}

/// `2026-11-29 14:05 UTC`.
pub fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// `2026-11-29`, in UTC.
pub fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

/// The two largest units of a number of seconds: `3d 4h`, `5m 10s`, `0s`. Less than none is none.
pub fn span(seconds: impl TryInto<u64>) -> String {
    let seconds = seconds.try_into().unwrap_or(0);
    let units = [
        (seconds / 86_400, "d"),
        (seconds / 3600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
    ];
    let largest = units.iter().skip_while(|(number, _)| *number == 0).take(2);
    let words: Vec<String> = largest
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number}{unit}"))
        .collect();
    if words.is_empty() {
        "0s".to_owned()
    } else {
        words.join(" ")
    }
}

/// Date and time as in header fields (RFC 5322 §3.3), in UTC with a numeric zone.
pub fn header_date(time: Timestamp) -> String {
    let zoned = time.to_zoned(TimeZone::UTC);
    // Fails only outside the years 0 to 9999, for which the other format is good enough.
    jiff::fmt::rfc2822::to_string(&zoned).unwrap_or_else(|_| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noun_follows_its_number() {
        for (number, noun, words) in [
            (0, "message", "0 messages"),
            (1, "message", "1 message"),
            (2, "day", "2 days"),
            (1, "entry", "1 entry"),
            (3, "entry", "3 entries"),
        ] {
            assert_eq!(count(number, noun), words);
        }
    }

    #[test]
    fn items_stand_in_a_row() {
        assert_eq!(list([25, 465]), "25, 465");
        assert_eq!(list(Vec::<String>::new()), "");
    }

    #[test]
    fn times_are_for_people() {
        assert_eq!(moment(Timestamp::UNIX_EPOCH), "1970-01-01 00:00 UTC");
        assert_eq!(day(Timestamp::UNIX_EPOCH), "1970-01-01");
        let spans = [-1, 0, 3661, 90_000].map(span);
        assert_eq!(spans, ["0s", "0s", "1h 1m", "1d 1h"]);
    }

    #[test]
    fn a_header_field_has_a_numeric_zone() {
        assert_eq!(
            header_date(Timestamp::UNIX_EPOCH),
            "Thu, 1 Jan 1970 00:00:00 +0000"
        );
    }
}
