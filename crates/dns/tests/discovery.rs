//! The hosts of a domain, their addresses and TLSA records.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{INSECURE, SECURE, domain, resolver, told, world};
use dns::host::{AddressFamily, Addresses, HostFindings, HostSecurity, Tlsa, TlsaQuestion};
use dns::mx::MxFinding;
use dns::{Exchange, Mode, MxRecord, Resolver};
use hickory_proto::rr::RecordType;
use mail::{LookupFailure, Security};
use testworld::dns::{DnsFault, Questions, World};

const MODES: [Mode; 2] = [Mode::Validate, Mode::TrustAd];

async fn host(resolver: &Resolver, name: &str) -> HostFindings {
    dns::host::discover(resolver, &domain(name), 25, TlsaQuestion::Ask, AddressFamily::Any).await
}

fn security(findings: &HostFindings) -> HostSecurity {
    match &findings.addresses {
        Addresses::Found { security, .. } => *security,
        other => panic!("{other:?}"),
    }
}

fn base(findings: &HostFindings) -> String {
    match &findings.tlsa {
        Tlsa::Found { base, .. } => base.to_string(),
        other => panic!("{other:?}"),
    }
}

fn missing(security: Security, name: &str) -> MxFinding {
    MxFinding::NxDomain {
        security,
        missing: domain(name),
    }
}

fn tlsa_failure(findings: HostFindings) -> LookupFailure {
    match findings.tlsa {
        Tlsa::Failed(failure) => failure.cause,
        other => panic!("{other:?}"),
    }
}

fn break_one(world: &World, name: &str, record_type: RecordType, fault: DnsFault) {
    world
        .break_dns(&Questions::Of(name.to_owned(), record_type), fault)
        .unwrap();
}

fn asked_for_tlsa(world: &World) -> usize {
    world
        .queries()
        .iter()
        .filter(|query| query.record_type == RecordType::TLSA)
        .count()
}

#[tokio::test]
async fn mail_exchangers_of_every_kind_of_domain() {
    let world = world().await;
    world
        .set(
            "secure.test",
            RecordType::MX,
            &["20 b.secure.test.", "10 a.secure.test.", "5 ."],
        )
        .unwrap();
    world.set("null.secure.test", RecordType::MX, &["0 ."]).unwrap();
    world.set("null.insecure.test", RecordType::MX, &["0 ."]).unwrap();
    world.set("null.bogus.test", RecordType::MX, &["0 ."]).unwrap();
    world
        .add("alias.hashed.test", RecordType::CNAME, "insecure.test.")
        .unwrap();
    world
        .add("lost.secure.test", RecordType::CNAME, "nothing.hashed.test.")
        .unwrap();
    for mode in MODES {
        let resolver = resolver(&world, mode);
        let found = async |name: &str| dns::mx::discover(&resolver, &domain(name)).await;
        let mx = |preference, name: &str| MxRecord {
            preference,
            exchange: Exchange::Name(domain(name)),
        };
        let expected = MxFinding::Records {
            security: SECURE,
            expanded: domain("secure.test"),
            exchanges: vec![mx(10, "a.secure.test"), mx(20, "b.secure.test")],
        };
        assert_eq!(found("secure.test").await, expected, "{mode:?}");
        let expected = MxFinding::Records {
            security: INSECURE,
            expanded: domain("insecure.test"),
            exchanges: vec![mx(10, "mx.insecure.test")],
        };
        assert_eq!(found("alias.hashed.test").await, expected, "{mode:?}");
        assert_eq!(found("null.secure.test").await, MxFinding::NullMx(SECURE));
        assert_eq!(found("null.insecure.test").await, MxFinding::NullMx(INSECURE));
        assert_eq!(
            found("mx.secure.test").await,
            MxFinding::NoData { security: SECURE }
        );
        assert_eq!(
            found("mx.insecure.test").await,
            MxFinding::NoData { security: INSECURE }
        );
        assert_eq!(
            found("nothing.secure.test").await,
            missing(SECURE, "nothing.secure.test")
        );
        // RFC 6604 §3: it is the alias's target that does not exist.
        assert_eq!(
            found("lost.secure.test").await,
            missing(SECURE, "nothing.hashed.test")
        );
        assert_eq!(
            found("nothing.insecure.test").await,
            missing(INSECURE, "nothing.insecure.test")
        );
        for name in ["bogus.test", "null.bogus.test"] {
            let MxFinding::Failed(failure) = found(name).await else {
                panic!("{mode:?}: an answer for {name}")
            };
            assert_eq!(failure.cause, LookupFailure::Bogus, "{mode:?}");
        }
    }
}

#[tokio::test]
async fn a_secure_host_has_its_records_and_an_insecure_one_is_not_asked_for_any() {
    let world = world().await;
    for mode in MODES {
        let resolver = resolver(&world, mode);
        world.clear_queries();
        let insecure = host(&resolver, "mx.insecure.test").await;
        assert_eq!(
            (security(&insecure), &insecure.tlsa),
            (HostSecurity::Insecure, &Tlsa::NotAsked)
        );
        assert_eq!(asked_for_tlsa(&world), 0, "{mode:?}");

        let secure = host(&resolver, "mx.secure.test").await;
        assert_eq!(
            (security(&secure), base(&secure).as_str()),
            (HostSecurity::Secure, "mx.secure.test")
        );
        let log = world.queries();
        let position = |record_type| {
            log.iter().position(|query| {
                query.record_type == record_type && query.name.to_ascii().ends_with("mx.secure.test.")
            })
        };
        assert!(
            position(RecordType::A) < position(RecordType::TLSA),
            "addresses first"
        );
        assert!(
            position(RecordType::AAAA) < position(RecordType::TLSA),
            "addresses first"
        );

        let plain = host(&resolver, "real.wild.secure.test").await;
        assert_eq!(
            (security(&plain), &plain.tlsa),
            (HostSecurity::Secure, &Tlsa::Absent)
        );
    }
}

#[tokio::test]
async fn nothing_is_asked_where_it_is_not_wanted() {
    let world = world().await;
    let resolver = resolver(&world, Mode::Validate);
    let (name, none) = (domain("mx.secure.test"), TlsaQuestion::DoNotAsk);
    let findings = dns::host::discover(&resolver, &name, 25, none, AddressFamily::Ipv4).await;
    assert_eq!(
        (security(&findings), &findings.tlsa),
        (HostSecurity::Secure, &Tlsa::NotAsked)
    );
    assert_eq!(
        asked_for_tlsa(&world) + world.asked("mx.secure.test", RecordType::AAAA),
        0
    );
}

#[tokio::test]
async fn one_family_that_fails_does_not_spoil_the_other() {
    let world = world().await;
    for mode in MODES {
        let resolver = resolver(&world, mode);
        break_one(&world, "mx.secure.test", RecordType::AAAA, DnsFault::ServFail);
        let findings = host(&resolver, "mx.secure.test").await;
        assert_eq!(
            (security(&findings), base(&findings).as_str()),
            (HostSecurity::Secure, "mx.secure.test")
        );
        world
            .mend_dns(&Questions::Of("mx.secure.test".to_owned(), RecordType::AAAA))
            .unwrap();

        // No addresses of one family, no answer for the other: nobody knows whether there are any.
        break_one(&world, "mx.hashed.test", RecordType::A, DnsFault::Refused);
        let findings = host(&resolver, "mx.hashed.test").await;
        let refused = LookupFailure::Rcode("REFUSED".to_owned());
        assert_eq!(findings.addresses, Addresses::Unresolvable(refused.into()));
        assert_eq!(findings.tlsa, Tlsa::NotAsked);
        world
            .mend_dns(&Questions::Of("mx.hashed.test".to_owned(), RecordType::A))
            .unwrap();
    }
}

#[tokio::test]
async fn a_host_without_addresses_is_absent_as_securely_as_both_families_say() {
    let world = world().await;
    for mode in MODES {
        let resolver = resolver(&world, mode);
        assert_eq!(
            host(&resolver, "nothing.secure.test").await.addresses,
            Addresses::Absent(SECURE)
        );
        assert_eq!(
            host(&resolver, "nothing.insecure.test").await.addresses,
            Addresses::Absent(INSECURE)
        );
        let bogus = host(&resolver, "mx.bogus.test").await.addresses;
        assert!(
            matches!(&bogus, Addresses::Unresolvable(failure) if failure.cause.is_bogus()),
            "{bogus:?}"
        );
    }
}

#[tokio::test]
async fn the_base_domain_is_the_end_of_the_aliases_or_their_start_and_nothing_between() {
    let world = world().await;
    let alias = |from: &str, to: &str| world.add(from, RecordType::CNAME, &format!("{to}.")).unwrap();
    let tlsa = |name: &str| {
        world
            .add(&format!("_25._tcp.{name}"), RecordType::TLSA, "3 1 1 0a")
            .unwrap();
    };
    alias("both.secure.test", "mx.hashed.test");
    tlsa("both.secure.test");
    alias("start.secure.test", "middle.secure.test");
    alias("middle.secure.test", "real.wild.secure.test");
    tlsa("start.secure.test");
    alias("onlymiddle.secure.test", "middle2.secure.test");
    alias("middle2.secure.test", "real.wild.secure.test");
    tlsa("middle2.secure.test");
    for mode in MODES {
        let resolver = resolver(&world, mode);
        assert_eq!(
            base(&host(&resolver, "both.secure.test").await),
            "mx.hashed.test",
            "{mode:?}"
        );
        assert_eq!(
            base(&host(&resolver, "start.secure.test").await),
            "start.secure.test",
            "{mode:?}"
        );
        assert_eq!(
            host(&resolver, "onlymiddle.secure.test").await.tlsa,
            Tlsa::Absent,
            "{mode:?}"
        );
    }
}

#[tokio::test]
async fn a_secure_alias_into_an_unsigned_zone_is_asked_for_at_its_start_only() {
    let world = world().await;
    world
        .add("out.secure.test", RecordType::CNAME, "mx.insecure.test.")
        .unwrap();
    world
        .add("_25._tcp.out.secure.test", RecordType::TLSA, "3 1 1 0b")
        .unwrap();
    world
        .add("bare.secure.test", RecordType::CNAME, "mx.insecure.test.")
        .unwrap();
    world
        .add("in.insecure.test", RecordType::CNAME, "mx.secure.test.")
        .unwrap();
    for mode in MODES {
        let resolver = resolver(&world, mode);
        world.clear_queries();
        let out = host(&resolver, "out.secure.test").await;
        assert_eq!(
            (security(&out), base(&out).as_str()),
            (HostSecurity::SecureAlias, "out.secure.test")
        );
        assert_eq!(
            world.asked("_25._tcp.mx.insecure.test", RecordType::TLSA),
            0,
            "{mode:?}"
        );
        let bare = host(&resolver, "bare.secure.test").await;
        assert_eq!(
            (security(&bare), &bare.tlsa),
            (HostSecurity::SecureAlias, &Tlsa::Absent),
            "{mode:?}"
        );
        // The other way round the target's records are not to be enforced (RFC 7672 §2.1.3).
        let into = host(&resolver, "in.insecure.test").await;
        assert_eq!(
            (security(&into), &into.tlsa),
            (HostSecurity::Insecure, &Tlsa::NotAsked),
            "{mode:?}"
        );
    }
}

#[tokio::test]
async fn a_failed_search_for_records_is_never_an_absence() {
    let world = world().await;
    world
        .add("alias.secure.test", RecordType::CNAME, "mx.hashed.test.")
        .unwrap();
    world
        .add("_25._tcp.alias.secure.test", RecordType::TLSA, "3 1 1 0c")
        .unwrap();
    for mode in MODES {
        let resolver = resolver(&world, mode);
        let cases = [
            (DnsFault::ServFail, LookupFailure::Servfail),
            (DnsFault::NotImp, LookupFailure::Rcode("NOTIMP".to_owned())),
            (DnsFault::BadSignature, LookupFailure::Bogus),
        ];
        for (fault, cause) in cases {
            break_one(&world, "_25._tcp.mx.hashed.test", RecordType::TLSA, fault.clone());
            resolver.flush(&domain("test"));
            assert_eq!(
                tlsa_failure(host(&resolver, "mx.hashed.test").await),
                cause,
                "{mode:?}"
            );
            // Of two candidates the first failed: the second must not be used in its place.
            assert_eq!(
                tlsa_failure(host(&resolver, "alias.secure.test").await),
                cause,
                "{mode:?}"
            );
        }
        world
            .mend_dns(&Questions::Of(
                "_25._tcp.mx.hashed.test".to_owned(),
                RecordType::TLSA,
            ))
            .unwrap();
    }
}

#[tokio::test]
async fn aliases_of_the_records_themselves_leave_the_base_domain_alone() {
    let world = world().await;
    world
        .add("_tlsa.secure.test", RecordType::TLSA, "2 0 1 0d")
        .unwrap();
    world
        .add("_tlsa.insecure.test", RecordType::TLSA, "2 0 1 0e")
        .unwrap();
    for (name, target) in [("near", "_tlsa.secure.test."), ("far", "_tlsa.insecure.test.")] {
        world
            .add(&format!("{name}.secure.test"), RecordType::A, "192.0.2.7")
            .unwrap();
        world
            .add(&format!("_25._tcp.{name}.secure.test"), RecordType::CNAME, target)
            .unwrap();
    }
    for mode in MODES {
        let resolver = resolver(&world, mode);
        assert_eq!(
            base(&host(&resolver, "near.secure.test").await),
            "near.secure.test",
            "{mode:?}"
        );
        assert_eq!(
            host(&resolver, "far.secure.test").await.tlsa,
            Tlsa::Absent,
            "insecure on the way, {mode:?}"
        );
    }
}

#[tokio::test]
async fn the_port_is_part_of_the_question() {
    let world = world().await;
    let resolver = resolver(&world, Mode::Validate);
    let name = domain("mx.secure.test");
    let findings = dns::host::discover(&resolver, &name, 2525, TlsaQuestion::Ask, AddressFamily::Any).await;
    assert_eq!(findings.tlsa, Tlsa::Absent);
    assert_eq!(world.asked("_2525._tcp.mx.secure.test", RecordType::TLSA), 1);
    assert_eq!(world.asked("_tcp.mx.secure.test", RecordType::TLSA), 0);
}

/// Each name that was asked for TLSA records, and what came of it.
fn tlsa_steps(findings: &HostFindings) -> Vec<(String, String)> {
    let answers = findings.answers.tlsa.iter();
    answers
        .map(|(base, answer)| (base.to_string(), told(answer)))
        .collect()
}

#[tokio::test]
async fn the_answer_of_each_candidate_is_told() {
    let world = world().await;
    world
        .add("alias.secure.test", RecordType::CNAME, "real.wild.hashed.test.")
        .unwrap();
    let (end, start) = ("real.wild.hashed.test", "alias.secure.test");
    for mode in MODES {
        let resolver = resolver(&world, mode);
        let step = |name: &str, told: &str| (name.to_owned(), told.to_owned());
        let none = host(&resolver, start).await;
        assert_eq!(none.tlsa, Tlsa::Absent, "{mode:?}");
        assert_eq!(
            tlsa_steps(&none),
            [step(end, "secure nxdomain"), step(start, "secure nxdomain")],
            "{mode:?}"
        );
        let owner = format!("_25._tcp.{start}");
        break_one(&world, &owner, RecordType::TLSA, DnsFault::Refused);
        resolver.flush_all();
        let failed = host(&resolver, start).await;
        assert_eq!(
            tlsa_steps(&failed),
            [step(end, "secure nxdomain"), step(start, "failed rcode REFUSED")],
            "{mode:?}"
        );
        world.mend_dns(&Questions::Of(owner, RecordType::TLSA)).unwrap();
        let insecure = host(&resolver, "mx.insecure.test").await;
        assert_eq!(tlsa_steps(&insecure), [], "{mode:?}");
        let families = (&insecure.answers.ipv6, &insecure.answers.ipv4);
        let [ipv6, ipv4] = [families.0, families.1].map(|answer| told(answer.as_ref().unwrap()));
        assert_eq!(
            (ipv6.as_str(), ipv4.as_str()),
            ("insecure nodata", "insecure records")
        );
    }
}

#[tokio::test]
async fn addresses_of_both_families_come_in_turn() {
    let world = world().await;
    for last in 1..=20 {
        let address = format!("2001:db8::{last:x}");
        world.add("many.secure.test", RecordType::AAAA, &address).unwrap();
    }
    for last in 1..=2 {
        let address = format!("192.0.2.{last}");
        world.add("many.secure.test", RecordType::A, &address).unwrap();
    }
    let resolver = resolver(&world, Mode::Validate);
    let Addresses::Found { addresses, .. } = host(&resolver, "many.secure.test").await.addresses else {
        panic!("no addresses")
    };
    let families: Vec<bool> = addresses.iter().map(std::net::IpAddr::is_ipv6).collect();
    assert_eq!(families[..5], [true, false, true, false, true]);
    assert_eq!(addresses.len(), 22);
    let mut once = addresses.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), 22, "each address once");
}
