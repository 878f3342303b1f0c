//! What a failed validation says of itself: which question, which zone, what is wrong.

use crate::common::{Client, Scene, anchor_lines, parted, world};
use dns::Mode;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RecordType;
use testworld::dns::{DnsFault, Span, Validity};

/// The whole line about a failure, with the day of a date left out and the server called so.
async fn words(world: &Scene, resolver: &Client, question: &str) -> String {
    let (name, record_type) = parted(question);
    let answer = resolver.text(name, &record_type.to_string()).await.unwrap();
    let text = answer.unwrap_err().to_string();
    let text = text.replace(&world.address().to_string(), "SERVER");
    let words = text.split(' ').map(|word| {
        let is_date = word.len() == 10 && word.matches('-').count() == 2;
        let is_time = word.len() == 5 && word.contains(':');
        if is_date {
            "DATE"
        } else if is_time {
            "TIME"
        } else if word.parse::<u16>().is_ok_and(|number| number > 10) {
            "TAG"
        } else {
            word
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_failed_validation_says_what_is_wrong_and_where() {
    let world = world().await;
    let soon = Validity {
        from: 86_400 * 2,
        until: 86_400 * 20,
    };
    world.domain("future.test").validity(soon).add().unwrap();
    world.has("mx.future.test A 192.0.2.1");
    world.domain("absurd.test").nsec3(501, Span::Full).add().unwrap();
    world.breaks("mx.secure.test AAAA", DnsFault::NoProof);
    world.breaks("mx.hashed.test A", DnsFault::BadSignature);
    world.breaks("_25._tcp.mx.hashed.test TLSA", DnsFault::StripDnssec);
    world.breaks("any.wild.secure.test A", DnsFault::NoProof);
    world.breaks("mx.insecure.test A", DnsFault::ServFail);
    world.breaks("optout.test DNSKEY", DnsFault::Refused);
    world
        .break_dns(
            &testworld::dns::Questions::At("ent.secure.test".to_owned()),
            DnsFault::NxDomain,
        )
        .unwrap();
    let resolver = world.resolver(Mode::Validate);
    for (question, expected) in [
        (
            "mx.expired.test A",
            "bogus: the signature of expired.test DNSKEY expired on DATE TIME UTC",
        ),
        (
            "mx.future.test A",
            "bogus: the signature of future.test DNSKEY is not valid before DATE TIME UTC",
        ),
        (
            "mx.bogus.test A",
            "bogus: the signature of bogus.test DNSKEY by key TAG of the zone is wrong",
        ),
        (
            "mx.mismatch.test A",
            "bogus: none of the keys of the zone mismatch.test matches its DS records",
        ),
        (
            "mx.stripped.test A",
            "bogus: none of the keys of the zone stripped.test matches its DS records",
        ),
        (
            "mx.hashed.test A",
            "bogus: the signature of mx.hashed.test A by key TAG of the zone hashed.test is wrong",
        ),
        (
            "_25._tcp.mx.hashed.test TLSA",
            "bogus: _25._tcp.mx.hashed.test TLSA has no signature, and the zone hashed.test is signed",
        ),
        (
            "mx.secure.test AAAA",
            "bogus: no proof that mx.secure.test AAAA does not exist, and the zone secure.test is signed",
        ),
        (
            "any.wild.secure.test A",
            "bogus: any.wild.secure.test A comes from a wildcard, without proof that nothing closer exists",
        ),
        (
            "ent.secure.test A",
            "bogus: ent.secure.test A is said not to exist, and the zone secure.test proves that it does",
        ),
        (
            "nothing.absurd.test A",
            "bogus: the zone absurd.test uses too many NSEC3 iterations",
        ),
        (
            "mx.insecure.test A",
            "servfail: SERVER answers SERVFAIL for mx.insecure.test A",
        ),
        (
            "mx.optout.test A",
            "indeterminate: SERVER answers REFUSED for optout.test DNSKEY",
        ),
    ] {
        assert_eq!(words(&world, &resolver, question).await, expected, "{question}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_our_own_anchor_or_way_to_the_root_is_said_to_be_ours() {
    let world = world().await;
    let other = anchor_lines(".", &world.keys("secure.test").await[0]);
    let resolver = world.anchored(&other[0]);
    assert_eq!(
        words(&world, &resolver, "mx.secure.test A").await,
        "bogus: our own resolver fails: none of the keys of the root zone matches the trust anchor"
    );
    let island = anchor_lines("secure.test", &world.keys("hashed.test").await[0]);
    let resolver = world.anchored(&island[0]);
    assert_eq!(
        words(&world, &resolver, "mx.secure.test A").await,
        "bogus: our own resolver fails: none of the keys of the zone secure.test matches the trust anchor"
    );
    world.breaks(". DNSKEY", DnsFault::ServFail);
    let resolver = world.resolver(Mode::Validate);
    assert_eq!(
        words(&world, &resolver, "mx.secure.test A").await,
        "indeterminate: our own resolver fails: SERVER answers SERVFAIL for . DNSKEY"
    );
}

#[tokio::test]
async fn a_delegation_that_is_not_proved_is_named() {
    let world = world().await;
    let lie = |message: &mut Message| crate::common::negative(message, ResponseCode::NoError, &[]);
    let resolver = world.lied_to("insecure.test DS", lie).await;
    assert_eq!(
        words(&world, &resolver, "mx.insecure.test A").await,
        "bogus: no proof that insecure.test DS does not exist, and the zone test is signed"
    );
    let strip = |message: &mut Message| {
        message
            .answers
            .retain(|record| record.record_type() == RecordType::DS);
    };
    let resolver = world.lied_to("secure.test DS", strip).await;
    assert_eq!(
        words(&world, &resolver, "mx.secure.test A").await,
        "bogus: secure.test DS has no signature, and the zone test is signed"
    );
}
