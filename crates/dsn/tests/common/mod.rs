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
use mail::cause::{Cause, DaneFlaw, TlsFault, Unproven};
use mail::{
    BodyType, DaneVerdict, Domain, DomainPart, EnhancedStatus, FailCause, MailParameters, Mailbox, QueueId,
    ReplyCode, Ret,
};

pub const ORIGINAL: &[u8] = b"Received: from client.example.org ([192.0.2.7])\r\n\tby relay.example.nl with ESMTP id \
    01JDB3K5V6W7X8Y9Z0ABCDEFGH;\r\n\tFri, 20 Nov 2026 10:00:00 +0000\r\nFrom: Alice <alice@example.org>\r\nTo: \
    bob@example.com, carol@example.net\r\nSubject: Quarterly figures\r\nMessage-ID: <figures.42@example.org>\r\nDate: Fri, 20 \
    Nov 2026 10:59:58 +0100\r\n\r\nThe body, for whom it concerns.\r\n";

pub fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn now() -> Timestamp {
    time("2026-11-25T10:03:00Z")
}

pub fn report_id() -> QueueId {
    "01JDR4ZZZZZZZZZZZZZZZZZZZZ".parse().unwrap()
}

pub fn mailbox(address: &str) -> Mailbox {
    Mailbox::parse(address).unwrap()
}

/// On [`ORIGINAL`], of which nothing was asked.
pub fn report(recipients: Vec<RecipientReport>) -> Report {
    Report {
        reporting_mta: DomainPart::parse("relay.example.nl").unwrap(),
        postmaster: None,
        original_sender: mailbox("alice@example.org"),
        parameters: MailParameters::of(BodyType::SevenBit),
        size: ORIGINAL.len().try_into().unwrap(),
        queue_id: "01JDB3K5V6W7X8Y9Z0ABCDEFGH".parse().unwrap(),
        arrived: time("2026-11-20T10:00:00Z"),
        recipients,
    }
}

/// On another original, with `RET`.
pub fn report_on(original: &[u8], ret: Option<Ret>, recipients: Vec<RecipientReport>) -> Report {
    let body = if original.is_ascii() {
        BodyType::SevenBit
    } else {
        BodyType::EightBitMime
    };
    Report {
        parameters: MailParameters {
            ret,
            ..MailParameters::of(body)
        },
        size: original.len().try_into().unwrap(),
        ..report(recipients)
    }
}

/// To a sender whose address is not ASCII.
pub fn international(original: &[u8], ret: Option<Ret>, recipients: Vec<RecipientReport>) -> Report {
    let mut report = report_on(original, ret, recipients);
    report.original_sender = mailbox("andr\u{e9}@b\u{fc}cher.example");
    report.parameters.smtputf8 = true;
    report
}

/// Refused by its server in three lines.
pub fn refused() -> RecipientReport {
    let texts = [
        "5.1.1 <Bob@example.com>: unknown here",
        "5.1.1 see https://example.com/help",
        "5.1.1 good bye",
    ];
    RecipientReport {
        address: mailbox("Bob@example.com"),
        original_recipient: None,
        action: Action::Failed,
        status: EnhancedStatus::new(5, 1, 1),
        diagnostic: Diagnostic::reply(ReplyCode::new(550).unwrap(), &texts),
        remote_mta: Some(DomainPart::parse("mx.example.com").unwrap()),
        verdict: DaneVerdict::Verify,
        cause: None,
        tlsa_base: Some(Domain::parse("mx.example.com").unwrap()),
        last_attempt: Some(now()),
    }
}

/// Given up because its server never proved itself.
pub fn expired() -> RecipientReport {
    RecipientReport {
        address: mailbox("carol@example.net"),
        original_recipient: Some("rfc822;Carol@alias.example".parse().unwrap()),
        action: Action::Expired,
        status: EnhancedStatus::new(4, 7, 5),
        diagnostic: Diagnostic::Relay(
            "the server did not prove its identity: no TLSA record matches".to_owned(),
        ),
        remote_mta: Some(DomainPart::parse("mail.example.net").unwrap()),
        verdict: DaneVerdict::Fail(FailCause::NoMatchingTlsa),
        cause: Some(Cause::Tls(TlsFault::Unproven(Unproven::Dane(DaneFlaw::NoMatch)))),
        tlsa_base: Some(Domain::parse("mail.example.net").unwrap()),
        last_attempt: Some(now()),
    }
}

/// No server was ever reached.
pub fn unreachable(action: Action) -> RecipientReport {
    RecipientReport {
        address: mailbox("\"d d\"@example.info"),
        original_recipient: None,
        action,
        status: EnhancedStatus::new(4, 4, 3),
        diagnostic: Diagnostic::Relay("the MX look-up failed: timeout".to_owned()),
        remote_mta: None,
        verdict: DaneVerdict::NotReached,
        cause: None,
        tlsa_base: None,
        last_attempt: None,
    }
}

pub fn delayed() -> RecipientReport {
    unreachable(Action::Delayed {
        will_retry_until: time("2026-11-25T10:00:00Z"),
    })
}

pub fn relayed() -> RecipientReport {
    RecipientReport {
        address: mailbox("erin@example.com"),
        action: Action::Relayed,
        status: EnhancedStatus::new(2, 0, 0),
        diagnostic: Diagnostic::reply(ReplyCode::new(250).unwrap(), &["2.0.0 Ok: queued as 4XYZ"]),
        ..refused()
    }
}

/// Refused, with a mailbox that is not ASCII, under an alias that is not ASCII either.
pub fn refused_international() -> RecipientReport {
    RecipientReport {
        address: mailbox("ren\u{e9}+x@b\u{fc}cher.example"),
        original_recipient: Some(r"utf-8;d\x{E9}j\x{E0}@alias.example".parse().unwrap()),
        ..refused()
    }
}

/// A part of a report, decoded.
#[derive(Debug)]
pub struct Part {
    pub content_type: String,
    pub encoding: String,
    pub body: Vec<u8>,
}

impl Part {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The words of a text, however it is wrapped.
    pub fn words(&self) -> String {
        self.text().split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// A report taken apart by the letter of RFC 2046, RFC 3464 and RFC 5322, or a panic that says what is wrong.
#[derive(Debug)]
pub struct Taken {
    /// The fields of the message's own header.
    pub header: Vec<(String, String)>,
    /// Its parts.
    pub parts: Vec<Part>,
    /// The groups of the second part; values unfolded.
    pub groups: Vec<Vec<(String, String)>>,
}

impl Taken {
    pub fn field(&self, name: &str) -> Option<&str> {
        find(&self.header, name)
    }

    pub fn types(&self) -> Vec<&str> {
        self.parts.iter().map(|part| &*part.content_type).collect()
    }
}

pub fn find<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

/// Builds the report as its caller does, with as much of the original as is wanted, and takes it apart.
pub fn built(report: &Report, original: &[u8]) -> Taken {
    let original = &original[..report.wanted()];
    let content = report.build(original, report_id(), now()).unwrap();
    if !report.envelope().parameters.smtputf8 {
        assert!(content.is_ascii(), "not 7-bit");
    }
    take_apart(&content)
}

pub fn take_apart(content: &[u8]) -> Taken {
    let end = content.strip_suffix(b"\r\n").expect("the last line has no end");
    for line in split(end, b"\r\n") {
        assert!(
            !line.iter().any(|octet| b"\r\n\0".contains(octet)),
            "a line end that is no CRLF: {line:?}"
        );
        assert!(line.len() <= 998, "a line of {} octets", line.len());
    }
    let (head, body) = split_header(content);
    let header = fields(head);
    let (_, boundary) = find(&header, "Content-Type")
        .unwrap()
        .split_once("boundary=\"")
        .unwrap();
    let delimiter = format!("\r\n--{}", boundary.split('"').next().unwrap());
    let mut pieces = split(body, delimiter.as_bytes());
    assert_eq!(pieces.pop(), Some(&b"--\r\n"[..]), "the closing delimiter");
    assert_eq!(pieces.remove(0), b"", "the preamble");
    let parts: Vec<Part> = pieces.into_iter().map(part).collect();
    if parts.iter().any(|part| part.encoding == "8bit") {
        assert_eq!(find(&header, "Content-Transfer-Encoding"), Some("8bit"));
    }
    let groups = parts[1].text().split("\r\n\r\n").map(fields).collect();
    Taken {
        header,
        parts,
        groups,
    }
}

fn part(piece: &[u8]) -> Part {
    let piece = piece
        .strip_prefix(b"\r\n")
        .expect("a delimiter is a line of its own");
    let (head, body) = split_header(piece);
    let header = fields(head);
    let encoding = find(&header, "Content-Transfer-Encoding").unwrap().to_owned();
    let body = match &*encoding {
        "7bit" => {
            assert!(body.is_ascii(), "declared as 7bit");
            body.to_vec()
        }
        "8bit" => body.to_vec(),
        "quoted-printable" => decoded(std::str::from_utf8(body).unwrap()),
        other => panic!("{other}"),
    };
    Part {
        content_type: find(&header, "Content-Type").unwrap().to_owned(),
        encoding,
        body,
    }
}

/// Quoted-printable text (RFC 2045 §6.7) without its encoding.
fn decoded(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let text = text.replace("=\r\n", "");
    let mut pieces = text.split('=');
    octets.extend_from_slice(pieces.next().unwrap().as_bytes());
    for piece in pieces {
        octets.push(u8::from_str_radix(&piece[..2], 16).unwrap());
        octets.extend_from_slice(&piece.as_bytes()[2..]);
    }
    octets
}

fn split<'a>(mut octets: &'a [u8], by: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    while let Some(position) = octets.windows(by.len()).position(|window| window == by) {
        pieces.push(&octets[..position]);
        octets = &octets[position + by.len()..];
    }
    pieces.push(octets);
    pieces
}

/// A header, which must be UTF-8, and what stands behind the blank line.
fn split_header(octets: &[u8]) -> (&str, &[u8]) {
    let header = split(octets, b"\r\n\r\n")[0];
    (std::str::from_utf8(header).unwrap(), &octets[header.len() + 4..])
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
