//! Trust anchors below the root, and several of them.

use std::time::Duration;

use crate::common::{FORGED, Scene, anchor_lines, domain, negative, world};
use dns::{Mode, TrustAnchors};
use hickory_proto::dnssec::rdata::{DNSSECRData, RRSIG};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use testworld::dns::{DnsFault, Keys};

/// Zones with two keys each, below an unsigned one: only an anchor makes them secure.
async fn islands() -> Scene {
    let world = world().await;
    for (zone, keys) in [
        ("split.insecure.test", Keys::Split),
        ("both.insecure.test", Keys::SplitBothSign),
    ] {
        world.domain(zone).keys(keys).add().unwrap();
        world.has(&format!("mx.{zone} A 192.0.2.1\n*.wild.{zone} A 192.0.2.2"));
    }
    world
}

#[tokio::test]
async fn one_key_of_an_anchored_zone_is_enough_and_all_keys_of_its_set_count() {
    let world = islands().await;
    for zone in ["split.insecure.test", "both.insecure.test"] {
        let [of_keys, of_data] = world.keys(zone).await.try_into().unwrap();
        assert!(of_keys.secure_entry_point() && !of_data.secure_entry_point());
        let lines = format!(
            "mx.{zone}       A      -> secure records
             mx.{zone}       AAAA   -> secure nodata
             nothing.{zone}  A      -> secure nxdomain
             any.wild.{zone} A      -> secure records
             {zone}          DNSKEY -> secure records
             {zone}          SOA    -> secure records"
        );
        for anchor in anchor_lines(zone, &of_keys) {
            world.anchored(&anchor).tells(&lines).await;
        }
        for anchor in anchor_lines(zone, &of_data) {
            let resolver = world.anchored(&anchor);
            if zone.starts_with("both") {
                resolver.tells(&lines).await;
            } else {
                // RFC 4035 §5.2 wants the set signed by the key that is trusted.
                resolver.tells(&format!("mx.{zone} A -> failed bogus")).await;
            }
        }
    }
}

#[tokio::test]
async fn the_delegation_of_an_anchored_zone_is_its_parents_to_prove() {
    let world = world().await;
    let key = &world.keys("secure.test").await[0];
    let [island, _] = anchor_lines("secure.test", key);
    let both = format!("{island}\n{}", world.trust_anchor_ds().unwrap());
    let resolver = world.anchored(&island);
    let lines = "secure.test    DS -> insecure records
                 mx.secure.test DS -> secure nodata
                 hashed.test    DS -> insecure records
                 .              DS -> insecure nodata";
    resolver.tells(lines).await;
    let lines = "secure.test    DS -> secure records
                 mx.secure.test DS -> secure nodata
                 .              DS -> secure nodata";
    world.anchored(&both).tells(lines).await;
}

#[tokio::test]
async fn an_anchor_out_of_reach_is_a_matter_of_the_names_below_it_and_of_no_others() {
    let world = world().await;
    for (with_root, fault) in [
        (false, DnsFault::ServFail),
        (true, DnsFault::ServFail),
        (false, DnsFault::Silence),
    ] {
        let mut anchors = String::new();
        for zone in ["secure.test", "hashed.test"] {
            let key = &world.keys(zone).await[0];
            let [ds, _] = anchor_lines(zone, key);
            anchors = anchors + &ds + "\n";
        }
        if with_root {
            anchors += &world.trust_anchor_ds().unwrap();
        }
        world.breaks("secure.test DNSKEY", fault);
        let resolver = world.anchored(&anchors);
        let unanchored = if with_root { "secure" } else { "insecure" };
        let lines = format!(
            "mx.hashed.test   A -> secure records
             mx.secure.test   A -> failed indeterminate
             mx.optout.test   A -> {unanchored} records
             mx.insecure.test A -> insecure records
             mx.hashed.test   AAAA -> secure nodata"
        );
        resolver.tells(&lines).await;
        // It is taken up as soon as it is there.
        world.mends("secure.test DNSKEY");
        tokio::time::sleep(Duration::from_millis(2100)).await;
        resolver.tells("mx.secure.test AAAA -> secure nodata").await;
    }
}

#[tokio::test]
async fn keys_out_of_reach_at_first_are_taken_up_when_they_come() {
    let world = world().await;
    world.breaks(". DNSKEY", DnsFault::ServFail);
    let resolver = world.resolver(Mode::Validate);
    resolver.tells("mx.secure.test A -> failed indeterminate").await;
    world.mends(". DNSKEY");
    resolver.flush(&domain("secure.test"));
    resolver.tells("mx.secure.test A -> secure records").await;
}

/// A signature that seems to be of `signer` over a set of the type at a name; made from one in the message.
fn forged_signature(message: &Message, owner: &Name, covered: RecordType, signer: &str) -> Record {
    let mut records = message.answers.iter().chain(&message.authorities);
    let genuine = records.find_map(|record| match &record.data {
        RData::DNSSEC(DNSSECRData::RRSIG(rrsig)) => Some(rrsig),
        _ => None,
    });
    let genuine = genuine.expect("a signed answer");
    let mut input = genuine.input().clone();
    input.type_covered = covered;
    input.signer_name = Name::from_ascii(signer).unwrap();
    input.num_labels = owner.num_labels();
    let data = RData::DNSSEC(DNSSECRData::RRSIG(RRSIG::from_sig(input, genuine.sig().to_vec())));
    Record::from_rdata(owner.clone(), 300, data)
}

#[tokio::test]
async fn a_signature_of_an_unsigned_zone_above_an_anchor_makes_nothing_below_it_insecure() {
    let world = world().await;
    let [island, _] = anchor_lines(
        "island.insecure.test",
        &world.keys("island.insecure.test").await[0],
    );
    let both = format!("{island}\n{}", world.trust_anchor_ds().unwrap());
    world.serves(Mode::Validate);
    for anchors in [&island, &both] {
        for signer in [".", "test.", "insecure.test.", "island.insecure.test."] {
            let server = world.forger(move |query, message| {
                match (query.name().to_ascii().as_str(), query.query_type()) {
                    ("mx.island.insecure.test.", RecordType::A) => {
                        let rrsig = forged_signature(message, query.name(), RecordType::A, signer);
                        let address = RData::A(FORGED.parse().unwrap());
                        let forged = Record::from_rdata(query.name().clone(), 300, address);
                        message.answers = vec![forged, rrsig];
                    }
                    ("_25._tcp.mx.island.insecure.test.", RecordType::TLSA) => {
                        let owner = Name::from_ascii("island.insecure.test.").unwrap();
                        let rrsig = forged_signature(message, &owner, RecordType::NSEC, signer);
                        negative(message, ResponseCode::NXDomain, &[rrsig]);
                    }
                    _ => {}
                }
            });
            let server = server.await;
            let resolver = world.validator(|config| {
                config.trust_anchors = TrustAnchors::parse(anchors).unwrap();
                config.servers = vec![server.into()];
            });
            let lines = "mx.island.insecure.test          A    -> failed bogus
                         _25._tcp.mx.island.insecure.test TLSA -> failed bogus
                         deep.ent.island.insecure.test    A    -> secure records";
            resolver
                .called(&format!("{anchors}, signed by {signer}"))
                .tells(lines)
                .await;
        }
    }
}

#[tokio::test]
async fn of_positive_and_negative_anchors_the_closest_counts() {
    let world = world().await;
    let [secure, _] = anchor_lines("secure.test", &world.keys("secure.test").await[0]);
    let anchors = format!("{secure}\n{}", world.trust_anchor_ds().unwrap());
    let exempting = |zones: &[&str]| {
        world.validator(|config| {
            config.trust_anchors = TrustAnchors::parse(&anchors).unwrap();
            config.domain_insecure = zones.iter().map(|zone| domain(zone)).collect();
        })
    };
    let lines = "mx.secure.test A -> secure records
                 mx.hashed.test A -> insecure records";
    exempting(&["test"]).tells(lines).await;
    let lines = "mx.secure.test      A -> insecure records
                 mx.hashed.test      A -> secure records
                 mx.bogus.test       A -> failed bogus";
    exempting(&["secure.test"]).tells(lines).await;
    let lines = "mx.secure.test      A -> secure records
                 deep.ent.secure.test A -> insecure records";
    exempting(&["ent.secure.test"]).tells(lines).await;
}
