//! What can be wrong with signatures, keys and proofs.

use jiff::Timestamp;
use std::fmt;

use crate::context::Context;

/// Why validation failed.
#[derive(Debug, Clone)]
pub(crate) enum Flaw {
    /// A signature is over since then.
    Expired(Timestamp),
    /// A signature begins then.
    NotYetValid(Timestamp),
    /// A signature does not match what is signed.
    WrongSignature {
        /// The key that made it, or is claimed to have made it.
        key_tag: u16,
    },
    /// A signature by a key that the zone does not have.
    NoSuchKey {
        /// Which key that would be.
        key_tag: u16,
    },
    /// A required signature is missing.
    NoSignature,
    /// No key of the zone has a digest that its DS records list.
    NoKeyMatchesDs,
    /// No key of the zone is one that the trust anchor names.
    NoKeyMatchesAnchor,
    /// The key named by the DS records or the anchor did not sign the key set.
    KeysNotSigned,
    /// A claimed absence is not proved.
    NoProofOfAbsence,
    /// What is claimed to be absent is proved to exist.
    ProvedToExist,
    /// There is no proof that nothing closer than the wildcard exists.
    NoProofOfWildcard,
    /// NSEC3 with more iterations than we compute.
    TooManyIterations,
    /// The server that validates for us refuses, but has the data when asked not to validate.
    RefusedByServer,
}

impl Flaw {
    pub(crate) fn write(&self, found: &Context, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (asked, zone) = (found.asked(), found.zone());
        match self {
            Self::Expired(at) => write!(f, "the signature of {asked} expired on {}", date(*at)),
            Self::NotYetValid(at) => {
                write!(f, "the signature of {asked} is not valid before {}", date(*at))
            }
            Self::WrongSignature { key_tag } => {
                write!(f, "the signature of {asked} by key {key_tag} of {zone} is wrong")
            }
            Self::NoSuchKey { key_tag } => {
                write!(
                    f,
                    "{asked} is signed with key {key_tag}, which {zone} does not have"
                )
            }
            Self::NoSignature => write!(f, "{asked} has no signature, and {zone} is signed"),
            Self::NoKeyMatchesDs => {
                let zone = found.zone_alone();
                write!(f, "none of the keys of {zone} matches its DS records")
            }
            Self::NoKeyMatchesAnchor => {
                let zone = found.zone_alone();
                write!(f, "none of the keys of {zone} matches the trust anchor")
            }
            Self::KeysNotSigned => {
                let zone = found.zone_alone();
                write!(
                    f,
                    "the keys of {zone} are not signed by one that its DS records or the trust anchor name"
                )
            }
            Self::NoProofOfAbsence => {
                write!(f, "no proof that {asked} does not exist, and {zone} is signed")
            }
            Self::ProvedToExist => {
                write!(f, "{asked} is said not to exist, and {zone} proves that it does")
            }
            Self::NoProofOfWildcard => {
                write!(
                    f,
                    "{asked} comes from a wildcard, without proof that nothing closer exists"
                )
            }
            Self::TooManyIterations => {
                let zone = found.zone_alone();
                write!(f, "{zone} uses too many NSEC3 iterations")
            }
            Self::RefusedByServer => {
                let server = found.server();
                write!(
                    f,
                    "{server} refuses {asked} and has it without validation: its signatures or proofs do not hold"
                )
            }
        }
    }
}

/// The time within 68 years of `now` that a serial number in seconds stands for.
pub(crate) fn nearest(now: i64, serial: u32) -> Option<Timestamp> {
    let low = u32::try_from(now.rem_euclid(1 << 32)).ok()?;
    // The difference modulo 2^32, read as a signed number.
    let difference = i32::from_ne_bytes(serial.wrapping_sub(low).to_ne_bytes());
    Timestamp::from_second(now.checked_add(difference.into())?).ok()
}

fn date(at: Timestamp) -> impl fmt::Display {
    at.strftime("%Y-%m-%d %H:%M UTC")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hickory_proto::rr::{Name, RecordType};

    use super::*;
    use crate::NoAnswer;

    #[test]
    fn signatures_that_are_over_or_to_come_are_dated() {
        let words = |flaw: Flaw| {
            let name = Name::from_ascii("example.nl.").unwrap();
            NoAnswer::bogus(flaw).about(&name, RecordType::MX).to_string()
        };
        let at = |now, serial| nearest(now, serial).unwrap();
        assert_eq!(
            words(Flaw::Expired(at(260, 200))),
            "bogus: the signature of example.nl MX expired on 1970-01-01 00:03 UTC"
        );
        assert_eq!(
            words(Flaw::NotYetValid(at(40, 100))),
            "bogus: the signature of example.nl MX is not valid before 1970-01-01 00:01 UTC"
        );
        // Where the seconds wrap.
        assert_eq!(
            words(Flaw::Expired(at((1 << 32) + 101, 100))),
            "bogus: the signature of example.nl MX expired on 2106-02-07 06:29 UTC"
        );
    }

    #[test]
    fn every_flaw_has_plain_words_of_bounded_length() {
        let at = Timestamp::UNIX_EPOCH;
        let flaws = [
            Flaw::Expired(at),
            Flaw::NotYetValid(at),
            Flaw::WrongSignature { key_tag: 65535 },
            Flaw::NoSuchKey { key_tag: 65535 },
            Flaw::NoSignature,
            Flaw::NoKeyMatchesDs,
            Flaw::NoKeyMatchesAnchor,
            Flaw::KeysNotSigned,
            Flaw::NoProofOfAbsence,
            Flaw::ProvedToExist,
            Flaw::NoProofOfWildcard,
            Flaw::TooManyIterations,
            Flaw::RefusedByServer,
        ];
        let label = [b'\x1b'; 60];
        let hostile = Name::from_labels([&label[..], &label, &label, &label]).unwrap();
        for flaw in flaws {
            let bare = NoAnswer::bogus(flaw.clone()).to_string();
            assert!(bare.starts_with("bogus: "), "{bare}");
            let full = NoAnswer::bogus(flaw)
                .about(&hostile, RecordType::TLSA)
                .in_zone(&hostile.base_name())
                .at_server(&"\u{202e}x".repeat(300).into())
                .ours()
                .to_string();
            assert!(full.len() < 400, "{} octets: {full}", full.len());
            assert!(full.bytes().all(|octet| matches!(octet, b' '..=b'~')), "{full}");
        }
    }
}
