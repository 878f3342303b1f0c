//! The zones: each kind with the same names.

use testworld::dns::{Algorithm, Bogus, Domain, Keys, Span, Validity, World};

use crate::common::Scene;

/// The zones below `test.`.
pub const ZONES: [&str; 17] = [
    "nsec",
    "nsec3",
    "optout",
    "compact",
    "split",
    "both",
    "rsa",
    "ed",
    "unsigned",
    "island.unsigned",
    "split.unsigned",
    "bogus",
    "mismatch",
    "stripped",
    "expired",
    "slow",
    "soon",
];

const HOUR: i32 = 3600;

/// How each is made.
fn made<'a>(world: &'a World, zone: &str) -> Domain<'a> {
    let domain = world.domain(&format!("{zone}.test"));
    let valid = |from, until| Validity { from, until };
    match zone {
        "nsec3" => domain.nsec3(5, Span::Full),
        "optout" => domain.nsec3(0, Span::OptOut),
        "compact" => domain.compact(),
        "split" | "split.unsigned" => domain.keys(Keys::Split),
        "both" => domain.keys(Keys::SplitBothSign),
        "rsa" => domain.algorithm(Algorithm::RsaSha256),
        "ed" => domain.algorithm(Algorithm::Ed25519),
        "unsigned" => domain.unsigned(),
        "bogus" => domain.bogus(Bogus::WrongKey),
        "mismatch" => domain.bogus(Bogus::DsMismatch),
        "stripped" => domain.bogus(Bogus::NoSignatures),
        "expired" => domain.bogus(Bogus::Expired),
        // Over, and to begin, within what clocks may be wrong.
        "slow" => domain.validity(valid(-100 * HOUR, -9 * HOUR)),
        "soon" => domain.validity(valid(3000, 24 * HOUR)),
        _ => domain,
    }
}

fn records(zone: &str) -> String {
    format!(
        "{zone}             MX    10 mx.{zone}.
         {zone}             TXT   \"apex\"
         mx.{zone}          A     192.0.2.1
         _25._tcp.mx.{zone} TLSA  3 1 1 00
         deep.ent.{zone}    A     192.0.2.4
         *.wild.{zone}      A     192.0.2.2
         *.wild.{zone}      AAAA  2001:db8::2
         *.wild.{zone}      MX    10 mx.{zone}.
         *.wild.{zone}      TXT   \"wild\"
         *.wild.{zone}      TLSA  3 1 1 01
         real.wild.{zone}   A     192.0.2.3
         *._tcp.star.{zone} TLSA  3 1 1 01
         *.alias.{zone}     CNAME mx.{zone}.
         *.out.{zone}       CNAME any.wild.nsec3.test.
         *.digest.{zone}    DS    1 250 2 {digest}
         moved.{zone}       DNAME nsec.test.
         *.moving.{zone}    DNAME nsec.test.
         into.{zone}        CNAME mx.moved.{zone}.
         twice.{zone}       DNAME moved.{zone}.
         to-wild.{zone}     CNAME any.wild.{zone}.
         to-nothing.{zone}  CNAME nothing.{zone}.
         to-unsigned.{zone} CNAME mx.unsigned.test.
         to-bogus.{zone}    CNAME mx.bogus.test.
         mx.signed.{zone}   A     192.0.2.7
         mx.child.{zone}    A     192.0.2.8",
        digest = "0".repeat(64),
    )
}

/// Names in each zone.
pub const NAMES: [&str; 36] = [
    "{}",
    "mx.{}",
    "_25._tcp.mx.{}",
    "_tcp.mx.{}",
    "ent.{}",
    "deep.ent.{}",
    "nothing.{}",
    "a.b.nothing.{}",
    "x.mx.{}",
    "any.wild.{}",
    "a.b.wild.{}",
    "*.wild.{}",
    "wild.{}",
    "real.wild.{}",
    "x.real.wild.{}",
    "_25._tcp.star.{}",
    "any.alias.{}",
    "any.out.{}",
    "any.digest.{}",
    "mx.moved.{}",
    "moved.{}",
    "nothing.moved.{}",
    "x.any.moving.{}",
    "any.moving.{}",
    "into.{}",
    "mx.twice.{}",
    "to-wild.{}",
    "to-nothing.{}",
    "to-unsigned.{}",
    "to-bogus.{}",
    "signed.{}",
    "mx.signed.{}",
    "nothing.signed.{}",
    "child.{}",
    "mx.child.{}",
    "x.child.{}",
];

pub const TYPES: [&str; 10] = [
    "A", "AAAA", "MX", "TXT", "TLSA", "CNAME", "DNAME", "DS", "DNSKEY", "SOA",
];

/// All of them, each with a signed and an unsigned zone below.
pub async fn tree() -> Scene {
    let world = Scene::empty().await;
    world.domain("test").add().unwrap();
    for zone in ZONES {
        made(&world, zone).add().unwrap();
        let zone = format!("{zone}.test");
        world.domain(&format!("signed.{zone}")).add().unwrap();
        world.domain(&format!("child.{zone}")).unsigned().add().unwrap();
        world.has(&records(&zone));
    }
    world.set_ttl(3600);
    world
}
