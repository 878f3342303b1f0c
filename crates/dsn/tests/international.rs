//! Internationalised addresses and headers (RFC 6533), on a way back that can carry them and on one that cannot.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{
    ORIGINAL, built, expired, find, international, mailbox, now, refused, refused_international, report,
    report_id, report_on, take_apart,
};
use mail::{BodyType, MailParameters};

const HEADER: &[u8] = "From: andr\u{e9}@b\u{fc}cher.example\r\nSubject: caf\u{e9}\r\n".as_bytes();

fn original() -> Vec<u8> {
    [HEADER, b"\r\nbody\r\n"].concat()
}

#[test]
fn on_a_seven_bit_way_addresses_have_their_seven_bit_form() {
    let taken = built(&report(vec![refused_international(), expired()]), ORIGINAL);
    assert_eq!(taken.parts[1].content_type, "message/delivery-status");
    assert_eq!(taken.parts[1].encoding, "7bit");
    let group = &taken.groups[1];
    assert_eq!(
        find(group, "Final-Recipient"),
        Some(r"utf-8; ren\x{E9}\x{2B}x@b\x{FC}cher.example")
    );
    assert_eq!(
        find(group, "Original-Recipient"),
        Some(r"utf-8;d\x{E9}j\x{E0}@alias.example")
    );
    assert_eq!(
        find(&taken.groups[2], "Final-Recipient"),
        Some("rfc822; carol@example.net")
    );
}

#[test]
fn people_read_addresses_as_they_are_on_any_way() {
    let to_ascii = report(vec![refused_international()]);
    let to_utf8 = international(ORIGINAL, None, vec![refused_international()]);
    for (report, encoding) in [(to_ascii, "quoted-printable"), (to_utf8, "8bit")] {
        let letter = built(&report, ORIGINAL).parts.remove(0);
        assert_eq!(letter.content_type, "text/plain; charset=\"utf-8\"");
        assert_eq!(letter.encoding, encoding);
        let words = letter.words();
        assert!(words.contains("<ren\u{e9}+x@b\u{fc}cher.example>"), "{words}");
        assert!(
            words.contains("you wrote as <d\u{e9}j\u{e0}@alias.example>"),
            "{words}"
        );
    }
    let letter = built(&report(vec![refused()]), ORIGINAL).parts.remove(0);
    assert_eq!(letter.content_type, "text/plain; charset=\"us-ascii\"");
    assert_eq!(letter.encoding, "7bit");
}

#[test]
fn on_an_international_way_they_stand_as_they_are() {
    let taken = built(
        &international(ORIGINAL, None, vec![refused_international()]),
        ORIGINAL,
    );
    assert_eq!(taken.parts[1].content_type, "message/global-delivery-status");
    assert_eq!(taken.parts[1].encoding, "8bit");
    let group = &taken.groups[1];
    assert_eq!(
        find(group, "Final-Recipient"),
        Some("utf-8; ren\u{e9}+x@b\u{fc}cher.example")
    );
    assert_eq!(
        find(group, "Original-Recipient"),
        Some("utf-8;d\u{e9}j\u{e0}@alias.example")
    );
    assert_eq!(taken.field("To"), Some("<andr\u{e9}@b\u{fc}cher.example>"));
    assert_eq!(taken.field("Content-Transfer-Encoding"), Some("8bit"));
}

#[test]
fn with_nothing_but_ascii_to_say_the_older_type_is_used_and_its_form() {
    let mut recipient = refused();
    recipient.original_recipient = Some(r"utf-8;a\x{2B}b@c.example".parse().unwrap());
    let taken = built(&international(ORIGINAL, None, vec![recipient]), ORIGINAL);
    assert_eq!(taken.parts[1].content_type, "message/delivery-status");
    assert_eq!(
        find(&taken.groups[1], "Original-Recipient"),
        Some(r"utf-8;a\x{2B}b@c.example")
    );
}

#[test]
fn one_address_beyond_ascii_is_enough_for_the_newer_type() {
    let mut by_original = refused();
    by_original.original_recipient = Some(r"utf-8;\x{E9}@c.example".parse().unwrap());
    let mut by_final = refused_international();
    by_final.original_recipient = None;
    for recipient in [by_original, by_final] {
        let report = international(ORIGINAL, None, vec![expired(), recipient]);
        let status = built(&report, ORIGINAL).parts.remove(1);
        assert_eq!(status.content_type, "message/global-delivery-status");
        assert_eq!(status.encoding, "8bit");
    }
}

#[test]
fn headers_go_back_by_what_they_hold_and_what_the_way_carries() {
    let original = original();
    let to_utf8 = international(&original, None, vec![refused()]);
    let mut to_ascii = report_on(&original, None, vec![refused()]);
    let mut cases = Vec::new();
    for smtputf8 in [true, false] {
        to_ascii.parameters.smtputf8 = smtputf8;
        cases.push(built(&to_ascii, &original));
    }
    cases.push(built(&to_utf8, &original));
    // Only a message that came with SMTPUTF8 has such a recipient.
    let to_international = report_on(&original, None, vec![refused_international()]);
    cases.push(built(&to_international, &original));
    let seen: Vec<_> = cases
        .iter()
        .map(|taken| {
            assert_eq!(taken.parts[2].body, HEADER);
            (&*taken.parts[2].content_type, &*taken.parts[2].encoding)
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("message/global-headers", "quoted-printable"),
            ("text/rfc822-headers", "quoted-printable"),
            ("message/global-headers", "8bit"),
            ("message/global-headers", "quoted-printable"),
        ]
    );
}

#[test]
fn the_envelope_demands_what_the_report_needs() {
    let envelope = international(ORIGINAL, None, vec![refused()]).envelope();
    assert_eq!(
        envelope.parameters,
        MailParameters {
            smtputf8: true,
            ..MailParameters::of(BodyType::EightBitMime)
        }
    );
    let envelope = report(vec![refused_international()]).envelope();
    assert_eq!(envelope.parameters, MailParameters::of(BodyType::SevenBit));
}

#[test]
fn where_only_the_domain_is_beyond_ascii_the_way_back_needs_nothing() {
    let mut report = report(vec![refused_international()]);
    report.original_sender = mailbox("alice@b\u{fc}cher.example");
    let envelope = report.envelope();
    assert_eq!(
        envelope.recipients[0].address,
        mailbox("alice@xn--bcher-kva.example")
    );
    assert_eq!(envelope.parameters, MailParameters::of(BodyType::SevenBit));
    let content = report.build(ORIGINAL, report_id(), now()).unwrap();
    assert!(content.is_ascii());
    assert_eq!(
        take_apart(&content).field("To"),
        Some("<alice@xn--bcher-kva.example>")
    );
}

#[test]
fn a_postmaster_who_is_not_ascii_is_not_shown() {
    for mut report in [
        report(vec![refused()]),
        international(ORIGINAL, None, vec![refused()]),
    ] {
        report.postmaster = Some(mailbox("hj\u{e6}lp@example.nl"));
        let taken = built(&report, ORIGINAL);
        let from = taken.field("From").unwrap();
        assert!(from.ends_with("<postmaster@relay.example.nl>"), "{from}");
    }
}

#[test]
fn long_addresses_are_not_torn_apart() {
    let local = "\u{44f}".repeat(32);
    let mut recipient = refused_international();
    recipient.address = mailbox(&format!(
        "{local}@{}.example",
        vec!["\u{fc}".repeat(20); 4].join(".")
    ));
    let taken = built(&report(vec![recipient.clone()]), ORIGINAL);
    let value = find(&taken.groups[1], "Final-Recipient").unwrap().to_owned();
    assert_eq!(value.matches(' ').count(), 1, "{value}");
    assert_eq!(value.matches(r"\x{44F}").count(), 32);
    let taken = built(&international(ORIGINAL, None, vec![recipient]), ORIGINAL);
    assert!(
        find(&taken.groups[1], "Final-Recipient")
            .unwrap()
            .contains(&local)
    );
}
