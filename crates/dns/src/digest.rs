//! Which key a DS record refers to (RFC 4034 §5).

use hickory_proto::dnssec::Verifier as _;
use hickory_proto::dnssec::rdata::{DNSKEY, DS};
use hickory_proto::rr::Name;

/// The most digests that are compared with one key.
const DIGESTS_OF_KEY: usize = 4;

/// Whether one of the DS records refers to this key.
pub(crate) fn is_named<'a>(key: &DNSKEY, zone: &Name, delegation: impl IntoIterator<Item = &'a DS>) -> bool {
    let Ok(tag) = key.calculate_key_tag() else {
        return false;
    };
    let about_it = delegation
        .into_iter()
        .filter(|ds| ds.key_tag() == tag && ds.algorithm() == key.algorithm());
    about_it
        .take(DIGESTS_OF_KEY)
        .any(|ds| ds.covers(zone, key).unwrap_or(false))
}
