//! The types that a user may ask for, by their names (RFC 3597 §5).

use hickory_proto::rr::RecordType;
use thiserror::Error;

/// A question that cannot be asked: a mistake of the user.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum QuestionError {
    /// Not a domain name.
    #[error("`{0}` is no domain name")]
    Name(String),
    /// Not a record type.
    #[error("`{0}` is no record type")]
    Type(String),
    /// A type that asks for several record sets at once, or for something that is never signed: no answer could have a
    /// status.
    #[error("`{0}` cannot be looked up: only types whose records are signed can")]
    Unsigned(String),
}

/// The mnemonic, or `TYPE` and a number, of a type that can be looked up.
pub(crate) fn to_type(text: &str) -> Result<RecordType, QuestionError> {
    let name = text.to_ascii_uppercase();
    let number = name.strip_prefix("TYPE").and_then(|digits| {
        let plain = digits.bytes().all(|octet| octet.is_ascii_digit());
        digits.parse::<u16>().ok().filter(|_| plain)
    });
    let wanted = match (number, name.as_str()) {
        (Some(number), _) => RecordType::from(number),
        // Question types for which there are no records.
        (None, "IXFR" | "OPT") => return Err(QuestionError::Unsigned(text.to_owned())),
        (None, name) => name.parse().map_err(|_| QuestionError::Type(text.to_owned()))?,
    };
    if is_signed(wanted) {
        Ok(wanted)
    } else {
        Err(QuestionError::Unsigned(text.to_owned()))
    }
}

/// Whether records of the type can be signed. That excludes signatures themselves (RFC 4034 §3), and types that exist only
/// in questions or messages (RFC 6895 §3.1).
fn is_signed(record_type: RecordType) -> bool {
    let signatures = [RecordType::SIG, RecordType::RRSIG];
    let unreal = matches!(u16::from(record_type), 0 | 41 | 128..=255);
    !unreal && !signatures.contains(&record_type)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn types_have_names_and_numbers() {
        assert_eq!(to_type("mx").unwrap(), RecordType::MX);
        assert_eq!(to_type("TYPE15").unwrap(), RecordType::MX);
        assert_eq!(to_type("type65280").unwrap(), RecordType::Unknown(65280));
        for unreal in [
            "any", "*", "AXFR", "ixfr", "OPT", "RRSIG", "SIG", "TSIG", "TYPE0", "TYPE46", "TYPE252",
        ] {
            assert_eq!(to_type(unreal), Err(QuestionError::Unsigned(unreal.to_owned())));
        }
        for nothing in ["MAIL", "TYPE", "TYPE65536", "TYPE-1", "TYPE+1", ""] {
            assert_eq!(to_type(nothing), Err(QuestionError::Type(nothing.to_owned())));
        }
    }
}
