//! Extensions under DANE-TA(2) that are malformed or speak against the use, on leaf, issuer and anchor.

use dane::{Untrusted, VerifyFailure};
use rcgen::{CertificateParams, CustomExtension, DnType};

use crate::pki::{HOST, ThreeTier, ca_params, chain, leaf_params, record, self_signed, signed_by, verdict};

const MALFORMED: Result<usize, VerifyFailure> = Err(VerifyFailure::Untrusted(Untrusted::Malformed));
const PURPOSE: Result<usize, VerifyFailure> = Err(VerifyFailure::Untrusted(Untrusted::Purpose));

const SUBJECT_KEY_IDENTIFIER: &[u64] = &[2, 5, 29, 14];
const KEY_USAGE: &[u64] = &[2, 5, 29, 15];
const SUBJECT_ALT_NAME: &[u64] = &[2, 5, 29, 17];
const BASIC_CONSTRAINTS: &[u64] = &[2, 5, 29, 19];
const AUTHORITY_KEY_IDENTIFIER: &[u64] = &[2, 5, 29, 35];
const EXTENDED_KEY_USAGE: &[u64] = &[2, 5, 29, 37];
const NETSCAPE_TYPE: &[u64] = &[2, 16, 840, 1, 113_730, 1, 1];
/// Says where more can be fetched; nothing here reads it.
const AUTHORITY_INFO_ACCESS: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 1];

fn with(mut params: CertificateParams, oid: &[u64], contents: &[u8]) -> CertificateParams {
    let extension = CustomExtension::from_oid_content(oid, contents.to_vec());
    params.custom_extensions.push(extension);
    params
}

/// The verdict on a leaf below a root without a fault.
fn leaf_is(params: CertificateParams) -> Result<usize, VerifyFailure> {
    let root = self_signed(ca_params("root"));
    let leaf = signed_by(&root, params);
    verdict(&chain(&[&leaf, &root]), &[record((2, 0, 1), &root)]).map(|found| found.depth)
}

/// A leaf whose CN is [`HOST`] and whose names are these octets of a `GeneralNames`.
fn named(general_names: &[u8]) -> CertificateParams {
    let mut params = with(leaf_params(&[]), SUBJECT_ALT_NAME, general_names);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, HOST);
    params
}

/// One `GeneralName` with this tag.
fn name(tag: u8, contents: &[u8]) -> Vec<u8> {
    [&[tag, u8::try_from(contents.len()).unwrap()], contents].concat()
}

#[test]
fn names_that_cannot_be_read_are_no_reason_to_look_at_the_cn() {
    let host = name(0x82, HOST.as_bytes());
    let names = |names: &[u8]| named(&name(0x30, names));
    assert_eq!(leaf_is(names(&host)), Ok(1));
    assert_eq!(leaf_is(names(&name(0x81, b"a@example.com"))), Ok(1), "the CN");
    for tag in [0x89, 0x8c, 0x9e] {
        let unknown = name(tag, HOST.as_bytes());
        assert_eq!(leaf_is(names(&unknown)), MALFORMED, "{tag:#x}");
        let both = [host.clone(), unknown].concat();
        assert_eq!(leaf_is(names(&both)), MALFORMED, "{tag:#x} behind a good name");
    }
    assert_eq!(
        leaf_is(names(&name(0x82, b"\xff.example.com"))),
        MALFORMED,
        "no text"
    );
    assert_eq!(leaf_is(names(&name(0x04, b""))), MALFORMED, "of no class");
    assert_eq!(leaf_is(named(b"\x04\x00")), MALFORMED, "no sequence");
    assert_eq!(leaf_is(named(b"\x30\x03\x82\x05a")), MALFORMED, "cut short");
}

#[test]
fn the_older_certificate_type_must_allow_servers() {
    let typed = |contents: &[u8]| leaf_is(with(leaf_params(&[HOST]), NETSCAPE_TYPE, contents));
    assert_eq!(typed(&[3, 2, 6, 0x40]), Ok(1), "server");
    assert_eq!(typed(&[3, 2, 6, 0xc0]), Ok(1), "client and server");
    assert_eq!(typed(&[3, 2, 7, 0x80]), PURPOSE, "client");
    assert_eq!(typed(&[3, 2, 0, 0x07]), PURPOSE, "authorities");
    assert_eq!(typed(&[5, 0]), MALFORMED);
}

#[test]
fn what_is_understood_must_be_well_formed() {
    for oid in [
        AUTHORITY_KEY_IDENTIFIER,
        SUBJECT_KEY_IDENTIFIER,
        KEY_USAGE,
        BASIC_CONSTRAINTS,
        EXTENDED_KEY_USAGE,
    ] {
        let leaf = with(leaf_params(&[HOST]), oid, &[2, 0]);
        assert!(leaf_is(leaf).is_err(), "{oid:?}");
    }
    let leaf = with(leaf_params(&[HOST]), AUTHORITY_INFO_ACCESS, &[2, 0]);
    assert_eq!(leaf_is(leaf), Ok(1), "not understood");

    let identifier = |params| with(params, AUTHORITY_KEY_IDENTIFIER, &[4, 0]);
    assert_eq!(leaf_is(identifier(leaf_params(&[HOST]))), MALFORMED);
    let world = ThreeTier::new();
    let broken = signed_by(&world.root, identifier(ca_params("intermediate")));
    let leaf = signed_by(&broken, leaf_params(&[HOST]));
    for fields in [(2, 0, 0), (2, 0, 1), (2, 1, 1)] {
        for anchor in [&broken, &world.root] {
            let verdict = verdict(&chain(&[&leaf, &broken, &world.root]), &[record(fields, anchor)]);
            assert_eq!(verdict.map(|found| found.depth), MALFORMED, "{fields:?}");
        }
    }
}

/// RFC 5280 §4.1.2.5: the time from notBefore through notAfter, both inclusive.
#[test]
fn the_last_second_counts() {
    let at = |seconds: u64| {
        rcgen::date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(crate::pki::NOW + seconds - 1)
    };
    for (end, expected) in [(0, Err(VerifyFailure::Expired)), (1, Ok(1)), (2, Ok(1))] {
        let mut leaf = leaf_params(&[HOST]);
        leaf.not_after = at(end);
        assert_eq!(leaf_is(leaf), expected, "leaf, {end}");
        let mut root = ca_params("root");
        root.not_after = at(end);
        let root = self_signed(root);
        let leaf = signed_by(&root, leaf_params(&[HOST]));
        let verdict = verdict(&chain(&[&leaf, &root]), &[record((2, 0, 1), &root)]);
        assert_eq!(verdict.map(|found| found.depth), expected, "anchor, {end}");
    }
}
