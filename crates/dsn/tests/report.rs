//! What a report says: a golden message, and the fields that each case must and must not have.
//!
//! After a change that is meant, `UPDATE_GOLDEN=1 cargo test -p dsn --test report` writes `tests/golden/` anew.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{ORIGINAL, expired, find, now, refused, report, report_id, take_apart, time, unreachable};
use dsn::{Action, Diagnostic, RecipientReport, Report};
use mail::{DaneVerdict, DomainPart, EnhancedStatus, Mailbox, ReplyCode, ReversePath, Status};

fn build(report: &Report) -> Vec<u8> {
    report.build(ORIGINAL, report_id(), now()).unwrap()
}

fn group(recipient: RecipientReport) -> Vec<(String, String)> {
    take_apart(&build(&report(vec![recipient]))).groups.remove(1)
}

#[test]
fn the_golden_message() {
    let content = String::from_utf8(build(&report(vec![refused(), expired()]))).unwrap();
    let content = content.replace("\r\n", "\n");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/failed.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &content).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap_or_default();
    for (line, (golden, now)) in golden.lines().zip(content.lines()).enumerate() {
        assert_eq!(golden, now, "tests/golden/failed.txt:{}", line + 1);
    }
    assert_eq!(golden.lines().count(), content.lines().count());
}

#[test]
fn the_header_is_that_of_an_automatic_answer() {
    let taken = take_apart(&build(&report(vec![refused()])));
    for (name, value) in [
        ("From", "\"Mail Delivery System\" <postmaster@relay.example.nl>"),
        ("To", "<alice@example.org>"),
        ("Subject", "Your message could not be delivered"),
        ("Date", "Wed, 25 Nov 2026 10:03:00 +0000"),
        ("Message-ID", "<01JDR4ZZZZZZZZZZZZZZZZZZZZ@relay.example.nl>"),
        ("Auto-Submitted", "auto-replied"),
        ("In-Reply-To", "<figures.42@example.org>"),
        ("References", "<figures.42@example.org>"),
        ("MIME-Version", "1.0"),
    ] {
        assert_eq!(taken.field(name), Some(value), "{name}");
    }
    let content_type = taken.field("Content-Type").unwrap();
    assert!(content_type.starts_with("multipart/report; "), "{content_type}");
    assert!(
        content_type.contains("report-type=\"delivery-status\""),
        "{content_type}"
    );
}

#[test]
fn a_report_travels_under_the_null_reverse_path() {
    let envelope = report(vec![refused()]).envelope();
    assert_eq!(envelope.reverse_path, ReversePath::Null);
    assert_eq!(
        envelope.recipients,
        [Mailbox::parse("alice@example.org").unwrap()]
    );
}

#[test]
fn without_a_recipient_there_is_no_report() {
    assert_eq!(report(Vec::new()).build(ORIGINAL, report_id(), now()), None);
}

#[test]
fn a_refusal_has_the_reply_line_for_line() {
    let text = String::from_utf8(build(&report(vec![refused()]))).unwrap();
    let expected = "Final-Recipient: rfc822; Bob@example.com\r\n\
        Action: failed\r\n\
        Status: 5.1.1\r\n\
        Remote-MTA: dns; mx.example.com\r\n\
        Diagnostic-Code: smtp; 550-5.1.1 <Bob@example.com>: unknown here\r\n \
        550-5.1.1 see https://example.com/help\r\n \
        550 5.1.1 good bye\r\n\
        Last-Attempt-Date: Wed, 25 Nov 2026 10:03:00 +0000\r\n";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn an_expired_recipient_keeps_its_temporary_status() {
    let group = group(expired());
    for (name, value) in [
        ("Original-Recipient", "rfc822;Carol@alias.example"),
        ("Final-Recipient", "rfc822; carol@example.net"),
        ("Action", "failed"),
        ("Status", "4.7.5"),
        ("Remote-MTA", "dns; mail.example.net"),
        (
            "Diagnostic-Code",
            "X-danerelay; the server did not prove its identity: no TLSA record matches",
        ),
        ("X-DANE", "Fail (No matching TLSA RRs)"),
        ("X-TLSA-Base", "mail.example.net"),
    ] {
        assert_eq!(find(&group, name), Some(value), "{name}");
    }
    assert_eq!(find(&group, "Will-Retry-Until"), None);
}

#[test]
fn what_did_not_happen_is_not_reported() {
    let group = group(unreachable(Action::Expired));
    let names: Vec<&str> = group.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Final-Recipient", "Action", "Status", "Diagnostic-Code"]);
    assert_eq!(
        find(&group, "Final-Recipient"),
        Some("rfc822; \"d d\"@example.info")
    );
}

#[test]
fn a_delay_says_until_when_it_is_tried() {
    let action = Action::of(Status::Deferred, time("2026-11-25T10:00:00Z"));
    let content = report(vec![unreachable(action)])
        .build(ORIGINAL, report_id(), time("2026-11-20T14:00:00Z"))
        .unwrap();
    let taken = take_apart(&content);
    assert_eq!(taken.field("Subject"), Some("Your message is delayed"));
    assert_eq!(find(&taken.groups[1], "Action"), Some("delayed"));
    assert_eq!(
        find(&taken.groups[1], "Will-Retry-Until"),
        Some("Wed, 25 Nov 2026 10:00:00 +0000")
    );
    let letter = taken.parts[0].1.replace("\r\n    ", " ");
    assert!(
        letter.contains("not been delivered yet, for 4 hours now"),
        "{letter}"
    );
    assert!(letter.contains("need not send it again"), "{letter}");
}

#[test]
fn relayed_is_said_in_its_own_words() {
    let recipient = RecipientReport {
        action: Action::of(Status::Sent, now()),
        status: EnhancedStatus::new(2, 0, 0),
        diagnostic: Diagnostic::reply(ReplyCode::new(250).unwrap(), &["2.0.0 Ok"]),
        ..refused()
    };
    let taken = take_apart(&build(&report(vec![recipient.clone()])));
    assert_eq!(taken.field("Subject"), Some("Your message was relayed"));
    assert_eq!(find(&taken.groups[1], "Action"), Some("relayed"));
    let mixed = take_apart(&build(&report(vec![recipient, expired()])));
    assert_eq!(
        mixed.field("Subject"),
        Some("Report on the delivery of your message")
    );
}

#[test]
fn the_letter_says_what_failed_why_and_who_can_mend_it() {
    let taken = take_apart(&build(&report(vec![expired()])));
    let letter = taken.parts[0].1.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        "<carol@example.net>",
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
    let refusal = take_apart(&build(&report(vec![refused()]))).parts.remove(0).1;
    assert!(!refusal.contains("security rule"), "{refusal}");
    assert!(
        refusal.contains("\r\n        550 5.1.1 good bye\r\n"),
        "{refusal}"
    );
}

#[test]
fn only_the_header_is_returned() {
    let taken = take_apart(&build(&report(vec![refused()])));
    assert_eq!(taken.parts[2].0, "text/rfc822-headers");
    assert!(taken.parts[2].1.starts_with("Received: from client.example.org"));
    assert!(taken.parts[2].1.ends_with("+0100\r\n"));
    assert!(
        !String::from_utf8(build(&report(vec![refused()])))
            .unwrap()
            .contains("not returned")
    );
}

#[test]
fn the_envelope_id_comes_first() {
    let mut report = report(vec![refused()]);
    report.envelope_id = Some("QQ+1\r\nAction: delivered".to_owned());
    let group = take_apart(&build(&report)).groups.remove(0);
    let names: Vec<&str> = group.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "Original-Envelope-Id",
            "Reporting-MTA",
            "Arrival-Date",
            "X-Queue-Id"
        ]
    );
    assert_eq!(group[0].1, "QQ+1??Action: delivered");
}

#[test]
fn names_and_postmaster_are_the_callers() {
    let mut report = report(vec![refused()]);
    report.postmaster = Some(Mailbox::parse("help@example.nl").unwrap());
    report.reporting_mta = DomainPart::parse("[192.0.2.1]").unwrap();
    let taken = take_apart(&build(&report));
    assert!(taken.field("From").unwrap().ends_with("<help@example.nl>"));
    assert_eq!(find(&taken.groups[0], "Reporting-MTA"), Some("dns; [192.0.2.1]"));
    assert_eq!(
        taken.field("Message-ID"),
        Some("<01JDR4ZZZZZZZZZZZZZZZZZZZZ@[192.0.2.1]>")
    );
}

#[test]
fn internationalised_addresses_stay_within_seven_bits() {
    let mut report = report(vec![RecipientReport {
        address: Mailbox::parse("ren\u{e9}@example.com").unwrap(),
        verdict: DaneVerdict::NotReached,
        ..refused()
    }]);
    report.original_sender = Mailbox::parse("andr\u{e9}@example.org").unwrap();
    report.postmaster = Some(Mailbox::parse("hj\u{e6}lp@example.nl").unwrap());
    let taken = take_apart(&build(&report));
    assert_eq!(
        find(&taken.groups[1], "Final-Recipient"),
        Some("utf-8; ren\\x{E9}@example.com")
    );
    assert!(
        taken.field("To").unwrap().ends_with(":;"),
        "{:?}",
        taken.field("To")
    );
    assert!(
        taken
            .field("From")
            .unwrap()
            .ends_with("<postmaster@relay.example.nl>")
    );
}
