//! Numbers with their nouns.

/// A number and its noun: `1 message`, `3 messages`, `2 policies`.
pub fn count(number: u64, noun: &str) -> String {
    if number == 1 {
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
}
