use danerelay_tests::arena;
use danerelay_tests::letter::SENDER;
use danerelay_tests::make::Make;
use danerelay_tests::relay::DnsMode;
use danerelay_tests::server::BACK;
use danerelay_tests::stage::{Cast, Stage, letter_to};
use danerelay_tests::wait;
use danerelay_tests::world::{AUTHORITY, GOOD, WRONG};
use std::path::Path;

/// Exim hands the mail over, Postfix receives it.
const EXIM_IN_FRONT: Cast = Cast {
    front: Make::Exim,
    back: Make::Postfix,
    mode: DnsMode::TrustAd,
};

/// Postfix hands the mail over, Exim receives it.
const EXIM_BEHIND: Cast = Cast {
    front: Make::Postfix,
    back: Make::Exim,
    mode: DnsMode::Validate,
};

/// Postfix hands the mail over, OpenSMTPD receives it.
const OPENSMTPD_BEHIND: Cast = Cast {
    front: Make::Postfix,
    back: Make::OpenSmtpd,
    mode: DnsMode::TrustAd,
};

#[test]
fn good_records_verify_by_trusting_unbound() {
    arena::run("secured::good_records_verify_by_trusting_unbound", |directory| {
        good_records_verify(directory, Cast::both(Make::Postfix, DnsMode::TrustAd));
    });
}

#[test]
fn good_records_verify_by_validating() {
    arena::run("secured::good_records_verify_by_validating", |directory| {
        good_records_verify(directory, Cast::both(Make::Postfix, DnsMode::Validate));
    });
}

#[test]
fn good_records_verify_from_exim() {
    arena::run("secured::good_records_verify_from_exim", |directory| {
        good_records_verify(directory, EXIM_IN_FRONT);
    });
}

#[test]
fn good_records_verify_to_exim() {
    arena::run("secured::good_records_verify_to_exim", |directory| {
        good_records_verify(directory, EXIM_BEHIND);
    });
}

#[test]
fn good_records_verify_to_opensmtpd() {
    if crate::is_opensmtpd_left_out() {
        return;
    }
    arena::run("secured::good_records_verify_to_opensmtpd", |directory| {
        good_records_verify(directory, OPENSMTPD_BEHIND);
    });
}

#[test]
fn a_wrong_record_is_mended_by_trusting_unbound() {
    arena::run(
        "secured::a_wrong_record_is_mended_by_trusting_unbound",
        |directory| a_wrong_record_is_mended(directory, Cast::both(Make::Postfix, DnsMode::TrustAd)),
    );
}

#[test]
fn a_wrong_record_is_mended_by_validating() {
    arena::run("secured::a_wrong_record_is_mended_by_validating", |directory| {
        a_wrong_record_is_mended(directory, Cast::both(Make::Postfix, DnsMode::Validate));
    });
}

#[test]
fn a_wrong_record_is_mended_from_exim() {
    arena::run("secured::a_wrong_record_is_mended_from_exim", |directory| {
        a_wrong_record_is_mended(directory, EXIM_IN_FRONT);
    });
}

#[test]
fn a_wrong_record_is_mended_to_exim() {
    arena::run("secured::a_wrong_record_is_mended_to_exim", |directory| {
        a_wrong_record_is_mended(directory, EXIM_BEHIND);
    });
}

#[test]
fn a_wrong_record_is_mended_to_opensmtpd() {
    if crate::is_opensmtpd_left_out() {
        return;
    }
    arena::run("secured::a_wrong_record_is_mended_to_opensmtpd", |directory| {
        a_wrong_record_is_mended(directory, OPENSMTPD_BEHIND);
    });
}

/// `3 1 1` and, under the private authority, `2 0 1`.
fn good_records_verify(directory: &Path, cast: Cast) {
    let stage = Stage::set(directory, cast);
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
        assert!(line.get("reply").starts_with(cast.back.taken()), "{line:?}");
    }
}

/// A wrong record holds up the message, reveals nothing of it to the server, and loses nothing.
fn a_wrong_record_is_mended(directory: &Path, cast: Cast) {
    let mut stage = Stage::set(directory, cast);
    let letter = letter_to(WRONG);
    stage.front.submit(&letter);

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
    let recipients = message["recipients"].as_array().unwrap();
    assert_eq!(recipients.len(), 1, "{message}");
    assert_eq!(recipients[0]["enhanced"], "4.7.5");

    let mended = stage.world.certificates.end_entity.clone();
    stage.world.publish(WRONG, &mended);
    letter.assert_same(&stage.world.back.receive(&letter));
    // Otherwise its silence above would mean nothing.
    assert!(stage.world.back.has_seen_mail(), "{}", stage.world.back.log());
    let line = stage.relay.delivery(&letter.recipient, "sent");
    assert_eq!(line.get("dane"), "Verify (Secure TLSA RRs found)");
    assert_ne!(line.get("attempt"), "1");
    wait::until("an empty queue", || {
        stage.relay.queued(&letter.recipient).is_none().then_some(())
    });
}
