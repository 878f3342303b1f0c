//! What is returned of the original, by `RET`, its size and its octets (RFC 3461 §4.3 and §6.2, RFC 6522 §3).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{ORIGINAL, built, delayed, expired, international, now, refused, relayed, report_id, report_on};
use dsn::RecipientReport;
use mail::{BodyType, Ret, TlsTag};

/// The type, the encoding and the decoded octets of what is returned.
fn returned(original: &[u8], ret: Option<Ret>, recipient: RecipientReport) -> (String, String, Vec<u8>) {
    let taken = built(&report_on(original, ret, vec![recipient, relayed()]), original);
    assert_eq!(taken.parts.len(), 3);
    let part = taken.parts.into_iter().nth(2).unwrap();
    (part.content_type, part.encoding, part.body)
}

fn header_of(original: &[u8]) -> &[u8] {
    let end = original.windows(4).position(|octets| octets == b"\r\n\r\n");
    &original[..end.unwrap() + 2]
}

/// A message of exactly so many octets.
fn message(size: usize) -> Vec<u8> {
    let mut message = b"Subject: x\r\n\r\n".to_vec();
    while size - message.len() > 1000 {
        message.extend_from_slice(&[b'x'; 98]);
        message.extend_from_slice(b"\r\n");
    }
    message.resize(size - 2, b'y');
    message.extend_from_slice(b"\r\n");
    message
}

#[test]
fn only_who_asks_for_all_gets_all() {
    for recipient in [refused(), expired()] {
        let (content_type, encoding, body) = returned(ORIGINAL, Some(Ret::Full), recipient.clone());
        assert_eq!((&*content_type, &*encoding), ("message/rfc822", "7bit"));
        assert_eq!(body, ORIGINAL);
        for ret in [None, Some(Ret::Headers)] {
            let (content_type, encoding, body) = returned(ORIGINAL, ret, recipient.clone());
            assert_eq!((&*content_type, &*encoding), ("text/rfc822-headers", "7bit"));
            assert_eq!(body, header_of(ORIGINAL));
        }
    }
}

/// RFC 8689 §5.
#[test]
fn a_report_on_a_message_that_requires_tls_requires_it_too() {
    for (tag, content_type, of_report) in [
        (TlsTag::Required, "text/rfc822-headers", TlsTag::Required),
        (TlsTag::NotRequired, "message/rfc822", TlsTag::Usual),
        (TlsTag::Usual, "message/rfc822", TlsTag::Usual),
    ] {
        let mut report = report_on(ORIGINAL, Some(Ret::Full), vec![refused()]);
        report.parameters.tls = tag;
        assert_eq!(built(&report, ORIGINAL).parts[2].content_type, content_type);
        assert_eq!(report.envelope().parameters.tls, of_report);
    }
}

#[test]
fn without_a_failure_nobody_gets_more_than_the_header() {
    for recipient in [delayed(), relayed()] {
        let (content_type, _, body) = returned(ORIGINAL, Some(Ret::Full), recipient);
        assert_eq!(content_type, "text/rfc822-headers");
        assert_eq!(body, header_of(ORIGINAL));
    }
}

#[test]
fn large_messages_are_not_returned_whole() {
    for (size, content_type) in [
        (100 * 1024, "message/rfc822"),
        (100 * 1024 + 1, "text/rfc822-headers"),
    ] {
        let original = message(size);
        assert_eq!(
            returned(&original, Some(Ret::Full), refused()).0,
            content_type,
            "{size}"
        );
    }
}

#[test]
fn no_more_is_wanted_than_is_returned() {
    for (size, ret, recipient, wanted) in [
        (50, Some(Ret::Full), refused(), 50),
        (100 * 1024, Some(Ret::Full), refused(), 100 * 1024),
        (100 * 1024 + 1, Some(Ret::Full), refused(), 64 * 1024),
        (100 * 1024, Some(Ret::Full), delayed(), 64 * 1024),
        (100 * 1024, Some(Ret::Headers), refused(), 64 * 1024),
        (100 * 1024, None, refused(), 64 * 1024),
        (50, None, refused(), 50),
    ] {
        let report = report_on(&message(size), ret, vec![recipient]);
        assert_eq!(report.wanted(), wanted, "{size} {ret:?}");
    }
    let mut report = report_on(&message(100 * 1024), Some(Ret::Full), vec![refused()]);
    report.parameters.body = BodyType::EightBitMime;
    assert_eq!(report.wanted(), 64 * 1024, "it could not be returned whole");
}

#[test]
fn eight_bits_are_not_sent_back_on_an_unknown_way() {
    let original = b"Subject: x\r\n\r\ncaf\xc3\xa9\r\n";
    let (content_type, encoding, body) = returned(original, Some(Ret::Full), refused());
    assert_eq!((&*content_type, &*encoding), ("text/rfc822-headers", "7bit"));
    assert_eq!(body, header_of(original));
    let original = b"Subject: caf\xe9 \x1b[2J\r\n\r\nbody\r\n";
    let (content_type, encoding, body) = returned(original, None, refused());
    assert_eq!(
        (&*content_type, &*encoding),
        ("text/rfc822-headers", "quoted-printable")
    );
    assert_eq!(body, header_of(original));
}

#[test]
fn what_cannot_pass_as_it_is_is_not_returned_whole() {
    let long = [
        &b"Subject: x\r\n\r\n"[..],
        "x".repeat(999).as_bytes(),
        &b"\r\n"[..],
    ]
    .concat();
    for original in [
        &b"Subject: x\r\n\r\na\nb\r\n"[..],
        b"Subject: x\r\n\r\na\0b\r\n",
        &long,
    ] {
        let (content_type, ..) = returned(original, Some(Ret::Full), refused());
        assert_eq!(content_type, "text/rfc822-headers");
    }
}

#[test]
fn a_message_that_could_not_be_read_whole_is_not_passed_off_as_such() {
    let report = report_on(ORIGINAL, Some(Ret::Full), vec![refused()]);
    for (length, parts) in [
        (ORIGINAL.len() - 1, 3),
        (header_of(ORIGINAL).len() + 2, 3),
        (30, 2),
        (0, 2),
    ] {
        let content = report.build(&ORIGINAL[..length], report_id(), now()).unwrap();
        let taken = common::take_apart(&content);
        assert_eq!(taken.parts.len(), parts, "{length}");
        if parts == 3 {
            assert_eq!(taken.parts[2].content_type, "text/rfc822-headers");
        }
        assert_eq!(taken.parts[0].words().contains("attached"), parts == 3);
    }
}

#[test]
fn the_letter_says_how_much_is_attached() {
    let long_header = format!("{}\r\nbody\r\n", "X-Field: folded\r\n\there\r\n".repeat(4000));
    for (original, ret, words) in [
        (ORIGINAL, None, "The header of that message is attached."),
        (ORIGINAL, Some(Ret::Full), "The message is attached."),
        (
            long_header.as_bytes(),
            None,
            "The first fields of that message's header are attached",
        ),
    ] {
        let taken = built(&report_on(original, ret, vec![refused()]), original);
        let letter = taken.parts[0].words();
        assert!(letter.contains(words), "{words} in {letter}");
        assert!(taken.parts[2].body.len() <= 64 * 1024);
        assert!(taken.parts[2].body.ends_with(b"\there\r\n") || original == ORIGINAL);
    }
}

#[test]
fn an_international_message_goes_back_whole_with_eight_bits() {
    for (original, content_type) in [
        (
            &b"Subject: caf\xc3\xa9\r\n\r\nd\xc3\xa9j\xe9\r\n"[..],
            "message/global",
        ),
        (b"Subject: x\r\n\r\nd\xe9j\xe9\r\n", "message/rfc822"),
    ] {
        let report = international(original, Some(Ret::Full), vec![refused()]);
        let part = built(&report, original).parts.remove(2);
        assert_eq!((&*part.content_type, &*part.encoding), (content_type, "8bit"));
        assert_eq!(part.body, original);
    }
    let original = b"Subject: caf\xe9\r\n\r\n\r\n";
    let part = built(
        &international(original, Some(Ret::Full), vec![refused()]),
        original,
    )
    .parts
    .remove(2);
    assert_eq!(
        (&*part.content_type, &*part.encoding),
        ("text/rfc822-headers", "quoted-printable")
    );
}
