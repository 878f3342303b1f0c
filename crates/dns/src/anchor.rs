//! Trust anchors: the keys at which validation ends (RFC 4035 §4.4), read from zone-file lines or Unbound's autotrust file.

use std::fmt;

use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, DS};
use hickory_proto::dnssec::{DigestType, PublicKey as _, Verifier};
use hickory_proto::rr::{Name, RData, RecordType};
use hickory_proto::serialize::txt::trust_anchor::{Entry, Parser};
use thiserror::Error;

use crate::algorithm;
use crate::anchor_lines::{Unbalanced, entries};
use crate::digest::is_named;

/// The root's key-signing keys in use: KSK-2017 and KSK-2024, as IANA publishes them (RFC 9718).
const ROOT: &str = "\
. IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D
. IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16
";

/// A set of keys, each trusted without further proof for one zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustAnchors(Vec<Anchor>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Anchor {
    pub(crate) zone: Name,
    pub(crate) key: AnchorKey,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AnchorKey {
    /// A key's digest; the key itself is fetched.
    Ds(DS),
    Dnskey(DNSKEY),
}

/// A line that is not a trust anchor. Then nothing of the file is used: half a set would look complete.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct AnchorError {
    /// Where the record begins, counted from 1; `None` if the error concerns the file as a whole.
    pub line: Option<usize>,
    /// What is wrong with it.
    pub problem: AnchorProblem,
}

impl fmt::Display for AnchorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.problem),
            None => self.problem.fmt(f),
        }
    }
}

impl From<Unbalanced> for AnchorError {
    fn from(Unbalanced(line): Unbalanced) -> Self {
        Self {
            line: Some(line),
            problem: AnchorProblem::Parentheses,
        }
    }
}

/// What is wrong with a line of trust anchors.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AnchorProblem {
    /// No domain name at the start.
    #[error("the owner is no domain name")]
    Owner,
    /// Another class than IN.
    #[error("the class is not IN")]
    Class,
    /// Another type, or none.
    #[error("the type is neither DS nor DNSKEY")]
    Type,
    /// The fields behind the type.
    #[error("the record data cannot be read")]
    Data,
    /// The algorithm or digest is not supported, so this anchor would never match.
    #[error("the algorithm or digest type is not supported")]
    Unsupported,
    /// A digest that no key can have.
    #[error("the digest is {found} octets long, and digests of type {digest_type} have {expected}")]
    Digest {
        /// Its type, as the record says.
        digest_type: u8,
        /// Its length, in octets.
        found: usize,
        /// The length that it must have.
        expected: usize,
    },
    /// A parenthesis without its counterpart, or nested parentheses.
    #[error("the parentheses do not match")]
    Parentheses,
    /// Not one anchor in the whole file.
    #[error("there is no trust anchor in the file")]
    Empty,
}

impl TrustAnchors {
    /// The root's own anchors: both key-signing keys.
    pub fn root() -> Self {
        Self::parse(ROOT).unwrap_or(Self(Vec::new()))
    }

    /// Reads DS and DNSKEY records in zone-file form, with `;` comments; a record in parentheses may span several lines. In
    /// a file kept by Unbound (RFC 5011) only keys in state 2, VALID, count.
    pub fn parse(text: &str) -> Result<Self, AnchorError> {
        let mut anchors = Vec::new();
        for entry in entries(text)? {
            if !is_valid_state(&entry.comment) {
                continue;
            }
            let anchor = parse_record(&entry.record).map_err(|problem| AnchorError {
                line: Some(entry.line),
                problem,
            })?;
            anchors.push(anchor);
        }
        if anchors.is_empty() {
            return Err(AnchorError {
                line: None,
                problem: AnchorProblem::Empty,
            });
        }
        Ok(Self(anchors))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many anchors there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Anchor> {
        self.0.iter()
    }

    /// Whether one of the anchors is this key of the zone, or its digest.
    pub(crate) fn vouch_for(&self, zone: &Name, key: &DNSKEY) -> bool {
        self.iter()
            .filter(|anchor| anchor.zone == *zone)
            .any(|anchor| match &anchor.key {
                AnchorKey::Dnskey(known) => {
                    known.algorithm() == key.algorithm()
                        && known.public_key().public_bytes() == key.public_key().public_bytes()
                }
                AnchorKey::Ds(ds) => is_named(key, zone, [ds]),
            })
    }

    /// Whether there are any for exactly this zone.
    pub(crate) fn are_for(&self, zone: &Name) -> bool {
        self.iter().any(|anchor| anchor.zone == *zone)
    }

    /// The deepest anchored zone at or above a name. Without one, nothing can be secure (RFC 4033 §5, "indeterminate").
    pub(crate) fn zone_above(&self, name: &Name) -> Option<&Name> {
        let zones = self.0.iter().map(|anchor| &anchor.zone);
        zones
            .filter(|zone| zone.zone_of(name))
            .max_by_key(|zone| zone.num_labels())
    }
}

/// Autotrust's comment is `;;state=2 [  VALID  ] ;;count=…`; a line without a state is an ordinary one.
fn is_valid_state(comment: &str) -> bool {
    match comment.split_once("state=") {
        Some((_, state)) => state.trim_start().starts_with('2'),
        None => true,
    }
}

fn parse_record(line: &str) -> Result<Anchor, AnchorProblem> {
    let mut fields = line.split_whitespace().peekable();
    let mut zone = fields
        .next()
        .and_then(|owner| Name::from_ascii(owner).ok())
        .ok_or(AnchorProblem::Owner)?
        .to_lowercase();
    zone.set_fqdn(true);
    // TTL and class may come in either order or be omitted (RFC 1035 §5.1).
    let mut record_type = fields.next().ok_or(AnchorProblem::Type)?;
    loop {
        let is_ttl = record_type.bytes().all(|octet| octet.is_ascii_digit());
        if ["CH", "HS"]
            .iter()
            .any(|class| record_type.eq_ignore_ascii_case(class))
        {
            return Err(AnchorProblem::Class);
        }
        if !is_ttl && !record_type.eq_ignore_ascii_case("IN") {
            break;
        }
        record_type = fields.next().ok_or(AnchorProblem::Type)?;
    }
    let data = fields.collect::<Vec<_>>().join(" ");
    let key = if record_type.eq_ignore_ascii_case("DS") {
        AnchorKey::Ds(parse_ds(&data)?)
    } else if record_type.eq_ignore_ascii_case("DNSKEY") {
        AnchorKey::Dnskey(parse_dnskey(&data)?)
    } else {
        return Err(AnchorProblem::Type);
    };
    Ok(Anchor { zone, key })
}

fn parse_ds(data: &str) -> Result<DS, AnchorProblem> {
    match RData::try_from_str(RecordType::DS, data) {
        Ok(RData::DNSSEC(DNSSECRData::DS(ds))) if ds.digest().is_empty() => Err(AnchorProblem::Data),
        Ok(RData::DNSSEC(DNSSECRData::DS(ds))) => {
            let expected = digest_length(ds.digest_type()).filter(|_| algorithm::counts(ds.algorithm()));
            match (expected.ok_or(AnchorProblem::Unsupported)?, ds.digest().len()) {
                (expected, found) if expected == found => Ok(ds),
                (expected, found) => Err(AnchorProblem::Digest {
                    digest_type: ds.digest_type().into(),
                    found,
                    expected,
                }),
            }
        }
        _ => Err(AnchorProblem::Data),
    }
}

/// In octets; `None` for a type that cannot be computed here.
fn digest_length(digest_type: DigestType) -> Option<usize> {
    match digest_type {
        DigestType::SHA1 => Some(20),
        DigestType::SHA256 => Some(32),
        DigestType::SHA384 => Some(48),
        _ => None,
    }
}

fn parse_dnskey(data: &str) -> Result<DNSKEY, AnchorProblem> {
    let entries = Parser::new(format!(". IN DNSKEY {data}\n"))
        .parse()
        .map_err(|_| AnchorProblem::Data)?;
    let [Entry::DNSKEY(record)] = entries.as_slice() else {
        return Err(AnchorProblem::Data);
    };
    let key = record.data();
    if !key.zone_key() || key.revoke() {
        return Err(AnchorProblem::Data);
    }
    if algorithm::counts(key.algorithm()) {
        Ok(key.clone())
    } else {
        Err(AnchorProblem::Unsupported)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    const KSK_2017: &str = "AwEAAaz/tAm8yTn4Mfeh5eyI96WSVexTBAvkMgJzkKTOiW1vkIbzxeF3+/4RgWOq7HrxRixHlFlExOLAJr5emLvN7SWXgnLh4+B5xQlNVz8Og8kvArMtNROxVQuCaSnIDdD5LKyWbRd2n9WGe2R8PzgCmr3EgVLrjyBxWezF0jLHwVN8efS3rCj/EWgvIWgb9tarpVUDK/b58Da+sqqls3eNbuv7pr+eoZG+SrDK6nWeL3c6H5Apxz7LjVc1uTIdsIXxuOLYA4/ilBmSVIzuDWfdRUfhHdY6+cn8HFRm+2hM8AnXGXws9555KrUB5qihylGa8subX2Nn6UwNR1AkUTV74bU=";

    const KSK_2024: &str = "AwEAAa96jeuknZlaeSrvyAJj6ZHv28hhOKkx3rLGXVaC6rXTsDc449/cidltpkyGwCJNnOAlFNKF2jBosZBU5eeHspaQWOmOElZsjICMQMC3aeHbGiShvZsx4wMYSjH8e7Vrhbu6irwCzVBApESjbUdpWWmEnhathWu1jo+siFUiRAAxm9qyJNg/wOZqqzL/dL/q8PkcRU5oUKEpUge71M3ej2/7CPqpdVwuMoTvoB+ZOT4YeGyxMvHmbrxlFzGOHOijtzN+u1TQNatX2XBuzZNQ1K+s2CXkPIZo7s6JgZyvaBevYtxPvYLw4z9mR7K2vaF18UYH9Z9GNUUeayffKC73PYc=";

    #[test]
    fn both_root_keys_are_built_in() {
        let tags: Vec<u16> = TrustAnchors::root()
            .iter()
            .map(|anchor| match &anchor.key {
                AnchorKey::Ds(ds) => ds.key_tag(),
                AnchorKey::Dnskey(key) => key.calculate_key_tag().unwrap(),
            })
            .collect();
        assert_eq!(tags, [20326, 38696]);
    }

    #[test]
    fn the_digests_built_in_are_those_of_the_published_keys() {
        for (published, built_in) in [KSK_2017, KSK_2024].iter().zip(TrustAnchors::root().iter()) {
            let parsed = TrustAnchors::parse(&format!(". 172800 IN DNSKEY 257 3 8 {published}\n")).unwrap();
            let (AnchorKey::Dnskey(key), AnchorKey::Ds(ds)) = (&parsed.0[0].key, &built_in.key) else {
                panic!("no key, or no digest")
            };
            assert_eq!(ds.key_tag(), key.calculate_key_tag().unwrap());
            assert!(ds.covers(&Name::root(), key).unwrap(), "{}", ds.key_tag());
        }
    }

    #[test]
    fn lines_may_leave_out_ttl_and_class_and_carry_comments() {
        let text = "; a comment\n\n. DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D084 58E880409BBC683457104237C7F8EC8D ; KSK-2017\nexample.org. 300 in ds 1 13 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n";
        let anchors = TrustAnchors::parse(text).unwrap();
        assert_eq!(anchors.len(), 2);
        let below = Name::from_ascii("mx.example.org.").unwrap();
        assert_eq!(anchors.zone_above(&below).unwrap().to_ascii(), "example.org.");
    }

    #[test]
    fn of_an_autotrust_file_only_valid_keys_count() {
        let line = |state: &str| {
            format!(
                ". 86400 IN DNSKEY 257 3 8 {KSK_2017} ;{{id = 20326 (ksk), size = 2048b}} ;;state={state} ;;count=0\n"
            )
        };
        let header = "; autotrust trust anchor file\n;;id: . 1\n;;last_queried: 1763800000 ;;Sat\n";
        for state in [
            "0 [  START  ]",
            "1 [ ADDPEND ]",
            "3 [ MISSING ]",
            "4 [ REVOKED ]",
            "5 [ REMOVED ]",
        ] {
            let text = format!("{header}{}", line(state));
            assert_eq!(
                TrustAnchors::parse(&text).unwrap_err().problem,
                AnchorProblem::Empty,
                "{state}"
            );
        }
        assert_eq!(
            TrustAnchors::parse(&format!("{header}{}", line("2 [  VALID  ]")))
                .unwrap()
                .len(),
            1
        );
    }

    #[test]
    fn a_record_may_stretch_over_lines() {
        let (first, second) = KSK_2017.split_at(100);
        let text = format!(
            "; as dig +multiline writes it\n.\t86400 IN DNSKEY 257 3 8 (\n\t\t{first}\n\t\t{second}\n\t\t) ; KSK; alg = RSASHA256 ; key id = 20326\n. IN DS ( 38696 8 2\n 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16 )\n"
        );
        let anchors = TrustAnchors::parse(&text).unwrap();
        let one_line = TrustAnchors::parse(&format!(". IN DNSKEY 257 3 8 {KSK_2017}\n")).unwrap();
        assert_eq!((anchors.len(), &anchors.0[0]), (2, &one_line.0[0]));
        assert_eq!(Some(&anchors.0[1]), TrustAnchors::root().0.get(1));
    }

    #[test]
    fn a_bad_line_is_named() {
        let problem = |text: &str| TrustAnchors::parse(text).unwrap_err();
        let good = format!(". IN DS 20326 8 2 {}\n", "E0".repeat(32));
        let third = problem(&format!("{good}\n. IN A 192.0.2.1\n"));
        assert_eq!(third.to_string(), "line 3: the type is neither DS nor DNSKEY");
        let second = problem(&format!("\n. IN DS (\n20326 8 2\n{} )\n", "XX".repeat(32)));
        assert_eq!((second.line, second.problem), (Some(2), AnchorProblem::Data));
        assert_eq!(problem(". IN A 192.0.2.1").problem, AnchorProblem::Type);
        assert_eq!(problem(". IN DS 20326 8 2 XX").problem, AnchorProblem::Data);
        assert_eq!(problem(". IN DNSKEY 257 3 8 !").problem, AnchorProblem::Data);
        assert_eq!(problem(". CH DS 20326 8 2 E0").problem, AnchorProblem::Class);
        for unknown in [". IN DS 20326 200 2 E0", ". IN DS 20326 8 3 E0"] {
            assert_eq!(problem(unknown).problem, AnchorProblem::Unsupported);
        }
        for sha1 in [5, 7] {
            let line = good.replace(" 8 2 ", &format!(" {sha1} 2 "));
            assert_eq!(problem(&line).problem, AnchorProblem::Unsupported);
        }
        assert_eq!(problem("").to_string(), "there is no trust anchor in the file");
    }

    #[test]
    fn a_digest_has_the_length_of_its_type() {
        for (digest_type, length) in [(1, 20), (2, 32), (4, 48)] {
            for octets in [length - 1, length, length + 1] {
                let line = format!(". IN DS 20326 8 {digest_type} {}", "E0".repeat(octets));
                let result = TrustAnchors::parse(&line).map(|anchors| anchors.len());
                let expected = if octets == length {
                    Ok(1)
                } else {
                    Err(format!(
                        "line 1: the digest is {octets} octets long, and digests of type {digest_type} have {length}"
                    ))
                };
                assert_eq!(result.map_err(|error| error.to_string()), expected);
            }
        }
    }
}
