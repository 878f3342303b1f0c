//! The hosts of a domain, their addresses and TLSA records.

use std::net::IpAddr;

use crate::common::{Client, Scene, domain, told, world};
use dns::host::{AddressFamily, Addresses, HostFindings, HostSecurity, Tlsa, TlsaQuestion};
use dns::mx::MxFinding;
use dns::{Exchange, Mode, MxRecord};
use hickory_proto::rr::RecordType;
use mail::LookupFailure;
use testworld::dns::DnsFault;

async fn find(resolver: &Client, host: &str) -> HostFindings {
    dns::host::discover(resolver, &domain(host), 25, TlsaQuestion::Ask, AddressFamily::Any).await
}

/// Asserts of each line what is found about a host: `out.secure.test -> secure alias, TLSA of out.secure.test`.
#[track_caller]
fn hosts(resolver: &Client, lines: &str) -> impl Future<Output = ()> {
    resolver.compare(lines, async |host| in_words(&find(resolver, host).await))
}

/// How securely the addresses are known, and whose TLSA records there are.
fn in_words(findings: &HostFindings) -> String {
    let addresses = match &findings.addresses {
        Addresses::Found { security, .. } => match security {
            HostSecurity::Insecure => "insecure",
            HostSecurity::SecureAlias => "secure alias",
            HostSecurity::Secure => "secure",
        }
        .to_owned(),
        Addresses::Absent(security) => format!("absent {security}"),
        Addresses::OtherFamily(addresses) => format!("only {addresses:?}"),
        Addresses::Unresolvable(failure) => format!("failed {}", failure.cause),
    };
    let tlsa = match &findings.tlsa {
        Tlsa::Found { base, .. } => format!("TLSA of {base}"),
        Tlsa::Absent => "TLSA absent".to_owned(),
        Tlsa::NotAsked => "TLSA not asked".to_owned(),
        Tlsa::Failed(failure) => format!("TLSA failed {}", failure.cause),
    };
    format!("{addresses}, {tlsa}")
}

/// Asserts of each line what the MX records of a domain come to.
#[track_caller]
fn exchangers(resolver: &Client, lines: &str) -> impl Future<Output = ()> {
    resolver.compare(lines, async |name| {
        match dns::mx::discover(resolver, &domain(name)).await {
            MxFinding::Failed(failure) => format!("failed {}", failure.cause),
            MxFinding::NullMx(security) => format!("{security} null"),
            MxFinding::NxDomain { security, missing } => format!("{security} without {missing}"),
            MxFinding::NoData { security } => format!("{security} nodata"),
            MxFinding::Records {
                security,
                expanded,
                exchanges,
            } => format!("{security} of {expanded}{}", listed(&exchanges)),
        }
    })
}

fn listed(exchanges: &[MxRecord]) -> String {
    let words = exchanges.iter().map(|mx| match &mx.exchange {
        Exchange::Name(name) => format!(", {} {name}", mx.preference),
        other => format!(", {} {other:?}", mx.preference),
    });
    words.collect()
}

fn asked_for_tlsa(world: &Scene) -> usize {
    let log = world.queries();
    let tlsa = log.iter().filter(|query| query.record_type == RecordType::TLSA);
    tlsa.count()
}

#[tokio::test]
async fn mail_exchangers_of_every_kind_of_domain() {
    let world = world().await;
    world.remove("secure.test", RecordType::MX).unwrap();
    world.has(
        "secure.test        MX    20 b.secure.test.
         secure.test        MX    10 a.secure.test.
         secure.test        MX    5 .
         null.secure.test   MX    0 .
         null.insecure.test MX    0 .
         null.bogus.test    MX    0 .
         alias.hashed.test  CNAME insecure.test.
         lost.secure.test   CNAME nothing.hashed.test.",
    );
    for resolver in world.resolvers() {
        exchangers(
            &resolver,
            "secure.test           -> secure of secure.test, 10 a.secure.test, 20 b.secure.test
             alias.hashed.test     -> insecure of insecure.test, 10 mx.insecure.test
             null.secure.test      -> secure null
             null.insecure.test    -> insecure null
             mx.secure.test        -> secure nodata
             mx.insecure.test      -> insecure nodata
             nothing.secure.test   -> secure without nothing.secure.test
             nothing.insecure.test -> insecure without nothing.insecure.test
             bogus.test            -> failed bogus
             null.bogus.test       -> failed bogus",
        )
        .await;
        // RFC 6604 §3: it is the alias's target that does not exist.
        exchangers(
            &resolver,
            "lost.secure.test -> secure without nothing.hashed.test",
        )
        .await;
    }
}

#[tokio::test]
async fn a_secure_host_has_its_records_and_an_insecure_one_is_not_asked_for_any() {
    let world = world().await;
    for resolver in world.resolvers() {
        world.clear_queries();
        hosts(&resolver, "mx.insecure.test -> insecure, TLSA not asked").await;
        assert_eq!(asked_for_tlsa(&world), 0, "{:?}", resolver.mode());

        hosts(&resolver, "mx.secure.test -> secure, TLSA of mx.secure.test").await;
        let log = world.queries();
        let position = |record_type| {
            log.iter().position(|query| {
                query.record_type == record_type && query.name.to_ascii().ends_with("mx.secure.test.")
            })
        };
        let tlsa = position(RecordType::TLSA);
        assert!(position(RecordType::A) < tlsa, "addresses first");
        assert!(position(RecordType::AAAA) < tlsa, "addresses first");

        hosts(&resolver, "real.wild.secure.test -> secure, TLSA absent").await;
    }
}

#[tokio::test]
async fn nothing_is_asked_where_it_is_not_wanted() {
    let world = world().await;
    let resolver = world.resolver(Mode::Validate);
    let (name, none) = (domain("mx.secure.test"), TlsaQuestion::DoNotAsk);
    let findings = dns::host::discover(&resolver, &name, 25, none, AddressFamily::Ipv4).await;
    assert_eq!(in_words(&findings), "secure, TLSA not asked");
    assert_eq!(asked_for_tlsa(&world) + world.count("mx.secure.test AAAA"), 0);
}

#[tokio::test]
async fn the_family_that_is_not_wanted_is_asked_for_where_the_other_is_absent() {
    let world = world().await;
    world.remove("mx.secure.test", RecordType::A).unwrap();
    world.remove("mx.secure.test", RecordType::AAAA).unwrap();
    world.has("mx.secure.test AAAA 2001:db8::1");
    let resolver = world.resolver(Mode::Validate);
    let found = async |host, family| {
        let (name, none) = (domain(host), TlsaQuestion::DoNotAsk);
        in_words(&dns::host::discover(&resolver, &name, 25, none, family).await)
    };
    assert_eq!(
        found("mx.secure.test", AddressFamily::Ipv4).await,
        "only [2001:db8::1], TLSA not asked"
    );
    assert_eq!(
        found("mx.secure.test", AddressFamily::Ipv6).await,
        "secure, TLSA not asked"
    );
    for family in [AddressFamily::Ipv4, AddressFamily::Ipv6] {
        assert_eq!(
            found("nothing.secure.test", family).await,
            "absent secure, TLSA not asked"
        );
    }
}

#[tokio::test]
async fn one_family_that_fails_does_not_spoil_the_other() {
    let world = world().await;
    for resolver in world.resolvers() {
        world.breaks("mx.secure.test AAAA", DnsFault::ServFail);
        hosts(&resolver, "mx.secure.test -> secure, TLSA of mx.secure.test").await;
        world.mends("mx.secure.test AAAA");

        // No addresses of one family, no answer for the other: nobody knows whether there are any.
        world.breaks("mx.hashed.test A", DnsFault::Refused);
        let findings = find(&resolver, "mx.hashed.test").await;
        let refused = LookupFailure::Rcode("REFUSED".to_owned());
        assert_eq!(findings.addresses, Addresses::Unresolvable(refused.into()));
        assert_eq!(findings.tlsa, Tlsa::NotAsked);
        world.mends("mx.hashed.test A");
    }
}

#[tokio::test]
async fn a_host_without_addresses_is_absent_as_securely_as_both_families_say() {
    let world = world().await;
    for resolver in world.resolvers() {
        hosts(
            &resolver,
            "nothing.secure.test   -> absent secure, TLSA not asked
             nothing.insecure.test -> absent insecure, TLSA not asked
             mx.bogus.test         -> failed bogus, TLSA not asked",
        )
        .await;
    }
}

#[tokio::test]
async fn the_base_domain_is_the_end_of_the_aliases_or_their_start_and_nothing_between() {
    let world = world().await;
    world.has(
        "both.secure.test             CNAME mx.hashed.test.
         _25._tcp.both.secure.test    TLSA  3 1 1 0a
         start.secure.test            CNAME middle.secure.test.
         middle.secure.test           CNAME real.wild.secure.test.
         _25._tcp.start.secure.test   TLSA  3 1 1 0a
         onlymiddle.secure.test       CNAME middle2.secure.test.
         middle2.secure.test          CNAME real.wild.secure.test.
         _25._tcp.middle2.secure.test TLSA  3 1 1 0a",
    );
    for resolver in world.resolvers() {
        hosts(
            &resolver,
            "both.secure.test       -> secure, TLSA of mx.hashed.test
             start.secure.test      -> secure, TLSA of start.secure.test
             onlymiddle.secure.test -> secure, TLSA absent",
        )
        .await;
    }
}

#[tokio::test]
async fn a_secure_alias_into_an_unsigned_zone_is_asked_for_at_its_start_only() {
    let world = world().await;
    world.has(
        "out.secure.test          CNAME mx.insecure.test.
         _25._tcp.out.secure.test TLSA  3 1 1 0b
         bare.secure.test         CNAME mx.insecure.test.
         in.insecure.test         CNAME mx.secure.test.",
    );
    for resolver in world.resolvers() {
        world.clear_queries();
        hosts(
            &resolver,
            "out.secure.test -> secure alias, TLSA of out.secure.test",
        )
        .await;
        let elsewhere = world.count("_25._tcp.mx.insecure.test TLSA");
        assert_eq!(elsewhere, 0, "{:?}", resolver.mode());
        hosts(&resolver, "bare.secure.test -> secure alias, TLSA absent").await;
        // The other way round the target's records are not to be enforced (RFC 7672 §2.1.3).
        hosts(&resolver, "in.insecure.test -> insecure, TLSA not asked").await;
    }
}

#[tokio::test]
async fn a_failed_search_for_records_is_never_an_absence() {
    let world = world().await;
    world.has(
        "alias.secure.test          CNAME mx.hashed.test.
         _25._tcp.alias.secure.test TLSA  3 1 1 0c",
    );
    for resolver in world.resolvers() {
        for (fault, cause) in [
            (DnsFault::ServFail, "servfail"),
            (DnsFault::NotImp, "rcode NOTIMP"),
            (DnsFault::BadSignature, "bogus"),
        ] {
            world.breaks("_25._tcp.mx.hashed.test TLSA", fault);
            resolver.flush(&domain("test"));
            // Of two candidates the first failed: the second must not be used in its place.
            let lines = format!(
                "mx.hashed.test    -> secure, TLSA failed {cause}
                 alias.secure.test -> secure, TLSA failed {cause}"
            );
            hosts(&resolver, &lines).await;
        }
        world.mends("_25._tcp.mx.hashed.test TLSA");
    }
}

#[tokio::test]
async fn aliases_of_the_records_themselves_leave_the_base_domain_alone() {
    let world = world().await;
    world.has(
        "_tlsa.secure.test         TLSA  2 0 1 0d
         _tlsa.insecure.test       TLSA  2 0 1 0e
         near.secure.test          A     192.0.2.7
         _25._tcp.near.secure.test CNAME _tlsa.secure.test.
         far.secure.test           A     192.0.2.7
         _25._tcp.far.secure.test  CNAME _tlsa.insecure.test.",
    );
    for resolver in world.resolvers() {
        hosts(&resolver, "near.secure.test -> secure, TLSA of near.secure.test").await;
        // Insecure on the way.
        hosts(&resolver, "far.secure.test -> secure, TLSA absent").await;
    }
}

#[tokio::test]
async fn the_port_is_part_of_the_question() {
    let world = world().await;
    let resolver = world.resolver(Mode::Validate);
    let name = domain("mx.secure.test");
    let findings = dns::host::discover(&resolver, &name, 2525, TlsaQuestion::Ask, AddressFamily::Any).await;
    assert_eq!(findings.tlsa, Tlsa::Absent);
    assert_eq!(world.count("_2525._tcp.mx.secure.test TLSA"), 1);
    assert_eq!(world.count("_tcp.mx.secure.test TLSA"), 0);
}

/// Each name that was asked for TLSA records, and what came of it.
fn steps(findings: &HostFindings) -> Vec<String> {
    let answers = findings.answers.tlsa.iter();
    answers
        .map(|(base, answer)| format!("{base} {}", told(answer)))
        .collect()
}

#[tokio::test]
async fn the_answer_of_each_candidate_is_told() {
    let world = world().await;
    world.has("alias.secure.test CNAME real.wild.hashed.test.");
    for resolver in world.resolvers() {
        let mode = resolver.mode();
        let none = find(&resolver, "alias.secure.test").await;
        assert_eq!(none.tlsa, Tlsa::Absent, "{mode:?}");
        let end = "real.wild.hashed.test secure nxdomain";
        let both = [end, "alias.secure.test secure nxdomain"];
        assert_eq!(steps(&none), both, "{mode:?}");
        world.breaks("_25._tcp.alias.secure.test TLSA", DnsFault::Refused);
        resolver.flush_all();
        let failed = find(&resolver, "alias.secure.test").await;
        let both = [end, "alias.secure.test failed rcode REFUSED"];
        assert_eq!(steps(&failed), both, "{mode:?}");
        world.mends("_25._tcp.alias.secure.test TLSA");
        let insecure = find(&resolver, "mx.insecure.test").await;
        assert!(steps(&insecure).is_empty(), "{mode:?}");
        let families = [insecure.answers.ipv6, insecure.answers.ipv4].map(|answer| told(&answer.unwrap()));
        assert_eq!(families, ["insecure nodata", "insecure records"]);
    }
}

#[tokio::test]
async fn addresses_of_both_families_come_in_turn() {
    let world = world().await;
    for last in 1..=20 {
        world.has(&format!("many.secure.test AAAA 2001:db8::{last:x}"));
    }
    world.has(
        "many.secure.test A 192.0.2.1
         many.secure.test A 192.0.2.2",
    );
    let resolver = world.resolver(Mode::Validate);
    let Addresses::Found { addresses, .. } = find(&resolver, "many.secure.test").await.addresses else {
        panic!("no addresses")
    };
    let families: Vec<bool> = addresses.iter().map(IpAddr::is_ipv6).collect();
    assert_eq!(families[..5], [true, false, true, false, true]);
    assert_eq!(addresses.len(), 22);
    let mut once = addresses.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), 22, "each address once");
}
