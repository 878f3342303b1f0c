//! What a report says: golden messages, and the fields that each case must and must not have.
//!
//! After a change that is meant, `UPDATE_GOLDEN=1 cargo test -p dsn --test report` writes `tests/golden/` anew.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{
    ORIGINAL, Taken, built, delayed, expired, find, mailbox, now, refused, relayed, report, report_id, time,
    unreachable,
};
use dsn::{Action, Diagnostic, RecipientReport, Report};
use mail::{
    BodyType, DaneVerdict, DomainPart, EnhancedStatus, MailParameters, Notice, Outcome, Recipient,
    RecipientParameters, ReplyCode, ReversePath, Status,
};

fn build(report: &Report) -> Taken {
    built(report, ORIGINAL)
}

fn group(recipient: RecipientReport) -> Vec<(String, String)> {
    build(&report(vec![recipient])).groups.remove(1)
}

fn names(group: &[(String, String)]) -> Vec<&str> {
    group.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn the_golden_messages() {
    let mut all_fates = report(vec![relayed(), expired(), delayed(), refused()]);
    all_fates.parameters.envelope_id = Some("QQ+2B1".parse().unwrap());
    for (file, report) in [
        ("failed.txt", report(vec![refused(), expired()])),
        ("delayed.txt", report(vec![delayed()])),
        ("relayed.txt", report(vec![relayed()])),
        ("mixed.txt", all_fates),
    ] {
        let content = report.build(ORIGINAL, report_id(), now()).unwrap();
        let content = String::from_utf8(content).unwrap().replace("\r\n", "\n");
        let path = format!("{}/tests/golden/{file}", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &content).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        for (line, (golden, now)) in golden.lines().zip(content.lines()).enumerate() {
            assert_eq!(golden, now, "tests/golden/{file}:{}", line + 1);
        }
        assert_eq!(golden.lines().count(), content.lines().count(), "{file}");
    }
}

#[test]
fn the_header_is_that_of_an_automatic_answer() {
    let taken = build(&report(vec![refused()]));
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
fn a_report_travels_under_the_null_reverse_path_and_is_not_reported_on() {
    let mut report = report(vec![refused()]);
    report.parameters.ret = Some(mail::Ret::Full);
    report.parameters.envelope_id = Some("x".parse().unwrap());
    let envelope = report.envelope();
    assert_eq!(envelope.reverse_path, ReversePath::Null);
    assert_eq!(envelope.parameters, MailParameters::of(BodyType::SevenBit));
    let never = RecipientParameters {
        notify: Some("NEVER".parse().unwrap()),
        original: None,
    };
    assert_eq!(
        envelope.recipients,
        [Recipient {
            address: mailbox("alice@example.org"),
            parameters: never
        }]
    );
}

#[test]
fn without_a_recipient_there_is_no_report() {
    assert_eq!(report(Vec::new()).build(ORIGINAL, report_id(), now()), None);
}

#[test]
fn a_refusal_has_the_reply_line_for_line() {
    let taken = build(&report(vec![refused()]));
    let expected = "Final-Recipient: rfc822; Bob@example.com\r\n\
        Action: failed\r\n\
        Status: 5.1.1\r\n\
        Remote-MTA: dns; mx.example.com\r\n\
        Diagnostic-Code: smtp; 550-5.1.1 <Bob@example.com>: unknown here\r\n \
        550-5.1.1 see https://example.com/help\r\n \
        550 5.1.1 good bye\r\n\
        Last-Attempt-Date: Wed, 25 Nov 2026 10:03:00 +0000\r\n";
    assert!(taken.parts[1].text().contains(expected), "{taken:?}");
}

#[test]
fn what_the_queue_keeps_is_enough() {
    let mut recipient = Recipient::from(mailbox("Bob@example.com"));
    recipient.parameters.original = Some("rfc822;Robert+2Bx@example.com".parse().unwrap());
    let outcome = Outcome {
        status: Status::Bounced,
        reply_code: ReplyCode::new(550),
        enhanced: EnhancedStatus::new(5, 1, 1),
        reason: "550-no 550 never".into(),
    };
    let notice = Notice {
        action: Action::Failed,
        remote_mta: Some(DomainPart::parse("mx.example.com").unwrap()),
        verdict: DaneVerdict::Verify,
        cause: None,
        tlsa_base: None,
        last_attempt: now(),
    };
    let group = group(RecipientReport::new(recipient, &outcome, notice));
    for (position, (name, value)) in [
        ("Original-Recipient", "rfc822;Robert+x@example.com"),
        ("Final-Recipient", "rfc822; Bob@example.com"),
        ("Action", "failed"),
        ("Status", "5.1.1"),
        ("Remote-MTA", "dns; mx.example.com"),
        ("Diagnostic-Code", "smtp; 550-no 550 never"),
        ("Last-Attempt-Date", "Wed, 25 Nov 2026 10:03:00 +0000"),
        ("X-Danerelay-DANE", "Verify (Secure TLSA RRs found)"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(group[position], (name.to_owned(), value.to_owned()));
    }
    assert_eq!(group.len(), 8);
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
        ("X-Danerelay-DANE", "Fail (No matching TLSA RRs)"),
        ("X-Danerelay-TLSA-Base", "mail.example.net"),
    ] {
        assert_eq!(find(&group, name), Some(value), "{name}");
    }
    assert_eq!(find(&group, "Will-Retry-Until"), None);
}

#[test]
fn what_did_not_happen_is_not_reported() {
    let group = group(unreachable(Action::Expired));
    assert_eq!(
        names(&group),
        ["Final-Recipient", "Action", "Status", "Diagnostic-Code"]
    );
    assert_eq!(
        find(&group, "Final-Recipient"),
        Some("rfc822; \"d d\"@example.info")
    );
}

#[test]
fn without_words_there_is_no_diagnostic() {
    let silent = RecipientReport {
        diagnostic: Diagnostic::Relay(" ".to_owned()),
        ..unreachable(Action::Expired)
    };
    assert_eq!(
        names(&group(silent.clone())),
        ["Final-Recipient", "Action", "Status"]
    );
    let letter = build(&report(vec![silent])).parts[0].words();
    assert!(!letter.contains("went wrong"), "{letter}");
}

#[test]
fn a_delay_says_until_when_it_is_tried() {
    let content = report(vec![delayed()])
        .build(ORIGINAL, report_id(), time("2026-11-20T14:00:00Z"))
        .unwrap();
    let taken = common::take_apart(&content);
    assert_eq!(taken.field("Subject"), Some("Your message is delayed"));
    assert_eq!(find(&taken.groups[1], "Action"), Some("delayed"));
    assert_eq!(
        find(&taken.groups[1], "Will-Retry-Until"),
        Some("Wed, 25 Nov 2026 10:00:00 +0000")
    );
    let letter = taken.parts[0].words();
    for words in [
        "not been delivered to this recipient yet, for 4 hours now",
        "You need not do anything, and need not send it again",
        "tried until Wed, 25 Nov 2026 10:00:00 +0000",
    ] {
        assert!(letter.contains(words), "{words} in {letter}");
    }
}

#[test]
fn relayed_is_said_in_its_own_words() {
    let taken = build(&report(vec![relayed()]));
    assert_eq!(taken.field("Subject"), Some("Your message was relayed"));
    let group = &taken.groups[1];
    assert_eq!(find(group, "Action"), Some("relayed"));
    assert_eq!(find(group, "Status"), Some("2.0.0"));
    assert_eq!(find(group, "Remote-MTA"), Some("dns; mx.example.com"));
    let letter = taken.parts[0].words();
    assert!(letter.contains("which does not confirm delivery"), "{letter}");
    assert!(letter.contains("250 2.0.0 Ok: queued as 4XYZ"), "{letter}");
}

#[test]
fn recipients_of_one_fate_stand_together_the_worst_first() {
    let all = vec![relayed(), delayed(), refused(), expired(), refused()];
    let taken = build(&report(all));
    assert_eq!(
        taken.field("Subject"),
        Some("Report on the delivery of your message")
    );
    let statuses: Vec<_> = taken.groups[1..]
        .iter()
        .map(|group| (find(group, "Action").unwrap(), find(group, "Status").unwrap()))
        .collect();
    assert_eq!(
        statuses,
        [
            ("failed", "5.1.1"),
            ("failed", "5.1.1"),
            ("failed", "4.7.5"),
            ("delayed", "4.4.3"),
            ("relayed", "2.0.0")
        ]
    );
    for (position, group) in taken.groups.iter().enumerate() {
        assert_eq!(
            find(group, "Will-Retry-Until").is_some(),
            position == 4,
            "{group:?}"
        );
    }
    let letter = taken.parts[0].words();
    let places: Vec<_> = [
        "could not be delivered to these recipients. It will not",
        "<Bob@example.com>",
        "could not be delivered to this recipient. It was tried",
        "<carol@example.net>",
        "not been delivered to this recipient yet",
        "<\"d d\"@example.info>",
        "handed over",
        "<erin@example.com>",
    ]
    .map(|words| letter.find(words).expect(words))
    .to_vec();
    assert!(places.is_sorted(), "{places:?} in {letter}");
    assert_eq!(letter.matches("this is final").count(), 2);
}

#[test]
fn the_envelope_id_is_decoded_and_comes_first() {
    let mut report = report(vec![refused()]);
    assert_eq!(find(&build(&report).groups[0], "Original-Envelope-Id"), None);
    report.parameters.envelope_id = Some("QQ+2B1+20x".parse().unwrap());
    let group = build(&report).groups.remove(0);
    assert_eq!(
        names(&group),
        [
            "Original-Envelope-Id",
            "Reporting-MTA",
            "Arrival-Date",
            "X-Danerelay-Queue-Id"
        ]
    );
    assert_eq!(group[0].1, "QQ+1 x");
    assert_eq!(group[1].1, "dns; relay.example.nl");
    assert_eq!(group[2].1, "Fri, 20 Nov 2026 10:00:00 +0000");
}

#[test]
fn names_and_postmaster_are_the_callers() {
    let mut report = report(vec![refused()]);
    report.postmaster = Some(mailbox("help@example.nl"));
    report.reporting_mta = DomainPart::parse("[192.0.2.1]").unwrap();
    let taken = build(&report);
    assert!(taken.field("From").unwrap().ends_with("<help@example.nl>"));
    assert_eq!(find(&taken.groups[0], "Reporting-MTA"), Some("dns; [192.0.2.1]"));
    assert_eq!(
        taken.field("Message-ID"),
        Some("<01JDR4ZZZZZZZZZZZZZZZZZZZZ@[192.0.2.1]>")
    );
    report.reporting_mta = DomainPart::parse("relay").unwrap();
    assert_eq!(
        find(&build(&report).groups[0], "Reporting-MTA"),
        Some("x-local-hostname; relay")
    );
}
