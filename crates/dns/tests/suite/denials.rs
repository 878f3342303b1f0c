//! Denials that are genuine, each signature of them good, and yet deny nothing of what was asked.

use std::collections::BTreeSet;

use crate::common::{FORGED, MODES, Scene, is, negative, world};
use dns::Mode;
use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::NULL;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::BinEncodable as _;
use testworld::dns::Span;

/// Every denial of a zone: asked for by names that do not exist, many at random and some that come right after one of `labels`.
async fn every_denial(world: &Scene, zone: &str, labels: &[&str]) -> Vec<Record> {
    let random = (0..160).map(|number| format!("{number}x.{zone} A"));
    let next = labels.iter().map(|label| format!("{label}a.{zone} A"));
    world.denials(random.chain(next)).await
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
    world.domain("plain.test").signed().add().unwrap();
    world.domain("hash.test").nsec3(0, Span::Full).add().unwrap();
    for zone in ["plain.test", "hash.test"] {
        world.has(&format!(
            "alias.{zone} CNAME mx.secure.test.
             moved.{zone} DNAME secure.test.
             host.{zone}  A     192.0.2.1"
        ));
        let said = every_denial(&world, zone, &["alias", "moved", "host"]).await;
        for record_type in [RecordType::CNAME, RecordType::DNAME, RecordType::A] {
            let is_listed = said.iter().any(|record| lists(record, record_type));
            assert!(is_listed, "{zone} {record_type}");
        }
        for code in [ResponseCode::NoError, ResponseCode::NXDomain] {
            let said = said.clone();
            let resolver = world.behind(Mode::Validate, move |query, message| {
                if query.query_type() == RecordType::AAAA {
                    negative(message, code, &said);
                }
            });
            let resolver = resolver.await.called(&code.to_string());
            let lines = format!(
                "alias.{zone}    AAAA -> failed bogus
                 mx.moved.{zone} AAAA -> failed bogus"
            );
            resolver.tells(&lines).await;
            // The same records do deny what is not there.
            if code == ResponseCode::NoError {
                let absent = format!("host.{zone} AAAA -> secure nodata");
                resolver.tells(&absent).await;
            }
        }
    }
}

#[tokio::test]
async fn each_record_of_a_denial_is_needed() {
    let world = world().await;
    for (question, told) in [
        ("nothing.hashed.test A", "secure nxdomain"),
        ("nothing.secure.test A", "secure nxdomain"),
        ("any.wild.hashed.test MX", "secure nodata"),
        ("ent.hashed.test A", "secure nodata"),
    ] {
        let untouched = world.lied_to(question, |_| {}).await;
        untouched.tells(&format!("{question} -> {told}")).await;
        let whole = world.genuine(question).await.authorities;
        let denials = whole
            .iter()
            .filter(|record| matches!(record.record_type(), RecordType::NSEC | RecordType::NSEC3));
        let owners: BTreeSet<Name> = denials.map(|record| record.name.clone()).collect();
        for missing in owners {
            let mut rest = whole.clone();
            rest.retain(|record| record.name != missing);
            let lie = move |message: &mut Message| message.authorities.clone_from(&rest);
            let resolver = world.lied_to(question, lie).await;
            resolver.tells(&format!("{question} -> failed bogus")).await;
        }
    }
}

#[tokio::test]
async fn a_signed_delegation_is_not_replaced_by_the_proof_of_an_unsigned_one() {
    let world = world().await;
    for parent in world.signed_zones() {
        let (signed, unsigned) = (format!("signed.{parent}"), format!("unsigned.{parent}"));
        world.domain(&signed).signed().add().unwrap();
        world.domain(&unsigned).unsigned().add().unwrap();
        let (host, cut) = (format!("mx.{signed} A"), format!("{signed} DS"));
        world.has(&format!("{host} 192.0.2.1"));
        // The last is of a name of the parent that is no delegation at all.
        for denied in [format!("{unsigned} DS"), format!("{parent} AAAA")] {
            let said = world.genuine(&denied).await.authorities;
            let (asked, cut) = (host.clone(), cut.clone());
            let resolver = world.behind(Mode::Validate, move |query, message| {
                if is(query, &cut) {
                    negative(message, ResponseCode::NoError, &said);
                }
                if is(query, &asked) {
                    let is_address = |record: &Record| record.record_type() == RecordType::A;
                    message.answers.retain(is_address);
                    message.answers[0].data = RData::A(FORGED.parse().unwrap());
                }
            });
            let resolver = resolver.await.called(&denied);
            resolver.tells(&format!("{host} -> failed bogus")).await;
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
        let lie = move |message: &mut Message| {
            for record in &mut message.authorities {
                if let RData::DNSSEC(DNSSECRData::NSEC3(nsec3)) = &record.data {
                    let mut octets = nsec3.to_bytes().unwrap();
                    (octets[0], octets[1]) = (hash, flags);
                    let (code, rdata) = (RecordType::NSEC3, NULL::with(octets));
                    record.data = RData::Unknown { code, rdata };
                }
            }
        };
        let resolver = world.lied_to("mx.hashed.test AAAA", lie).await;
        let resolver = resolver.called(&format!("{hash} {flags}"));
        resolver.tells(&format!("mx.hashed.test AAAA -> {told}")).await;
    }
}

#[tokio::test]
async fn a_compact_denial_says_what_does_not_exist() {
    let world = world().await;
    world.domain("compact.test").compact().add().unwrap();
    world.domain("signed.compact.test").add().unwrap();
    world.domain("child.compact.test").unsigned().add().unwrap();
    world.has(
        "mx.compact.test       A     192.0.2.1
         deep.ent.compact.test A     192.0.2.1
         *.wild.compact.test   A     192.0.2.2
         lost.compact.test     CNAME nothing.compact.test.
         mx.signed.compact.test A    192.0.2.3
         mx.child.compact.test A     192.0.2.3",
    );
    let lines = "mx.compact.test          A    -> secure records
                 mx.compact.test          AAAA -> secure nodata
                 ent.compact.test         A    -> secure nodata
                 nothing.compact.test     A    -> secure nxdomain
                 a.b.nothing.compact.test A    -> secure nxdomain
                 any.wild.compact.test    A    -> secure records
                 any.wild.compact.test    MX   -> secure nodata
                 lost.compact.test        A    -> secure nxdomain
                 mx.signed.compact.test   A    -> secure records
                 mx.child.compact.test    A    -> insecure records";
    for resolver in world.resolvers() {
        resolver.tells(lines).await;
    }
    // With the RCODE as it would be otherwise, which some resolvers give.
    let resolver = world.behind(Mode::Validate, |_, message| {
        if message.answers.is_empty()
            && !message
                .authorities
                .iter()
                .any(|record| lists(record, RecordType::A))
        {
            message.metadata.response_code = ResponseCode::NXDomain;
        }
    });
    let lines = "nothing.compact.test A -> secure nxdomain
                 ent.compact.test     A -> failed bogus";
    resolver.await.tells(lines).await;
}

#[tokio::test]
async fn what_denies_a_name_compactly_denies_no_other_and_nothing_unless_it_is_secure() {
    let world = world().await;
    world.domain("compact.test").compact().add().unwrap();
    world.has("mx.compact.test A 192.0.2.1");
    let denial = world.genuine("nothing.compact.test A").await.authorities;
    for question in [
        "mx.compact.test A",
        "a.nothing.compact.test A",
        "mx.secure.test A",
    ] {
        let said = denial.clone();
        let lie = move |message: &mut Message| negative(message, ResponseCode::NoError, &said);
        let resolver = world.lied_to(question, lie).await;
        resolver.tells(&format!("{question} -> failed bogus")).await;
    }
    // In an unsigned zone anybody can write such a record.
    for mode in MODES {
        let said = denial.clone();
        let resolver = world.behind(mode, move |query, message| {
            if is(query, "mx.insecure.test AAAA") {
                negative(message, ResponseCode::NoError, &said);
                for record in &mut message.authorities {
                    record.name = query.name().clone();
                }
                message.metadata.authentic_data = false;
            }
        });
        resolver
            .await
            .tells("mx.insecure.test AAAA -> insecure nodata")
            .await;
    }
}
