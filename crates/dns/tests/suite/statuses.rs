//! Every kind of answer in every kind of zone, the same for both ways of validating.

use std::time::Duration;

use crate::common::{Client, MODES, config, domain, world};
use dns::{Data, Exchange, Mode, ResolverConfig};
use mail::{LookupFailure, Security};
use testworld::dns::{DnsFault, Span, Status, Validity};

#[tokio::test]
async fn each_kind_of_answer_has_the_status_of_its_zone() {
    let world = world().await;
    for resolver in world.resolvers() {
        for (zone, status) in [
            ("secure.test", "secure"),
            ("hashed.test", "secure"),
            ("insecure.test", "insecure"),
            ("island.insecure.test", "insecure"),
        ] {
            let lines = format!(
                "mx.{zone}               A    -> {status} records
                 _25._tcp.mx.{zone}      TLSA -> {status} records
                 mx.{zone}               AAAA -> {status} nodata
                 ent.{zone}              A    -> {status} nodata
                 nothing.{zone}          A    -> {status} nxdomain
                 _25._tcp.nothing.{zone} TLSA -> {status} nxdomain
                 any.wild.{zone}         A    -> {status} records
                 a.b.wild.{zone}         A    -> {status} records
                 any.wild.{zone}         MX   -> {status} nodata
                 _25._tcp.star.{zone}    TLSA -> {status} records
                 real.wild.{zone}        A    -> {status} records
                 {zone}                  MX   -> {status} records
                 {zone}                  SOA  -> {status} records"
            );
            resolver.tells(&lines).await;
        }
    }
}

#[tokio::test]
async fn what_does_not_validate_is_bogus_whatever_it_says() {
    let world = world().await;
    for resolver in world.resolvers() {
        for zone in ["bogus.test", "expired.test", "mismatch.test", "stripped.test"] {
            let lines = format!(
                "mx.{zone}          A    -> failed bogus
                 mx.{zone}          AAAA -> failed bogus
                 nothing.{zone}     A    -> failed bogus
                 any.wild.{zone}    A    -> failed bogus
                 _25._tcp.mx.{zone} TLSA -> failed bogus"
            );
            resolver.tells(&lines).await;
        }
    }
}

#[tokio::test]
async fn under_opt_out_the_absence_of_a_name_is_insecure() {
    let world = world().await;
    for resolver in world.resolvers() {
        let lines = "nothing.optout.test A    -> insecure nxdomain
                     mx.optout.test      A    -> secure records
                     mx.optout.test      AAAA -> secure nodata";
        resolver.tells(lines).await;
        if resolver.mode() == Mode::Validate {
            // Of a wildcard too: it may not be what answers for the name.
            resolver.tells("any.wild.optout.test MX -> insecure nodata").await;
        }
    }
}

#[tokio::test]
async fn unsigned_delegations_are_proved_by_each_kind_of_denial() {
    let world = world().await;
    let zones = ["secure.test", "hashed.test", "optout.test"].map(|parent| format!("child.{parent}"));
    for zone in &zones {
        world.domain(zone).unsigned().add().unwrap();
        world.has(&format!("{zone} A 192.0.2.9"));
    }
    let resolver = world.resolver(Mode::Validate);
    for zone in &zones {
        let lines = format!(
            "{zone}         A -> insecure records
             nothing.{zone} A -> insecure nxdomain"
        );
        resolver.tells(&lines).await;
    }
}

#[tokio::test]
async fn too_many_nsec3_iterations_count_as_unsigned_and_far_too_many_as_broken() {
    let world = world().await;
    let resolver = world.resolver(Mode::Validate);
    for (zone, iterations, told) in [
        ("few.test", 150, "secure nxdomain"),
        ("many.test", 151, "insecure nxdomain"),
        ("more.test", 200, "insecure nxdomain"),
        ("most.test", 500, "insecure nxdomain"),
        ("absurd.test", 501, "failed bogus"),
        ("beyond.test", 600, "failed bogus"),
    ] {
        world.domain(zone).nsec3(iterations, Span::Full).add().unwrap();
        world.has(&format!("{zone} A 192.0.2.1"));
        resolver.tells(&format!("nothing.{zone} A -> {told}")).await;
    }
    resolver.tells("absurd.test A -> secure records").await;
}

#[tokio::test]
async fn a_chain_of_aliases_is_as_secure_as_its_weakest_link() {
    const SECURE: Security = Security::Secure;
    const INSECURE: Security = Security::Insecure;
    let world = world().await;
    world.has(
        "all.secure.test    CNAME mid.hashed.test.
         mid.hashed.test    CNAME mx.secure.test.
         out.secure.test    CNAME back.insecure.test.
         back.insecure.test CNAME mx.secure.test.
         lost.secure.test   CNAME nothing.secure.test.
         empty.secure.test  CNAME mx.secure.test.
         broken.secure.test CNAME mx.bogus.test.
         any.bogus.test     CNAME mx.secure.test.",
    );
    for (resolver, mode) in world.resolvers().zip(MODES) {
        let all = resolver.a(&domain("all.secure.test")).await.unwrap();
        assert_eq!((all.security, all.aliases.len()), (SECURE, 2), "{mode:?}");
        assert_eq!(all.expanded(&domain("all.secure.test")), domain("mx.secure.test"));

        let out = resolver.a(&domain("out.secure.test")).await.unwrap();
        let hops: Vec<_> = out.aliases.iter().map(|alias| alias.security).collect();
        let weakest = (INSECURE, vec![SECURE, INSECURE]);
        assert_eq!((out.security, hops), weakest, "{mode:?}");
        assert_eq!(out.records().len(), 1);

        let lines = "lost.secure.test   A    -> secure nxdomain
                     empty.secure.test  AAAA -> secure nodata
                     broken.secure.test A    -> failed bogus
                     any.bogus.test     A    -> failed bogus";
        resolver.tells(lines).await;
        let alias = resolver.cname(&domain("out.secure.test")).await.unwrap();
        let target = domain("back.insecure.test");
        assert_eq!((alias.security, alias.records()), (SECURE, &[target][..]));
    }
}

#[tokio::test]
async fn a_redirection_of_a_subtree_counts_as_signed() {
    let world = world().await;
    world.has(
        "moved.secure.test   DNAME hashed.test.
         moved.insecure.test DNAME secure.test.",
    );
    for resolver in world.resolvers() {
        let lines = "mx.moved.secure.test      A     -> secure records
                     mx.moved.insecure.test    A     -> insecure records
                     mx.moved.secure.test      CNAME -> secure records
                     nothing.moved.secure.test CNAME -> secure records
                     mx.moved.insecure.test    CNAME -> insecure records
                     moved.secure.test         CNAME -> secure nodata
                     moved.secure.test         DNAME -> secure records";
        resolver.tells(lines).await;
    }
}

#[tokio::test]
async fn a_clock_may_be_wrong_by_a_tenth_of_the_time_of_a_signature() {
    const HOUR: i32 = 3600;
    const DAY: i32 = 24 * HOUR;
    let world = world().await;
    let resolver = world.resolver(Mode::Validate);
    for (number, (from, until, told)) in [
        // An hour at least,
        (-2 * HOUR, -HOUR + 60, "secure records"),
        (-2 * HOUR, -HOUR - 60, "failed bogus"),
        (HOUR - 60, 2 * HOUR, "secure records"),
        (HOUR + 60, 2 * HOUR, "failed bogus"),
        // a tenth of a week,
        (-7 * DAY - 16 * HOUR, -16 * HOUR, "secure records"),
        (-7 * DAY - 18 * HOUR, -18 * HOUR, "failed bogus"),
        (16 * HOUR, 7 * DAY + 16 * HOUR, "secure records"),
        (18 * HOUR, 7 * DAY + 18 * HOUR, "failed bogus"),
        // and a day at most.
        (-31 * DAY + HOUR, -DAY + HOUR, "secure records"),
        (-31 * DAY - HOUR, -DAY - HOUR, "failed bogus"),
        (DAY + HOUR, 31 * DAY, "failed bogus"),
    ]
    .into_iter()
    .enumerate()
    {
        let zone = format!("clock{number}.test");
        let validity = Validity { from, until };
        world.domain(&zone).validity(validity).add().unwrap();
        world.has(&format!("mx.{zone} A 192.0.2.1"));
        let resolver = world.resolver(resolver.mode()).called(&format!("{validity:?}"));
        resolver.tells(&format!("mx.{zone} A -> {told}")).await;
    }
}

#[tokio::test]
async fn aliases_that_go_round_or_on_and_on_fail() {
    let world = world().await;
    world.has(
        "a.secure.test CNAME b.hashed.test.
         b.hashed.test CNAME a.secure.test.",
    );
    for number in 0..14 {
        let (from, to) = (number, number + 1);
        world.has(&format!("chain{from}.secure.test CNAME chain{to}.secure.test."));
    }
    world.has("chain14.secure.test A 192.0.2.1");
    for resolver in world.resolvers() {
        // The resolver asked may itself give up first, with SERVFAIL.
        for name in ["a.secure.test", "chain0.secure.test"] {
            let cause = resolver.a(&domain(name)).await.unwrap_err().cause;
            assert!(
                matches!(cause, LookupFailure::AliasLoop | LookupFailure::Servfail),
                "{name} {:?}: {cause}",
                resolver.mode()
            );
        }
        resolver.tells("chain4.secure.test A -> secure records").await;
    }
}

#[tokio::test]
async fn refusals_and_silence_are_failures_each_by_its_name() {
    let world = world().await;
    for mode in MODES {
        world.serves(mode);
        let resolver = Client::new(ResolverConfig {
            timeout: Duration::from_millis(600),
            ..config(&world, mode)
        });
        for (fault, cause) in [
            (DnsFault::ServFail, "servfail"),
            (DnsFault::Refused, "rcode REFUSED"),
            (DnsFault::NotImp, "rcode NOTIMP"),
            (DnsFault::Malformed, "malformed"),
            (DnsFault::Silence, "timeout"),
        ] {
            for zone in ["secure.test", "insecure.test"] {
                let question = format!("_25._tcp.mx.{zone} TLSA");
                world.breaks(&question, fault.clone());
                resolver.flush(&domain(zone));
                resolver.tells(&format!("{question} -> failed {cause}")).await;
                world.mends(&question);
            }
        }
    }
}

#[tokio::test]
async fn records_come_in_our_types() {
    let world = world().await;
    world.has(
        "odd.test MX 5 .
         odd.test MX 10 192.0.2.1.
         odd.test MX 20 mx.secure.test.",
    );
    let resolver = world.resolver(Mode::Validate);
    let answer = resolver.mx(&domain("odd.test")).await.unwrap();
    let mut found: Vec<_> = answer
        .records()
        .iter()
        .map(|mx| (mx.preference, mx.exchange.clone()))
        .collect();
    found.sort_by_key(|(preference, _)| *preference);
    let expected = [
        (5, Exchange::Root),
        (10, Exchange::Address([192, 0, 2, 1].into())),
        (20, Exchange::Name(domain("mx.secure.test"))),
    ];
    assert_eq!(found, expected);
    let tlsa = resolver.tlsa(25, &domain("mx.secure.test")).await.unwrap();
    let record = dane::TlsaRecord::from_parts(3, 1, 1, vec![0]);
    assert_eq!(tlsa.data, Data::Records([record].into()));
    let root = resolver.text(".", "dnskey").await.unwrap().unwrap();
    assert_eq!((root.security, root.records().len()), (Security::Secure, 1));
    assert!(resolver.text("mx.secure.test", "NOTATYPE").await.is_err());
}

#[tokio::test]
async fn below_a_negative_trust_anchor_everything_is_insecure() {
    let world = world().await;
    let unsigned = ["bogus.test", "hashed.test"].map(domain);
    let resolver = world.validator(|config| config.domain_insecure = unsigned.to_vec());
    let lines = "mx.bogus.test   A -> insecure records
                 mx.hashed.test  A -> insecure records
                 mx.expired.test A -> failed bogus
                 mx.secure.test  A -> secure records";
    resolver.tells(lines).await;
}

#[tokio::test]
async fn answers_are_kept_until_their_time_or_a_flush() {
    let world = world().await;
    world.set_ttl(3600);
    let resolver = world.resolver(Mode::Validate);
    let host = domain("mx.secure.test");
    let asked = async || {
        assert_eq!(resolver.a(&host).await.unwrap().records().len(), 1);
        world.count("mx.secure.test A")
    };
    for _ in 0..3 {
        assert_eq!(asked().await, 1);
        resolver.tells("mx.secure.test AAAA -> secure nodata").await;
    }
    assert_eq!(world.count("mx.secure.test AAAA"), 1);
    assert_eq!(
        world.count("secure.test DNSKEY"),
        1,
        "keys serve the next name too"
    );
    resolver.flush(&domain("secure.test"));
    assert_eq!(asked().await, 2);
    // Another name is not concerned; without a name everything is.
    resolver.flush_each(&[domain("hashed.test"), domain("elsewhere.test")]);
    assert_eq!(asked().await, 2);
    resolver.flush_all();
    assert_eq!(asked().await, 3);
}

#[tokio::test]
async fn a_mended_zone_is_seen_after_a_flush() {
    let world = world().await;
    let resolver = world.resolver(Mode::Validate);
    resolver.tells("mx.stripped.test A -> failed bogus").await;
    world.set_status("stripped.test", Status::Signed).unwrap();
    resolver.flush(&domain("stripped.test"));
    resolver.tells("mx.stripped.test A -> secure records").await;
}
