//! DANE-EE(3): the leaf's key counts and nothing else (RFC 7672 §3.1.1, RFC 7671 §5.1).

use dane::{TlsaRecord, VerifyFailure};
use rcgen::{CustomExtension, date_time_ymd};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::pki::{HOST, ThreeTier, ca_params, chain, leaf_params, record, self_signed, verdict};

#[test]
fn golden_vectors_of_all_selectors_and_matching_types() {
    let world = ThreeTier::new();
    let stranger = self_signed(ca_params("stranger"));
    for usage in [2, 3] {
        for selector in [0, 1] {
            for matching in [0, 1, 2] {
                let fields = (usage, selector, matching);
                let (certificate, depth) = if usage == 2 {
                    (&world.root, 2)
                } else {
                    (&world.leaf, 0)
                };
                let good = record(fields, certificate);
                let found = verdict(&world.chain(), std::slice::from_ref(&good)).unwrap();
                assert_eq!((found.record, found.depth), (good.clone(), depth));
                assert_eq!(
                    verdict(&world.chain(), &[record(fields, &stranger)]),
                    Err(VerifyFailure::NoMatch),
                    "{fields:?} of another certificate"
                );
            }
        }
    }
}

/// Digests computed by other software over a fixed certificate.
#[test]
fn golden_vectors_from_openssl() {
    let pem = include_str!("golden.pem");
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    for line in include_str!("golden.tlsa").lines() {
        let record: TlsaRecord = line.parse().unwrap();
        assert!(record.matches(&der), "{}", record.fingerprint());
        let found = verdict(std::slice::from_ref(&der), &[record]).unwrap();
        assert_eq!(found.depth, 0);
    }
}

#[test]
fn dates_names_flags_and_extensions_play_no_part() {
    let mut expired = leaf_params(&[HOST]);
    expired.not_after = date_time_ymd(2001, 1, 1);
    let mut future = leaf_params(&[HOST]);
    future.not_before = date_time_ymd(3000, 1, 1);
    let mut critical = leaf_params(&[HOST]);
    let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
    extension.set_criticality(true);
    critical.custom_extensions.push(extension);
    for (what, params) in [
        ("expired", expired),
        ("not yet valid", future),
        ("unknown critical extension", critical),
        ("a CA", ca_params("a CA")),
        ("another host", leaf_params(&["unrelated.example.org"])),
        ("no names", leaf_params(&[])),
    ] {
        let leaf = self_signed(params);
        for fields in [(3, 0, 0), (3, 0, 1), (3, 1, 0), (3, 1, 1), (3, 1, 2)] {
            let found = verdict(&chain(&[&leaf]), &[record(fields, &leaf)]);
            assert_eq!(found.map(|found| found.depth), Ok(0), "{what} by {fields:?}");
        }
    }
}

#[test]
fn the_issuer_does_not_match_usage_3() {
    let world = ThreeTier::new();
    for fields in [(3, 0, 1), (3, 1, 1), (3, 0, 0)] {
        assert_eq!(
            verdict(&world.chain(), &[record(fields, &world.root)]),
            Err(VerifyFailure::NoMatch),
            "{fields:?}"
        );
    }
}

#[test]
fn version_1_certificates_have_keys_too() {
    let leaf = self_signed(leaf_params(&[HOST]));
    let version_1 = CertificateDer::from(without_version_and_extensions(&leaf.der));
    let found = verdict(&[version_1], &[record((3, 1, 1), &leaf)]).unwrap();
    assert_eq!(found.depth, 0);
}

#[test]
fn garbage_is_refused_without_ado() {
    let world = ThreeTier::new();
    let records = [record((3, 1, 1), &world.leaf), record((2, 0, 1), &world.root)];
    assert_eq!(verdict(&[], &records), Err(VerifyFailure::BadCertificate));
    let garbage = CertificateDer::from(b"not a certificate".to_vec());
    assert_eq!(
        verdict(&[garbage.clone(), world.root.der.clone()], &records),
        Err(VerifyFailure::BadCertificate)
    );
    let mut with_garbage = world.chain();
    with_garbage.insert(1, garbage);
    assert!(verdict(&with_garbage, &records).is_ok());
}

/// Rebuilds a certificate as version 1: the same key, no version field, no extensions.
fn without_version_and_extensions(der: &[u8]) -> Vec<u8> {
    let (_, full) = x509_parser::parse_x509_certificate(der).unwrap();
    let tbs = &full.tbs_certificate;
    let serial = wrap(0x02, full.raw_serial());
    let algorithm = [0x30, 0x0a, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    let dates = wrap(0x30, b"\x17\x0d010101000000Z\x17\x0d020101000000Z");
    let body = [
        &serial[..],
        &algorithm,
        tbs.issuer().as_raw(),
        &dates,
        tbs.subject().as_raw(),
        tbs.subject_pki.raw,
    ]
    .concat();
    let signature = wrap(0x03, &[0, 1, 2, 3]);
    wrap(0x30, &[&wrap(0x30, &body)[..], &algorithm, &signature].concat())
}

fn wrap(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = u16::try_from(contents.len()).unwrap().to_be_bytes();
    [&[tag, 0x82][..], &length, contents].concat()
}
