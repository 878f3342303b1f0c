//! `BDAT`: content in chunks of announced length (RFC 3030 §2).

use crate::refusal::Refusal;

/// One chunk of content, which directly follows the command's CRLF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// Its length.
    pub octets: u64,
    /// Whether the message ends with it.
    pub last: bool,
}

impl Chunk {
    /// Every error is [`Refusal::Chunk`], because then nobody knows where the chunk ends and the next command begins.
    pub(super) fn parse(argument: &str) -> Result<Self, Refusal> {
        let mut words = argument.split(' ').filter(|word| !word.is_empty());
        let octets = words.next().and_then(length).ok_or(Refusal::Chunk)?;
        let last = match (words.next(), words.next()) {
            (None, _) => false,
            (Some(word), None) if word.eq_ignore_ascii_case("LAST") => true,
            (Some(_), _) => return Err(Refusal::Chunk),
        };
        Ok(Self { octets, last })
    }
}

/// 1 to 20 digits that fit 64 bits.
fn length(word: &str) -> Option<u64> {
    let digits = (1..=20).contains(&word.len()) && word.bytes().all(|octet| octet.is_ascii_digit());
    digits.then(|| word.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_digits_that_fit() {
        for (argument, octets, last) in [
            ("0 LAST", 0, true),
            ("86", 86, false),
            ("0086  last", 86, true),
            ("18446744073709551615", u64::MAX, false),
        ] {
            assert_eq!(Chunk::parse(argument), Ok(Chunk { octets, last }), "{argument}");
        }
        for argument in [
            "",
            "LAST",
            "-1",
            "+1",
            "1x",
            "1 LAST x",
            "1 FIRST",
            "18446744073709551616",
            "99999999999999999999 LAST",
            "000000000000000000001",
            "\u{661}",
        ] {
            assert_eq!(Chunk::parse(argument), Err(Refusal::Chunk), "{argument}");
        }
    }
}
