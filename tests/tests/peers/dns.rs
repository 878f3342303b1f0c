use danerelay_tests::arena;
use danerelay_tests::make::Make;
use danerelay_tests::relay::DnsMode;
use danerelay_tests::resolver::Resolver;
use danerelay_tests::stage::{Cast, Stage, letter_to};
use danerelay_tests::wait;
use danerelay_tests::world::{BOGUS, GOOD, INSECURE_MX, UNSIGNED, WRONG};
use std::path::Path;

#[test]
fn a_bogus_domain_waits_by_trusting_unbound() {
    arena::run("dns::a_bogus_domain_waits_by_trusting_unbound", |directory| {
        a_bogus_domain_waits(directory, DnsMode::TrustAd);
    });
}

#[test]
fn a_bogus_domain_waits_by_validating() {
    arena::run("dns::a_bogus_domain_waits_by_validating", |directory| {
        a_bogus_domain_waits(directory, DnsMode::Validate);
    });
}

/// If the resolver is to be believed but shows that it does not validate, its answers are not taken for insecure ones: all
/// mail waits, and an alarm says why.
#[test]
fn a_resolver_that_does_not_validate_is_not_believed() {
    arena::run(
        "dns::a_resolver_that_does_not_validate_is_not_believed",
        |directory| {
            let stage = Stage::set_with(
                directory,
                Cast::both(Make::Exim, DnsMode::TrustAd),
                Resolver::Plain,
            );
            let alarm = stage.relay.event("resolver", "failing");
            assert_eq!(alarm.get("dns"), "trust-ad");
            let reason = alarm.get("reason");
            assert!(reason.contains("the resolver does not validate"), "{alarm:?}");

            let before = stage.world.back.connections();
            for domain in [GOOD, UNSIGNED, INSECURE_MX] {
                let letter = letter_to(domain);
                stage.front.submit(&letter);
                let line = stage.relay.delivery(&letter.recipient, "deferred");
                assert!(line.get("dane").starts_with("Fail (MX lookup: "), "{line:?}");
            }
            assert_eq!(stage.world.back.connections(), before);
        },
    );
}

/// Mail that waits already is not given away either when the relay, killed and started anew, finds such a resolver.
#[test]
fn a_restart_does_not_believe_it_either() {
    arena::run("dns::a_restart_does_not_believe_it_either", |directory| {
        let mut stage = Stage::set(directory, Cast::both(Make::Exim, DnsMode::TrustAd));
        let letter = letter_to(WRONG);
        stage.front.submit(&letter);
        let line = stage.relay.delivery(&letter.recipient, "deferred");
        assert_eq!(line.get("dane"), "Fail (No matching TLSA RRs)");

        stage.world.resolve_by(Resolver::Plain);
        stage.relay.restart();
        wait::until("an attempt that does not believe the resolver", || {
            let lines = stage.relay.deliveries(&letter.recipient);
            lines
                .iter()
                .any(|line| line.get("dane").starts_with("Fail (MX lookup: "))
                .then_some(())
        });
        stage.relay.event("resolver", "failing");
        assert!(!stage.world.back.has_seen_mail(), "{}", stage.world.back.log());

        let mended = stage.world.certificates.end_entity.clone();
        stage.world.publish(WRONG, &mended);
        stage.world.resolve_by(Resolver::Validating);
        stage.relay.restart();
        letter.assert_same(&stage.world.back.receive(&letter));
        let line = stage.relay.delivery(&letter.recipient, "sent");
        assert_eq!(line.get("dane"), "Verify (Secure TLSA RRs found)");
    });
}

/// If DNSSEC says that an answer is forged, no server is contacted at all.
fn a_bogus_domain_waits(directory: &Path, mode: DnsMode) {
    let stage = Stage::set(directory, Cast::both(Make::Exim, mode));
    let before = stage.world.back.connections();
    let letter = letter_to(BOGUS);
    stage.front.submit(&letter);
    let line = stage.relay.delivery(&letter.recipient, "deferred");
    assert_eq!(line.get("dane"), "Fail (MX lookup: bogus)");
    assert_eq!(line.get("enhanced"), "4.7.5");
    assert_eq!(line.get("dsn"), "-");
    assert_eq!(stage.world.back.connections(), before);
}
