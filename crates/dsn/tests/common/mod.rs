//! A report to start from, and a strict reader of what comes out.
// Each test binary uses some of this.
#![allow(dead_code, unreachable_pub)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use dsn::{Action, Diagnostic, RecipientReport, Report};
use jiff::Timestamp;
use mail::{DaneVerdict, Domain, DomainPart, EnhancedStatus, FailCause, Mailbox, QueueId, ReplyCode};

pub const ORIGINAL: &[u8] = b"Received: from client.example.org ([192.0.2.7])\r\n\tby relay.example.nl with ESMTP id \
    01JDB3K5V6W7X8Y9Z0ABCDEFGH;\r\n\tFri, 20 Nov 2026 10:00:00 +0000\r\nFrom: Alice <alice@example.org>\r\nTo: \
    bob@example.com, carol@example.net\r\nSubject: Quarterly figures\r\nMessage-ID: <figures.42@example.org>\r\nDate: Fri, 20 \
    Nov 2026 10:59:58 +0100\r\n\r\nThe body, which is not returned.\r\n";

pub fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn now() -> Timestamp {
    time("2026-11-25T10:03:00Z")
}

pub fn report_id() -> QueueId {
    "01JDR4ZZZZZZZZZZZZZZZZZZZZ".parse().unwrap()
}

pub fn report(recipients: Vec<RecipientReport>) -> Report {
    Report {
        reporting_mta: DomainPart::parse("relay.example.nl").unwrap(),
        postmaster: None,
        original_sender: Mailbox::parse("alice@example.org").unwrap(),
        envelope_id: None,
        queue_id: "01JDB3K5V6W7X8Y9Z0ABCDEFGH".parse().unwrap(),
        arrived: time("2026-11-20T10:00:00Z"),
        recipients,
    }
}

/// Refused by its server in three lines.
pub fn refused() -> RecipientReport {
    let texts = [
        "5.1.1 <Bob@example.com>: unknown here",
        "5.1.1 see https://example.com/help",
        "5.1.1 good bye",
    ];
    RecipientReport {
        address: Mailbox::parse("Bob@example.com").unwrap(),
        original_recipient: None,
        action: Action::Failed,
        status: EnhancedStatus::new(5, 1, 1),
        diagnostic: Diagnostic::reply(ReplyCode::new(550).unwrap(), &texts),
        remote_mta: Some(DomainPart::parse("mx.example.com").unwrap()),
        verdict: DaneVerdict::Verify,
        tlsa_base: Some(Domain::parse("mx.example.com").unwrap()),
        last_attempt: Some(now()),
    }
}

/// Given up because its server never proved itself.
pub fn expired() -> RecipientReport {
    RecipientReport {
        address: Mailbox::parse("carol@example.net").unwrap(),
        original_recipient: Some("rfc822;Carol@alias.example".to_owned()),
        action: Action::Expired,
        status: EnhancedStatus::new(4, 7, 5),
        diagnostic: Diagnostic::Relay(
            "the server did not prove its identity: no TLSA record matches".to_owned(),
        ),
        remote_mta: Some(DomainPart::parse("mail.example.net").unwrap()),
        verdict: DaneVerdict::Fail(FailCause::NoMatchingTlsa),
        tlsa_base: Some(Domain::parse("mail.example.net").unwrap()),
        last_attempt: Some(now()),
    }
}

/// No server was ever reached.
pub fn unreachable(action: Action) -> RecipientReport {
    RecipientReport {
        address: Mailbox::parse("\"d d\"@example.info").unwrap(),
        original_recipient: None,
        action,
        status: EnhancedStatus::new(4, 4, 3),
        diagnostic: Diagnostic::Relay("the MX look-up failed: timeout".to_owned()),
        remote_mta: None,
        verdict: DaneVerdict::NotReached,
        tlsa_base: None,
        last_attempt: None,
    }
}

/// A report taken apart by the letter of RFC 2046, RFC 3464 and RFC 5322, or a panic that says what is wrong.
#[derive(Debug)]
pub struct Taken {
    /// The fields of the message's own header.
    pub header: Vec<(String, String)>,
    /// Each part: its Content-Type and its body.
    pub parts: Vec<(String, String)>,
    /// The groups of the second part; values unfolded.
    pub groups: Vec<Vec<(String, String)>>,
}

impl Taken {
    pub fn field(&self, name: &str) -> Option<&str> {
        find(&self.header, name)
    }
}

pub fn find<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

pub fn take_apart(content: &[u8]) -> Taken {
    let text = std::str::from_utf8(content).unwrap();
    assert!(text.is_ascii(), "not 7-bit");
    assert!(text.ends_with("\r\n"), "the last line has no end");
    for line in text.strip_suffix("\r\n").unwrap().split("\r\n") {
        assert!(
            !line.contains(['\r', '\n', '\0']),
            "a line end that is no CRLF: {line:?}"
        );
        assert!(line.len() <= 998, "a line of {} octets", line.len());
    }
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let header = fields(head);
    let content_type = find(&header, "Content-Type").unwrap();
    let boundary = content_type
        .split("boundary=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let delimiter = format!("\r\n--{boundary}");
    let mut pieces: Vec<&str> = body.split(delimiter.as_str()).collect();
    assert_eq!(pieces.pop(), Some("--\r\n"), "the closing delimiter");
    assert_eq!(pieces.len(), 4, "a preamble and three parts");
    assert_eq!(pieces[0], "", "the preamble");
    let parts: Vec<(String, String)> = pieces[1..]
        .iter()
        .map(|piece| {
            let piece = piece
                .strip_prefix("\r\n")
                .expect("a delimiter is a line of its own");
            let (head, body) = piece.split_once("\r\n\r\n").unwrap();
            let content_type = find(&fields(head), "Content-Type").unwrap().to_owned();
            (content_type, body.to_owned())
        })
        .collect();
    let groups = parts[1].1.split("\r\n\r\n").map(fields).collect();
    Taken {
        header,
        parts,
        groups,
    }
}

fn fields(block: &str) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in block.trim_end_matches("\r\n").split("\r\n") {
        assert!(!line.trim().is_empty(), "a blank line within a group: {block:?}");
        if line.starts_with([' ', '\t']) {
            fields
                .last_mut()
                .expect("a field before its continuation")
                .1
                .push_str(line);
        } else {
            let (name, value) = line
                .split_once(':')
                .unwrap_or_else(|| panic!("no field: {line:?}"));
            assert!(
                name.chars().all(|c| c.is_ascii_graphic()),
                "no field name: {name:?}"
            );
            fields.push((name.to_owned(), value.trim_start().to_owned()));
        }
    }
    fields
}
