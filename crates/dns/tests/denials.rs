//! Denials that are genuine, each signature of them good, and yet deny nothing of what was asked.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::collections::BTreeSet;

use common::{ask, forger, genuine, validator_behind, world};
use dns::Resolver;
use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::rdata::NULL;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::BinEncodable as _;
use testworld::dns::{Span, World};

fn is(query: &Query, name: &str, record_type: RecordType) -> bool {
    query.name().to_ascii() == format!("{name}.") && query.query_type() == record_type
}

fn negative(message: &mut Message, code: ResponseCode, authorities: &[Record]) {
    message.answers.clear();
    message.metadata.response_code = code;
    message.authorities = authorities.to_vec();
}

async fn behind(world: &World, forge: impl Fn(&Query, &mut Message) + Send + Sync + 'static) -> Resolver {
    validator_behind(world, vec![forger(world, forge).await])
}

/// Every denial of a zone, each once with its signature: asked for by names that do not exist, many at random and some that
/// come right after one of `labels`.
async fn every_denial(world: &World, zone: &str, labels: &[&str]) -> Vec<Record> {
    let (mut known, mut all) = (BTreeSet::new(), Vec::new());
    let random = (0..160).map(|number| format!("{number}x.{zone}"));
    let next = labels.iter().map(|label| format!("{label}a.{zone}"));
    for name in random.chain(next) {
        for record in genuine(world, &name, RecordType::A).await.authorities {
            let signed = match &record.data {
                RData::DNSSEC(DNSSECRData::RRSIG(rrsig)) => rrsig.input().type_covered,
                _ => record.record_type(),
            };
            if known.insert((record.name.to_ascii(), record.record_type(), signed)) {
                all.push(record);
            }
        }
    }
    all
}

/// Whether a denial says that its own name has this type.
fn lists(denial: &Record, record_type: RecordType) -> bool {
    match &denial.data {
        RData::DNSSEC(DNSSECRData::NSEC(nsec)) => nsec.type_set().contains(record_type),
        RData::DNSSEC(DNSSECRData::NSEC3(nsec3)) => nsec3.type_set().contains(record_type),
        _ => false,
    }
}

#[tokio::test]
async fn neither_an_alias_nor_what_it_redirects_is_denied_by_its_own_record() {
    let world = world().await;
    for (zone, hashed) in [("plain.test", false), ("hash.test", true)] {
        let description = world.domain(zone).signed();
        let description = if hashed {
            description.nsec3(0, Span::Full)
        } else {
            description
        };
        description
            .record(&format!("alias.{zone}"), RecordType::CNAME, "mx.secure.test.")
            .record(&format!("moved.{zone}"), RecordType::DNAME, "secure.test.")
            .record(&format!("host.{zone}"), RecordType::A, "192.0.2.1")
            .add()
            .unwrap();
        let said = every_denial(&world, zone, &["alias", "moved", "host"]).await;
        for record_type in [RecordType::CNAME, RecordType::DNAME, RecordType::A] {
            assert!(
                said.iter().any(|record| lists(record, record_type)),
                "{record_type}"
            );
        }
        let (host, alias, moved) = (
            format!("host.{zone}"),
            format!("alias.{zone}"),
            format!("mx.moved.{zone}"),
        );
        for code in [ResponseCode::NoError, ResponseCode::NXDomain] {
            let said = said.clone();
            let resolver = behind(&world, move |query, message| {
                if query.query_type() == RecordType::AAAA {
                    negative(message, code, &said);
                }
            })
            .await;
            for name in [&alias, &moved] {
                let told = ask(&resolver, name, RecordType::AAAA).await;
                assert_eq!(told, "failed bogus", "{name} {code}");
            }
            // The same records do deny what is not there.
            if code == ResponseCode::NoError {
                assert_eq!(ask(&resolver, &host, RecordType::AAAA).await, "secure nodata");
            }
        }
    }
}

#[tokio::test]
async fn each_record_of_a_denial_is_needed() {
    let world = world().await;
    for (name, record_type, told) in [
        ("nothing.hashed.test", RecordType::A, "secure nxdomain"),
        ("nothing.secure.test", RecordType::A, "secure nxdomain"),
        ("any.wild.hashed.test", RecordType::MX, "secure nodata"),
        ("ent.hashed.test", RecordType::A, "secure nodata"),
    ] {
        let whole = genuine(&world, name, record_type).await.authorities;
        let owners: BTreeSet<Name> = whole
            .iter()
            .filter(|record| matches!(record.record_type(), RecordType::NSEC | RecordType::NSEC3))
            .map(|record| record.name.clone())
            .collect();
        assert_eq!(
            ask(&behind(&world, |_, _| {}).await, name, record_type).await,
            told
        );
        for missing in owners {
            let rest: Vec<Record> = whole
                .iter()
                .filter(|record| record.name != missing)
                .cloned()
                .collect();
            let resolver = behind(&world, move |query, message| {
                if is(query, name, record_type) {
                    message.authorities.clone_from(&rest);
                }
            })
            .await;
            assert_eq!(ask(&resolver, name, record_type).await, "failed bogus", "{name}");
        }
    }
}

#[tokio::test]
async fn a_signed_delegation_is_not_replaced_by_the_proof_of_an_unsigned_one() {
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
        let (signed, unsigned) = (format!("signed.{parent}"), format!("unsigned.{parent}"));
        let host = format!("mx.{signed}");
        let zone = world.domain(&signed).signed();
        zone.record(&host, RecordType::A, "192.0.2.1").add().unwrap();
        world.domain(&unsigned).unsigned().add().unwrap();
        let replayed = genuine(&world, &unsigned, RecordType::DS).await.authorities;
        // A name of the parent that is no delegation at all.
        let apex = genuine(&world, parent, RecordType::AAAA).await.authorities;
        for said in [replayed, apex] {
            let asked = host.clone();
            let cut = signed.clone();
            let resolver = behind(&world, move |query, message| {
                if is(query, &cut, RecordType::DS) {
                    negative(message, ResponseCode::NoError, &said);
                }
                if is(query, &asked, RecordType::A) {
                    message
                        .answers
                        .retain(|record| record.record_type() == RecordType::A);
                    message.answers[0].data = RData::A("198.51.100.66".parse().unwrap());
                }
            })
            .await;
            assert_eq!(
                ask(&resolver, &host, RecordType::A).await,
                "failed bogus",
                "{parent}"
            );
        }
    }
}

#[tokio::test]
async fn a_denial_with_an_unknown_hash_or_flag_proves_nothing() {
    let world = world().await;
    // The first two octets of the data (RFC 5155 §3.2), as they are where all is known and otherwise.
    for (hash, flags, told) in [
        (1, 0, "secure nodata"),
        (2, 0, "failed malformed"),
        (1, 2, "failed malformed"),
    ] {
        let resolver = behind(&world, move |query, message| {
            if !is(query, "mx.hashed.test", RecordType::AAAA) {
                return;
            }
            for record in &mut message.authorities {
                if let RData::DNSSEC(DNSSECRData::NSEC3(nsec3)) = &record.data {
                    let mut octets = nsec3.to_bytes().unwrap();
                    (octets[0], octets[1]) = (hash, flags);
                    let (code, rdata) = (RecordType::NSEC3, NULL::with(octets));
                    record.data = RData::Unknown { code, rdata };
                }
            }
        })
        .await;
        assert_eq!(
            ask(&resolver, "mx.hashed.test", RecordType::AAAA).await,
            told,
            "{hash} {flags}"
        );
    }
}
