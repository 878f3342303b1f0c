//! What somebody between us and the truth may try: never is a signed zone taken for an unsigned one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{ask, forger, genuine, validator_behind, world};
use dns::Resolver;
use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use testworld::dns::Span;

fn is(query: &Query, name: &str, record_type: RecordType) -> bool {
    query.name().to_ascii() == format!("{name}.") && query.query_type() == record_type
}

fn negative(message: &mut Message, code: ResponseCode, authorities: Vec<Record>) {
    message.answers.clear();
    message.metadata.response_code = code;
    message.authorities = authorities;
}

fn without_repetition(records: Vec<Record>) -> Vec<Record> {
    let mut once: Vec<Record> = Vec::new();
    for record in records {
        // Signatures are made afresh for each answer.
        if !once
            .iter()
            .any(|known| known.name == record.name && covered(known) == covered(&record))
        {
            once.push(record);
        }
    }
    once
}

fn covered(record: &Record) -> (RecordType, Option<RecordType>) {
    let signed = match &record.data {
        RData::DNSSEC(DNSSECRData::RRSIG(rrsig)) => Some(rrsig.input().type_covered),
        _ => None,
    };
    (record.record_type(), signed)
}

fn address(name: &str) -> Record {
    let name = Name::from_ascii(format!("{name}.")).unwrap();
    Record::from_rdata(name, 300, RData::A("198.51.100.66".parse().unwrap()))
}

async fn behind(
    world: &testworld::dns::World,
    forge: impl Fn(&Query, &mut Message) + Send + Sync + 'static,
) -> Resolver {
    validator_behind(world, vec![forger(world, forge).await])
}

#[tokio::test]
async fn a_negative_answer_is_not_excused_by_the_soa_of_an_unsigned_zone() {
    let world = world().await;
    let foreign = genuine(&world, "insecure.test", RecordType::SOA).await.answers;
    for code in [ResponseCode::NoError, ResponseCode::NXDomain] {
        let foreign = foreign.clone();
        let resolver = behind(&world, move |query, message| {
            if is(query, "_25._tcp.mx.secure.test", RecordType::TLSA) {
                negative(message, code, foreign.clone());
            }
        })
        .await;
        assert_eq!(
            ask(&resolver, "_25._tcp.mx.secure.test", RecordType::TLSA).await,
            "failed bogus",
            "{code}"
        );
        assert_eq!(
            ask(&resolver, "_25._tcp.mx.hashed.test", RecordType::TLSA).await,
            "secure records"
        );
    }
}

#[tokio::test]
async fn a_negative_answer_without_proof_is_bogus() {
    let world = world().await;
    let resolver = behind(&world, |query, message| {
        if is(query, "_25._tcp.mx.secure.test", RecordType::TLSA) {
            negative(message, ResponseCode::NoError, Vec::new());
        }
    })
    .await;
    assert_eq!(
        ask(&resolver, "_25._tcp.mx.secure.test", RecordType::TLSA).await,
        "failed bogus"
    );
}

#[tokio::test]
async fn the_proof_for_another_name_or_type_is_no_proof() {
    let world = world().await;
    for zone in ["secure.test", "hashed.test"] {
        for (other, record_type) in [
            ("mx", RecordType::AAAA),
            ("nothing", RecordType::TLSA),
            ("ent", RecordType::TLSA),
        ] {
            let replayed = genuine(&world, &format!("{other}.{zone}"), record_type).await;
            let target = format!("_25._tcp.mx.{zone}");
            let asked = target.clone();
            let resolver = behind(&world, move |query, message| {
                if is(query, &asked, RecordType::TLSA) {
                    let code = replayed.metadata.response_code;
                    negative(message, code, replayed.authorities.clone());
                }
            })
            .await;
            assert_eq!(
                ask(&resolver, &target, RecordType::TLSA).await,
                "failed bogus",
                "{zone} {other}"
            );
        }
    }
}

#[tokio::test]
async fn denials_from_above_a_cut_say_nothing_below_it() {
    let world = world().await;
    for (parent, span) in [
        ("above1.test", None),
        ("above2.test", Some(Span::Full)),
        ("above3.test", Some(Span::OptOut)),
    ] {
        let description = world.domain(parent).signed();
        match span {
            Some(span) => description.nsec3(0, span).add().unwrap(),
            None => description.add().unwrap(),
        }
        let zone = format!("zone.{parent}");
        world
            .domain(&zone)
            .signed()
            .record(&format!("mx.{zone}"), RecordType::A, "192.0.2.1")
            .add()
            .unwrap();
        // Everything that the parent can be made to say about names that would stand near the cut.
        let mut said = genuine(&world, &zone, RecordType::DS).await.authorities;
        for label in ["zona", "zonf", "a", "zz", "mx"] {
            said.extend(
                genuine(&world, &format!("{label}.{parent}"), RecordType::A)
                    .await
                    .authorities,
            );
        }
        let (said, target) = (without_repetition(said), format!("mx.{zone}"));
        for code in [ResponseCode::NoError, ResponseCode::NXDomain] {
            let (asked, said) = (target.clone(), said.clone());
            let resolver = behind(&world, move |query, message| {
                if query.name().to_ascii() == format!("{asked}.") {
                    negative(message, code, said.clone());
                }
            })
            .await;
            assert_eq!(
                ask(&resolver, &target, RecordType::A).await,
                "failed bogus",
                "{parent} {code}"
            );
        }
    }
}

#[tokio::test]
async fn an_unsigned_forgery_is_not_excused_by_opt_out_further_up() {
    let world = world().await;
    world.domain("above.test").nsec3(0, Span::OptOut).add().unwrap();
    let hosts: Vec<String> = (0..4)
        .map(|number| format!("mx{number}.zone.above.test"))
        .collect();
    let zone = world.domain("zone.above.test").signed();
    zone.record("zone.above.test", RecordType::MX, "10 mx0.zone.above.test.")
        .add()
        .unwrap();
    // Apex and child make the whole chain of the parent: between them its opt-out records cover the hash of nearly every other
    // name, also of those below its signed child.
    let mut covers = Vec::new();
    for label in 'a'..='z' {
        covers.extend(
            genuine(&world, &format!("{label}.above.test"), RecordType::A)
                .await
                .authorities,
        );
    }
    let covers = without_repetition(covers);
    let without_soa: Vec<Record> = covers
        .iter()
        .filter(|r| r.record_type() != RecordType::SOA)
        .cloned()
        .collect();
    for covers in [covers, without_soa] {
        let resolver = behind(&world, move |query, message| {
            let name = query.name().to_ascii();
            if !name.starts_with("mx") {
                return;
            }
            negative(message, ResponseCode::NoError, covers.clone());
            if query.query_type() == RecordType::A {
                message.answers = vec![address(name.trim_end_matches('.'))];
                message.authorities.clear();
            }
        })
        .await;
        for host in &hosts {
            assert_eq!(
                ask(&resolver, host, RecordType::A).await,
                "failed bogus",
                "{host}"
            );
        }
    }
}

#[tokio::test]
async fn a_wildcard_is_not_played_over_a_name_that_exists() {
    let world = world().await;
    for zone in ["secure.test", "hashed.test"] {
        let sibling = genuine(&world, &format!("any.wild.{zone}"), RecordType::A).await;
        let foreign = genuine(&world, "insecure.test", RecordType::SOA).await.answers;
        for authorities in [sibling.authorities.clone(), Vec::new(), foreign] {
            let (answers, target) = (sibling.answers.clone(), format!("real.wild.{zone}"));
            let asked = target.clone();
            let resolver = behind(&world, move |query, message| {
                if is(query, &asked, RecordType::A) {
                    message.answers.clone_from(&answers);
                    for record in &mut message.answers {
                        record.name = query.name().clone();
                    }
                    message.authorities.clone_from(&authorities);
                }
            })
            .await;
            assert_eq!(
                ask(&resolver, &target, RecordType::A).await,
                "failed bogus",
                "{zone}"
            );
        }
    }
}

#[tokio::test]
async fn a_wildcard_is_not_excused_by_the_denials_of_the_zone_above() {
    let world = world().await;
    world.domain("above.test").nsec3(0, Span::Full).add().unwrap();
    let zone = world.domain("zone.above.test").nsec3(0, Span::Full);
    let zone = zone.record("*.wild.zone.above.test", RecordType::A, "192.0.2.2");
    let real = ["a", "b", "c", "d"].map(|label| format!("{label}.wild.zone.above.test"));
    real.iter()
        .fold(zone, |zone, name| zone.record(name, RecordType::A, "192.0.2.3"))
        .add()
        .unwrap();
    let wildcard = genuine(&world, "any.wild.zone.above.test", RecordType::A)
        .await
        .answers;
    // By their hashes the names below the child are covered by the parent's records as well.
    let mut covers = Vec::new();
    for label in 'a'..='z' {
        covers.extend(
            genuine(&world, &format!("{label}.above.test"), RecordType::A)
                .await
                .authorities,
        );
    }
    let covers = without_repetition(covers);
    let resolver = behind(&world, move |query, message| {
        if query.query_type() == RecordType::A {
            message.answers.clone_from(&wildcard);
            for record in &mut message.answers {
                record.name = query.name().clone();
            }
            message.authorities.clone_from(&covers);
        }
    })
    .await;
    for name in &real {
        assert_eq!(
            ask(&resolver, name, RecordType::A).await,
            "failed bogus",
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_wildcard_is_not_played_below_a_closer_name() {
    let world = world().await;
    for zone in ["secure.test", "hashed.test"] {
        // `real.wild` exists, so its children are not the wildcard's, although they do not exist themselves.
        let target = format!("x.real.wild.{zone}");
        let sibling = genuine(&world, &format!("any.wild.{zone}"), RecordType::A).await;
        let proof = genuine(&world, &target, RecordType::A).await;
        let (answers, authorities) = (sibling.answers.clone(), proof.authorities.clone());
        let asked = target.clone();
        let resolver = behind(&world, move |query, message| {
            if is(query, &asked, RecordType::A) {
                message.metadata.response_code = ResponseCode::NoError;
                message.answers.clone_from(&answers);
                for record in &mut message.answers {
                    record.name = query.name().clone();
                }
                message.authorities.clone_from(&authorities);
            }
        })
        .await;
        assert_eq!(
            ask(&resolver, &target, RecordType::A).await,
            "failed bogus",
            "{zone}"
        );
    }
}

#[tokio::test]
async fn a_wildcard_answer_without_its_proof_is_bogus() {
    let world = world().await;
    let resolver = behind(&world, |query, message| {
        if is(query, "any.wild.secure.test", RecordType::A)
            || is(query, "any.wild.hashed.test", RecordType::A)
        {
            message.authorities.clear();
        }
    })
    .await;
    assert_eq!(
        ask(&resolver, "any.wild.secure.test", RecordType::A).await,
        "failed bogus"
    );
    assert_eq!(
        ask(&resolver, "any.wild.hashed.test", RecordType::A).await,
        "failed bogus"
    );
}
