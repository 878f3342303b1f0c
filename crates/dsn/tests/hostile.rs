//! Whatever a server says, a client writes in its header or a library puts into words: the structure stands.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{Taken, expired, find, now, refused, report, report_id, take_apart};
use dsn::{Diagnostic, RecipientReport};
use mail::{DaneVerdict, FailCause, ReplyCode};
use proptest::prelude::*;

const FORGERIES: [&str; 9] = [
    "a\r\n\r\nFinal-Recipient: rfc822; other@example.com\r\nAction: delivered",
    "a\n\nAction: delivered",
    "a\rAction: delivered",
    "--=_01JDR4ZZZZZZZZZZZZZZZZZZZZ\r\nContent-Type: text/html",
    "\r\n--=_01JDR4ZZZZZZZZZZZZZZZZZZZZ--\r\n",
    "nul \0, escape \u{1b}[2J, delete \u{7f}, next line \u{85}, override \u{202e}, separator \u{2028}",
    "\u{e9}\u{20ac}\u{1f600}",
    "",
    "   \t  ",
];

fn taken(recipient: RecipientReport, original: &[u8]) -> Taken {
    let content = report(vec![recipient, expired()])
        .build(original, report_id(), now())
        .unwrap();
    take_apart(&content)
}

fn assert_structure(taken: &Taken) {
    assert_eq!(taken.groups.len(), 3, "{:?}", taken.groups);
    let names: Vec<&str> = taken.groups[1].iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "Final-Recipient",
            "Action",
            "Status",
            "Remote-MTA",
            "Diagnostic-Code",
            "Last-Attempt-Date",
            "X-DANE",
            "X-TLSA-Base"
        ]
    );
    assert_eq!(find(&taken.groups[1], "Action"), Some("failed"));
    let types: Vec<&str> = taken
        .parts
        .iter()
        .map(|(content_type, _)| content_type.as_str())
        .collect();
    assert!(types[0].starts_with("text/plain"), "{types:?}");
    assert_eq!(types[1..], ["message/delivery-status", "text/rfc822-headers"]);
}

fn with_reply(texts: &[String]) -> RecipientReport {
    RecipientReport {
        diagnostic: Diagnostic::reply(ReplyCode::new(550).unwrap(), texts),
        ..refused()
    }
}

fn with_reason(reason: &str) -> RecipientReport {
    RecipientReport {
        diagnostic: Diagnostic::Relay(reason.to_owned()),
        verdict: DaneVerdict::Fail(FailCause::TlsHandshake(reason.to_owned())),
        ..refused()
    }
}

#[test]
fn forged_replies_and_reasons() {
    for text in FORGERIES {
        assert_structure(&taken(with_reply(&[text.to_owned(), "end".to_owned()]), b""));
        assert_structure(&taken(with_reason(text), b""));
    }
}

#[test]
fn endless_replies_and_reasons() {
    for text in ["x".repeat(100_000), " ".repeat(100_000), "word ".repeat(20_000)] {
        let replied = report(vec![with_reply(&[text.clone(), text.clone()])]);
        let content = replied.build(b"", report_id(), now()).unwrap();
        assert!(content.len() < 16_384, "{} octets", content.len());
        assert_structure(&taken(with_reply(&[text.clone(), text.clone()]), b""));
        assert_structure(&taken(with_reason(&text), b""));
    }
}

#[test]
fn forged_headers_of_the_original() {
    for text in FORGERIES {
        let original = format!("Subject: {text}\r\nMessage-ID: <{text}@x>\r\n\r\nbody");
        assert_structure(&taken(refused(), original.as_bytes()));
        assert_structure(&taken(refused(), text.as_bytes()));
    }
}

#[test]
fn a_boundary_that_occurs_in_the_original_is_not_used() {
    let first = format!("=_{}", report_id());
    let original = format!("Subject: x\r\n--{first}\r\n--{first}.1--\r\nX: {first}.2\r\n");
    let taken = taken(refused(), original.as_bytes());
    assert_structure(&taken);
    let content_type = taken.field("Content-Type").unwrap();
    assert!(
        content_type.contains(&format!("boundary=\"{first}.3\"")),
        "{content_type}"
    );
    assert_eq!(taken.parts[2].1, original);
}

proptest! {
    #[test]
    fn nothing_breaks_the_structure(
        texts in proptest::collection::vec("(?s).{0,300}", 1..5),
        reason in "[\\x00-\\x7f]{0,300}",
        original in proptest::collection::vec(
            prop_oneof![Just(b'\r'), Just(b'\n'), Just(b':'), Just(b'-'), Just(b'='), any::<u8>()],
            0..600,
        ),
    ) {
        assert_structure(&taken(with_reply(&texts), &original));
        assert_structure(&taken(with_reason(&reason), &original));
    }
}
