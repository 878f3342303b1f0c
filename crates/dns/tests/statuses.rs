//! Every kind of answer in every kind of zone, the same for both ways of validating.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{INSECURE, SECURE, ask, config, domain, failure, resolver, world};
use dns::{Data, Exchange, Mode, Resolver, ResolverConfig};
use hickory_proto::rr::RecordType;
use mail::LookupFailure;
use testworld::dns::{DnsFault, Questions, Span, Status};

const MODES: [Mode; 2] = [Mode::Validate, Mode::TrustAd];

#[tokio::test]
async fn each_kind_of_answer_has_the_status_of_its_zone() {
    let world = world().await;
    for mode in MODES {
        let resolver = resolver(&world, mode);
        for (zone, status) in [
            ("secure.test", "secure"),
            ("hashed.test", "secure"),
            ("insecure.test", "insecure"),
            ("island.insecure.test", "insecure"),
        ] {
            for (name, record_type, data) in [
                (format!("mx.{zone}"), RecordType::A, "records"),
                (format!("_25._tcp.mx.{zone}"), RecordType::TLSA, "records"),
                (format!("mx.{zone}"), RecordType::AAAA, "nodata"),
                (format!("ent.{zone}"), RecordType::A, "nodata"),
                (format!("nothing.{zone}"), RecordType::A, "nxdomain"),
                (format!("_25._tcp.nothing.{zone}"), RecordType::TLSA, "nxdomain"),
                (format!("any.wild.{zone}"), RecordType::A, "records"),
                (format!("a.b.wild.{zone}"), RecordType::A, "records"),
                (format!("any.wild.{zone}"), RecordType::MX, "nodata"),
                (format!("_25._tcp.star.{zone}"), RecordType::TLSA, "records"),
                (format!("real.wild.{zone}"), RecordType::A, "records"),
                (zone.to_owned(), RecordType::MX, "records"),
                (zone.to_owned(), RecordType::SOA, "records"),
            ] {
                let told = ask(&resolver, &name, record_type).await;
                assert_eq!(told, format!("{status} {data}"), "{name} {record_type} {mode:?}");
            }
        }
    }
}

#[tokio::test]
async fn what_does_not_validate_is_bogus_whatever_it_says() {
    let world = world().await;
    for mode in MODES {
        let resolver = resolver(&world, mode);
        for zone in ["bogus.test", "expired.test", "mismatch.test", "stripped.test"] {
            for (name, record_type) in [
                (format!("mx.{zone}"), RecordType::A),
                (format!("mx.{zone}"), RecordType::AAAA),
                (format!("nothing.{zone}"), RecordType::A),
                (format!("any.wild.{zone}"), RecordType::A),
                (format!("_25._tcp.mx.{zone}"), RecordType::TLSA),
            ] {
                let told = ask(&resolver, &name, record_type).await;
                assert_eq!(told, "failed bogus", "{name} {record_type} {mode:?}");
            }
        }
    }
}

#[tokio::test]
async fn under_opt_out_the_absence_of_a_name_is_insecure() {
    let world = world().await;
    for mode in MODES {
        let resolver = resolver(&world, mode);
        assert_eq!(
            ask(&resolver, "nothing.optout.test", RecordType::A).await,
            "insecure nxdomain",
            "{mode:?}"
        );
        if mode == Mode::Validate {
            // Of a wildcard too: it may not be what answers for the name.
            let told = ask(&resolver, "any.wild.optout.test", RecordType::MX).await;
            assert_eq!(told, "insecure nodata");
        }
        assert_eq!(
            ask(&resolver, "mx.optout.test", RecordType::A).await,
            "secure records",
            "{mode:?}"
        );
        assert_eq!(
            ask(&resolver, "mx.optout.test", RecordType::AAAA).await,
            "secure nodata",
            "{mode:?}"
        );
    }
}

#[tokio::test]
async fn unsigned_delegations_are_proved_by_each_kind_of_denial() {
    let world = world().await;
    for parent in ["secure.test", "hashed.test", "optout.test"] {
        let zone = format!("child.{parent}");
        world
            .domain(&zone)
            .unsigned()
            .record(&zone, RecordType::A, "192.0.2.9")
            .add()
            .unwrap();
    }
    let resolver = resolver(&world, Mode::Validate);
    for parent in ["secure.test", "hashed.test", "optout.test"] {
        let zone = format!("child.{parent}");
        assert_eq!(
            ask(&resolver, &zone, RecordType::A).await,
            "insecure records",
            "{zone}"
        );
        assert_eq!(
            ask(&resolver, &format!("nothing.{zone}"), RecordType::A).await,
            "insecure nxdomain",
            "{zone}"
        );
    }
}

#[tokio::test]
async fn too_many_nsec3_iterations_count_as_unsigned_and_far_too_many_as_broken() {
    let world = world().await;
    for (zone, iterations) in [
        ("few.test", 150),
        ("many.test", 151),
        ("more.test", 200),
        ("most.test", 500),
        ("absurd.test", 501),
        ("beyond.test", 600),
    ] {
        world
            .domain(zone)
            .nsec3(iterations, Span::Full)
            .record(zone, RecordType::A, "192.0.2.1")
            .add()
            .unwrap();
    }
    let resolver = resolver(&world, Mode::Validate);
    for (zone, told) in [
        ("few.test", "secure nxdomain"),
        ("many.test", "insecure nxdomain"),
        ("more.test", "insecure nxdomain"),
        ("most.test", "insecure nxdomain"),
        ("absurd.test", "failed bogus"),
        ("beyond.test", "failed bogus"),
    ] {
        let name = format!("nothing.{zone}");
        assert_eq!(ask(&resolver, &name, RecordType::A).await, told, "{zone}");
    }
    assert_eq!(
        ask(&resolver, "absurd.test", RecordType::A).await,
        "secure records"
    );
}

#[tokio::test]
async fn a_chain_of_aliases_is_as_secure_as_its_weakest_link() {
    let world = world().await;
    let alias = |from: &str, to: &str| world.add(from, RecordType::CNAME, &format!("{to}.")).unwrap();
    alias("all.secure.test", "mid.hashed.test");
    alias("mid.hashed.test", "mx.secure.test");
    alias("out.secure.test", "back.insecure.test");
    alias("back.insecure.test", "mx.secure.test");
    alias("lost.secure.test", "nothing.secure.test");
    alias("empty.secure.test", "mx.secure.test");
    alias("broken.secure.test", "mx.bogus.test");
    alias("any.bogus.test", "mx.secure.test");
    for mode in MODES {
        let resolver = resolver(&world, mode);
        let all = resolver.a(&domain("all.secure.test")).await.unwrap();
        assert_eq!((all.security, all.aliases.len()), (SECURE, 2), "{mode:?}");
        assert_eq!(all.expanded(&domain("all.secure.test")), domain("mx.secure.test"));

        let out = resolver.a(&domain("out.secure.test")).await.unwrap();
        let hops: Vec<_> = out.aliases.iter().map(|alias| alias.security).collect();
        assert_eq!(
            (out.security, hops),
            (INSECURE, vec![SECURE, INSECURE]),
            "{mode:?}"
        );
        assert_eq!(out.records().len(), 1);

        assert_eq!(
            ask(&resolver, "lost.secure.test", RecordType::A).await,
            "secure nxdomain",
            "{mode:?}"
        );
        assert_eq!(
            ask(&resolver, "empty.secure.test", RecordType::AAAA).await,
            "secure nodata",
            "{mode:?}"
        );
        assert_eq!(
            ask(&resolver, "broken.secure.test", RecordType::A).await,
            "failed bogus",
            "{mode:?}"
        );
        assert_eq!(
            ask(&resolver, "any.bogus.test", RecordType::A).await,
            "failed bogus",
            "{mode:?}"
        );
        let alias = resolver.cname(&domain("out.secure.test")).await.unwrap();
        assert_eq!(
            (alias.security, alias.records()),
            (SECURE, &[domain("back.insecure.test")][..])
        );
    }
}

#[tokio::test]
async fn a_redirection_of_a_subtree_counts_as_signed() {
    let world = world().await;
    world
        .add("moved.secure.test", RecordType::DNAME, "hashed.test.")
        .unwrap();
    world
        .add("moved.insecure.test", RecordType::DNAME, "secure.test.")
        .unwrap();
    for mode in MODES {
        let resolver = resolver(&world, mode);
        assert_eq!(
            ask(&resolver, "mx.moved.secure.test", RecordType::A).await,
            "secure records",
            "{mode:?}"
        );
        assert_eq!(
            ask(&resolver, "mx.moved.insecure.test", RecordType::A).await,
            "insecure records",
            "{mode:?}"
        );
    }
}

#[tokio::test]
async fn aliases_that_go_round_or_on_and_on_fail() {
    let world = world().await;
    world
        .add("a.secure.test", RecordType::CNAME, "b.hashed.test.")
        .unwrap();
    world
        .add("b.hashed.test", RecordType::CNAME, "a.secure.test.")
        .unwrap();
    for number in 0..14 {
        let target = format!("chain{}.secure.test.", number + 1);
        world
            .add(&format!("chain{number}.secure.test"), RecordType::CNAME, &target)
            .unwrap();
    }
    world
        .add("chain14.secure.test", RecordType::A, "192.0.2.1")
        .unwrap();
    for mode in MODES {
        let resolver = resolver(&world, mode);
        // The resolver asked may itself give up first, with SERVFAIL.
        for name in ["a.secure.test", "chain0.secure.test"] {
            let cause = failure(resolver.a(&domain(name)).await);
            assert!(
                matches!(cause, LookupFailure::AliasLoop | LookupFailure::Servfail),
                "{name} {mode:?}: {cause}"
            );
        }
        assert_eq!(
            ask(&resolver, "chain4.secure.test", RecordType::A).await,
            "secure records",
            "{mode:?}"
        );
    }
}

#[tokio::test]
async fn refusals_and_silence_are_failures_each_by_its_name() {
    let world = world().await;
    for mode in MODES {
        let quick = ResolverConfig {
            timeout: std::time::Duration::from_millis(600),
            ..config(&world, mode)
        };
        let _ = resolver(&world, mode);
        let resolver = Resolver::new(quick).unwrap();
        for (fault, cause) in [
            (DnsFault::ServFail, "servfail"),
            (DnsFault::Refused, "rcode REFUSED"),
            (DnsFault::NotImp, "rcode NOTIMP"),
            (DnsFault::Malformed, "malformed"),
            (DnsFault::Silence, "timeout"),
        ] {
            for zone in ["secure.test", "insecure.test"] {
                let name = format!("_25._tcp.mx.{zone}");
                world
                    .break_dns(&Questions::Of(name.clone(), RecordType::TLSA), fault.clone())
                    .unwrap();
                resolver.flush(&domain(zone));
                let told = ask(&resolver, &name, RecordType::TLSA).await;
                assert_eq!(told, format!("failed {cause}"), "{name} {fault:?} {mode:?}");
                world.mend_dns(&Questions::Of(name, RecordType::TLSA)).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn records_come_in_our_types() {
    let world = world().await;
    world
        .set(
            "odd.test",
            RecordType::MX,
            &["5 .", "10 192.0.2.1.", "20 mx.secure.test."],
        )
        .unwrap();
    let resolver = resolver(&world, Mode::Validate);
    let answer = resolver.mx(&domain("odd.test")).await.unwrap();
    let of = |preference| {
        answer
            .records()
            .iter()
            .find(|mx| mx.preference == preference)
            .unwrap()
            .exchange
            .clone()
    };
    assert_eq!(of(5), Exchange::Root);
    assert_eq!(of(10), Exchange::Address([192, 0, 2, 1].into()));
    assert_eq!(of(20), Exchange::Name(domain("mx.secure.test")));
    let tlsa = resolver.tlsa(25, &domain("mx.secure.test")).await.unwrap();
    assert_eq!(
        tlsa.data,
        Data::Records(vec![dane::TlsaRecord::from_parts(3, 1, 1, vec![0])])
    );
    let root = resolver.text(".", "dnskey").await.unwrap().unwrap();
    assert_eq!((root.security, root.records().len()), (SECURE, 1));
    assert!(resolver.text("mx.secure.test", "NOTATYPE").await.is_err());
}

#[tokio::test]
async fn below_a_negative_trust_anchor_everything_is_insecure() {
    let world = world().await;
    let domain_insecure = vec![domain("bogus.test"), domain("hashed.test")];
    let resolver = Resolver::new(ResolverConfig {
        domain_insecure,
        ..config(&world, Mode::Validate)
    })
    .unwrap();
    assert_eq!(
        ask(&resolver, "mx.bogus.test", RecordType::A).await,
        "insecure records"
    );
    assert_eq!(
        ask(&resolver, "mx.hashed.test", RecordType::A).await,
        "insecure records"
    );
    assert_eq!(
        ask(&resolver, "mx.expired.test", RecordType::A).await,
        "failed bogus"
    );
    assert_eq!(
        ask(&resolver, "mx.secure.test", RecordType::A).await,
        "secure records"
    );
}

#[tokio::test]
async fn answers_are_kept_until_their_time_or_a_flush() {
    let world = world().await;
    world.set_ttl(3600);
    let resolver = resolver(&world, Mode::Validate);
    let host = domain("mx.secure.test");
    for _ in 0..3 {
        assert_eq!(resolver.a(&host).await.unwrap().records().len(), 1);
        assert_eq!(
            ask(&resolver, "mx.secure.test", RecordType::AAAA).await,
            "secure nodata"
        );
    }
    assert_eq!(world.asked("mx.secure.test", RecordType::A), 1);
    assert_eq!(world.asked("mx.secure.test", RecordType::AAAA), 1);
    assert_eq!(
        world.asked("secure.test", RecordType::DNSKEY),
        1,
        "keys are kept for the next name"
    );
    resolver.flush(&domain("secure.test"));
    assert_eq!(resolver.a(&host).await.unwrap().records().len(), 1);
    assert_eq!(world.asked("mx.secure.test", RecordType::A), 2);
    // Another name is not concerned; without a name everything is.
    resolver.flush_each(&[domain("hashed.test"), domain("elsewhere.test")]);
    assert_eq!(resolver.a(&host).await.unwrap().records().len(), 1);
    assert_eq!(world.asked("mx.secure.test", RecordType::A), 2);
    resolver.flush_all();
    assert_eq!(resolver.a(&host).await.unwrap().records().len(), 1);
    assert_eq!(world.asked("mx.secure.test", RecordType::A), 3);
}

#[tokio::test]
async fn a_mended_zone_is_seen_after_a_flush() {
    let world = world().await;
    let resolver = resolver(&world, Mode::Validate);
    assert_eq!(
        ask(&resolver, "mx.stripped.test", RecordType::A).await,
        "failed bogus"
    );
    world.set_status("stripped.test", Status::Signed).unwrap();
    resolver.flush(&domain("stripped.test"));
    assert_eq!(
        ask(&resolver, "mx.stripped.test", RecordType::A).await,
        "secure records"
    );
}
