//! Signatures as they are published: for people who look after a zone. No status depends on them.

use hickory_proto::op::Message;
use hickory_proto::rr::{Name, RecordType};

use crate::presentation::written;
use crate::validate::signatures_of;

/// One signature over a record set (RFC 4034 §3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The zone that signed, without the final dot; `.` for the root.
    pub zone: String,
    /// From when it counts, in seconds since 1970.
    pub from: i64,
    /// Until when, likewise.
    pub until: i64,
    /// The TTL of the records in the zone, in seconds, whatever a cache has left of it.
    pub ttl: u32,
}

/// The signatures over one type at one name.
pub(crate) fn signatures(message: &Message, name: &Name, covered: RecordType) -> Vec<Signature> {
    signatures_of(&message.answers, name, covered)
        .map(|rrsig| {
            let input = rrsig.input();
            let zone = written(&input.signer_name.to_lowercase());
            Signature {
                zone: match zone.trim_end_matches('.') {
                    "" => ".".to_owned(),
                    name => name.to_owned(),
                },
                from: i64::from(input.sig_inception.get()),
                until: i64::from(input.sig_expiration.get()),
                ttl: input.original_ttl,
            }
        })
        .collect()
}
