//! What can be changed while the resolver runs, and what it notices by itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::time::Duration;

use common::{ask, config, domain, genuine, resolver, world};
use dns::{Mode, Resolver, ResolverConfig, ResolverError, Server, TrustAnchors};
use hickory_proto::rr::RecordType;
use testworld::dns::{DnsFault, Questions, Role};
use tokio::time::timeout;

const A: RecordType = RecordType::A;

#[tokio::test]
async fn a_negative_trust_anchor_takes_effect_and_ends_at_once() {
    let world = world().await;
    world.set_ttl(3600);
    world
        .add("over.secure.test", RecordType::CNAME, "mx.hashed.test.")
        .unwrap();
    let resolver = resolver(&world, Mode::Validate);
    let told = async || {
        [
            ask(&resolver, "mx.bogus.test", A).await,
            ask(&resolver, "over.secure.test", A).await,
            ask(&resolver, "mx.secure.test", A).await,
        ]
    };
    let ordinary = ["failed bogus", "secure records", "secure records"];
    assert_eq!(told().await, ordinary);
    resolver.set_domain_insecure(&[domain("bogus.test"), domain("hashed.test")]);
    // An answer that was kept is not used where an alias of it leads below the anchor; others stay.
    assert_eq!(
        told().await,
        ["insecure records", "insecure records", "secure records"]
    );
    resolver.set_domain_insecure(&[]);
    assert_eq!(told().await, ordinary);
    assert_eq!(world.asked("mx.secure.test", A), 1, "it was not concerned");
}

#[tokio::test]
async fn other_trust_anchors_take_effect_at_once_and_nothing_found_with_the_old_is_kept() {
    let (world, other) = (world().await, world().await);
    world.set_ttl(3600);
    let anchors = |text: String| TrustAnchors::parse(&text).unwrap();
    let own = world.trust_anchor_ds().unwrap();
    let resolver = resolver(&world, Mode::Validate);
    let told = async || {
        [
            ask(&resolver, "mx.secure.test", A).await,
            ask(&resolver, "nothing.hashed.test", A).await,
        ]
    };
    let ordinary = ["secure records", "secure nxdomain"];
    assert_eq!(told().await, ordinary);
    assert_eq!(told().await, ordinary);
    assert_eq!(world.asked("mx.secure.test", A), 1, "it was kept");
    assert!(!resolver.set_trust_anchors(anchors(own.clone())).unwrap());
    assert_eq!(told().await, ordinary);
    assert_eq!(world.asked("mx.secure.test", A), 1, "nothing has changed");

    let foreign = anchors(other.trust_anchor_ds().unwrap());
    assert!(resolver.set_trust_anchors(foreign).unwrap());
    assert_eq!(told().await, ["failed bogus", "failed bogus"]);
    // An anchor for one zone only: no chain leads to the others any more.
    let ds = genuine(&world, "secure.test", RecordType::DS).await.answers;
    let ds = ds.iter().find(|record| record.record_type() == RecordType::DS);
    let one = anchors(format!("secure.test. IN DS {}", ds.unwrap().data));
    assert!(resolver.set_trust_anchors(one).unwrap());
    assert_eq!(told().await, ["secure records", "insecure nxdomain"]);
    assert!(resolver.set_trust_anchors(anchors(own)).unwrap());
    assert_eq!(told().await, ordinary);
    let soon = Duration::from_secs(1);
    assert!(
        timeout(soon, resolver.doubted()).await.is_ok(),
        "a self-test is called for"
    );
}

#[tokio::test]
async fn a_flush_concerns_a_name_what_is_below_it_and_its_mail_exchangers() {
    let world = world().await;
    world.set_ttl(3600);
    world
        .add("far.secure.test", RecordType::MX, "10 mx.hashed.test.")
        .unwrap();
    let resolver = resolver(&world, Mode::Validate);
    let ask_all = async || {
        resolver.mx(&domain("far.secure.test")).await.unwrap();
        for host in ["mx.hashed.test", "mx.secure.test"] {
            ask(&resolver, host, A).await;
        }
        let of = |name, record_type| world.asked(name, record_type);
        [
            of("far.secure.test", RecordType::MX),
            of("mx.hashed.test", A),
            of("mx.secure.test", A),
        ]
    };
    assert_eq!(ask_all().await, [1, 1, 1]);
    resolver.flush(&domain("far.secure.test"));
    assert_eq!(ask_all().await, [2, 2, 1]);
    resolver.flush_all();
    assert_eq!(ask_all().await, [3, 3, 2]);
}

#[tokio::test]
async fn another_mode_forgets_what_the_first_said() {
    let world = world().await;
    world.set_ttl(3600);
    let resolver = resolver(&world, Mode::Validate);
    assert_eq!(ask(&resolver, "mx.secure.test", A).await, "secure records");
    // The servers do not validate: believing them gives nothing, validating here goes on.
    resolver.set_mode(Mode::TrustAd).unwrap();
    assert_eq!(resolver.mode(), Mode::TrustAd);
    assert_eq!(ask(&resolver, "mx.secure.test", A).await, "failed indeterminate");
    resolver.set_mode(Mode::Validate).unwrap();
    assert_eq!(ask(&resolver, "mx.secure.test", A).await, "secure records");
    // What was shown before does not count: a server may have been replaced meanwhile.
    world.set_role(Role::Validator);
    resolver.set_mode(Mode::TrustAd).unwrap();
    assert_eq!(ask(&resolver, "mx.secure.test", A).await, "secure records");
}

#[tokio::test]
async fn a_mode_that_would_be_refused_at_the_start_is_refused_later() {
    let world = world().await;
    let stranger = "192.0.2.53:53".parse().unwrap();
    let resolver = Resolver::new(ResolverConfig {
        servers: vec![Server::Plain(stranger)],
        ..config(&world, Mode::Validate)
    })
    .unwrap();
    assert!(matches!(
        resolver.set_mode(Mode::TrustAd),
        Err(ResolverError::NotSecureChannel(_))
    ));
    assert_eq!(resolver.mode(), Mode::Validate);
}

#[tokio::test]
async fn failures_in_a_row_raise_a_doubt_and_an_answer_ends_the_row() {
    let world = world().await;
    world
        .break_dns(&Questions::Below("bogus.test".to_owned()), DnsFault::Refused)
        .unwrap();
    let resolver = resolver(&world, Mode::TrustAd);
    let fail = async |from: usize, to: usize| {
        for number in from..to {
            assert_ne!(
                ask(&resolver, &format!("n{number}.bogus.test"), A).await,
                "secure records"
            );
        }
    };
    let doubted = async || {
        timeout(Duration::from_millis(50), resolver.doubted())
            .await
            .is_ok()
    };
    fail(0, 15).await;
    assert_eq!(ask(&resolver, "mx.secure.test", A).await, "secure records");
    fail(15, 30).await;
    assert!(!doubted().await);
    fail(30, 36).await;
    assert!(doubted().await);
    assert!(!doubted().await, "it was said");
}
