//! One RRset and its signatures (RFC 4035 §5.3).

use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, RRSIG};
use hickory_proto::dnssec::{TBS, Verifier as _};
use hickory_proto::rr::rdata::NULL;
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use jiff::Timestamp;

use crate::algorithm;
use crate::budget::{TooMuch, Work};
use crate::flaw::{Flaw, nearest};

/// The most keys with the same tag that a signature is tried with. A tag is a 16-bit sum, which two keys may share by
/// chance.
const KEYS_OF_TAG: usize = 2;

/// The tolerated clock error, in seconds: a tenth of the signature's validity, within these limits. The values are Unbound's
/// defaults.
const SKEW: (u32, u32) = (3600, 86_400);

/// How long an expired signature still counts, apart from the clock's error, in seconds.
const GRACE: u32 = 60;

/// The keys of one zone, used to check signatures.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) apex: Name,
    pub(super) keys: Vec<(u16, DNSKEY)>,
}

/// The records of one name and type, with what signs them.
pub(super) struct Rrset<'a> {
    pub(super) name: &'a Name,
    pub(super) record_type: RecordType,
    pub(super) records: Vec<&'a Record>,
    pub(super) signatures: Vec<&'a RRSIG>,
}

/// A good signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Good {
    /// Which of them.
    pub(super) index: usize,
    /// The longest that the records may be kept, in seconds (RFC 4035 §5.3.3).
    pub(super) ttl: u32,
}

/// How much a flaw says about why an RRset is not proved, compared with those of its other signatures.
fn weight(flaw: &Flaw) -> u8 {
    match flaw {
        Flaw::NoSignature => 0,
        Flaw::NoSuchKey { .. } => 1,
        Flaw::NotYetValid(_) => 2,
        Flaw::Expired(_) => 3,
        Flaw::WrongSignature { .. } => 4,
        Flaw::NoKeyMatchesDs
        | Flaw::NoKeyMatchesAnchor
        | Flaw::KeysNotSigned
        | Flaw::NoProofOfAbsence
        | Flaw::ProvedToExist
        | Flaw::NoProofOfWildcard
        | Flaw::TooManyIterations
        | Flaw::RefusedByServer => 5,
    }
}

/// The one that says more.
pub(super) fn graver(one: Flaw, other: Flaw) -> Flaw {
    if weight(&other) > weight(&one) { other } else { one }
}

/// Seconds since the epoch.
pub(super) fn now() -> i64 {
    Timestamp::now().as_second()
}

/// The signatures over one name and type in a section.
pub(crate) fn signatures<'a>(
    section: &'a [Record],
    name: &Name,
    covered: RecordType,
) -> impl Iterator<Item = &'a RRSIG> {
    let all = section.iter().filter(move |record| record.name == *name);
    all.filter_map(as_signature)
        .filter(move |rrsig| rrsig.input().type_covered == covered)
}

pub(super) fn as_signature(record: &Record) -> Option<&RRSIG> {
    match &record.data {
        RData::DNSSEC(DNSSECRData::RRSIG(rrsig)) => Some(rrsig),
        _ => None,
    }
}

impl<'a> Rrset<'a> {
    /// The records of one name and type in a section.
    pub(super) fn of(section: &'a [Record], name: &'a Name, record_type: RecordType) -> Self {
        let here = |record: &&Record| record.name == *name && record.record_type() == record_type;
        Self {
            name,
            record_type,
            records: section.iter().filter(here).collect(),
            signatures: signatures(section, name, record_type).collect(),
        }
    }

    /// The first good signature; otherwise what is wrong with them.
    pub(super) fn check(&self, keys: &Keys, now: i64, work: &Work) -> Result<Result<Good, Flaw>, TooMuch> {
        let mut flaw = Flaw::NoSignature;
        for (index, rrsig) in self.signatures.iter().enumerate() {
            match self.check_one(rrsig, keys, now, work)? {
                Ok(ttl) => return Ok(Ok(Good { index, ttl })),
                Err(another) => flaw = graver(flaw, another),
            }
        }
        Ok(Err(flaw))
    }

    /// RFC 4035 §5.3.1.
    fn check_one(
        &self,
        rrsig: &RRSIG,
        keys: &Keys,
        now: i64,
        work: &Work,
    ) -> Result<Result<u32, Flaw>, TooMuch> {
        let input = rrsig.input();
        if input.signer_name != keys.apex || !algorithm::counts(input.algorithm) {
            return Ok(Err(Flaw::NoSignature));
        }
        let key_tag = input.key_tag;
        if !keys.apex.zone_of(self.name) || !self.has_fitting_labels(input.num_labels, &keys.apex) {
            return Ok(Err(Flaw::WrongSignature { key_tag }));
        }
        let ttl = match time_left(input.sig_inception.get(), input.sig_expiration.get(), now) {
            Ok(rest) => rest.min(input.original_ttl),
            Err(flaw) => return Ok(Err(flaw)),
        };
        let by_it = keys
            .keys
            .iter()
            .filter(|(tag, key)| *tag == key_tag && key.algorithm() == input.algorithm);
        let mut signed = None;
        let mut flaw = Flaw::NoSuchKey { key_tag };
        for (_, key) in by_it.take(KEYS_OF_TAG) {
            flaw = Flaw::WrongSignature { key_tag };
            let signed = match &signed {
                Some(known) => known,
                None => match self.signed_octets(rrsig) {
                    Some(made) => signed.insert(made),
                    None => return Ok(Err(flaw)),
                },
            };
            work.check(signed.as_ref().len())?;
            if key.verify(signed.as_ref(), rrsig.sig()).is_ok() {
                return Ok(Ok(ttl));
            }
        }
        Ok(Err(flaw))
    }

    /// Whether a signature with so many labels may belong to this RRset. Fewer than in the name mean that a wildcard was
    /// expanded. The wildcard must be in the zone itself, and records that describe the zone cannot come from one
    /// (RFC 4035 §5.3.4). Whoever uses a DS or an alias checks its origin.
    fn has_fitting_labels(&self, labels: u8, apex: &Name) -> bool {
        const NEVER_EXPANDED: [RecordType; 5] = [
            RecordType::DNSKEY,
            RecordType::NSEC,
            RecordType::NSEC3,
            RecordType::NSEC3PARAM,
            RecordType::SOA,
        ];
        let own = self.name.num_labels();
        let is_hash_of_zone = self.record_type != RecordType::NSEC3 || self.name.base_name() == *apex;
        let may_be_fewer = !NEVER_EXPANDED.contains(&self.record_type);
        is_hash_of_zone && labels >= apex.num_labels() && (labels == own || labels < own && may_be_fewer)
    }

    fn signed_octets(&self, rrsig: &RRSIG) -> Option<TBS> {
        let lowered: Vec<Record>;
        let records = if self.record_type == RecordType::DNAME {
            lowered = self.records.iter().map(|record| lower_case(record)).collect();
            lowered.iter().collect()
        } else {
            self.records.clone()
        };
        TBS::from_input(self.name, DNSClass::IN, rrsig.input(), records.into_iter()).ok()
    }
}

/// A DNAME in its canonical form (RFC 4034 §6.2), which the library does not support: the length octets in a name are not
/// letters.
fn lower_case(record: &Record) -> Record {
    let mut lowered = record.clone();
    if let RData::Unknown { code, rdata } = &record.data {
        let rdata = NULL::with(rdata.anything.to_ascii_lowercase());
        lowered.data = RData::Unknown { code: *code, rdata };
    }
    lowered
}

/// For how many more seconds a signature is valid, in the arithmetic of RFC 1982 (RFC 4034 §3.1.5).
fn time_left(inception: u32, expiration: u32, now: i64) -> Result<u32, Flaw> {
    let period = expiration.wrapping_sub(inception);
    let (from, until) = (nearest(now, inception), nearest(now, expiration));
    let (Some(from), Some(until)) = (from, until) else {
        return Err(Flaw::NoSignature);
    };
    let skew = i64::from((period / 10).clamp(SKEW.0, SKEW.1));
    let rest = until.as_second().saturating_sub(now);
    // One that ends before it begins was never valid.
    if rest < -skew || until < from {
        Err(Flaw::Expired(until))
    } else if from.as_second().saturating_sub(now) > skew {
        Err(Flaw::NotYetValid(from))
    } else {
        let rest = u32::try_from(rest).unwrap_or(0);
        Ok(if rest == 0 { GRACE } else { rest })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const DAY: i64 = 86_400;
    /// At this point the 32-bit times of signatures start from zero again (RFC 4034 §3.1.5).
    const WRAP: i64 = 1 << 32;

    /// The seconds left, or the time that prevents validity.
    fn left(from: i64, until: i64, now: i64) -> Result<u32, (&'static str, i64)> {
        let last_bits = |time: i64| u32::try_from(time % WRAP).unwrap();
        time_left(last_bits(from), last_bits(until), now).map_err(|flaw| match flaw {
            Flaw::Expired(at) => ("expired", at.as_second()),
            Flaw::NotYetValid(at) => ("not yet", at.as_second()),
            _ => ("never", 0),
        })
    }

    #[test]
    fn signatures_have_a_beginning_and_an_end_also_where_the_seconds_wrap() {
        for base in [10 * DAY, WRAP - DAY, WRAP - 20 * DAY, WRAP, 3 * WRAP - 7 * DAY] {
            let (from, until) = (base, base + 30 * DAY);
            assert_eq!(left(from, until, from + DAY), Ok(29 * 86_400));
            assert_eq!(left(from, until, until - 1), Ok(1));
            // A tenth of thirty days would be three, and a day is the most.
            assert_eq!(left(from, until, until + DAY), Ok(GRACE));
            assert_eq!(left(from, until, until + DAY + 1), Err(("expired", until)));
            assert_eq!(left(from, until, from - DAY), Ok(31 * 86_400));
            assert_eq!(left(from, until, from - DAY - 1), Err(("not yet", from)));
        }
    }

    #[test]
    fn clocks_may_be_wrong_by_a_tenth_of_the_time_and_by_an_hour_at_least() {
        for (period, skew) in [(60, 3600), (2 * DAY, 17_280), (7 * DAY, 60_480), (365 * DAY, DAY)] {
            let (from, until) = (WRAP / 2, WRAP / 2 + period);
            assert_eq!(left(from, until, until + skew), Ok(GRACE), "{period}");
            assert_eq!(left(from, until, until + skew + 1), Err(("expired", until)));
            assert!(left(from, until, from - skew).is_ok(), "{period}");
            assert_eq!(left(from, until, from - skew - 1), Err(("not yet", from)));
        }
    }

    #[test]
    fn a_signature_that_ends_before_it_begins_is_never_good() {
        for now in [WRAP - 10, WRAP, WRAP + 10] {
            assert!(left(WRAP + 5, WRAP - 5, now).is_err());
        }
    }

    #[test]
    fn labels_fit_the_name_and_the_zone_and_the_type() {
        let name = |text: &str| Name::from_ascii(text).unwrap();
        let fits = |owner: &str, record_type, labels| {
            let (owner, apex) = (name(owner), name("zone.test."));
            let rrset = Rrset::of(&[], &owner, record_type);
            rrset.has_fitting_labels(labels, &apex)
        };
        for (owner, labels, as_address, as_denial) in [
            ("a.b.zone.test.", 4, true, true),
            ("a.b.zone.test.", 5, false, false),
            // From a wildcard: at most that of the zone itself, none above it.
            ("a.b.zone.test.", 3, true, false),
            ("a.b.zone.test.", 2, true, false),
            ("a.b.zone.test.", 1, false, false),
            ("a.b.zone.test.", 0, false, false),
            // The wildcard's own.
            ("*.b.zone.test.", 3, true, true),
            ("*.b.zone.test.", 2, true, false),
            ("zone.test.", 2, true, true),
            ("zone.test.", 1, false, false),
        ] {
            assert_eq!(fits(owner, RecordType::A, labels), as_address, "{owner} {labels}");
            for never in [RecordType::NSEC, RecordType::SOA, RecordType::DNSKEY] {
                assert_eq!(fits(owner, never, labels), as_denial, "{owner} {never} {labels}");
            }
        }
        // The name of an NSEC3 record is a hash directly below the zone (RFC 5155 §3).
        assert!(fits("hash.zone.test.", RecordType::NSEC3, 3));
        assert!(!fits("hash.b.zone.test.", RecordType::NSEC3, 4));
        assert!(!fits("hash.zone.test.", RecordType::NSEC3, 2));
    }
}
