//! The self-test names the fault.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{ask, config, dead_server, domain, forger, resolver, validator_behind, world};
use dns::self_test::{Fault, Names, run};
use dns::{Mode, Resolver, ResolverConfig};
use hickory_proto::rr::RecordType;
use mail::LookupFailure;
use testworld::dns::{DnsFault, Questions, Role, World};

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
    let fault = run(&resolver, &Names::default()).await.unwrap_err();
    assert_eq!(fault, Fault::NoSignatures);
    assert!(
        fault
            .to_string()
            .starts_with("the DNS servers leave out DNSSEC signatures: ")
    );
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

#[tokio::test]
async fn of_several_names_one_that_is_as_it_should_be_is_enough() {
    let world = world().await;
    let several = |secure: &[&str], bogus: &[&str]| Names {
        secure: secure.iter().map(|name| domain(name)).collect(),
        bogus: bogus.iter().map(|name| domain(name)).collect(),
    };
    for mode in [Mode::Validate, Mode::TrustAd] {
        let resolver = resolver(&world, mode);
        let one_each = several(
            &["insecure.test", "bogus.test", "secure.test"],
            &["hashed.test", "bogus.test"],
        );
        assert_eq!(run(&resolver, &one_each).await, Ok(()), "{mode:?}");
        let none = run(&resolver, &several(&["bogus.test", "insecure.test"], &[])).await;
        assert_eq!(none, Err(Fault::Insecure(domain("insecure.test"))), "{mode:?}");
        let none = run(&resolver, &several(&[], &["hashed.test", "secure.test"])).await;
        assert_eq!(none, Err(Fault::BogusAnswered(domain("hashed.test"))), "{mode:?}");
    }
}

const A: RecordType = RecordType::A;

#[tokio::test]
async fn a_resolver_that_does_not_validate_is_not_believed_from_the_first_look_up_on() {
    let world = world().await;
    world.set_role(Role::Forwarder);
    let resolver = Resolver::new(config(&world, Mode::TrustAd)).unwrap();
    for name in ["mx.secure.test", "mx.insecure.test", "mx.bogus.test"] {
        assert_eq!(ask(&resolver, name, A).await, "failed indeterminate");
        assert_eq!(world.asked(name, A), 0);
    }
    // It is mended, and believed as soon as a self-test has seen that.
    world.set_role(Role::Validator);
    assert_eq!(
        ask(&resolver, "mx.insecure.test", A).await,
        "failed indeterminate"
    );
    assert_eq!(run(&resolver, &Names::default()).await, Ok(()));
    assert_eq!(ask(&resolver, "mx.secure.test", A).await, "secure records");
    assert_eq!(ask(&resolver, "mx.insecure.test", A).await, "insecure records");
}

#[tokio::test]
async fn what_was_learnt_before_the_resolver_ceased_to_validate_is_forgotten() {
    let world = world().await;
    world.set_ttl(3600);
    let resolver = resolver(&world, Mode::TrustAd);
    assert_eq!(ask(&resolver, "mx.insecure.test", A).await, "insecure records");
    world.set_role(Role::Forwarder);
    assert_eq!(run(&resolver, &Names::default()).await, Err(Fault::NotValidating));
    assert_eq!(
        ask(&resolver, "mx.insecure.test", A).await,
        "failed indeterminate"
    );
    world.set_role(Role::Validator);
    assert_eq!(run(&resolver, &Names::default()).await, Ok(()));
    assert_eq!(ask(&resolver, "mx.insecure.test", A).await, "insecure records");
    assert_eq!(world.asked("mx.insecure.test", A), 2, "it was asked anew");
}

#[tokio::test]
async fn a_resolver_that_claims_security_for_everything_is_found_out_by_a_broken_name() {
    let world = world().await;
    world.set_role(Role::Forwarder);
    let liar = forger(&world, |_, message| message.metadata.authentic_data = true).await;
    let resolver = behind(&world, vec![liar]);
    assert_eq!(run(&resolver, &Names::default()).await, Ok(()));
    assert_eq!(ask(&resolver, "mx.bogus.test", A).await, "secure records");
    let found_out = run(&resolver, &names("secure.test", "bogus.test")).await;
    assert_eq!(found_out, Err(Fault::BogusAnswered(domain("bogus.test"))));
    assert_eq!(ask(&resolver, "mx.bogus.test", A).await, "failed indeterminate");
}

#[tokio::test]
async fn the_first_look_ups_wait_for_the_self_test_within_their_deadline() {
    let world = world().await;
    world.set_role(Role::Forwarder);
    let liar = forger(&world, |_, message| message.metadata.authentic_data = true).await;
    let resolver = behind(&world, vec![liar]);
    resolver.expect_self_test();
    assert_eq!(ask(&resolver, "mx.hashed.test", A).await, "failed timeout");
    assert_eq!(world.asked("mx.hashed.test", A), 0);
    let broken = names("secure.test", "bogus.test");
    let (told, fault) =
        futures_util::future::join(ask(&resolver, "mx.bogus.test", A), run(&resolver, &broken)).await;
    assert_eq!(told, "failed indeterminate");
    assert_eq!(fault, Err(Fault::BogusAnswered(domain("bogus.test"))));
}

#[tokio::test]
async fn each_server_must_validate_and_silence_refutes_nothing() {
    let world = world().await;
    world.set_role(Role::Validator);
    let plain = forger(&world, |_, message| message.metadata.authentic_data = false).await;
    let resolver = behind(&world, vec![world.address(), plain]);
    assert_eq!(run(&resolver, &Names::default()).await, Err(Fault::NotValidating));
    let (_held, dead) = dead_server().await;
    let resolver = behind(&world, vec![dead, world.address()]);
    assert_eq!(run(&resolver, &Names::default()).await, Ok(()));
    assert_eq!(ask(&resolver, "mx.secure.test", A).await, "secure records");
    let resolver = behind(&world, vec![dead]);
    assert_eq!(ask(&resolver, "mx.secure.test", A).await, "failed timeout");
    assert_eq!(
        run(&resolver, &Names::default()).await,
        Err(Fault::Unreachable(LookupFailure::Timeout))
    );
}

fn behind(world: &World, servers: Vec<std::net::SocketAddr>) -> Resolver {
    Resolver::new(ResolverConfig {
        servers: servers.into_iter().map(dns::Server::from).collect(),
        timeout: std::time::Duration::from_secs(2),
        ..config(world, Mode::TrustAd)
    })
    .unwrap()
}
