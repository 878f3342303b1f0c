//! Which signatures count.

use hickory_proto::dnssec::Algorithm;
use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::rr::RData;

/// Whether signatures of an algorithm prove anything here. Other signatures are ignored, and a zone that has only those is
/// unsigned (RFC 4035 §5.2, RFC 6840 §5.2). Excluded are the algorithms that the library cannot check and the two with
/// SHA-1: RFC 9905 §2 lets those who run a validator treat them as unsupported.
pub(crate) fn counts(algorithm: Algorithm) -> bool {
    /// RSASHA1 and RSASHA1-NSEC3-SHA1.
    const WITH_SHA1: [u8; 2] = [5, 7];
    algorithm.is_supported() && !WITH_SHA1.contains(&algorithm.into())
}

/// The algorithms that DS records name.
pub(crate) fn of_delegation(records: &[RData]) -> Vec<Algorithm> {
    let algorithms = records.iter().filter_map(|record| match record {
        RData::DNSSEC(DNSSECRData::DS(ds)) => Some(ds.algorithm()),
        _ => None,
    });
    algorithms.collect()
}
