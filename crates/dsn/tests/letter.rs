//! The part for people: whom it concerns, what failed, by which rule, and who can mend it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{ORIGINAL, Taken, built, expired, mailbox, refused, report};
use dsn::{Diagnostic, Report};
use mail::cause::{Cause, Demand, Lookup, TlsFault, Unproven, WebPkiFlaw};
use mail::{Culprit, DaneVerdict, FailCause, FailedLookup, LookupFailure, SkipReason};

fn build(report: &Report) -> Taken {
    built(report, ORIGINAL)
}

#[test]
fn the_letter_says_what_failed_why_and_who_can_mend_it() {
    let letter = build(&report(vec![expired()])).parts[0].words();
    for words in [
        "<carol@example.net>",
        ", to whom you wrote as <Carol@alias.example>",
        "tried for 5 days",
        "mail.example.net",
        "no TLSA record matches",
        "matches none of the TLSA records",
        "fault at the receiving side",
        "postmaster@example.net",
        "postmaster@relay.example.nl",
    ] {
        assert!(letter.contains(words), "{words} in {letter}");
    }
    let mut same = expired();
    same.original_recipient = Some("rfc822;Carol@example.net".parse().unwrap());
    let letter = build(&report(vec![same])).parts[0].words();
    assert!(!letter.contains("you wrote as"), "{letter}");
    let refusal = build(&report(vec![refused()])).parts.remove(0);
    let refusal = refusal.text();
    assert!(!refusal.contains("security rule"), "{refusal}");
    assert!(
        refusal.contains("\r\n        550 5.1.1 good bye\r\n"),
        "{refusal}"
    );
}

#[test]
fn what_is_the_same_for_many_is_told_once() {
    let mut others = [expired(), expired()];
    others[0].address = mailbox("dave@example.net");
    others[1].address = mailbox("dave@another.example");
    let [dave, another] = others;
    let taken = build(&report(vec![expired(), another, dave]));
    assert_eq!(taken.groups.len(), 4);
    let letter = taken.parts[0].words();
    let together = "<carol@example.net>, to whom you wrote as <Carol@alias.example> <dave@example.net>, to whom you wrote";
    assert!(letter.contains(together), "{letter}");
    assert_eq!(letter.matches("The security rule").count(), 2, "{letter}");
    assert_eq!(letter.matches("reached at postmaster@example.net").count(), 1);
    assert_eq!(letter.matches("reached at postmaster@another.example").count(), 1);
}

#[test]
fn a_blank_original_recipient_is_not_spoken_of() {
    let mut recipient = refused();
    recipient.original_recipient = Some("rfc822;+20".parse().unwrap());
    let letter = build(&report(vec![recipient])).parts[0].words();
    assert!(!letter.contains("you wrote as"), "{letter}");
}

#[test]
fn a_rule_about_encryption_is_told_where_dane_had_no_say() {
    let proof = Unproven::WebPki(WebPkiFlaw::Expired, "certificate expired".to_owned());
    for (fault, rule) in [
        (TlsFault::NotOffered, "over encrypted connections only"),
        (
            TlsFault::Unproven(proof),
            "only to servers that show a certificate valid for their name",
        ),
    ] {
        let mut recipient = expired();
        let cause = Cause::Tls(fault);
        recipient.status = cause.enhanced();
        recipient.diagnostic = Diagnostic::Relay(cause.to_string());
        recipient.cause = Some(cause);
        recipient.verdict = DaneVerdict::Skip(SkipReason::NoSecureTlsa);
        recipient.tlsa_base = None;
        let letter = build(&report(vec![recipient])).parts[0].words();
        for words in [
            "The security rule behind it: This mail system has been told",
            rule,
            "it is reached at postmaster@example.net",
            "postmaster@relay.example.nl can tell whose rule it is",
        ] {
            assert!(letter.contains(words), "{words} in {letter}");
        }
    }
}

#[test]
fn an_outage_of_dns_may_be_our_own() {
    for failure in [
        LookupFailure::Indeterminate,
        LookupFailure::Servfail,
        LookupFailure::Timeout,
        LookupFailure::Rcode("REFUSED".to_owned()),
    ] {
        let mut recipient = expired();
        recipient.cause = Some(Cause::Dns(Lookup::Mx, failure.clone().into()));
        recipient.verdict = DaneVerdict::Fail(FailCause::MxLookup(failure));
        let letter = build(&report(vec![recipient])).parts[0].words();
        for words in [
            "a fault of the resolver of this mail system, of the receiving side",
            "postmaster@relay.example.nl can tell, and is to be asked first",
            "reached at postmaster@example.net",
        ] {
            assert!(letter.contains(words), "{words} in {letter}");
        }
    }
}

#[test]
fn where_our_own_resolver_fails_nobody_else_is_blamed() {
    let mut recipient = expired();
    recipient.verdict = DaneVerdict::Fail(FailCause::MxLookup(LookupFailure::Bogus));
    let failure = FailedLookup::new(LookupFailure::Bogus, Culprit::OurResolver, "bogus");
    recipient.cause = Some(Cause::Dns(Lookup::Mx, failure));
    recipient.tlsa_base = None;
    let reason = "the MX look-up failed: bogus: our own resolver fails: none of the keys of the root zone matches the \
                  trust anchor";
    recipient.diagnostic = Diagnostic::Relay(reason.to_owned());
    let letter = build(&report(vec![recipient])).parts[0].words();
    for words in [
        reason,
        "its own resolver does not work as it must",
        "a fault of this mail system and of nothing at the receiving side",
        "postmaster@relay.example.nl can mend it",
    ] {
        assert!(letter.contains(words), "{words} in {letter}");
    }
    for words in ["fault at the receiving side", "reached at postmaster@example.net"] {
        assert!(!letter.contains(words), "{words} in {letter}");
    }
}

#[test]
fn a_policy_and_a_route_that_are_wrong_are_named_as_such() {
    for (demand, words) in [
        (
            Demand::MtaStsMismatch,
            "by correcting its policy or its MX records; it is reached at postmaster@example.net",
        ),
        (
            Demand::MtaStsUnknown,
            "by making its policy available or by signing its DNS records",
        ),
        (
            Demand::SecureAddress,
            "You can send the message without this demand",
        ),
        (
            Demand::SecureRoute,
            "This is a fault of this mail system and of nothing at the receiving side.",
        ),
    ] {
        let mut recipient = expired();
        let cause = Cause::Policy(demand);
        recipient.status = cause.enhanced();
        recipient.diagnostic = Diagnostic::Relay(cause.to_string());
        recipient.cause = Some(cause);
        recipient.verdict = DaneVerdict::NotReached;
        recipient.tlsa_base = None;
        let letter = build(&report(vec![recipient])).parts[0].words();
        assert!(letter.contains(words), "{words} in {letter}");
        assert!(
            !letter.contains("show a certificate valid for their name"),
            "{letter}"
        );
    }
}
