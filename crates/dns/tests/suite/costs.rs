//! What one answer can cost: whoever answers decides how much there is to check, and we how much of it is checked. Signatures are
//! counted here, hashes where they are made (`validate::nsec3`).

use crate::common::{Client, Scene, hex, world};
use dns::host::{self, AddressFamily, Addresses, HostFindings, TlsaQuestion};
use dns::mx::{self, MxFinding};
use dns::{Exchange, Mode};
use futures_util::future::join_all;
use hickory_proto::dnssec::PublicKey as _;
use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, RRSIG};
use hickory_proto::op::Message;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use testworld::dns::{Algorithm, DnsFault, Keys, Span};

/// The most signatures that one hostile message may have us check: 32 of its own, each with no more than two keys of one tag, and
/// the keys on the way.
fn worst(normal: usize) -> usize {
    32 * 2 + normal
}

/// How many signatures a first look-up checks, which needs all keys; it ends as the line says.
async fn cost(resolver: Client, line: &str) -> usize {
    let resolver = resolver.for_one_destination();
    resolver.tells(line).await;
    resolver.cost().checks
}

/// The same of a genuine answer.
async fn ordinary(world: &Scene, name: &str) -> usize {
    let resolver = world.resolver(Mode::Validate);
    let checks = cost(resolver, &format!("{name} A -> secure records")).await;
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
        let cost = cost(resolver, &format!("{question} -> failed bogus")).await;
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
    let cost = cost(resolver, "nothing.secure.test A -> failed bogus").await;
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
    let cost = cost(resolver.await, "mx.trap.test A -> failed bogus").await;
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
    // The hashes of 110 names by 151 rounds weigh as much as 65 signatures.
    for (question, told, hashing) in [
        ("a.".repeat(110) + "limit.test A", "secure nxdomain", 66),
        ("a.absurd.test A".to_owned(), "failed bogus", 0),
    ] {
        let resolver = world.resolver(Mode::Validate);
        let cost = cost(resolver, &format!("{question} -> {told}")).await;
        let most = normal + 8 + hashing;
        assert!(cost <= most, "{question}: {cost} in place of {normal}");
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
    let cost = cost(resolver.await, "mx.c.b.a.secure.test A -> secure records").await;
    // Eight for the answer, and for keys and delegation of each of six zones.
    assert!(cost <= 8 * (1 + 2 * 6), "{cost}");
}

/// Everything that a delivery to a domain with many hosts would look up; and how many of the hosts have addresses.
async fn walk(resolver: &Client, domain: &str) -> usize {
    let resolver = resolver.for_one_destination();
    let MxFinding::Records { exchanges, .. } = mx::discover(&resolver, &crate::common::domain(domain)).await
    else {
        panic!("no MX records");
    };
    let hosts = exchanges.iter().filter_map(|record| match &record.exchange {
        Exchange::Name(host) => Some(host::discover(
            &resolver,
            host,
            25,
            TlsaQuestion::Ask,
            AddressFamily::Any,
        )),
        _ => None,
    });
    let found = join_all(hosts).await;
    let cost = resolver.cost();
    // What is under way when the limit is reached may end.
    assert!(cost.checks <= 800 && cost.questions <= 900, "{cost:?}");
    let has_addresses = |host: &&HostFindings| matches!(host.addresses, Addresses::Found { .. });
    found.iter().filter(has_addresses).count()
}

#[tokio::test]
async fn all_look_ups_for_a_destination_have_a_limit_together() {
    let world = world().await;
    world.domain("many.test").add().unwrap();
    world.domain("trap.test").add().unwrap();
    for number in 0..32 {
        let zone = format!("zone{number}.test");
        world.domain(&zone).keys(Keys::Split).add().unwrap();
        world.has(&format!(
            "many.test          MX   10 mx.{zone}.
             mx.{zone}          A    192.0.2.1
             mx.{zone}          AAAA 2001:db8::1
             _25._tcp.mx.{zone} TLSA 3 1 1 00
             trap.test          MX   10 h{number}.trap.test.
             h{number}.trap.test CNAME a{number}.trap.test.
             a{number}.trap.test CNAME b{number}.trap.test.
             b{number}.trap.test A    192.0.2.1"
        ));
    }
    world.has("trap.test MX 10 mx.secure.test.");
    // As many hosts as are ever looked at, each in a zone of its own, are within the limit.
    let resolver = world.resolver(Mode::Validate);
    assert_eq!(walk(&resolver, "many.test").await, 32);
    // Beside one good signature each has as many wrong ones as are looked at.
    let resolver = world.behind(Mode::Validate, |query, message| {
        if query.name().to_ascii().ends_with(".trap.test.") {
            for section in [&mut message.answers, &mut message.authorities] {
                let good = section.clone();
                multiply_signatures(section, 7);
                section.extend(
                    good.into_iter()
                        .filter(|record| record.record_type() == RecordType::RRSIG),
                );
            }
        }
    });
    let resolver = resolver.await;
    let hosts = walk(&resolver, "trap.test").await;
    assert!(hosts < 33, "{hosts}");
    // Nobody else suffers, not even where the same host is asked about.
    let lines = "mx.secure.test          A    -> secure records
                 _25._tcp.mx.secure.test TLSA -> secure records
                 h0.trap.test            A    -> secure records
                 h31.trap.test           A    -> secure records";
    resolver.tells(lines).await;
}

#[tokio::test]
async fn one_look_up_has_a_limit_of_its_own() {
    let world = world().await;
    let zones = (0..40).map(|depth| "a.".repeat(depth) + "deep.test");
    for zone in zones {
        world.domain(&zone).add().unwrap();
        world.has(&format!("mx.{zone} A 192.0.2.1"));
    }
    let deepest = "a.".repeat(39) + "deep.test";
    let resolver = world.behind(Mode::Validate, |_, message| {
        let good = message.answers.clone();
        multiply_signatures(&mut message.answers, 7);
        message.answers.extend(
            good.into_iter()
                .filter(|record| record.record_type() == RecordType::RRSIG),
        );
    });
    let resolver = resolver.await.for_one_destination();
    resolver
        .tells(&format!("mx.{deepest} A -> failed indeterminate"))
        .await;
    let cost = resolver.cost();
    assert!(cost.checks < 300 && cost.questions < 300, "{cost:?}");
    // It is not that of the walk.
    resolver.tells("mx.secure.test A -> secure records").await;
    // What is found out on the way stays, and the next gets further.
    let mut told = String::new();
    for number in 0..4 {
        told = resolver
            .for_one_destination()
            .ask(&format!("h{number}.{deepest} A"))
            .await;
    }
    assert_eq!(told, "secure nxdomain");
}

#[tokio::test]
async fn bogus_answers_do_not_make_the_keys_above_them_be_forgotten() {
    let world = world().await;
    world.set_ttl(3600);
    let resolver = world.resolver(Mode::Validate);
    for number in 0..20 {
        for zone in ["bogus.test", "expired.test", "stripped.test"] {
            resolver
                .tells(&format!("h{number}.{zone} A -> failed bogus"))
                .await;
        }
        let lie = format!("h{number}.secure.test A");
        world.breaks(&lie, DnsFault::NoProof);
        resolver.tells(&format!("{lie} -> failed bogus")).await;
    }
    for question in [". DNSKEY", "test DS", "test DNSKEY"] {
        assert_eq!(world.count(question), 1, "{question}");
    }
}
