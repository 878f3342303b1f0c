//! Numbers, times and ages in words, and what others said.

use jiff::Timestamp;
use mail::words::span;

/// The age of something, in words.
pub(crate) fn ago(time: Timestamp, now: Timestamp) -> String {
    span(now.duration_since(time).as_secs())
}

/// What others said, without the addresses of people that may be in it.
pub(crate) fn without_addresses(text: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    for word in text.split(' ') {
        if !word.contains('@') {
            words.push(word);
            continue;
        }
        // A quoted local part may have spaces: it begins at the last word with a quote.
        if word.contains("\"@")
            && word.matches('"').count() == 1
            && let Some(start) = words.iter().rposition(|word| word.contains('"'))
        {
            words.truncate(start);
        }
        words.push("[address]");
    }
    words.join(" ")
}

/// A number with its thousands apart.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            // Narrow, and no place to break the line.
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number with the word for it: `1 delivery`, `2 deliveries`.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// A share from 0 to 1, in percent.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1}\u{202f}%", share * 100.0)
}

/// A number of octets in the unit that suits it.
pub(crate) fn octets(octets: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut whole = octets;
    let mut tenths = 0;
    let mut unit = 0;
    while whole >= 1024 && unit + 1 < UNITS.len() {
        tenths = whole % 1024 * 10 / 1024;
        whole /= 1024;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if unit == 0 {
        format!("{whole}\u{202f}{name}")
    } else {
        format!("{whole}.{tenths}\u{202f}{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_people_are_left_out_of_what_servers_say() {
        assert_eq!(
            without_addresses("450 4.2.1 <info@example.nl>: mailbox of info@example.nl is busy"),
            "450 4.2.1 [address] mailbox of [address] is busy"
        );
        assert_eq!(
            without_addresses("told \"john a. doe\"@example.dk, and \"no\" one else"),
            "told [address] and \"no\" one else"
        );
    }

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!((grouped(999), grouped(0)), ("999".to_owned(), "0".to_owned()));
        assert_eq!(percent(0.876), "87.6\u{202f}%");
        assert_eq!(octets(1_023), "1023\u{202f}B");
        assert_eq!(octets(1_572_864), "1.5\u{202f}MiB");
    }
}
