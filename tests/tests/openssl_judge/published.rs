//! An anchor published as `2 0 0`, with each of its octets changed in turn.

use std::ops::Range;

use crate::factory::{Draft, keys, named};
use crate::faults::{HOST, NOW};
use crate::judge::{Judge, Question, Verdict};
use crate::verdict;

/// Whoever publishes a certificate whole is believed about its key, its name and what it demands. In an anchor its own
/// issuer's name and the key identifiers decide nothing here: RFC 5280 §6.1.1 (d) makes an anchor of a name and a key, and
/// §4.2.1.1 offers identifiers to find certificates by. OpenSSL wants the former well formed, and the latter to agree.
#[test]
fn what_matters_in_a_published_anchor() {
    let keys = keys();
    let anchor =
        with_identifiers(Draft::authority("anchor")).signed(&keys[0], named("somebody else"), &keys[1]);
    let leaf = with_identifiers(Draft::server("no host", &[HOST])).signed_by(&anchor, &keys[2]);
    let good = anchor.record(2, 0, 0);
    let decisive = [
        place(&good.data, &anchor.record(2, 1, 0).data),
        place(&good.data, b"anchor"),
    ];
    let only_openssl_minds = [
        issuer(&good.data),
        extension(&good.data, AUTHORITY_KEY_IDENTIFIER),
        extension(&good.data, SUBJECT_KEY_IDENTIFIER),
    ];
    let mut judge = Judge::new();
    let (mut both, mut neither) = (0, 0);
    for octet in 0..good.data.len() {
        let mut record = good.clone();
        record.data[octet] ^= 1 << (octet % 8);
        let question = Question {
            at: NOW,
            names: vec![HOST],
            records: vec![record],
            chain: vec![leaf.der.clone()],
        };
        let theirs = matches!(judge.ask(&question).verdict, Verdict::Verified { .. });
        let ours = verdict::ours(&question).verdict.is_ok();
        let within = |ranges: &[Range<usize>]| ranges.iter().any(|range| range.contains(&octet));
        assert!(!(ours && within(&decisive)), "octet {octet} must matter");
        assert!(
            theirs || !ours || within(&only_openssl_minds),
            "LAXER: octet {octet}"
        );
        both += usize::from(ours && theirs);
        neither += usize::from(!ours && !theirs);
    }
    assert!(both > 20 && neither > 100, "{both} verified, {neither} refused");
}

const AUTHORITY_KEY_IDENTIFIER: [u8; 5] = [6, 3, 0x55, 0x1d, 35];
const SUBJECT_KEY_IDENTIFIER: [u8; 5] = [6, 3, 0x55, 0x1d, 14];

fn with_identifiers(mut draft: Draft) -> Draft {
    draft.params.use_authority_key_identifier_extension = true;
    draft
}

/// Where these octets stand.
fn place(octets: &[u8], wanted: &[u8]) -> Range<usize> {
    let start = octets
        .windows(wanted.len())
        .position(|window| window == wanted)
        .unwrap();
    start..start + wanted.len()
}

/// Where the issuer's name stands, with the headers around its only attribute.
fn issuer(octets: &[u8]) -> Range<usize> {
    let text = place(octets, b"somebody else");
    text.start - 13..text.end
}

/// Where the extension with this OID stands.
fn extension(octets: &[u8], oid: [u8; 5]) -> Range<usize> {
    let start = place(octets, &oid).start - 2;
    start..start + 2 + usize::from(octets[start + 1])
}
