//! Which keys are a zone's: those in a set that a key named by a delegation or a trust anchor has signed, and signed for now.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::fmt::Write as _;

use common::{ask, config, forger, genuine, validator_behind, world};
use dns::{Mode, Resolver, ResolverConfig, TrustAnchors};
use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, RRSIG};
use hickory_proto::dnssec::{DigestType, Verifier as _};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use testworld::dns::{Bogus, Status, World};

/// The keys of a zone under each kind of signature that proves nothing.
async fn unproved(world: &World, zone: &str) -> Vec<(&'static str, Vec<Record>)> {
    world.set_status(zone, Status::Bogus(Bogus::Expired)).unwrap();
    let expired = genuine(world, zone, RecordType::DNSKEY).await.answers;
    world.set_status(zone, Status::Signed).unwrap();
    let good = genuine(world, zone, RecordType::DNSKEY).await.answers;
    let mut garbage = good.clone();
    for record in &mut garbage {
        if let RData::DNSSEC(DNSSECRData::RRSIG(rrsig)) = &record.data {
            let wrong = RRSIG::from_sig(rrsig.input().clone(), vec![1; rrsig.sig().len()]);
            record.data = RData::DNSSEC(DNSSECRData::RRSIG(wrong));
        }
    }
    let mut stripped = good;
    stripped.retain(|record| record.record_type() == RecordType::DNSKEY);
    assert_eq!((stripped.len(), expired.len(), garbage.len()), (1, 2, 2));
    vec![("expired", expired), ("garbage", garbage), ("stripped", stripped)]
}

#[tokio::test]
async fn a_key_set_without_a_signature_of_now_is_bogus_though_a_digest_fits_its_one_key() {
    let world = world().await;
    for zone in ["secure.test", "."] {
        for (how, keys) in unproved(&world, zone).await {
            let owner = Name::from_ascii(zone).unwrap();
            let server = forger(&world, move |query, message| {
                if query.query_type() == RecordType::DNSKEY
                    && query.name().iter().count() == owner.iter().count()
                {
                    message.answers.clone_from(&keys);
                }
            })
            .await;
            let behind = |anchors: &str| {
                Resolver::new(ResolverConfig {
                    servers: vec![server.into()],
                    trust_anchors: TrustAnchors::parse(anchors).unwrap(),
                    ..config(&world, Mode::Validate)
                })
                .unwrap()
            };
            for anchors in [
                world.trust_anchor_ds().unwrap(),
                world.trust_anchor_dnskey().unwrap(),
            ] {
                let resolver = behind(&anchors);
                let told = ask(&resolver, "mx.secure.test", RecordType::A).await;
                assert_eq!(told, "failed bogus", "{zone} {how} {anchors}");
            }
            let resolver = behind(&world.trust_anchor_ds().unwrap());
            // An unsigned zone is known to be that by what is signed above it.
            let (elsewhere, told) = if zone == "." {
                ("mx.insecure.test", "failed bogus")
            } else {
                ("mx.insecure.test", "insecure records")
            };
            assert_eq!(
                ask(&resolver, elsewhere, RecordType::A).await,
                told,
                "{zone} {how}"
            );
        }
    }
}

#[tokio::test]
async fn keys_of_a_zone_without_a_delegation_are_shown_and_prove_nothing() {
    let world = world().await;
    let server = forger(&world, |query, message| {
        if query.query_type() == RecordType::DNSKEY && query.name().to_ascii().starts_with("island.") {
            message
                .answers
                .retain(|record| record.record_type() == RecordType::DNSKEY);
        }
    })
    .await;
    let resolver = validator_behind(&world, vec![server]);
    for record_type in [RecordType::DNSKEY, RecordType::MX] {
        let told = ask(&resolver, "island.insecure.test", record_type).await;
        assert_eq!(told, "insecure records", "{record_type}");
    }
}

#[tokio::test]
async fn keys_are_fetched_once_whether_or_not_there_is_a_delegation() {
    let world = world().await;
    let resolver = common::resolver(&world, Mode::Validate);
    for zone in ["secure.test", "island.insecure.test"] {
        for name in ["mx", "nothing", "_25._tcp.mx"] {
            ask(&resolver, &format!("{name}.{zone}"), RecordType::A).await;
        }
        assert_eq!(world.asked(zone, RecordType::DNSKEY), 1, "{zone}");
    }
}

/// The DS with SHA-1 of the key that a zone has.
async fn sha1_of_key(world: &World, zone: &str) -> String {
    let owner = Name::from_ascii(format!("{zone}.")).unwrap();
    let answers = genuine(world, zone, RecordType::DNSKEY).await.answers;
    let key: DNSKEY = answers
        .iter()
        .find_map(|record| match &record.data {
            RData::DNSSEC(DNSSECRData::DNSKEY(key)) => Some(key.clone()),
            _ => None,
        })
        .unwrap();
    let digest = key.to_digest(&owner, DigestType::SHA1).unwrap();
    let hex = digest.as_ref().iter().fold(String::new(), |mut text, octet| {
        write!(text, "{octet:02x}").unwrap();
        text
    });
    let tag = key.calculate_key_tag().unwrap();
    format!("{tag} {} 1 {hex}", u8::from(key.algorithm()))
}

#[tokio::test]
async fn a_digest_with_sha_1_does_not_count_beside_a_stronger_one() {
    let world = world().await;
    // In the second zone the stronger digest is that of another key.
    for (zone, told) in [
        ("secure.test", "secure records"),
        ("mismatch.test", "failed bogus"),
    ] {
        let ds = sha1_of_key(&world, zone).await;
        world.add(zone, RecordType::DS, &ds).unwrap();
        let resolver = common::resolver(&world, Mode::Validate);
        let found = genuine(&world, zone, RecordType::DS).await.answers;
        let digests = found
            .iter()
            .filter(|record| record.record_type() == RecordType::DS);
        assert_eq!(digests.count(), 2, "{zone}");
        let name = format!("mx.{zone}");
        assert_eq!(ask(&resolver, &name, RecordType::A).await, told, "{zone}");
    }
}
