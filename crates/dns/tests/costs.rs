//! What one answer can cost: whoever answers decides how much there is to check, and we how much of it is checked. Signatures are
//! counted here, hashes where they are made (`validate::nsec3`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "common/checks.rs"]
mod checks;
mod common;

use std::fmt::Write as _;
use std::net::SocketAddr;

use checks::Checks;
use common::{ask, forger, genuine, validator_behind, world};
use hickory_proto::dnssec::PublicKey as _;
use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, RRSIG};
use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use testworld::dns::{Algorithm, Span, World};

/// The most signatures that one hostile message may have us check: 32 of its own, each with no more than two keys of one tag; and
/// since the signatures of an RRset, 8 at most, are looked at side by side, each may fetch and check the keys on the way.
fn worst(normal: usize) -> usize {
    32 * 2 + 8 * normal
}

/// How many signatures a first look-up checks, which needs all keys; it ends as `told`.
async fn cost(world: &World, server: SocketAddr, name: &str, told: &str) -> usize {
    let resolver = validator_behind(world, vec![server]);
    let checks = Checks::count();
    assert_eq!(ask(&resolver, name, RecordType::A).await, told, "{name}");
    checks.made()
}

/// The same of a genuine answer.
async fn ordinary(world: &World, name: &str) -> usize {
    let server = forger(world, |_, _| {}).await;
    let checks = cost(world, server, name, "secure records").await;
    // Keys of the root, and for two zones below it keys and delegation, and the answer.
    assert!((6..=10).contains(&checks), "{name}: {checks}");
    checks
}

/// As many keys with the tag of the zone's own as fit: the tag is a sum of 16-bit words, so that words may change places
/// (RFC 4034 Appendix B). Each is as costly as the real one, for any odd number will do as modulus.
async fn add_colliding_keys(world: &World, zone: &str, count: usize) {
    let message = genuine(world, zone, RecordType::DNSKEY).await;
    let key = message
        .answers
        .iter()
        .find_map(|record| match &record.data {
            RData::DNSSEC(DNSSECRData::DNSKEY(key)) => Some(key.clone()),
            _ => None,
        })
        .unwrap();
    let octets = key.public_key().public_bytes().to_vec();
    let tag = key.calculate_key_tag().unwrap();
    let mut made = 0;
    for (one, other) in (10..200)
        .step_by(2)
        .flat_map(|one| [(one, one + 2), (one, one + 6)])
    {
        let mut swapped = octets.clone();
        swapped.swap(one, other);
        swapped.swap(one + 1, other + 1);
        if swapped == octets || made == count {
            continue;
        }
        let hex = swapped.iter().fold(String::new(), |mut text, octet| {
            write!(text, "{octet:02x}").unwrap();
            text
        });
        let generic = format!("\\# {} 01010308{hex}", swapped.len() + 4);
        world.add(zone, RecordType::DNSKEY, &generic).unwrap();
        made += 1;
    }
    let all = genuine(world, zone, RecordType::DNSKEY).await;
    let same = all.answers.iter().filter(|record| match &record.data {
        RData::DNSSEC(DNSSECRData::DNSKEY(key)) => is_tagged(key, tag),
        _ => false,
    });
    assert_eq!(same.count(), count + 1, "the keys collide");
}

fn is_tagged(key: &DNSKEY, tag: u16) -> bool {
    key.calculate_key_tag().unwrap() == tag
}

/// In place of each signature so many, all different and none of them right.
fn multiply_signatures(records: &mut Vec<Record>, count: u16) {
    let signatures: Vec<Record> = records
        .extract_if(.., |record| record.record_type() == RecordType::RRSIG)
        .collect();
    for record in signatures {
        let RData::DNSSEC(DNSSECRData::RRSIG(rrsig)) = &record.data else {
            continue;
        };
        for number in 0..count {
            let mut octets = rrsig.sig().to_vec();
            let [first, second] = number.to_be_bytes();
            octets[20] ^= first ^ 0x80;
            octets[21] ^= second;
            let wrong = RRSIG::from_sig(rrsig.input().clone(), octets);
            let data = RData::DNSSEC(DNSSECRData::RRSIG(wrong));
            records.push(Record::from_rdata(record.name.clone(), record.ttl, data));
        }
    }
}

#[tokio::test]
async fn many_signatures_by_many_keys_of_one_tag_cost_little_and_prove_nothing() {
    let world = world().await;
    world
        .domain("trap.test")
        .algorithm(Algorithm::RsaSha256)
        .record("mx.trap.test", RecordType::A, "192.0.2.1")
        .add()
        .unwrap();
    let normal = ordinary(&world, "mx.trap.test").await;
    add_colliding_keys(&world, "trap.test", 100).await;
    let server = forger(&world, |query, message: &mut Message| {
        if query.query_type() == RecordType::A {
            multiply_signatures(&mut message.answers, 200);
            multiply_signatures(&mut message.authorities, 50);
        }
    })
    .await;
    for name in ["mx.trap.test", "nothing.trap.test"] {
        let cost = cost(&world, server, name, "failed bogus").await;
        assert!(cost <= worst(normal), "{name}: {cost} in place of {normal}");
    }
}

#[tokio::test]
async fn many_denials_cost_little_and_prove_nothing() {
    let world = world().await;
    let normal = ordinary(&world, "mx.secure.test").await;
    let server = forger(&world, |query, message: &mut Message| {
        if !is_a(query, "nothing.secure.test.") {
            return;
        }
        multiply_signatures(&mut message.authorities, 2);
        let originals = message.authorities.clone();
        for number in 0..70 {
            for record in originals
                .iter()
                .filter(|record| record.record_type() != RecordType::SOA)
            {
                let mut another = record.clone();
                // With as many labels as were signed.
                let first = format!("h{number}").into_bytes();
                let rest = record.name.iter().skip(1).map(<[u8]>::to_vec);
                another.name = Name::from_labels(std::iter::once(first).chain(rest)).unwrap();
                message.authorities.push(another);
            }
        }
    })
    .await;
    let cost = cost(&world, server, "nothing.secure.test", "failed bogus").await;
    assert!(cost <= worst(normal), "{cost} in place of {normal}");
}

fn is_a(query: &Query, name: &str) -> bool {
    query.query_type() == RecordType::A && query.name().to_ascii() == name
}

#[tokio::test]
async fn many_digests_and_many_signatures_over_keys_cost_little() {
    let world = world().await;
    world
        .domain("trap.test")
        .algorithm(Algorithm::RsaSha256)
        .record("mx.trap.test", RecordType::A, "192.0.2.1")
        .add()
        .unwrap();
    let normal = ordinary(&world, "mx.trap.test").await;
    let ds = genuine(&world, "trap.test", RecordType::DS).await;
    let tag = ds
        .answers
        .iter()
        .find_map(|record| match &record.data {
            RData::DNSSEC(DNSSECRData::DS(ds)) => Some(ds.key_tag()),
            _ => None,
        })
        .unwrap();
    for number in 0..600 {
        let digest = format!("{tag} 8 2 {number:064x}");
        world.add("trap.test", RecordType::DS, &digest).unwrap();
    }
    add_colliding_keys(&world, "trap.test", 100).await;
    let server = forger(&world, |query, message: &mut Message| {
        if query.query_type() == RecordType::DNSKEY && !query.name().is_root() {
            multiply_signatures(&mut message.answers, 100);
        }
    })
    .await;
    let cost = cost(&world, server, "mx.trap.test", "failed bogus").await;
    assert!(cost <= worst(normal), "{cost} in place of {normal}");
}

#[tokio::test]
async fn a_denial_of_a_deep_name_with_many_iterations_is_read() {
    let world = world().await;
    for (zone, iterations) in [("few.test", 0), ("limit.test", 150), ("absurd.test", 2500)] {
        world
            .domain(zone)
            .nsec3(iterations, Span::Full)
            .record(&format!("mx.{zone}"), RecordType::A, "192.0.2.1")
            .add()
            .unwrap();
    }
    let normal = ordinary(&world, "mx.few.test").await;
    let deep = "a.".repeat(110);
    for (zone, labels, told) in [
        ("limit.test", deep.as_str(), "secure nxdomain"),
        ("absurd.test", "a.", "failed bogus"),
    ] {
        // The denial comes ready made: it is its reading that is measured.
        let name = format!("{labels}{zone}");
        let ready = genuine(&world, &name, RecordType::A).await;
        let server = forger(&world, move |query, message| {
            if query.query_type() == RecordType::A && query.name().num_labels() > 20 {
                message.authorities.clone_from(&ready.authorities);
            }
        })
        .await;
        let cost = cost(&world, server, &name, told).await;
        assert!(cost <= worst(normal), "{zone}: {cost} in place of {normal}");
    }
}

#[tokio::test]
async fn wrong_signatures_at_each_step_of_the_way_do_not_multiply() {
    let world = world().await;
    let mut zone = "secure.test".to_owned();
    for label in ["a", "b", "c"] {
        zone = format!("{label}.{zone}");
        world.domain(&zone).signed().add().unwrap();
    }
    let name = format!("mx.{zone}");
    world.add(&name, RecordType::A, "192.0.2.1").unwrap();
    let server = forger(&world, |_, message: &mut Message| {
        let good = message.answers.clone();
        multiply_signatures(&mut message.answers, 7);
        message.answers.extend(
            good.into_iter()
                .filter(|record| record.record_type() == RecordType::RRSIG),
        );
    })
    .await;
    let cost = cost(&world, server, &name, "failed bogus").await;
    // 8 ^ 5 without a limit.
    assert!(cost <= 6 * 256 * 2, "{cost}");
}
