use danerelay_tests::arena;
use danerelay_tests::certificates::wrong_tlsa;
use danerelay_tests::letter::Letter;
use danerelay_tests::make::Make;
use danerelay_tests::postfix::Postfix;
use danerelay_tests::process::{command, output, words};
use danerelay_tests::resolver::Resolver;
use danerelay_tests::server::{BACK, Receive, Submit};
use danerelay_tests::wait;
use danerelay_tests::world::{AUTHORITY, GOOD, WRONG, World};
use std::path::Path;

/// The test world itself is sound: Postfix's own DANE client gets the results that the relay should get.
#[test]
fn postfix_agrees_about_the_world() {
    arena::run("judges::postfix_agrees_about_the_world", |directory| {
        let mut world = World::start(directory, Resolver::Validating, Make::Postfix);
        let dane_only = "smtp_dns_support_level = dnssec\nsmtp_tls_security_level = dane-only\n\
                         smtp_tls_loglevel = 1";
        let front = Postfix::front(directory, dane_only);

        for domain in [GOOD, AUTHORITY] {
            let letter = Letter::new(&format!("direct-{domain}"), &format!("bob@{domain}"));
            front.submit(&letter);
            letter.assert_same(&world.back.receive(&letter));
            let verified = format!("Verified TLS connection established to mx.{domain}[{BACK}]:25");
            wait::until(&verified, || front.log().contains(&verified).then_some(()));
        }

        let letter = Letter::new("direct-wrong", &format!("bob@{WRONG}"));
        front.submit(&letter);
        let refused = "no matching DANE TLSA records";
        wait::until(refused, || front.log().contains(refused).then_some(()));
        assert_eq!(letter.find_in(&world.back.maildir()), None);
        let mended = world.certificates.end_entity.clone();
        world.publish(WRONG, &mended);
        let arrived = wait::until("the letter, once its record is right", || {
            front.flush();
            letter.find_in(&world.back.maildir())
        });
        letter.assert_same(&arrived);
    });
}

/// OpenSSL, as a third judge, accepts the good records and refuses the wrong one.
#[test]
fn openssl_agrees_about_the_records() {
    arena::run("judges::openssl_agrees_about_the_records", |directory| {
        openssl_agrees(directory, Make::Postfix);
    });
}

/// And so it does where Exim, which brings another TLS library, shows the certificate.
#[test]
fn openssl_agrees_about_the_records_before_exim() {
    arena::run(
        "judges::openssl_agrees_about_the_records_before_exim",
        |directory| openssl_agrees(directory, Make::Exim),
    );
}

fn openssl_agrees(directory: &Path, back: Make) {
    let world = World::start(directory, Resolver::Validating, back);
    assert!(openssl_verifies(&world.certificates.end_entity));
    assert!(openssl_verifies(&world.certificates.authority));
    assert!(!openssl_verifies(&wrong_tlsa()));
    assert!(!world.back.has_seen_mail());
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
        verified || words.contains("no matching DANE TLSA records"),
        "{words}"
    );
    verified
}
