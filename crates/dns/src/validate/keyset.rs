//! The keys of a zone: what makes them its keys.
//!
//! A key is not the zone's because a DS record has its digest, but because the set that it stands in is signed, at this time, by
//! a key which the delegation or a trust anchor names (RFC 4035 §5.2). A set without such a signature holds no keys here.

use std::time::{Duration, SystemTime};

use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, DS, RRSIG};
use hickory_proto::dnssec::{DigestType, Verifier};
use hickory_proto::op::Message;
use hickory_proto::rr::{Name, RData, Record, RecordType};

use crate::algorithm;
use crate::hop::at_owner;

/// The most keys that a set may be signed by as far as we look; a zone has one or two, and while it changes them twice as many.
const NAMED_KEYS: usize = 4;
/// The most digests that are compared for one key.
const DIGESTS_OF_KEY: usize = 4;

/// The DS records of a zone that name keys of it. Those with SHA-1 are left out where there is a stronger digest: whoever can
/// find a key with the same SHA-1 must gain nothing by it (RFC 4509 §3).
pub(super) fn delegation<'a>(message: &'a Message, zone: &Name) -> Vec<&'a DS> {
    let mut all: Vec<&DS> = at_owner(message, zone, RecordType::DS)
        .into_iter()
        .filter_map(|record| match &record.data {
            RData::DNSSEC(DNSSECRData::DS(ds)) => Some(ds),
            _ => None,
        })
        .filter(|ds| algorithm::counts(ds.algorithm()) && ds.digest_type().is_supported())
        .collect();
    if all.iter().any(|ds| ds.digest_type() != DigestType::SHA1) {
        all.retain(|ds| ds.digest_type() != DigestType::SHA1);
    }
    all
}

/// Whether one of the DS records is about this key.
pub(crate) fn is_named(key: &DNSKEY, zone: &Name, delegation: &[&DS]) -> bool {
    let Ok(tag) = key.calculate_key_tag() else {
        return false;
    };
    let about_it = delegation
        .iter()
        .filter(|ds| ds.key_tag() == tag && ds.algorithm() == key.algorithm());
    about_it
        .take(DIGESTS_OF_KEY)
        .any(|ds| ds.covers(zone, key).unwrap_or(false))
}

/// For how long the key set of a zone is signed by one of the keys that `vouched` accepts; nothing if it is not.
pub(super) fn signed_for(
    message: &Message,
    zone: &Name,
    vouched: impl Fn(&DNSKEY) -> bool,
) -> Option<Duration> {
    let set = at_owner(message, zone, RecordType::DNSKEY);
    let named: Vec<&DNSKEY> = set
        .iter()
        .filter_map(|record| match &record.data {
            RData::DNSSEC(DNSSECRData::DNSKEY(key)) => Some(key),
            _ => None,
        })
        .filter(|key| key.zone_key() && !key.revoke() && vouched(key))
        .take(NAMED_KEYS)
        .collect();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    at_owner(message, zone, RecordType::RRSIG)
        .into_iter()
        .filter_map(|record| match &record.data {
            RData::DNSSEC(DNSSECRData::RRSIG(rrsig)) => Some(rrsig),
            _ => None,
        })
        .filter(|rrsig| {
            let input = rrsig.input();
            input.type_covered == RecordType::DNSKEY
                && input.signer_name == *zone
                && input.num_labels == zone.num_labels()
        })
        .find_map(|rrsig| {
            let rest = time_left(rrsig, now)?;
            named
                .iter()
                .any(|key| signs(key, rrsig, zone, &set))
                .then_some(rest)
        })
}

fn signs(key: &DNSKEY, rrsig: &RRSIG, zone: &Name, set: &[&Record]) -> bool {
    let [first, ..] = set else { return false };
    let input = rrsig.input();
    key.algorithm() == input.algorithm
        && key.calculate_key_tag().is_ok_and(|tag| tag == input.key_tag)
        && key
            .verify_rrsig(zone, first.dns_class, rrsig, set.iter().copied())
            .is_ok()
}

/// How long a signature will be good; nothing if it is not so now. Times are compared in the arithmetic of RFC 1982 (RFC 4034
/// §3.1.5).
fn time_left(rrsig: &RRSIG, now: Duration) -> Option<Duration> {
    const HALF: u64 = 1 << 31;
    let (now, input) = (now.as_secs(), rrsig.input());
    let until = |later: u64, earlier: u64| later.wrapping_sub(earlier) % (1 << 32);
    let age = until(now, input.sig_inception.get().into());
    let rest = until(input.sig_expiration.get().into(), now);
    (age < HALF && rest < HALF).then(|| Duration::from_secs(rest))
}

#[cfg(test)]
mod tests {
    use hickory_proto::dnssec::Algorithm;
    use hickory_proto::dnssec::rdata::SigInput;
    use hickory_proto::rr::SerialNumber;

    use super::*;

    #[test]
    fn signatures_have_a_beginning_and_an_end_also_where_the_seconds_wrap() {
        let left = |inception: u32, expiration: u32, now: u64| {
            let input = SigInput {
                type_covered: RecordType::DNSKEY,
                algorithm: Algorithm::ED25519,
                num_labels: 0,
                original_ttl: 300,
                sig_expiration: SerialNumber::new(expiration),
                sig_inception: SerialNumber::new(inception),
                key_tag: 1,
                signer_name: Name::root(),
            };
            time_left(&RRSIG::from_sig(input, Vec::new()), Duration::from_secs(now))
                .map(|rest| rest.as_secs())
        };
        assert_eq!(left(100, 200, 150), Some(50));
        assert_eq!(left(100, 200, 200), Some(0));
        assert_eq!(left(100, 200, 201), None);
        assert_eq!(left(100, 200, 99), None);
        let wrap = 1 << 32;
        assert_eq!(left(u32::MAX - 9, 100, wrap + 50), Some(50));
        assert_eq!(left(u32::MAX - 9, 100, wrap - 5), Some(105));
        assert_eq!(left(u32::MAX - 9, 100, wrap + 101), None);
    }
}
