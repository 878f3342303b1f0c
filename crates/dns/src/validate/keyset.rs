//! The keys of a zone, and what proves that they are its keys.
//!
//! A key belongs to the zone not because a DS record has its digest, but because the key set that contains it is currently
//! signed by a key which the delegation or a trust anchor names (RFC 4035 §5.2). Then all keys of the set belong to the
//! zone. A set without such a signature has no keys here.

use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, DS};
use hickory_proto::dnssec::{DigestType, PublicKey as _, Verifier as _};
use hickory_proto::op::Message;
use hickory_proto::rr::{Name, RData, RecordType};

use crate::algorithm;
use crate::budget::{TooMuch, Work};
use crate::flaw::Flaw;
use crate::hop::at_owner;

use super::signature::{Keys, Rrset};

/// The most signing keys of a set that are considered; a zone has one or two, and twice as many while it changes them.
const NAMED_KEYS: usize = 4;
/// The longest key that can be used, in octets: RSA with 8192 bits and an exponent of any sensible length.
const KEY: usize = 1200;
/// The most octets of keys of one zone that are kept. No zone has that many, and such a set would not fit a datagram.
const KEYS: usize = 16_384;

/// The DS records of a zone that name its keys. Those with SHA-1 are ignored if there is a stronger digest: an attacker who
/// finds a key with the same SHA-1 must gain nothing by it (RFC 4509 §3).
pub(super) fn delegation(message: &Message, zone: &Name) -> Vec<DS> {
    let mut all: Vec<DS> = at_owner(message, zone, RecordType::DS)
        .into_iter()
        .filter_map(|record| match &record.data {
            RData::DNSSEC(DNSSECRData::DS(ds)) => Some(ds),
            _ => None,
        })
        .filter(|ds| algorithm::counts(ds.algorithm()) && ds.digest_type().is_supported())
        .cloned()
        .collect();
    if all.iter().any(|ds| ds.digest_type() != DigestType::SHA1) {
        all.retain(|ds| ds.digest_type() != DigestType::SHA1);
    }
    all
}

/// The keys in a message, and for how many seconds they may be kept, if a key that `vouched` accepts has signed the set.
/// Otherwise what is wrong with that signature, or `None` if there is no such key.
pub(super) fn prove(
    message: &Message,
    apex: &Name,
    vouched: impl Fn(&DNSKEY) -> bool,
    now: i64,
    work: &Work,
) -> Result<Result<(Keys, u32), Option<Flaw>>, TooMuch> {
    let set = Rrset::of(&message.answers, apex, RecordType::DNSKEY);
    let usable = set.records.iter().filter_map(|record| match &record.data {
        RData::DNSSEC(DNSSECRData::DNSKEY(key)) if is_usable(key) => {
            Some((key.calculate_key_tag().ok()?, key))
        }
        _ => None,
    });
    let mut octets = 0;
    let usable: Vec<(u16, &DNSKEY)> = usable
        .take_while(|(_, key)| {
            octets += key.public_key().public_bytes().len();
            octets <= KEYS
        })
        .collect();
    let chosen = |keys: &mut dyn Iterator<Item = &(u16, &DNSKEY)>| Keys {
        apex: apex.clone(),
        keys: keys.map(|(tag, key)| (*tag, DNSKEY::clone(key))).collect(),
    };
    let named = chosen(&mut usable.iter().filter(|(_, key)| vouched(key)).take(NAMED_KEYS));
    if named.keys.is_empty() {
        return Ok(Err(None));
    }
    let ttl = set.records.iter().map(|record| record.ttl).min().unwrap_or(0);
    Ok(match set.check(&named, now, work)? {
        Ok(good) => Ok((chosen(&mut usable.iter()), ttl.min(good.ttl))),
        Err(flaw) => Err(Some(flaw)),
    })
}

fn is_usable(key: &DNSKEY) -> bool {
    let length = key.public_key().public_bytes().len();
    key.zone_key() && !key.revoke() && algorithm::counts(key.algorithm()) && length <= KEY
}
