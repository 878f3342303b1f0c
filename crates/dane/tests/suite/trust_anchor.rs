//! DANE-TA(2): matching, path validation, constraints and names (RFC 7671 §5.2, RFC 7672 §3.1.2, §3.2).
#![allow(clippy::disallowed_types, reason = "the time that really passes is meant")]

use dane::{TlsaRecord, Untrusted, VerifyFailure};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, GeneralSubtree,
    IsCa, KeyUsagePurpose, NameConstraints, date_time_ymd,
};

use crate::pki::{
    HOST, Issued, ThreeTier, ca_params, chain, leaf_params, record, self_signed, signed_by, verdict,
    verdict_for,
};

const UNTRUSTED_CA: VerifyFailure = VerifyFailure::Untrusted(Untrusted::InvalidCa);

/// The verdict on root → leaf, both shaped by the caller, under `2 0 1` of the root.
fn two_tier(
    root: CertificateParams,
    leaf: CertificateParams,
    names: &[&str],
) -> Result<usize, VerifyFailure> {
    let root = self_signed(root);
    let leaf = signed_by(&root, leaf);
    depth(&[&leaf, &root], &[record((2, 0, 1), &root)], names)
}

fn depth(certificates: &[&Issued], records: &[TlsaRecord], names: &[&str]) -> Result<usize, VerifyFailure> {
    verdict_for(&chain(certificates), records, names).map(|found| found.depth)
}

fn unknown_critical() -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
    extension.set_criticality(true);
    extension
}

#[test]
fn root_or_intermediate_may_be_the_anchor() {
    let world = ThreeTier::new();
    for (certificate, expected) in [(&world.root, 2), (&world.intermediate, 1)] {
        for selector in [0, 1] {
            for matching in [0, 1, 2] {
                let record = record((2, selector, matching), certificate);
                let found = verdict(&world.chain(), std::slice::from_ref(&record)).unwrap();
                assert_eq!((found.record, found.depth), (record, expected));
            }
        }
    }
}

#[test]
fn the_order_of_the_certificates_sent_does_not_matter() {
    let world = ThreeTier::new();
    let shuffled = [&world.leaf, &world.root, &world.intermediate];
    assert_eq!(
        depth(&shuffled, &[record((2, 0, 1), &world.root)], &[HOST]),
        Ok(2)
    );
}

#[test]
fn a_digest_cannot_match_what_was_not_sent() {
    let world = ThreeTier::new();
    let short = [&world.leaf, &world.intermediate];
    for fields in [(2, 0, 1), (2, 0, 2), (2, 1, 1), (2, 1, 2)] {
        assert_eq!(
            depth(&short, &[record(fields, &world.root)], &[HOST]),
            Err(VerifyFailure::NoMatch),
            "{fields:?}"
        );
    }
}

#[test]
fn a_full_certificate_in_dns_need_not_be_sent() {
    let world = ThreeTier::new();
    let root = record((2, 0, 0), &world.root);
    let short = [&world.leaf, &world.intermediate];
    assert_eq!(depth(&short, std::slice::from_ref(&root), &[HOST]), Ok(2));
    assert_eq!(
        depth(&[&world.leaf], &[record((2, 0, 0), &world.intermediate)], &[HOST]),
        Ok(1)
    );
    let unreachable = depth(&[&world.leaf], &[root], &[HOST]);
    assert_eq!(unreachable, Err(VerifyFailure::NoMatch));
}

#[test]
fn a_bare_key_in_dns_signs_what_was_sent() {
    let world = ThreeTier::new();
    let root = record((2, 1, 0), &world.root);
    let short = [&world.leaf, &world.intermediate];
    assert_eq!(depth(&short, std::slice::from_ref(&root), &[HOST]), Ok(2));
    assert_eq!(
        depth(&[&world.leaf], &[record((2, 1, 0), &world.intermediate)], &[HOST]),
        Ok(1)
    );
    assert_eq!(
        depth(&short, &[root], &["other.example"]),
        Err(VerifyFailure::NameMismatch)
    );
    let stranger = self_signed(ca_params("root"));
    assert_eq!(
        depth(&short, &[record((2, 1, 0), &stranger)], &[HOST]),
        Err(VerifyFailure::NoMatch)
    );
}

#[test]
fn a_leaf_is_not_its_own_issuer() {
    let leaf = self_signed(leaf_params(&[HOST]));
    for fields in [(2, 0, 0), (2, 0, 1), (2, 1, 1)] {
        let records = [record(fields, &leaf)];
        let alone = depth(&[&leaf], &records, &[HOST]);
        assert!(alone.is_err(), "{fields:?}");
        assert_eq!(
            depth(&[&leaf, &leaf], &records, &[HOST]),
            alone,
            "{fields:?} sent twice"
        );
    }
    let own_key = [record((2, 1, 0), &leaf)];
    assert_eq!(depth(&[&leaf], &own_key, &[HOST]), Ok(1));
    assert_eq!(depth(&[&leaf, &leaf], &own_key, &[HOST]), Ok(1));
}

#[test]
fn the_anchor_must_have_issued_the_leaf() {
    let world = ThreeTier::new();
    let stranger = self_signed(ca_params("stranger"));
    let namesake = self_signed(ca_params("intermediate"));
    assert_eq!(
        depth(
            &[&world.leaf, &stranger],
            &[record((2, 0, 1), &stranger)],
            &[HOST]
        ),
        Err(VerifyFailure::Untrusted(Untrusted::UnknownIssuer))
    );
    assert_eq!(
        depth(
            &[&world.leaf, &namesake],
            &[record((2, 0, 1), &namesake)],
            &[HOST]
        ),
        Err(VerifyFailure::Untrusted(Untrusted::Signature))
    );
}

#[test]
fn dates_count_on_every_certificate_of_the_path() {
    let past = |mut params: CertificateParams| {
        params.not_after = date_time_ymd(2020, 1, 1);
        params
    };
    let future = |mut params: CertificateParams| {
        params.not_before = date_time_ymd(2030, 1, 1);
        params
    };
    let (ca, leaf) = (|| ca_params("ca"), || leaf_params(&[HOST]));
    let expired = Err(VerifyFailure::Expired);
    assert_eq!(two_tier(ca(), past(leaf()), &[HOST]), expired);
    assert_eq!(two_tier(past(ca()), leaf(), &[HOST]), expired);
    let early = Err(VerifyFailure::NotYetValid);
    assert_eq!(two_tier(ca(), future(leaf()), &[HOST]), early);
    assert_eq!(two_tier(future(ca()), leaf(), &[HOST]), early);
    assert_eq!(
        two_tier(ca(), past(leaf()), &["other.example"]),
        Err(VerifyFailure::NameMismatch)
    );
}

#[test]
fn constraints_of_the_anchor_are_honoured() {
    let with = |change: &dyn Fn(&mut CertificateParams)| {
        let mut params = ca_params("ca");
        change(&mut params);
        two_tier(params, leaf_params(&[HOST]), &[HOST])
    };
    assert_eq!(with(&|_| {}), Ok(1));
    assert_eq!(with(&|ca| ca.is_ca = IsCa::ExplicitNoCa), Err(UNTRUSTED_CA));
    assert_eq!(with(&|ca| ca.is_ca = IsCa::NoCa), Err(UNTRUSTED_CA));
    assert_eq!(
        with(&|ca| ca.key_usages = vec![KeyUsagePurpose::CrlSign]),
        Err(VerifyFailure::Untrusted(Untrusted::KeyCertSign))
    );
    assert_eq!(with(&|ca| ca.key_usages = Vec::new()), Ok(1));
    assert_eq!(
        with(&|ca| ca.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
        Err(VerifyFailure::Untrusted(Untrusted::Purpose))
    );
    assert_eq!(
        with(&|ca| ca.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]),
        Ok(1)
    );
    assert_eq!(
        with(&|ca| ca.custom_extensions.push(unknown_critical())),
        Err(VerifyFailure::Untrusted(Untrusted::CriticalExtension))
    );
}

#[test]
fn path_length_is_counted_below_the_anchor() {
    let tier = |most: u8| {
        let mut params = ca_params("root");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(most));
        let root = self_signed(params);
        let intermediate = signed_by(&root, ca_params("intermediate"));
        let leaf = signed_by(&intermediate, leaf_params(&[HOST]));
        depth(
            &[&leaf, &intermediate, &root],
            &[record((2, 0, 1), &root)],
            &[HOST],
        )
    };
    assert_eq!(tier(0), Err(VerifyFailure::Untrusted(Untrusted::PathLength)));
    assert_eq!(tier(1), Ok(2));
}

/// RFC 5280 §4.2.1.9 leaves self-issued certificates out; here they count below an intermediate.
#[test]
fn self_issued_certificates_count_for_an_intermediate_only() {
    let mut params = ca_params("authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let root = self_signed(ca_params("root"));
    let old_below = signed_by(&root, params.clone());
    let old_alone = self_signed(params);
    for (old, more, expected) in [(&old_alone, None, true), (&old_below, Some(&root), false)] {
        let new = signed_by(old, ca_params("authority"));
        let leaf = signed_by(&new, leaf_params(&[HOST]));
        let mut sent = vec![&leaf, &new, old];
        sent.extend(more);
        let anchor = more.unwrap_or(old);
        let found = depth(&sent, &[record((2, 0, 1), anchor)], &[HOST]);
        assert_eq!(found.is_ok(), expected, "{found:?}");
    }
}

#[test]
fn intermediates_must_be_allowed_to_sign() {
    let tier = |change: &dyn Fn(&mut CertificateParams)| {
        let root = self_signed(ca_params("root"));
        let mut params = ca_params("intermediate");
        change(&mut params);
        let intermediate = signed_by(&root, params);
        let leaf = signed_by(&intermediate, leaf_params(&[HOST]));
        depth(
            &[&leaf, &intermediate, &root],
            &[record((2, 0, 1), &root)],
            &[HOST],
        )
    };
    assert_eq!(tier(&|_| {}), Ok(2));
    assert_eq!(
        tier(&|ca| ca.key_usages = vec![KeyUsagePurpose::CrlSign]),
        Err(VerifyFailure::Untrusted(Untrusted::KeyCertSign))
    );
    assert_eq!(tier(&|ca| ca.is_ca = IsCa::ExplicitNoCa), Err(UNTRUSTED_CA));
    assert_eq!(
        tier(&|ca| ca.custom_extensions.push(unknown_critical())),
        Err(VerifyFailure::Untrusted(Untrusted::CriticalExtension))
    );
}

#[test]
fn the_leaf_must_be_for_tls_servers() {
    let with = |change: &dyn Fn(&mut CertificateParams)| {
        let mut params = leaf_params(&[HOST]);
        change(&mut params);
        two_tier(ca_params("ca"), params, &[HOST])
    };
    let purpose = Err(VerifyFailure::Untrusted(Untrusted::Purpose));
    assert_eq!(
        with(&|leaf| leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature]),
        Ok(1)
    );
    assert_eq!(
        with(&|leaf| leaf.key_usages = vec![KeyUsagePurpose::DataEncipherment]),
        purpose
    );
    assert_eq!(
        with(&|leaf| leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
        purpose
    );
    assert_eq!(
        with(&|leaf| leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
        Err(UNTRUSTED_CA)
    );
}

#[test]
fn any_reference_identifier_will_do() {
    let under =
        |names: &[&str], references: &[&str]| two_tier(ca_params("ca"), leaf_params(names), references);
    // The example of RFC 7672 §3.2.2: base domain, next hop, and its expansion.
    let references = ["mx10.example.com", "exchange.example.org", "gateway.example.net"];
    for name in references {
        assert_eq!(under(&[name], &references), Ok(1), "{name}");
    }
    let mismatch = Err(VerifyFailure::NameMismatch);
    assert_eq!(under(&["example.org"], &references), mismatch);
    assert_eq!(under(&["exchange.example.org"], &["mx10.example.com"]), mismatch);
    assert_eq!(under(&["a.example", "MX1.Example.COM"], &[HOST]), Ok(1));
    assert_eq!(under(&["*.example.com"], &[HOST]), Ok(1));
    assert_eq!(under(&["*.com"], &["example.com"]), mismatch);
    assert_eq!(under(&["mx*.example.com"], &[HOST]), mismatch);
    assert_eq!(under(&["*.example.com"], &["a.b.example.com"]), mismatch);
    assert_eq!(under(&["mx1.example.com\0.evil.org"], &[HOST]), mismatch);
}

#[test]
fn the_common_name_counts_only_without_dns_names() {
    let with_cn = |cn: &str, names: &[&str]| {
        let mut params = leaf_params(names);
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, cn);
        params
    };
    let under = |cn: &str, names: &[&str]| two_tier(ca_params("ca"), with_cn(cn, names), &[HOST]);
    let mismatch = Err(VerifyFailure::NameMismatch);
    assert_eq!(under(HOST, &[]), Ok(1));
    assert_eq!(under("*.example.com", &[]), Ok(1));
    assert_eq!(under("other.example.com", &[]), mismatch);
    assert_eq!(under(HOST, &["other.example.com"]), mismatch);

    let mut constrained = ca_params("ca");
    constrained.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("example.com".to_owned())],
        excluded_subtrees: Vec::new(),
    });
    let by_cn = two_tier(constrained.clone(), with_cn(HOST, &[]), &[HOST]);
    assert_eq!(by_cn, mismatch, "a CN would escape the name constraints");
    assert_eq!(
        two_tier(constrained.clone(), leaf_params(&[HOST]), &[HOST]),
        Ok(1)
    );
    assert_eq!(
        two_tier(constrained, leaf_params(&["mx.evil.org"]), &["mx.evil.org"]),
        Err(VerifyFailure::Untrusted(Untrusted::NameConstraints))
    );
}

#[test]
fn usage_3_is_tried_first_and_either_suffices() {
    let world = ThreeTier::new();
    let own = record((3, 1, 1), &world.leaf);
    let anchor = record((2, 0, 1), &world.root);
    let found = verdict(&world.chain(), &[anchor.clone(), own.clone()]).unwrap();
    assert_eq!((found.record, found.depth), (own, 0));
    let stale = record((3, 1, 1), &world.intermediate);
    let found = verdict(&world.chain(), &[stale, anchor.clone()]).unwrap();
    assert_eq!((found.record, found.depth), (anchor, 2));
}

#[test]
fn the_name_that_was_found_is_the_base_domain_where_the_leaf_has_it() {
    let world = ThreeTier::new();
    let anchor = record((2, 0, 1), &world.root);
    for (names, expected) in [
        (&[HOST, "next.hop.example"][..], HOST),
        (&["base.example", HOST], HOST),
    ] {
        let found = verdict_for(&world.chain(), std::slice::from_ref(&anchor), names).unwrap();
        assert_eq!(found.name.as_deref(), Some(expected));
    }
    let root = self_signed(ca_params("root"));
    let leaf = signed_by(&root, leaf_params(&["next.example", "base.example"]));
    let found = verdict_for(
        &chain(&[&leaf, &root]),
        &[record((2, 0, 1), &root)],
        &["base.example", "next.example"],
    );
    assert_eq!(found.unwrap().name.as_deref(), Some("base.example"));
    // Names are not checked under usage 3.
    let own = verdict(&world.chain(), &[record((3, 1, 1), &world.leaf)]).unwrap();
    assert_eq!(own.name, None);
}

#[test]
fn endless_chains_are_not_searched() {
    let world = ThreeTier::new();
    let mut long = world.chain();
    while long.len() <= 16 {
        long.push(world.root.der.clone());
    }
    assert_eq!(
        verdict(&long, &[record((2, 0, 1), &world.root)]),
        Err(VerifyFailure::Untrusted(Untrusted::TooLong))
    );
    assert!(verdict(&long, &[record((3, 1, 1), &world.leaf)]).is_ok());
}

/// Certificates that could all be each other's issuers, and an anchor that issued none of them.
#[test]
fn a_maze_of_namesakes_is_left_in_time() {
    let minotaur = self_signed(ca_params("minotaur"));
    let maze: Vec<_> = (0..14).map(|_| self_signed(ca_params("maze"))).collect();
    let leaf = signed_by(&maze[0], leaf_params(&[HOST]));
    let mut sent = vec![&leaf, &minotaur];
    sent.extend(&maze);
    let start = std::time::Instant::now();
    let outcome = depth(&sent, &[record((2, 0, 1), &minotaur)], &[HOST]);
    assert_eq!(outcome, Err(VerifyFailure::Untrusted(Untrusted::TooLong)));
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

#[test]
fn no_octet_of_the_path_can_be_changed() {
    let world = ThreeTier::new();
    let records = [record((2, 0, 1), &world.root)];
    let good = world.chain();
    for (place, certificate) in good.iter().enumerate() {
        for octet in 0..certificate.len() {
            let mut der = certificate.to_vec();
            der[octet] ^= 0x04;
            let mut broken = good.clone();
            broken[place] = der.into();
            assert!(
                verdict(&broken, &records).is_err(),
                "octet {octet} of certificate {place}"
            );
        }
    }
}

#[test]
fn failures_in_log_words_and_numbers() {
    for (failure, words, number) in [
        (VerifyFailure::NoMatch, "No matching TLSA RRs", 65),
        (VerifyFailure::BadCertificate, "No matching TLSA RRs", 65),
        (VerifyFailure::NameMismatch, "DANE-TA: name mismatch", 62),
        (VerifyFailure::Expired, "DANE-TA: expired", 10),
        (VerifyFailure::NotYetValid, "DANE-TA: expired", 9),
        (UNTRUSTED_CA, "DANE-TA: untrusted", 79),
        (
            VerifyFailure::Untrusted(Untrusted::UnknownIssuer),
            "DANE-TA: untrusted",
            20,
        ),
    ] {
        assert_eq!((failure.log_words(), failure.code().number()), (words, number));
    }
    assert_eq!(
        VerifyFailure::NoMatch.code().to_string(),
        "65 (no matching DANE TLSA records)"
    );
}
