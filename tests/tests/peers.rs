//! The relay between real programs. The library's tour shows how they stand to each other.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use danerelay_tests::arena;
use danerelay_tests::certificates::wrong_tlsa;
use danerelay_tests::letter::{Letter, SENDER};
use danerelay_tests::postfix::{BACK, FRONT, Postfix};
use danerelay_tests::process::{command, output, words};
use danerelay_tests::relay::{DnsMode, HOST, LogLine, PORT, Relay};
use danerelay_tests::resolver::Resolver;
use danerelay_tests::wait;
use danerelay_tests::world::{AUTHORITY, BOGUS, GOOD, INSECURE_MX, SOFT_FAIL, UNSIGNED, WRONG, World};
use std::path::Path;
use std::process::Output;

/// What swaks exits with when every recipient was refused.
const SWAKS_RECIPIENT_REFUSED: i32 = 24;

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
            wait::until(&verified, || front.log().contains(&verified).then_some(()));
        }

        let letter = Letter::new("direct-wrong", &format!("bob@{WRONG}"));
        front.sendmail(&letter);
        let refused = "no matching DANE TLSA records";
        wait::until(refused, || front.log().contains(refused).then_some(()));
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

#[test]
fn good_records_verify_by_trusting_unbound() {
    arena::run("good_records_verify_by_trusting_unbound", |directory| {
        good_records_verify(directory, DnsMode::TrustAd);
    });
}

#[test]
fn good_records_verify_by_validating() {
    arena::run("good_records_verify_by_validating", |directory| {
        good_records_verify(directory, DnsMode::Validate);
    });
}

#[test]
fn a_wrong_record_is_mended_by_trusting_unbound() {
    arena::run("a_wrong_record_is_mended_by_trusting_unbound", |directory| {
        a_wrong_record_is_mended(directory, DnsMode::TrustAd);
    });
}

#[test]
fn a_wrong_record_is_mended_by_validating() {
    arena::run("a_wrong_record_is_mended_by_validating", |directory| {
        a_wrong_record_is_mended(directory, DnsMode::Validate);
    });
}

#[test]
fn weaker_domains_by_trusting_unbound() {
    arena::run("weaker_domains_by_trusting_unbound", |directory| {
        weaker_domains(directory, DnsMode::TrustAd);
    });
}

#[test]
fn weaker_domains_by_validating() {
    arena::run("weaker_domains_by_validating", |directory| {
        weaker_domains(directory, DnsMode::Validate);
    });
}

#[test]
fn a_bogus_domain_waits_by_trusting_unbound() {
    arena::run("a_bogus_domain_waits_by_trusting_unbound", |directory| {
        a_bogus_domain_waits(directory, DnsMode::TrustAd);
    });
}

#[test]
fn a_bogus_domain_waits_by_validating() {
    arena::run("a_bogus_domain_waits_by_validating", |directory| {
        a_bogus_domain_waits(directory, DnsMode::Validate);
    });
}

/// Only the networks named in the configuration may relay.
#[test]
fn strangers_may_not_relay() {
    arena::run("strangers_may_not_relay", |directory| {
        let stage = Stage::set(directory, DnsMode::TrustAd);
        let stranger = swaks(BACK);
        assert_eq!(
            stranger.status.code(),
            Some(SWAKS_RECIPIENT_REFUSED),
            "{}",
            words(&stranger)
        );
        let known = swaks(FRONT);
        assert!(known.status.success(), "{}", words(&known));
        assert_eq!(
            stage.relay.delivery(&format!("bob@{GOOD}"), "sent").get("dsn"),
            "250"
        );
    });
}

/// `3 1 1` and, under the private authority, `2 0 1`.
fn good_records_verify(directory: &Path, mode: DnsMode) {
    let stage = Stage::set(directory, mode);
    let expected = [
        (GOOD, &stage.world.certificates.end_entity),
        (AUTHORITY, &stage.world.certificates.authority),
    ];
    for (domain, tlsa) in expected {
        let line = stage.arrives(domain);
        assert_eq!(line.get("dane"), "Verify (Secure TLSA RRs found)");
        assert_eq!(line.get("mode"), "dane opportunistic");
        assert_eq!(line.get("mx"), "secure");
        assert_eq!(line.get("relay"), format!("mx.{domain} [{BACK}]"));
        assert_eq!(line.get("base"), format!("mx.{domain}"));
        assert!(line.get("tlsa").starts_with(&tlsa[..14]), "{line:?}");
        assert!(line.get("tls").starts_with("TLSv1.3:TLS_"), "{line:?}");
        assert_eq!(line.get("tlsvalid"), "0 (ok)");
        assert_eq!(line.get("dsn"), "250");
        assert_eq!(line.get("enhanced"), "2.0.0");
        assert_eq!(line.get("attempt"), "1");
        let queued = line.get("reply");
        assert!(queued.starts_with("250 2.0.0 Ok: queued as "), "{line:?}");
    }
}

/// A wrong record holds the message up, shows nothing of it to the server, and loses nothing.
fn a_wrong_record_is_mended(directory: &Path, mode: DnsMode) {
    let mut stage = Stage::set(directory, mode);
    let letter = letter_to(WRONG);
    stage.front.sendmail(&letter);

    let line = stage.relay.delivery(&letter.recipient, "deferred");
    assert_eq!(line.get("dane"), "Fail (No matching TLSA RRs)");
    assert_eq!(line.get("enhanced"), "4.7.5");
    assert!(line.get("tlsvalid").starts_with("65 "), "{line:?}");
    assert!(!stage.world.back.has_seen_mail(), "{}", stage.world.back.log());

    let message = wait::until("a deferred message in the queue", || {
        let message = stage.relay.queued(&letter.recipient)?;
        (message["recipients"][0]["state"] == "deferred").then_some(message)
    });
    assert_eq!(message["sender"], SENDER);
    let recipient = &message["recipients"][0];
    assert_eq!(recipient["enhanced"], "4.7.5");

    let mended = stage.world.certificates.end_entity.clone();
    stage.world.publish(WRONG, &mended);
    letter.assert_same(&stage.world.back.receive(&letter));
    let line = stage.relay.delivery(&letter.recipient, "sent");
    assert_eq!(line.get("dane"), "Verify (Secure TLSA RRs found)");
    assert_ne!(line.get("attempt"), "1");
    wait::until("an empty queue", || {
        stage.relay.queued(&letter.recipient).is_none().then_some(())
    });
}

/// What DANE does not protect arrives too, and the log does not claim more than is true.
fn weaker_domains(directory: &Path, mode: DnsMode) {
    let stage = Stage::set(directory, mode);
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

/// Where DNSSEC says that an answer is forged, no server is asked at all.
fn a_bogus_domain_waits(directory: &Path, mode: DnsMode) {
    let stage = Stage::set(directory, mode);
    let before = stage.world.back.connections();
    let letter = letter_to(BOGUS);
    stage.front.sendmail(&letter);
    let line = stage.relay.delivery(&letter.recipient, "deferred");
    assert_eq!(line.get("dane"), "Fail (MX lookup: bogus)");
    assert_eq!(line.get("enhanced"), "4.7.5");
    assert_eq!(line.get("dsn"), "-");
    assert_eq!(stage.world.back.connections(), before);
}

/// The world with a Postfix that sends through the relay.
struct Stage {
    relay: Relay,
    front: Postfix,
    world: World,
}

impl Stage {
    fn set(directory: &Path, mode: DnsMode) -> Self {
        let resolver = match mode {
            DnsMode::TrustAd => Resolver::Validating,
            DnsMode::Validate => Resolver::Plain,
        };
        let world = World::start(directory, resolver);
        let relay = Relay::start(directory, mode, &world.tree.trust_anchor(), SOFT_FAIL);
        let front = Postfix::front(directory, &format!("relayhost = [{HOST}]:{PORT}"));
        Self { relay, front, world }
    }

    /// Sends a letter to the domain, compares what arrives, and returns the log line.
    fn arrives(&self, domain: &str) -> LogLine {
        let letter = letter_to(domain);
        self.front.sendmail(&letter);
        letter.assert_same(&self.world.back.receive(&letter));
        self.relay.delivery(&letter.recipient, "sent")
    }
}

fn letter_to(domain: &str) -> Letter {
    Letter::new(&format!("letter-to-{domain}"), &format!("bob@{domain}"))
}

/// Offers the relay a message from this local address.
fn swaks(from: &str) -> Output {
    let server = format!("{HOST}:{PORT}");
    let recipient = format!("bob@{GOOD}");
    output(command("swaks").args([
        "--server",
        &server,
        "--local-interface",
        from,
        "--from",
        SENDER,
        "--to",
        &recipient,
        "--helo",
        "front.test",
    ]))
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
