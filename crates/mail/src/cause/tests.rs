//! One line per cause: everything that derives from it.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::lookup::LookupFailure;

/// The enhanced status, the value of `tlsfail=`, what DANE found wrong, and the result type of a TLS report.
fn derived(cause: &Cause) -> String {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    format!(
        "{} | {} | {} | {}",
        cause.enhanced(),
        or_none(cause.tlsfail()),
        or_none(cause.dane().map(|dane| dane.to_string())),
        or_none(cause.tls_result().map(|result| result.to_string())),
    )
}

fn refused(stage: Stage, code: u16, enhanced: Option<&str>) -> Cause {
    Cause::Smtp(SmtpFault::Refused {
        stage,
        code: ReplyCode::new(code).unwrap(),
        enhanced: enhanced.map(|code| code.parse().unwrap()),
    })
}

fn dane(flaw: DaneFlaw) -> Cause {
    Cause::Tls(TlsFault::Unproven(Unproven::Dane(flaw)))
}

fn web_pki(flaw: WebPkiFlaw) -> Cause {
    Cause::Tls(TlsFault::Unproven(Unproven::WebPki(flaw, "words".to_owned())))
}

fn broken(handshake: BrokenHandshake) -> Cause {
    Cause::Tls(TlsFault::Handshake(handshake))
}

#[test]
fn here_in_dns_and_by_policy() {
    let dns = |lookup, failure: LookupFailure| Cause::Dns(lookup, failure.into());
    for (cause, expected) in [
        (Cause::Ours(OurFault::Content), "4.3.0 | - | - | -"),
        (Cause::Ours(OurFault::DamagedContent), "4.3.0 | - | - | -"),
        (Cause::Ours(OurFault::NoRoots), "4.3.5 | no WebPKI roots | - | -"),
        (
            Cause::Ours(OurFault::NoProof),
            "4.3.5 | the handshake gave no proof | - | -",
        ),
        (Cause::Ours(OurFault::TooLate(10)), "4.4.5 | - | - | -"),
        (Cause::Ours(OurFault::NotAsked), "4.4.1 | - | - | -"),
        (Cause::Ours(OurFault::NothingTried), "4.4.1 | - | - | -"),
        (
            Cause::Ours(OurFault::SourceAddress([192, 0, 2, 1].into())),
            "4.3.5 | - | - | -",
        ),
        (Cause::Ours(OurFault::NoSocket), "4.3.2 | - | - | -"),
        (Cause::Ours(OurFault::PolicyNotFetched), "4.3.2 | - | - | -"),
        (Cause::Ours(OurFault::NoTurn(Limit::Pace)), "4.4.5 | - | - | -"),
        (
            dns(Lookup::Mx, LookupFailure::Bogus),
            "4.7.5 | - | MX lookup: bogus | dnssec-invalid",
        ),
        (
            dns(Lookup::Address, LookupFailure::Timeout),
            "4.4.3 | - | Address lookup: timeout | -",
        ),
        (
            dns(Lookup::Tlsa, LookupFailure::Servfail),
            "4.4.3 | - | TLSA lookup: servfail | -",
        ),
        (Cause::Destination(NoWay::NullMx), "5.1.10 | - | - | -"),
        (Cause::Destination(NoWay::NoSuchDomain(None)), "5.1.2 | - | - | -"),
        (Cause::Destination(NoWay::OwnMx), "5.4.6 | - | - | -"),
        (Cause::Destination(NoWay::NoAddresses), "5.4.4 | - | - | -"),
        (Cause::Destination(NoWay::IgnoredAddresses), "5.4.4 | - | - | -"),
        (Cause::Destination(NoWay::OtherFamily), "4.4.4 | - | - | -"),
        (Cause::Destination(NoWay::HostGone), "4.4.4 | - | - | -"),
        (
            Cause::Policy(Demand::AddressLiteral),
            "4.7.5 | - | - | dane-required",
        ),
        (
            Cause::Policy(Demand::InsecureMx),
            "4.7.5 | - | Insecure MX | dane-required",
        ),
        (
            Cause::Policy(Demand::NoUsableTlsa),
            "4.7.5 | - | No usable TLSA RRs | tlsa-invalid",
        ),
        (
            Cause::Policy(Demand::MtaStsMismatch),
            "4.7.5 | - | - | validation-failure",
        ),
        (Cause::Policy(Demand::MtaStsUnproven), "4.7.5 | - | - | -"),
        (Cause::Policy(Demand::MtaStsUnknown), "4.7.5 | - | - | -"),
        (Cause::Policy(Demand::SecurePath), "4.7.10 | - | - | -"),
        (Cause::Policy(Demand::SecurePathOfReport), "4.7.10 | - | - | -"),
        (Cause::Policy(Demand::SecureAddress), "4.7.10 | - | - | -"),
        (Cause::Policy(Demand::SecureRoute), "4.7.10 | - | - | -"),
        (
            Cause::Smtp(SmtpFault::Lacks(Missing::RequireTls)),
            "5.7.30 | - | - | -",
        ),
        (
            Cause::Policy(Demand::NoName),
            "4.7.5 | no host name to verify | - | -",
        ),
    ] {
        assert_eq!(derived(&cause), expected, "{cause:?}");
    }
}

#[test]
fn at_the_server() {
    let alert = BrokenHandshake::Alert("handshake_failure".to_owned());
    for (cause, expected) in [
        (
            Cause::Tls(TlsFault::NotOffered),
            "4.7.4 | not-offered | STARTTLS not offered | starttls-not-supported",
        ),
        (
            Cause::Tls(TlsFault::Refused(ReplyCode::new(454).unwrap())),
            "4.7.5 | refused | STARTTLS refused | validation-failure",
        ),
        (
            broken(alert),
            "4.7.5 | handshake_failure | TLS handshake: handshake_failure | validation-failure",
        ),
        (
            Cause::timed_out(Stage::Starttls),
            "4.7.5 | timeout | TLS handshake: timeout | validation-failure",
        ),
        (
            dane(DaneFlaw::NoMatch),
            "4.7.5 | bad_certificate | No matching TLSA RRs | validation-failure",
        ),
        (
            dane(DaneFlaw::NameMismatch),
            "4.7.5 | bad_certificate | DANE-TA: name mismatch | certificate-host-mismatch",
        ),
        (
            dane(DaneFlaw::Expired),
            "4.7.5 | bad_certificate | DANE-TA: expired | certificate-expired",
        ),
        // RFC 8460 §4.3.1: only what has expired.
        (
            dane(DaneFlaw::NotYetValid),
            "4.7.5 | bad_certificate | DANE-TA: expired | validation-failure",
        ),
        (
            web_pki(WebPkiFlaw::NotYetValid),
            "4.7.5 | bad_certificate | TLS handshake: words | validation-failure",
        ),
        (
            dane(DaneFlaw::Untrusted),
            "4.7.5 | bad_certificate | DANE-TA: untrusted | certificate-not-trusted",
        ),
        (
            dane(DaneFlaw::UnsupportedKey),
            "4.7.5 | bad_certificate | TLS handshake: unsupported key | validation-failure",
        ),
        (
            web_pki(WebPkiFlaw::NameMismatch),
            "4.7.5 | bad_certificate | TLS handshake: words | certificate-host-mismatch",
        ),
        (
            Cause::Tls(TlsFault::Unproven(Unproven::Key)),
            "4.7.5 | decrypt_error | TLS handshake: wrong signature | validation-failure",
        ),
        (Cause::Login(LoginFault::Unauthenticated), "4.7.5 | - | - | -"),
        (Cause::Login(LoginFault::NotOffered), "4.7.4 | - | - | -"),
        (
            Cause::Login(LoginFault::Refused {
                code: ReplyCode::new(535).unwrap(),
                enhanced: None,
            }),
            "4.7.8 | - | - | -",
        ),
        (Cause::Login(LoginFault::Challenge), "4.5.0 | - | - | -"),
        (Cause::timed_out(Stage::Connect), "4.4.1 | - | - | -"),
        (Cause::closed(Stage::Mail), "4.4.2 | - | - | -"),
        (refused(Stage::Rcpt, 550, Some("5.1.1")), "5.1.1 | - | - | -"),
        (refused(Stage::Data, 451, None), "4.0.0 | - | - | -"),
        (
            Cause::Smtp(SmtpFault::Lacks(Missing::Size(1))),
            "5.3.4 | - | - | -",
        ),
    ] {
        assert_eq!(derived(&cause), expected, "{cause:?}");
    }
}

#[test]
fn a_handshake_that_broke_is_no_refusal() {
    for (cause, expected) in [
        (broken(BrokenHandshake::NotTls), true),
        (Cause::timed_out(Stage::Starttls), true),
        (Cause::closed(Stage::Starttls), true),
        (Cause::protocol(Stage::Starttls, "words".to_owned()), false),
        (Cause::Tls(TlsFault::DataBeforeHandshake), false),
        (dane(DaneFlaw::NoMatch), false),
        (Cause::closed(Stage::Ehlo), false),
    ] {
        assert_eq!(cause.broke_handshake(), expected, "{cause:?}");
    }
}

/// Opportunistic mail demands nothing, and neither does the domain: a report says what was found.
#[test]
fn a_report_does_not_tell_of_our_demands() {
    for (cause, reason) in [
        (Cause::Tls(TlsFault::NotOffered), None),
        (
            Cause::Tls(TlsFault::Refused(ReplyCode::new(454).unwrap())),
            Some("the server refused STARTTLS: 454"),
        ),
        (
            Cause::Policy(Demand::NoUsableTlsa),
            Some("none of the TLSA records is usable"),
        ),
        (
            dane(DaneFlaw::NoMatch),
            Some("the server did not prove its identity: no matching TLSA records"),
        ),
    ] {
        assert_eq!(cause.tls_reason().as_deref(), reason);
    }
}
