//! The relay between real programs. The library's tour shows how they stand to each other.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use danerelay_tests::arena;
use danerelay_tests::certificates::wrong_tlsa;
use danerelay_tests::letter::Letter;
use danerelay_tests::postfix::{BACK, Postfix};
use danerelay_tests::process::{command, output, words};
use danerelay_tests::resolver::Resolver;
use danerelay_tests::wait;
use danerelay_tests::world::{AUTHORITY, GOOD, WRONG, World};
use std::path::Path;

/// The world itself is sound: Postfix's own DANE client finds in it what the relay is to find.
#[test]
fn postfix_agrees_about_the_world() {
    arena::run("postfix_agrees_about_the_world", |directory| {
        let mut world = World::start(directory, Resolver::Validating);
        let dane_only = "smtp_dns_support_level = dnssec\nsmtp_tls_security_level = dane-only\n\
                         smtp_tls_loglevel = 1";
        let front = Postfix::front(directory, dane_only);

        for domain in [GOOD, AUTHORITY] {
            let letter = Letter::new(&format!("direct-{domain}"), &format!("bob@{domain}"));
            front.sendmail(&letter);
            letter.assert_same(&world.back.receive(&letter));
            let verified = format!("Verified TLS connection established to mx.{domain}[{BACK}]:25");
            assert!(front.log().contains(&verified), "{}", front.log());
        }

        let letter = Letter::new("direct-wrong", &format!("bob@{WRONG}"));
        front.sendmail(&letter);
        wait::until("a deferred message", || {
            front
                .log()
                .contains("Server certificate not trusted")
                .then_some(())
        });
        assert_eq!(letter.find_in(&world.back.maildir()), None);
        let mended = world.certificates.end_entity.clone();
        world.publish(WRONG, &mended);
        letter.assert_same(&world.back.receive(&letter));
    });
}

/// OpenSSL, as a third judge, accepts the good records and refuses the wrong one.
#[test]
fn openssl_agrees_about_the_records() {
    arena::run("openssl_agrees_about_the_records", |directory| {
        let world = World::start(directory, Resolver::Validating);
        assert!(openssl_verifies(&world.certificates.end_entity));
        assert!(openssl_verifies(&world.certificates.authority));
        assert!(!openssl_verifies(&wrong_tlsa()));
        assert!(!world.back.has_seen_mail());
    });
}

fn openssl_verifies(tlsa: &str) -> bool {
    let server = format!("{BACK}:25");
    let domain = format!("mx.{GOOD}");
    let arguments = [
        "-starttls",
        "smtp",
        "-brief",
        "-verify_return_error",
        "-connect",
        &server,
    ];
    let output = output(
        command("openssl")
            .arg("s_client")
            .args(arguments)
            .args(["-dane_tlsa_domain", &domain, "-dane_tlsa_rrdata", tlsa])
            .current_dir(Path::new("/")),
    );
    let words = words(&output);
    let verified = output.status.success() && words.contains("Verification: OK");
    assert!(
        verified || words.contains("No matching DANE TLSA records"),
        "{words}"
    );
    verified
}
