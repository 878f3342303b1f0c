//! Whatever a server says, a client writes in its header or a library puts into words: the structure stands.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{
    Taken, built, expired, find, international, now, refused, refused_international, report, report_id,
    report_on,
};
use dsn::{Diagnostic, RecipientReport};
use mail::cause::{BrokenHandshake, Cause, DaneFlaw, TlsFault, Unproven};
use mail::{DaneVerdict, FailCause, Mailbox, ReplyCode, Ret};
use mail_parser::{MessageParser, MimeHeaders};
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

/// With something of an original in front, so that there is something to return.
fn taken(recipient: RecipientReport, original: &[u8]) -> Taken {
    let original = [b"From: a@example.org\r\n", original].concat();
    built(&report_on(&original, None, vec![recipient, expired()]), &original)
}

fn assert_structure(taken: &Taken) {
    assert_eq!(taken.groups.len(), 3, "{:?}", taken.groups);
    let names: Vec<&str> = taken.groups[1].iter().map(|(name, _)| name.as_str()).collect();
    let mut expected = vec![
        "Final-Recipient",
        "Action",
        "Status",
        "Remote-MTA",
        "Diagnostic-Code",
        "Last-Attempt-Date",
        "X-Danerelay-DANE",
        "X-Danerelay-TLSA-Base",
    ];
    // There is none where there are no words.
    if !names.contains(&"Diagnostic-Code") {
        expected.remove(4);
    }
    assert_eq!(names, expected);
    assert_eq!(find(&taken.groups[1], "Action"), Some("failed"));
    let types = taken.types();
    assert_eq!(
        types,
        [
            "text/plain; charset=\"us-ascii\"",
            "message/delivery-status",
            "text/rfc822-headers"
        ]
    );
    let letter = taken.parts[0].text();
    let is_printable = |c: char| matches!(c, ' '..='~' | '\r' | '\n');
    assert!(letter.chars().all(is_printable), "{letter}");
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
        cause: Some(Cause::Tls(TlsFault::Handshake(BrokenHandshake::Other(
            reason.to_owned(),
        )))),
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
fn a_thousand_recipients_do_not_make_a_report_of_megabytes() {
    let recipients: Vec<RecipientReport> = (0..1000)
        .map(|number| RecipientReport {
            address: Mailbox::parse(&format!("user@domain{number}.example")).unwrap(),
            verdict: DaneVerdict::Fail(FailCause::NoMatchingTlsa),
            cause: Some(Cause::Tls(TlsFault::Unproven(Unproven::Dane(DaneFlaw::NoMatch)))),
            ..with_reply(&[
                format!("{number} {}", "word ".repeat(400)),
                "the point".to_owned(),
            ])
        })
        .collect();
    let content = report(recipients.clone()).build(b"", report_id(), now()).unwrap();
    assert!(content.len() < 512 * 1024, "{} octets", content.len());
    let taken = built(&report(recipients), common::ORIGINAL);
    let letter = taken.parts[0].text();
    assert_eq!(taken.groups.len(), 1001);
    for (number, group) in taken.groups[1..].iter().enumerate() {
        let address = format!("user@domain{number}.example");
        assert_eq!(letter.matches(&format!("<{address}>")).count(), 1, "{address}");
        assert_eq!(
            find(group, "Final-Recipient"),
            Some(&*format!("rfc822; {address}"))
        );
        let diagnostic = find(group, "Diagnostic-Code").unwrap();
        assert!(
            diagnostic.starts_with(&format!("smtp; 550-{number} word")),
            "{diagnostic}"
        );
        assert!(diagnostic.ends_with("550 the point"), "{diagnostic}");
    }
    let words = taken.parts[0].words();
    assert!(words.contains("the following recipients is in the attached delivery status"));
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
    let original =
        format!("Subject: x\r\n--{first}: x\r\n--{first}.1--: x\r\nX: {first}.2\r\n\r\n--{first}.3--\r\n");
    for (ret, number) in [(None, 3), (Some(Ret::Full), 4)] {
        let report = report_on(original.as_bytes(), ret, vec![refused()]);
        let taken = built(&report, original.as_bytes());
        let content_type = taken.field("Content-Type").unwrap();
        assert!(
            content_type.contains(&format!("boundary=\"{first}.{number}\"")),
            "{content_type}"
        );
        assert!(original.starts_with(taken.parts[2].text()), "{taken:?}");
    }
}

/// Another reader finds the same parts in it, and the same addresses in its header.
fn assert_read_by_another(content: &[u8], types: &[&str], sender: &str) {
    let message = MessageParser::new().parse(content).unwrap();
    let to = message.to().unwrap().first().unwrap();
    assert_eq!(to.address(), Some(sender));
    let found: Vec<String> = message.parts[1..]
        .iter()
        .map(|part| {
            let content_type = part.content_type().unwrap();
            format!("{}/{}", content_type.ctype(), content_type.subtype().unwrap())
        })
        .collect();
    let types: Vec<_> = types.iter().map(|kind| kind.split(';').next().unwrap()).collect();
    assert_eq!(found, types);
}

fn mailbox() -> impl Strategy<Value = Mailbox> {
    "[a-z\u{e9}\u{202e}+=]{1,60}@[a-z\u{e9}]{1,20}\\.example"
        .prop_filter_map("no mailbox", |text| Mailbox::parse(&text).ok())
}

fn original() -> impl Strategy<Value = Vec<u8>> {
    let octet = prop_oneof![
        Just(b'\r'),
        Just(b'\n'),
        Just(b':'),
        Just(b'-'),
        Just(b'='),
        any::<u8>()
    ];
    prop_oneof![
        proptest::collection::vec(octet, 0..600),
        "(From: [ -~\u{e9}]{0,1200}\r\n){1,9}\r\n([\t-~\u{e9}]{0,1200}\r\n){0,9}"
            .prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn nothing_breaks_the_structure(
        texts in proptest::collection::vec("(?s).{0,300}", 1..5),
        reason in "[\\x00-\\x7f]{0,300}",
        original in original(),
    ) {
        assert_structure(&taken(with_reply(&texts), &original));
        assert_structure(&taken(with_reason(&reason), &original));
    }

    #[test]
    fn whatever_is_returned_and_whoever_gets_it(
        address in mailbox(),
        sender in mailbox(),
        all in any::<bool>(),
        smtputf8 in any::<bool>(),
        original in original(),
    ) {
        let recipient = RecipientReport { address: address.clone(), ..refused_international() };
        let mut report = report_on(&original, all.then_some(Ret::Full), vec![recipient]);
        report.original_sender = sender.clone();
        report.parameters.smtputf8 = smtputf8;
        let taken = built(&report, &original);
        prop_assert_eq!(taken.groups.len(), 2);
        for part in &taken.parts[..2] {
            let turns = part.text().contains('\u{202e}');
            prop_assert!(!turns, "{:?}", part);
        }
        let content = report.build(&original, report_id(), now()).unwrap();
        if !sender.as_str().contains('\u{202e}') {
            let to = &report.envelope().recipients[0].address;
            assert_read_by_another(&content, &taken.types(), to.as_str());
        }
    }
}

#[test]
fn a_sender_may_be_written_in_any_direction() {
    let mut report = international(b"", None, vec![refused()]);
    report.original_sender = Mailbox::parse("\u{5d0}\u{5d1}@\u{5d2}.example").unwrap();
    let taken = built(&report, b"");
    assert_eq!(taken.field("To"), Some("<\u{5d0}\u{5d1}@\u{5d2}.example>"));
}
