//! Usability and digest agility (RFC 6698 §4.1, RFC 7671 §9, RFC 7672 §3.1.3 and §5).

use dane::{Digest, DigestOrder, TlsaRecord, TlsaSet, Unusable, VerifyFailure, usability};

use crate::pki::{ThreeTier, record, stale, verdict};

#[test]
fn every_kind_of_unusable_record_is_named() {
    let world = ThreeTier::new();
    let good = record((3, 1, 1), &world.leaf);
    for (fields, length, reason) in [
        ((0, 0, 1), 32, Unusable::PkixUsage),
        ((1, 1, 1), 32, Unusable::PkixUsage),
        ((4, 1, 1), 32, Unusable::UnknownUsage),
        ((255, 1, 1), 32, Unusable::UnknownUsage),
        ((3, 2, 1), 32, Unusable::UnknownSelector),
        ((3, 1, 3), 32, Unusable::UnknownMatchingType),
        ((3, 1, 255), 32, Unusable::UnknownMatchingType),
        ((3, 1, 1), 0, Unusable::Empty),
        ((3, 1, 1), 31, Unusable::DigestLength),
        ((3, 1, 1), 33, Unusable::DigestLength),
        ((3, 1, 1), 64, Unusable::DigestLength),
        ((2, 0, 2), 32, Unusable::DigestLength),
        ((3, 0, 0), 40, Unusable::NotACertificate),
        ((2, 0, 0), 40, Unusable::NotACertificate),
        ((3, 1, 0), 40, Unusable::NotAPublicKey),
    ] {
        let (usage, selector, matching) = fields;
        let bad = TlsaRecord::from_parts(usage, selector, matching, vec![7; length]);
        assert_eq!(usability(&bad), Err(reason), "{fields:?} of {length} octets");

        let alone = TlsaSet::new(vec![bad.clone()]);
        assert!(!alone.is_usable() && !alone.is_empty(), "{fields:?} alone");
        assert_eq!(alone.unusable(), [(bad.clone(), reason)]);

        let mixed = verdict(&world.chain(), &[bad, good.clone()]).unwrap();
        assert_eq!(mixed.record, good, "{fields:?} beside a good record");
    }
}

#[test]
fn well_formed_records_of_both_usages_are_usable() {
    let world = ThreeTier::new();
    for usage in [2, 3] {
        for selector in [0, 1] {
            for matching in [0, 1, 2] {
                let record = record((usage, selector, matching), &world.root);
                assert_eq!(usability(&record), Ok(()), "{usage} {selector} {matching}");
            }
        }
    }
}

#[test]
fn a_matching_pkix_record_does_not_excuse_a_mismatch() {
    let world = ThreeTier::new();
    let records = [
        record((1, 1, 1), &world.leaf),
        stale(record((3, 1, 1), &world.leaf)),
    ];
    assert_eq!(verdict(&world.chain(), &records), Err(VerifyFailure::NoMatch));
}

#[test]
fn one_match_among_stale_records_is_enough() {
    let world = ThreeTier::new();
    let good = record((3, 1, 1), &world.leaf);
    let found = verdict(&world.chain(), &[stale(good.clone()), good.clone()]).unwrap();
    assert_eq!((found.record, found.depth), (good, 0));
}

#[test]
fn a_malformed_stronger_digest_does_not_outrank() {
    let world = ThreeTier::new();
    let mut malformed = record((3, 1, 2), &world.leaf);
    malformed.data.pop();
    let good = record((3, 1, 1), &world.leaf);
    let found = verdict(&world.chain(), &[malformed, good.clone()]).unwrap();
    assert_eq!(found.record, good);
}

#[test]
fn the_strongest_digest_of_a_group_decides() {
    let world = ThreeTier::new();
    let weak = record((3, 1, 1), &world.leaf);
    let strong = stale(record((3, 1, 2), &world.leaf));
    let set = TlsaSet::new(vec![weak.clone(), strong.clone()]);
    assert_eq!(set.usable(), std::slice::from_ref(&strong));
    assert_eq!(set.outranked(), std::slice::from_ref(&weak));
    assert_eq!(set.len(), 2);
    let mut records = vec![weak, strong];
    assert_eq!(verdict(&world.chain(), &records), Err(VerifyFailure::NoMatch));
    // Full(0) data needs no digest and always counts.
    let full = record((3, 1, 0), &world.leaf);
    records.push(full.clone());
    assert_eq!(verdict(&world.chain(), &records).unwrap().record, full);
}

#[test]
fn groups_do_not_outrank_each_other() {
    let world = ThreeTier::new();
    let strong = stale(record((3, 1, 2), &world.leaf));
    for other in [
        record((2, 0, 1), &world.root),
        record((2, 1, 1), &world.root),
        record((3, 0, 1), &world.leaf),
    ] {
        let found = verdict(&world.chain(), &[strong.clone(), other.clone()]).unwrap();
        assert_eq!(found.record, other);
    }
}

#[test]
fn the_order_of_digests_can_be_chosen() {
    let world = ThreeTier::new();
    let sha256 = record((3, 1, 1), &world.leaf);
    let sha512 = record((3, 1, 2), &world.leaf);
    let both = || vec![sha256.clone(), sha512.clone()];

    let flipped = DigestOrder::new(vec![Digest::Sha256, Digest::Sha512]);
    let set = TlsaSet::with_digests(both(), &flipped);
    assert_eq!(set.usable(), std::slice::from_ref(&sha256));

    let without = DigestOrder::new(vec![Digest::Sha256]);
    let set = TlsaSet::with_digests(vec![sha512.clone()], &without);
    assert_eq!(set.unusable(), [(sha512.clone(), Unusable::DigestDisabled)]);
    assert!(!set.is_usable());
}
