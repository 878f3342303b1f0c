//! The self-test names the fault.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{config, dead_server, domain, resolver, validator_behind, world};
use dns::self_test::{Fault, Names, run};
use dns::{Mode, Resolver, ResolverConfig};
use hickory_proto::rr::RecordType;
use mail::LookupFailure;
use testworld::dns::{DnsFault, Questions, Role};

fn names(secure: &str, bogus: &str) -> Names {
    Names {
        secure: vec![domain(secure)],
        bogus: vec![domain(bogus)],
    }
}

#[tokio::test]
async fn a_resolver_that_validates_passes() {
    let world = world().await;
    for mode in [Mode::Validate, Mode::TrustAd] {
        let resolver = resolver(&world, mode);
        let good = names("secure.test", "bogus.test");
        assert_eq!(run(&resolver, &good).await, Ok(()), "{mode:?}");
        assert_eq!(run(&resolver, &good).await, Ok(()), "{mode:?}");
        let insecure = run(&resolver, &names("insecure.test", "bogus.test")).await;
        assert_eq!(
            insecure,
            Err(Fault::Insecure(domain("insecure.test"))),
            "{mode:?}"
        );
        let answered = run(&resolver, &names("secure.test", "hashed.test")).await;
        assert_eq!(
            answered,
            Err(Fault::BogusAnswered(domain("hashed.test"))),
            "{mode:?}"
        );
    }
}

#[tokio::test]
async fn a_resolver_that_does_not_validate_is_found_out() {
    let world = world().await;
    world.set_role(Role::Forwarder);
    let resolver = Resolver::new(config(&world, Mode::TrustAd)).unwrap();
    assert_eq!(run(&resolver, &Names::default()).await, Err(Fault::NotValidating));
}

#[tokio::test]
async fn servers_that_strip_signatures_are_called_that() {
    let world = world().await;
    world
        .break_dns(&Questions::Below(".".to_owned()), DnsFault::StripDnssec)
        .unwrap();
    let resolver = resolver(&world, Mode::Validate);
    assert_eq!(run(&resolver, &Names::default()).await, Err(Fault::NoSignatures));
}

#[tokio::test]
async fn a_wrong_anchor_and_silence_are_told_apart() {
    let (world, other) = (world().await, world().await);
    let trust_anchors = config(&other, Mode::Validate).trust_anchors;
    let resolver = Resolver::new(ResolverConfig {
        trust_anchors,
        ..config(&world, Mode::Validate)
    })
    .unwrap();
    assert_eq!(
        run(&resolver, &Names::default()).await,
        Err(Fault::Root(LookupFailure::Bogus))
    );

    let (_held, dead) = dead_server().await;
    let unheard = run(&validator_behind(&world, vec![dead]), &Names::default()).await;
    assert_eq!(unheard, Err(Fault::Unreachable(LookupFailure::Timeout)));
}

#[tokio::test]
async fn a_fault_is_seen_although_the_answer_was_kept() {
    let world = world().await;
    world.set_ttl(3600);
    let resolver = resolver(&world, Mode::Validate);
    let good = names("secure.test", "bogus.test");
    assert_eq!(run(&resolver, &good).await, Ok(()));
    world
        .break_dns(
            &Questions::Of("secure.test".to_owned(), RecordType::SOA),
            DnsFault::Refused,
        )
        .unwrap();
    let cause = LookupFailure::Rcode("REFUSED".to_owned());
    assert_eq!(
        run(&resolver, &good).await,
        Err(Fault::Failed {
            name: domain("secure.test"),
            cause
        })
    );
    assert!(Names::well_known().secure.len() + Names::well_known().bogus.len() >= 3);
}
