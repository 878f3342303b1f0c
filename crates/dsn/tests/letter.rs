//! The part for people: whom it concerns, what failed, by which rule, and who can mend it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{ORIGINAL, Taken, built, expired, mailbox, refused, report};
use dsn::Report;

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
