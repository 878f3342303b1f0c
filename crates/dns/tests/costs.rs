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

use checks::Checks;
use common::{Client, Scene, hex, world};
use dns::Mode;
use hickory_proto::dnssec::PublicKey as _;
use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, RRSIG};
use hickory_proto::op::Message;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use testworld::dns::{Algorithm, Span};

/// The most signatures that one hostile message may have us check: 32 of its own, each with no more than two keys of one tag; and
/// since the signatures of an RRset, 8 at most, are looked at side by side, each may fetch and check the keys on the way.
fn worst(normal: usize) -> usize {
    32 * 2 + 8 * normal
}

/// How many signatures a first look-up checks, which needs all keys; it ends as the line says.
async fn cost(resolver: &Client, line: &str) -> usize {
    let checks = Checks::count();
    resolver.tells(line).await;
    checks.made()
}

/// The same of a genuine answer.
async fn ordinary(world: &Scene, name: &str) -> usize {
    let resolver = world.resolver(Mode::Validate);
    let checks = cost(&resolver, &format!("{name} A -> secure records")).await;
    // Keys of the root, and for two zones below it keys and delegation, and the answer.
    assert!((6..=10).contains(&checks), "{name}: {checks}");
    checks
}

/// A zone with the costliest keys.
fn add_trap(world: &Scene) {
    let zone = world.domain("trap.test").algorithm(Algorithm::RsaSha256);
    zone.add().unwrap();
    world.has("mx.trap.test A 192.0.2.1");
}

/// As many keys with the tag of the zone's own as fit: the tag is a sum of 16-bit words, so that words may change places
/// (RFC 4034 Appendix B). Each is as costly as the real one, for any odd number will do as modulus.
async fn add_colliding_keys(world: &Scene, zone: &str, count: usize) {
    let key = &world.keys(zone).await[0];
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
        let (length, hex) = (swapped.len() + 4, hex(&swapped));
        world.has(&format!("{zone} DNSKEY \\# {length} 01010308{hex}"));
        made += 1;
    }
    let all = world.keys(zone).await;
    let same = all.iter().filter(|key| is_tagged(key, tag));
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
    add_trap(&world);
    let normal = ordinary(&world, "mx.trap.test").await;
    add_colliding_keys(&world, "trap.test", 100).await;
    for question in ["mx.trap.test A", "nothing.trap.test A"] {
        let lie = |message: &mut Message| {
            multiply_signatures(&mut message.answers, 200);
            multiply_signatures(&mut message.authorities, 50);
        };
        let resolver = world.lied_to(question, lie).await;
        let cost = cost(&resolver, &format!("{question} -> failed bogus")).await;
        assert!(cost <= worst(normal), "{question}: {cost} in place of {normal}");
    }
}

#[tokio::test]
async fn many_denials_cost_little_and_prove_nothing() {
    let world = world().await;
    let normal = ordinary(&world, "mx.secure.test").await;
    let lie = |message: &mut Message| {
        multiply_signatures(&mut message.authorities, 2);
        let mut denials = message.authorities.clone();
        denials.retain(|record| record.record_type() != RecordType::SOA);
        for number in 0..70 {
            for record in &denials {
                let mut another = record.clone();
                // With as many labels as were signed.
                let first = format!("h{number}").into_bytes();
                let rest = record.name.iter().skip(1).map(<[u8]>::to_vec);
                another.name = Name::from_labels(std::iter::once(first).chain(rest)).unwrap();
                message.authorities.push(another);
            }
        }
    };
    let resolver = world.lied_to("nothing.secure.test A", lie).await;
    let cost = cost(&resolver, "nothing.secure.test A -> failed bogus").await;
    assert!(cost <= worst(normal), "{cost} in place of {normal}");
}

#[tokio::test]
async fn many_digests_and_many_signatures_over_keys_cost_little() {
    let world = world().await;
    add_trap(&world);
    let normal = ordinary(&world, "mx.trap.test").await;
    let tag = world.keys("trap.test").await[0].calculate_key_tag().unwrap();
    for number in 0..600 {
        world.has(&format!("trap.test DS {tag} 8 2 {number:064x}"));
    }
    add_colliding_keys(&world, "trap.test", 100).await;
    let resolver = world.behind(Mode::Validate, |query, message| {
        if query.query_type() == RecordType::DNSKEY && !query.name().is_root() {
            multiply_signatures(&mut message.answers, 100);
        }
    });
    let cost = cost(&resolver.await, "mx.trap.test A -> failed bogus").await;
    assert!(cost <= worst(normal), "{cost} in place of {normal}");
}

#[tokio::test]
async fn a_denial_of_a_deep_name_with_many_iterations_is_read() {
    let world = world().await;
    for (zone, iterations) in [("few.test", 0), ("limit.test", 150), ("absurd.test", 2500)] {
        world.domain(zone).nsec3(iterations, Span::Full).add().unwrap();
        world.has(&format!("mx.{zone} A 192.0.2.1"));
    }
    let normal = ordinary(&world, "mx.few.test").await;
    for (question, told) in [
        ("a.".repeat(110) + "limit.test A", "secure nxdomain"),
        ("a.absurd.test A".to_owned(), "failed bogus"),
    ] {
        let resolver = world.resolver(Mode::Validate);
        let cost = cost(&resolver, &format!("{question} -> {told}")).await;
        assert!(cost <= worst(normal), "{question}: {cost} in place of {normal}");
    }
}

#[tokio::test]
async fn wrong_signatures_at_each_step_of_the_way_do_not_multiply() {
    let world = world().await;
    for zone in ["a.secure.test", "b.a.secure.test", "c.b.a.secure.test"] {
        world.domain(zone).signed().add().unwrap();
    }
    world.has("mx.c.b.a.secure.test A 192.0.2.1");
    let resolver = world.behind(Mode::Validate, |_, message| {
        let mut good = message.answers.clone();
        good.retain(|record| record.record_type() == RecordType::RRSIG);
        multiply_signatures(&mut message.answers, 7);
        message.answers.append(&mut good);
    });
    let cost = cost(&resolver.await, "mx.c.b.a.secure.test A -> failed bogus").await;
    // 8 ^ 5 without a limit.
    assert!(cost <= 6 * 256 * 2, "{cost}");
}
