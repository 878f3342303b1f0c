use danerelay_tests::arena;
use danerelay_tests::make::Make;
use danerelay_tests::relay::DnsMode;
use danerelay_tests::stage::{Cast, Stage};
use danerelay_tests::world::{INSECURE_MX, SOFT_FAIL, UNSIGNED};
use std::path::Path;

#[test]
fn weaker_domains_by_trusting_unbound() {
    arena::run("weaker::weaker_domains_by_trusting_unbound", |directory| {
        weaker_domains(directory, Cast::both(Make::Postfix, DnsMode::TrustAd));
    });
}

#[test]
fn weaker_domains_by_validating() {
    arena::run("weaker::weaker_domains_by_validating", |directory| {
        weaker_domains(directory, Cast::both(Make::Exim, DnsMode::Validate));
    });
}

/// Mail that DANE does not protect arrives too, and the log does not claim more than is true.
fn weaker_domains(directory: &Path, cast: Cast) {
    let stage = Stage::set(directory, cast);
    let expected = [
        (UNSIGNED, "Skip (Insecure host information)"),
        (INSECURE_MX, "Verify host only (Insecure MX)"),
        (SOFT_FAIL, "Softfail (No matching TLSA RRs)"),
    ];
    for (domain, dane) in expected {
        let line = stage.arrives(domain);
        assert_eq!(line.get("dane"), dane);
        assert!(line.get("tls").starts_with("TLSv1.3:TLS_"), "{line:?}");
    }
}
