//! TLSA records as text: the zone-file form (RFC 6698 §2.2) with the acronyms of RFC 7218, and the short
//! form for log lines.

use std::fmt;
use std::str::FromStr;

use crate::tlsa::{TlsaField, TlsaRecord, TlsaSyntaxError};

/// Octets of association data that [`TlsaRecord::fingerprint`] shows.
const FINGERPRINT_OCTETS: usize = 4;

/// What precedes RDATA in the form of RFC 3597 §5.
const GENERIC: &str = "\\#";
/// RFC 7218 §2.1.
const USAGES: &[(&str, u8)] = &[
    ("PKIX-TA", 0),
    ("PKIX-EE", 1),
    ("DANE-TA", 2),
    ("DANE-EE", 3),
    ("PrivCert", 255),
];
/// RFC 7218 §2.2.
const SELECTORS: &[(&str, u8)] = &[("Cert", 0), ("SPKI", 1), ("PrivSel", 255)];
/// RFC 7218 §2.3.
const MATCHING_TYPES: &[(&str, u8)] = &[("Full", 0), ("SHA2-256", 1), ("SHA2-512", 2), ("PrivMatch", 255)];

impl fmt::Display for TlsaRecord {
    /// The zone-file form, lower-case hex: `3 1 1 29c8601c…` in full.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_fields(f)?;
        self.data.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// The first octets of a record, for log lines; made by [`TlsaRecord::fingerprint`].
#[derive(Clone, Copy, Debug)]
pub struct Fingerprint<'a>(&'a TlsaRecord);

impl fmt::Display for Fingerprint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write_fields(f)?;
        let data = &self.0.data;
        for octet in data.iter().take(FINGERPRINT_OCTETS) {
            write!(f, "{octet:02x}")?;
        }
        if data.len() > FINGERPRINT_OCTETS {
            f.write_str("…")?;
        }
        Ok(())
    }
}

impl TlsaRecord {
    /// The record with its data cut after four octets: `3 1 1 29c8601c…`.
    pub fn fingerprint(&self) -> Fingerprint<'_> {
        Fingerprint(self)
    }

    fn write_fields(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (usage, selector, matching) = (
            u8::from(self.usage),
            u8::from(self.selector),
            u8::from(self.matching),
        );
        write!(f, "{usage} {selector} {matching} ")
    }
}

impl FromStr for TlsaRecord {
    type Err = TlsaSyntaxError;

    /// Reads `3 1 1 HEX`. The hex may be split by white space and parentheses as in zone files; fields may
    /// be given by their RFC 7218 names in any case. The form of RFC 3597 §5, `\# 35 030101…`, is read, too.
    fn from_str(text: &str) -> Result<Self, TlsaSyntaxError> {
        let mut words = text
            .split(|c: char| c.is_ascii_whitespace() || c == '(' || c == ')')
            .filter(|word| !word.is_empty())
            .peekable();
        if words.next_if_eq(&GENERIC).is_some() {
            return from_generic(words);
        }
        let mut field = |names: &[(&str, u8)], which: TlsaField| {
            let word = words.next().ok_or(TlsaSyntaxError::MissingField)?;
            parse_field(word, names).ok_or(TlsaSyntaxError::UnknownField(which))
        };
        let usage = field(USAGES, TlsaField::Usage)?;
        let selector = field(SELECTORS, TlsaField::Selector)?;
        let matching = field(MATCHING_TYPES, TlsaField::MatchingType)?;
        let data = parse_hex(words.flat_map(str::bytes))?;
        if data.is_empty() {
            return Err(TlsaSyntaxError::MissingField);
        }
        Ok(Self::from_parts(usage, selector, matching, data))
    }
}

/// RDATA in the form for unknown types: its length, and its octets in hex.
fn from_generic<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<TlsaRecord, TlsaSyntaxError> {
    let length = words.next().ok_or(TlsaSyntaxError::MissingField)?;
    let rdata = parse_hex(words.flat_map(str::bytes))?;
    if length.parse() != Ok(rdata.len()) {
        return Err(TlsaSyntaxError::GenericLength);
    }
    TlsaRecord::from_rdata(&rdata)
}

fn parse_field(word: &str, names: &[(&str, u8)]) -> Option<u8> {
    if word.bytes().all(|b| b.is_ascii_digit()) {
        return word.parse().ok();
    }
    names
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(word))
        .map(|(_, value)| *value)
}

fn parse_hex(digits: impl Iterator<Item = u8>) -> Result<Vec<u8>, TlsaSyntaxError> {
    let mut data = Vec::new();
    let mut high = None;
    for digit in digits {
        let value = hex_value(digit).ok_or(TlsaSyntaxError::Hex)?;
        high = match high {
            None => Some(value),
            Some(high) => {
                data.push(high << 4 | value);
                None
            }
        };
    }
    match high {
        None => Ok(data),
        Some(_) => Err(TlsaSyntaxError::Hex),
    }
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn zone_file_form_round_trips() {
        let record: TlsaRecord = "3 1 1 29C8 601c\t( aabb\n cc )".parse().unwrap();
        assert_eq!(record.to_string(), "3 1 1 29c8601caabbcc");
        assert_eq!(record.to_string().parse::<TlsaRecord>().unwrap(), record);
        assert_eq!(record.fingerprint().to_string(), "3 1 1 29c8601c…");
    }

    #[test]
    fn short_data_has_no_ellipsis() {
        let record = TlsaRecord::from_parts(3, 1, 1, vec![1, 2, 3, 4]);
        assert_eq!(record.fingerprint().to_string(), "3 1 1 01020304");
    }

    #[test]
    fn acronyms_in_any_case() {
        let record: TlsaRecord = "dane-EE spki Sha2-256 00".parse().unwrap();
        assert_eq!(record, TlsaRecord::from_parts(3, 1, 1, vec![0]));
        let private: TlsaRecord = "PRIVCERT PrivSel privmatch ff".parse().unwrap();
        assert_eq!(private, TlsaRecord::from_parts(255, 255, 255, vec![255]));
    }

    #[test]
    fn generic_form_of_rdata() {
        let record = TlsaRecord::from_parts(3, 1, 1, vec![0xab, 0xcd]);
        for text in [
            "\\# 5 030101abcd",
            "\\# 5 ( 0301 01\n\tABCD )",
            "\\# 05 03 01 01 ab cd",
        ] {
            assert_eq!(text.parse(), Ok(record.clone()), "{text:?}");
        }
        for (text, expected) in [
            ("\\#", TlsaSyntaxError::MissingField),
            ("\\# 4 030101abcd", TlsaSyntaxError::GenericLength),
            ("\\# five 030101abcd", TlsaSyntaxError::GenericLength),
            ("\\# 5 030101abc", TlsaSyntaxError::Hex),
            ("\\# 2 0301", TlsaSyntaxError::ShortRdata),
        ] {
            assert_eq!(text.parse::<TlsaRecord>(), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn bad_text_is_named() {
        let error = |text: &str| text.parse::<TlsaRecord>().unwrap_err();
        assert_eq!(error(""), TlsaSyntaxError::MissingField);
        assert_eq!(error("3 1 1"), TlsaSyntaxError::MissingField);
        assert_eq!(error("3 1 1 abc"), TlsaSyntaxError::Hex);
        assert_eq!(error("3 1 1 zz"), TlsaSyntaxError::Hex);
        assert_eq!(error("3 1 1 é"), TlsaSyntaxError::Hex);
        assert_eq!(
            error("256 1 1 00"),
            TlsaSyntaxError::UnknownField(TlsaField::Usage)
        );
        assert_eq!(
            error("3 +1 1 00"),
            TlsaSyntaxError::UnknownField(TlsaField::Selector)
        );
        assert_eq!(
            error("3 1 MD5 00"),
            TlsaSyntaxError::UnknownField(TlsaField::MatchingType)
        );
    }

    #[test]
    fn rdata_keeps_unknown_values_and_empty_data() {
        let record = TlsaRecord::from_rdata(&[4, 9, 200]).unwrap();
        assert_eq!(record, TlsaRecord::from_parts(4, 9, 200, Vec::new()));
        assert_eq!(record.to_string(), "4 9 200 ");
        assert_eq!(TlsaRecord::from_rdata(&[3, 1]), Err(TlsaSyntaxError::ShortRdata));
    }
}
