//! What somebody between us and the truth may try: never is a signed zone taken for an unsigned one.

use crate::common::{FORGED, Scene, is, negative, replay, world};
use dns::Mode;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{RData, Record, RecordType};
use testworld::dns::Span;

#[tokio::test]
async fn a_negative_answer_is_not_excused_by_the_soa_of_an_unsigned_zone() {
    let world = world().await;
    let foreign = world.genuine("insecure.test SOA").await.answers;
    for code in [ResponseCode::NoError, ResponseCode::NXDomain] {
        let foreign = foreign.clone();
        let lie = move |message: &mut _| negative(message, code, &foreign);
        let resolver = world.lied_to("_25._tcp.mx.secure.test TLSA", lie).await;
        let lines = "_25._tcp.mx.secure.test TLSA -> failed bogus
                     _25._tcp.mx.hashed.test TLSA -> secure records";
        resolver.tells(lines).await;
    }
}

#[tokio::test]
async fn a_negative_answer_without_proof_is_bogus() {
    let world = world().await;
    let lie = |message: &mut _| negative(message, ResponseCode::NoError, &[]);
    let resolver = world.lied_to("_25._tcp.mx.secure.test TLSA", lie).await;
    resolver
        .tells("_25._tcp.mx.secure.test TLSA -> failed bogus")
        .await;
}

#[tokio::test]
async fn the_proof_for_another_name_or_type_is_no_proof() {
    let world = world().await;
    for zone in ["secure.test", "hashed.test"] {
        for other in [
            format!("mx.{zone} AAAA"),
            format!("nothing.{zone} TLSA"),
            format!("ent.{zone} TLSA"),
        ] {
            let question = format!("_25._tcp.mx.{zone} TLSA");
            let denial = world.genuine(&other).await;
            let code = denial.metadata.response_code;
            let lie = move |message: &mut _| negative(message, code, &denial.authorities);
            let resolver = world.lied_to(&question, lie).await.called(&other);
            resolver.tells(&format!("{question} -> failed bogus")).await;
        }
    }
}

#[tokio::test]
async fn denials_from_above_a_cut_say_nothing_below_it() {
    let world = world().await;
    for parent in world.signed_zones() {
        let zone = format!("zone.{parent}");
        world.domain(&zone).signed().add().unwrap();
        world.has(&format!("mx.{zone} A 192.0.2.1"));
        // Everything that the parent can be made to say about names that would stand near the cut.
        let near = ["zona", "zonf", "a", "zz", "mx"].map(|label| format!("{label}.{parent} A"));
        let said = world
            .denials([format!("{zone} DS")].into_iter().chain(near))
            .await;
        for code in [ResponseCode::NoError, ResponseCode::NXDomain] {
            let (host, said) = (format!("mx.{zone}."), said.clone());
            let resolver = world.behind(Mode::Validate, move |query, message| {
                if query.name().to_ascii() == host {
                    negative(message, code, &said);
                }
            });
            let resolver = resolver.await.called(&code.to_string());
            resolver.tells(&format!("mx.{zone} A -> failed bogus")).await;
        }
    }
}

#[tokio::test]
async fn an_unsigned_forgery_is_not_excused_by_opt_out_further_up() {
    let world = world().await;
    world.domain("above.test").nsec3(0, Span::OptOut).add().unwrap();
    world.domain("zone.above.test").signed().add().unwrap();
    world.has("zone.above.test MX 10 mx0.zone.above.test.");
    // Apex and child make the whole chain of the parent: between them its opt-out records cover the hash of nearly every other
    // name, also of those below its signed child.
    let names = ('a'..='z').map(|label| format!("{label}.above.test A"));
    let covers = world.denials(names).await;
    let mut without_soa = covers.clone();
    without_soa.retain(|record| record.record_type() != RecordType::SOA);
    for covers in [covers, without_soa] {
        let resolver = world.behind(Mode::Validate, move |query, message| {
            if !query.name().to_ascii().starts_with("mx") {
                return;
            }
            negative(message, ResponseCode::NoError, &covers);
            if query.query_type() == RecordType::A {
                let address = RData::A(FORGED.parse().unwrap());
                message.answers = vec![Record::from_rdata(query.name().clone(), 300, address)];
                message.authorities.clear();
            }
        });
        let resolver = resolver.await;
        for number in 0..4 {
            let host = format!("mx{number}.zone.above.test");
            resolver.tells(&format!("{host} A -> failed bogus")).await;
        }
    }
}

#[tokio::test]
async fn a_wildcard_is_not_played_over_a_name_that_exists() {
    let world = world().await;
    let foreign = world.genuine("insecure.test SOA").await.answers;
    for zone in ["secure.test", "hashed.test"] {
        let sibling = world.genuine(&format!("any.wild.{zone} A")).await;
        for proof in [sibling.authorities, Vec::new(), foreign.clone()] {
            let (question, answers) = (format!("real.wild.{zone} A"), sibling.answers.clone());
            let lie = move |message: &mut _| replay(message, &answers, &proof);
            let resolver = world.lied_to(&question, lie).await;
            resolver.tells(&format!("{question} -> failed bogus")).await;
        }
    }
}

#[tokio::test]
async fn a_wildcard_is_not_excused_by_the_denials_of_the_zone_above() {
    let world = world().await;
    for zone in ["above.test", "zone.above.test"] {
        world.domain(zone).nsec3(0, Span::Full).add().unwrap();
    }
    world.has("*.wild.zone.above.test A 192.0.2.2");
    let real = ["a", "b", "c", "d"].map(|label| format!("{label}.wild.zone.above.test A"));
    for name in &real {
        world.has(&format!("{name} 192.0.2.3"));
    }
    let wildcard = world.genuine("any.wild.zone.above.test A").await.answers;
    // By their hashes the names below the child are covered by the parent's records as well.
    let names = ('a'..='z').map(|label| format!("{label}.above.test A"));
    let covers = world.denials(names).await;
    for question in real {
        let (wildcard, covers) = (wildcard.clone(), covers.clone());
        let lie = move |message: &mut _| replay(message, &wildcard, &covers);
        let resolver = world.lied_to(&question, lie).await;
        resolver.tells(&format!("{question} -> failed bogus")).await;
    }
}

#[tokio::test]
async fn a_wildcard_is_not_played_below_a_closer_name() {
    let world = world().await;
    for zone in ["secure.test", "hashed.test"] {
        // `real.wild` exists, so its children are not the wildcard's, although they do not exist themselves.
        let question = format!("x.real.wild.{zone} A");
        let answers = world.genuine(&format!("any.wild.{zone} A")).await.answers;
        let proof = world.genuine(&question).await.authorities;
        let lie = move |message: &mut _| replay(message, &answers, &proof);
        let resolver = world.lied_to(&question, lie).await;
        resolver.tells(&format!("{question} -> failed bogus")).await;
    }
}

#[tokio::test]
async fn a_wildcard_answer_without_its_proof_is_bogus() {
    let world = world().await;
    let resolver = world.behind(Mode::Validate, |query, message| {
        if is(query, "any.wild.secure.test A") || is(query, "any.wild.hashed.test A") {
            message.authorities.clear();
        }
    });
    let lines = "any.wild.secure.test A -> failed bogus
                 any.wild.hashed.test A -> failed bogus";
    resolver.await.tells(lines).await;
}

/// What a signed wildcard gives for a name, with and without the proof that it stands for that.
async fn wildcards(world: &Scene, question: &str) -> [(Vec<Record>, Vec<Record>); 2] {
    let genuine = world.genuine(question).await;
    assert!(!genuine.answers.is_empty(), "{question}");
    [
        (genuine.answers.clone(), genuine.authorities),
        (genuine.answers, Vec::new()),
    ]
}

#[tokio::test]
async fn a_delegation_is_not_made_of_a_wildcard() {
    let world = world().await;
    for (zone, span) in [
        ("plain.test", None),
        ("hash.test", Some(Span::Full)),
        ("hide.test", Some(Span::OptOut)),
    ] {
        let domain = world.domain(zone);
        let domain = match span {
            None => domain,
            Some(span) => domain.nsec3(0, span),
        };
        domain.add().unwrap();
        // A digest for an algorithm that nobody knows: a delegation by it alone would be an unsigned one.
        let digest = "0".repeat(64);
        let child = format!("child.{zone}");
        world.domain(&child).add().unwrap();
        world.has(&format!(
            "*.{zone}    DS  1 250 2 {digest}
             mx.{child}  A   192.0.2.1
             {child}     MX  10 mx.{child}."
        ));
        for (answers, proof) in wildcards(&world, &format!("any.{zone} DS")).await {
            let cut = format!("{child} DS");
            let resolver = world.behind(Mode::Validate, move |query, message| {
                if is(query, &cut) {
                    replay(message, &answers, &proof);
                    return;
                }
                // Everything below is made up.
                let signed = [
                    RecordType::RRSIG,
                    RecordType::NSEC,
                    RecordType::NSEC3,
                    RecordType::DNSKEY,
                ];
                if query.name().to_ascii().contains("child") {
                    message
                        .answers
                        .retain(|record| !signed.contains(&record.record_type()));
                    message
                        .authorities
                        .retain(|record| !signed.contains(&record.record_type()));
                    for record in &mut message.answers {
                        if record.record_type() == RecordType::A {
                            record.data = RData::A(FORGED.parse().unwrap());
                        }
                    }
                }
            });
            let resolver = resolver.await.called(zone);
            let lines = format!(
                "mx.{child} A          -> failed bogus
                 {child} MX            -> failed bogus
                 _25._tcp.mx.{child} TLSA -> failed bogus"
            );
            resolver.tells(&lines).await;
        }
        // Asked for itself it is what it is, and below a wildcard there is no zone.
        let resolver = world.resolver(Mode::Validate);
        let (status, absence) = if zone == "hide.test" {
            ("insecure", "insecure")
        } else {
            ("secure", "secure")
        };
        let lines = format!(
            "any.{zone} DS   -> {status} records
             any.{zone} A    -> {absence} nodata"
        );
        resolver.tells(&lines).await;
    }
}

#[tokio::test]
async fn a_zone_is_not_hidden_behind_an_alias_from_a_wildcard() {
    let world = world().await;
    for (zone, span) in [("plain.test", None), ("hash.test", Some(Span::Full))] {
        let domain = world.domain(zone);
        match span {
            None => domain,
            Some(span) => domain.nsec3(0, span),
        }
        .add()
        .unwrap();
        let child = format!("child.{zone}");
        world.domain(&child).add().unwrap();
        world.has(&format!(
            "*.{zone} CNAME mx.insecure.test.\nmx.{child} A 192.0.2.1"
        ));
        for (answers, proof) in wildcards(&world, &format!("any.{zone} DS")).await {
            let cut = format!("{child} DS");
            let resolver = world.behind(Mode::Validate, move |query, message| {
                if is(query, &cut) {
                    replay(message, &answers, &proof);
                } else if query.name().to_ascii().contains("child") {
                    negative(message, ResponseCode::NXDomain, &proof);
                }
            });
            let lines = format!("mx.{child} A -> failed bogus\n{child} A -> failed bogus");
            resolver.await.called(zone).tells(&lines).await;
        }
    }
}
