//! Which keys are a zone's: those in a set that a key named by a delegation or a trust anchor has signed, and signed for now.

use crate::common::{Client, Scene, config, hex, world};
use dns::{Mode, ResolverConfig, TrustAnchors};
use hickory_proto::dnssec::rdata::{DNSSECRData, RRSIG};
use hickory_proto::dnssec::{DigestType, Verifier as _};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use testworld::dns::{Bogus, Status};

/// The keys of a zone under each kind of signature that proves nothing.
async fn unproved(world: &Scene, zone: &str) -> Vec<(&'static str, Vec<Record>)> {
    world.set_status(zone, Status::Bogus(Bogus::Expired)).unwrap();
    let expired = world.genuine(&format!("{zone} DNSKEY")).await.answers;
    world.set_status(zone, Status::Signed).unwrap();
    let good = world.genuine(&format!("{zone} DNSKEY")).await.answers;
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
            let server = world.forger(move |query, message| {
                if query.query_type() == RecordType::DNSKEY
                    && query.name().iter().count() == owner.iter().count()
                {
                    message.answers.clone_from(&keys);
                }
            });
            let server = server.await;
            let behind = |anchor: &str| {
                let resolver = Client::new(ResolverConfig {
                    servers: vec![server.into()],
                    trust_anchors: TrustAnchors::parse(anchor).unwrap(),
                    ..config(&world, Mode::Validate)
                });
                resolver.called(&format!("{zone} {how} {anchor}"))
            };
            for anchor in [world.trust_anchor_ds(), world.trust_anchor_dnskey()] {
                let resolver = behind(&anchor.unwrap());
                resolver.tells("mx.secure.test A -> failed bogus").await;
            }
            // An unsigned zone is known to be that by what is signed above it.
            let told = if zone == "." {
                "failed bogus"
            } else {
                "insecure records"
            };
            let resolver = behind(&world.trust_anchor_ds().unwrap());
            resolver.tells(&format!("mx.insecure.test A -> {told}")).await;
        }
    }
}

#[tokio::test]
async fn keys_of_a_zone_without_a_delegation_are_shown_and_prove_nothing() {
    let world = world().await;
    let resolver = world.behind(Mode::Validate, |query, message| {
        if query.query_type() == RecordType::DNSKEY && query.name().to_ascii().starts_with("island.") {
            let is_key = |record: &Record| record.record_type() == RecordType::DNSKEY;
            message.answers.retain(is_key);
        }
    });
    let lines = "island.insecure.test DNSKEY -> insecure records
                 island.insecure.test MX     -> insecure records";
    resolver.await.tells(lines).await;
}

#[tokio::test]
async fn keys_are_fetched_once_and_not_at_all_where_no_delegation_leads() {
    let world = world().await;
    let resolver = world.resolver(Mode::Validate);
    for (zone, fetched) in [("secure.test", 1), ("island.insecure.test", 0)] {
        for name in ["mx", "nothing", "_25._tcp.mx"] {
            resolver.ask(&format!("{name}.{zone} A")).await;
        }
        assert_eq!(world.count(&format!("{zone} DNSKEY")), fetched, "{zone}");
    }
}

/// The DS with SHA-1 of the key that a zone has.
async fn sha1_of_key(world: &Scene, zone: &str) -> String {
    let owner = Name::from_ascii(format!("{zone}.")).unwrap();
    let key = &world.keys(zone).await[0];
    let digest = key.to_digest(&owner, DigestType::SHA1).unwrap();
    let tag = key.calculate_key_tag().unwrap();
    let (algorithm, digest) = (u8::from(key.algorithm()), hex(digest.as_ref()));
    format!("{zone} DS {tag} {algorithm} 1 {digest}")
}

#[tokio::test]
async fn a_digest_with_sha_1_does_not_count_beside_a_stronger_one() {
    let world = world().await;
    // In the second zone the stronger digest is that of another key.
    for (zone, told) in [
        ("secure.test", "secure records"),
        ("mismatch.test", "failed bogus"),
    ] {
        world.has(&sha1_of_key(&world, zone).await);
        let found = world.genuine(&format!("{zone} DS")).await.answers;
        let is_digest = |record: &&Record| record.record_type() == RecordType::DS;
        assert_eq!(found.iter().filter(is_digest).count(), 2, "{zone}");
        let resolver = world.resolver(Mode::Validate);
        resolver.tells(&format!("mx.{zone} A -> {told}")).await;
    }
}
