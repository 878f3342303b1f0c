//! The self-test names the fault.

use crate::common::{Client, Scene, config, dead_server, domain, world};
use dns::self_test::{Fault, Names, run};
use dns::{Mode, Resolver};
use hickory_proto::op::{Message, Query};
use mail::LookupFailure;
use testworld::dns::{DnsFault, Questions, Role};

/// What the self-test finds by the root and these names.
async fn find(resolver: &Resolver, secure: &[&str], bogus: &[&str]) -> Result<(), Fault> {
    let domains = |names: &[&str]| names.iter().map(|name| domain(name)).collect();
    let names = Names {
        secure: domains(secure),
        bogus: domains(bogus),
    };
    run(resolver, &names).await
}

/// The same by the root alone.
async fn find_by_root(resolver: &Resolver) -> Result<(), Fault> {
    run(resolver, &Names::default()).await
}

#[tokio::test]
async fn a_resolver_that_validates_passes() {
    let world = world().await;
    for resolver in world.resolvers() {
        let mode = resolver.mode();
        for _ in 0..2 {
            let good = find(&resolver, &["secure.test"], &["bogus.test"]).await;
            assert_eq!(good, Ok(()), "{mode:?}");
        }
        let insecure = find(&resolver, &["insecure.test"], &["bogus.test"]).await;
        let fault = Fault::Insecure(domain("insecure.test"));
        assert_eq!(insecure, Err(fault), "{mode:?}");
        let answered = find(&resolver, &["secure.test"], &["hashed.test"]).await;
        let fault = Fault::BogusAnswered(domain("hashed.test"));
        assert_eq!(answered, Err(fault), "{mode:?}");
    }
}

#[tokio::test]
async fn a_resolver_that_does_not_validate_is_found_out() {
    let world = world().await;
    world.set_role(Role::Forwarder);
    let resolver = Client::new(config(&world, Mode::TrustAd));
    assert_eq!(find_by_root(&resolver).await, Err(Fault::NotValidating));
}

#[tokio::test]
async fn servers_that_strip_signatures_are_called_that() {
    let world = world().await;
    world.breaks_below(".", DnsFault::StripDnssec);
    let resolver = world.resolver(Mode::Validate);
    let fault = find_by_root(&resolver).await.unwrap_err();
    assert_eq!(fault, Fault::NoSignatures);
    let words = "the DNS servers leave out DNSSEC signatures: ";
    assert!(fault.to_string().starts_with(words), "{fault}");
}

#[tokio::test]
async fn a_wrong_anchor_and_silence_are_told_apart() {
    let (world, other) = (world().await, world().await);
    let wrong = find_by_root(&world.anchored(&other.trust_anchor_ds().unwrap())).await;
    assert_eq!(wrong, Err(Fault::Root(LookupFailure::Bogus)));

    let (_held, dead) = dead_server().await;
    let unheard = find_by_root(&world.asking(Mode::Validate, [dead])).await;
    assert_eq!(unheard, Err(Fault::Unreachable(LookupFailure::Timeout)));
}

#[tokio::test]
async fn a_fault_is_seen_although_the_answer_was_kept() {
    let world = world().await;
    world.set_ttl(3600);
    let resolver = world.resolver(Mode::Validate);
    assert_eq!(find(&resolver, &["secure.test"], &["bogus.test"]).await, Ok(()));
    world.breaks("secure.test SOA", DnsFault::Refused);
    let fault = Fault::Failed {
        name: domain("secure.test"),
        cause: LookupFailure::Rcode("REFUSED".to_owned()),
    };
    let found = find(&resolver, &["secure.test"], &["bogus.test"]).await;
    assert_eq!(found, Err(fault));
    assert!(Names::well_known().secure.len() + Names::well_known().bogus.len() >= 3);
}

#[tokio::test]
async fn of_several_names_one_that_is_as_it_should_be_is_enough() {
    let world = world().await;
    let none_secure = Err(Fault::Insecure(domain("insecure.test")));
    let none_bogus = Err(Fault::BogusAnswered(domain("hashed.test")));
    for resolver in world.resolvers() {
        let mixed = (
            ["insecure.test", "bogus.test", "secure.test"],
            ["hashed.test", "bogus.test"],
        );
        assert_eq!(find(&resolver, &mixed.0, &mixed.1).await, Ok(()));
        let found = find(&resolver, &["bogus.test", "insecure.test"], &[]).await;
        assert_eq!(found, none_secure, "{:?}", resolver.mode());
        let found = find(&resolver, &[], &["hashed.test", "secure.test"]).await;
        assert_eq!(found, none_bogus, "{:?}", resolver.mode());
    }
}

#[tokio::test]
async fn a_broken_name_shows_nothing_if_its_zone_is_signed_with_what_need_not_count() {
    let world = world().await;
    world.domain("old.test").unsigned().add().unwrap();
    // RSA with SHA-1 (RFC 9905 §2).
    world.has(&format!(
        "old.test DS 106 5 1 {:040x}\n old.test DS 106 5 2 {:064x}",
        1, 2
    ));
    for resolver in world.resolvers() {
        resolver
            .tells("old.test DS -> secure records\n old.test SOA -> insecure records")
            .await;
        assert_eq!(find(&resolver, &[], &["old.test"]).await, Ok(()));
        let found = find(&resolver, &[], &["old.test", "insecure.test"]).await;
        assert_eq!(found, Err(Fault::BogusAnswered(domain("insecure.test"))));
    }
}

#[tokio::test]
async fn a_resolver_that_does_not_validate_is_not_believed_from_the_first_look_up_on() {
    let world = world().await;
    world.set_role(Role::Forwarder);
    let resolver = Client::new(config(&world, Mode::TrustAd));
    for question in ["mx.secure.test A", "mx.insecure.test A", "mx.bogus.test A"] {
        assert_eq!(resolver.ask(question).await, "failed indeterminate");
        assert_eq!(world.count(question), 0);
    }
    // It is mended, and believed as soon as it shows that.
    world.set_role(Role::Validator);
    let lines = "mx.hashed.test         A -> secure records
                 deep.ent.insecure.test A -> insecure records";
    resolver.tells(lines).await;
}

#[tokio::test]
async fn what_was_learnt_before_the_resolver_ceased_to_validate_is_forgotten() {
    let world = world().await;
    world.set_ttl(3600);
    let resolver = world.resolver(Mode::TrustAd);
    resolver.tells("mx.insecure.test A -> insecure records").await;
    world.set_role(Role::Forwarder);
    assert_eq!(find_by_root(&resolver).await, Err(Fault::NotValidating));
    world.set_role(Role::Validator);
    resolver.tells("mx.insecure.test A -> insecure records").await;
    assert_eq!(world.count("mx.insecure.test A"), 2, "it was asked anew");
}

/// Believes a server that does not validate and yet vouches for everything.
async fn believing_a_liar(world: &Scene) -> Client {
    let claim = |_: &Query, message: &mut Message| message.metadata.authentic_data = true;
    world.set_role(Role::Forwarder);
    world.asking(Mode::TrustAd, [world.forger(claim).await])
}

#[tokio::test]
async fn a_resolver_that_claims_security_for_everything_is_found_out_by_a_broken_name() {
    let world = world().await;
    let resolver = believing_a_liar(&world).await;
    assert_eq!(find_by_root(&resolver).await, Ok(()));
    resolver.tells("mx.bogus.test A -> secure records").await;
    let found_out = find(&resolver, &["secure.test"], &["bogus.test"]).await;
    assert_eq!(found_out, Err(Fault::BogusAnswered(domain("bogus.test"))));
    resolver.tells("mx.bogus.test A -> failed indeterminate").await;
}

#[tokio::test]
async fn the_first_look_ups_wait_for_the_self_test_within_their_deadline() {
    let world = world().await;
    let resolver = believing_a_liar(&world).await;
    let expected = resolver.expect_self_test();
    resolver.tells("mx.hashed.test A -> failed timeout").await;
    assert_eq!(world.count("mx.hashed.test A"), 0);
    let test = async {
        let fault = find(&resolver, &["secure.test"], &["bogus.test"]).await;
        drop(expected);
        fault
    };
    let (told, fault) = futures_util::future::join(resolver.ask("mx.bogus.test A"), test).await;
    assert_eq!(told, "failed indeterminate");
    assert_eq!(fault, Err(Fault::BogusAnswered(domain("bogus.test"))));
}

/// Whatever becomes of the test: no look-up waits for one that will not come.
#[tokio::test]
async fn a_test_that_is_broken_off_ends_the_wait_in_every_mode() {
    let world = world().await;
    for resolver in world.resolvers() {
        world.serves(resolver.mode());
        let (first, second) = (resolver.expect_self_test(), resolver.expect_self_test());
        let test = tokio::spawn(async move {
            let _first = first;
            std::future::pending::<()>().await;
        });
        let look_up = resolver.ask("mx.secure.test A");
        let end = async {
            tokio::task::yield_now().await;
            test.abort();
            drop(second);
        };
        let (told, ()) = futures_util::future::join(look_up, end).await;
        assert_eq!(told, "secure records");
        // The mode may change as it likes, tested or not.
        resolver.set_mode(Mode::Validate).unwrap();
        resolver.tells("mx.hashed.test A -> secure records").await;
        world.set_role(Role::Validator);
        resolver.set_mode(Mode::TrustAd).unwrap();
        resolver.tells("mx.optout.test A -> secure records").await;
    }
}

#[tokio::test]
async fn each_server_must_validate_and_silence_refutes_nothing() {
    let world = world().await;
    world.set_role(Role::Validator);
    let plain = world
        .forger(|_, message| message.metadata.authentic_data = false)
        .await;
    let resolver = world.asking(Mode::TrustAd, [world.address(), plain]);
    let found = Fault::OfOne {
        server: plain.to_string(),
        fault: Box::new(Fault::NotValidating),
    };
    assert_eq!(find_by_root(&resolver).await, Err(found));
    let (_held, dead) = dead_server().await;
    let resolver = world.asking(Mode::TrustAd, [dead, world.address()]);
    assert_eq!(find_by_root(&resolver).await, Ok(()));
    resolver.tells("mx.secure.test A -> secure records").await;
    let resolver = world.asking(Mode::TrustAd, [dead]);
    resolver.tells("mx.secure.test A -> failed timeout").await;
    let unheard = find_by_root(&resolver).await;
    assert_eq!(unheard, Err(Fault::Unreachable(LookupFailure::Timeout)));
}

#[tokio::test]
async fn failures_are_put_down_to_the_resolver_while_it_fails_its_test() {
    let world = world().await;
    let resolver = world.resolver(Mode::Validate);
    let everything = ".";
    world.breaks_below(everything, DnsFault::StripDnssec);
    assert_eq!(run(&resolver, &Names::default()).await, Err(Fault::NoSignatures));
    let failure = resolver.a(&domain("mx.secure.test")).await.unwrap_err();
    assert!(failure.is_ours(), "{failure}");
    assert_eq!(
        failure.to_string(),
        "bogus: our own resolver fails: the DNS servers leave out DNSSEC signatures: nothing can be validated behind \
         them; use other servers"
    );
    world.mend_dns(&Questions::Below(everything.to_owned())).unwrap();
    assert_eq!(run(&resolver, &Names::default()).await, Ok(()));
    world.breaks("mx.hashed.test A", DnsFault::BadSignature);
    let failure = resolver.a(&domain("mx.hashed.test")).await.unwrap_err();
    assert!(!failure.is_ours(), "{failure}");
}
