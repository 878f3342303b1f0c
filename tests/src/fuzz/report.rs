//! Delivery status notifications.

use dsn::{Action, Diagnostic, RecipientReport, Report};
use jiff::Timestamp;
use mail::cause::{BrokenHandshake, Cause, ConnectionFault, Demand, Lookup, TlsFault};
use mail::{
    BodyType, Culprit, DaneVerdict, Domain, DomainPart, EnhancedStatus, FailCause, FailedLookup,
    LookupFailure, MailParameters, Mailbox, Outcome, QueueId, ReplyCode, Ret, SkipReason, Status,
};

use super::input::Input;

/// The longest line, in octets without its CRLF (RFC 5322 §2.1.1).
const LINE: usize = 998;
/// The fields of the report's own header.
const HEADER: [&str; 11] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
];
/// What the part about the original may be (RFC 6533 §4.4).
const RETURNED: [&str; 4] = [
    "text/rfc822-headers",
    "message/rfc822",
    "message/global-headers",
    "message/global",
];

/// Texts of a report, then the original: whatever they say, the message has lines of bounded length, 7-bit ones but for a
/// sender who is not ASCII, its own header, its parts, and one group for each recipient.
pub fn dsn(octets: &[u8]) {
    let mut input = Input::new(octets);
    let (mut report, ret) = report(&mut input);
    let original = input.rest();
    report.size = original.len().try_into().unwrap();
    report.parameters.ret = ret;
    report.parameters.body = if original.is_ascii() {
        BodyType::SevenBit
    } else {
        BodyType::EightBitMime
    };
    let (id, now) = (queue_id(2), Timestamp::from_second(1_795_000_000).unwrap());
    let original = &original[..report.wanted()];
    let Some(message) = report.build(original, id, now) else {
        assert!(report.recipients.is_empty());
        return;
    };
    let envelope = report.envelope();
    let message = lines(&message, !envelope.parameters.smtputf8);
    let (header, body) = message.split_once("\r\n\r\n").expect("a body");
    let fields = fields(header);
    for (position, (name, _)) in fields.iter().enumerate() {
        assert!(HEADER.contains(&&**name), "{name} is none of ours");
        let before = &fields[..position];
        assert!(!before.iter().any(|(other, _)| other == name), "{name} twice");
    }
    let sender = envelope.recipients[0].address.as_str();
    if !sender.contains(' ') {
        assert_eq!(field(&fields, "To"), Some(&*format!("<{sender}>")));
    }
    let content_type = field(&fields, "Content-Type").unwrap();
    let (_, boundary) = content_type.split_once("boundary=\"").unwrap();
    let parts = parts(body, boundary.split('"').next().unwrap());
    let kind = |part: &str| part.split("\r\n").next().unwrap()["Content-Type: ".len()..].to_owned();
    assert!((2..=3).contains(&parts.len()), "{message}");
    let status = kind(parts[1]);
    let is_newer = status == "message/global-delivery-status";
    assert!(
        status == "message/delivery-status" || is_newer && !sender.is_ascii(),
        "{status}"
    );
    for part in &parts[2..] {
        assert!(RETURNED.contains(&&*kind(part)), "{part}");
    }
    groups(parts[1], &report);
}

/// A report, and how much of the original is to be returned.
fn report(input: &mut Input<'_>) -> (Report, Option<Ret>) {
    let kinds = input.octet();
    let postmaster = Mailbox::parse(&input.text()).ok();
    let original_sender = mailbox(input);
    let report = Report {
        reporting_mta: DomainPart::Name(domain("relay.example")),
        postmaster,
        original_sender,
        parameters: MailParameters {
            smtputf8: kinds & 16 != 0,
            envelope_id: input.text().parse().ok(),
            ..MailParameters::of(BodyType::SevenBit)
        },
        size: 0,
        queue_id: queue_id(1),
        arrived: Timestamp::from_second(1_790_000_000).unwrap(),
        recipients: (0..kinds % 4).map(|_| recipient(input)).collect(),
    };
    (report, (kinds & 32 != 0).then_some(Ret::Full))
}

fn recipient(input: &mut Input<'_>) -> RecipientReport {
    let kinds = input.octet();
    let address = mailbox(input);
    let words = input.text();
    RecipientReport {
        address,
        original_recipient: input.text().parse().ok(),
        action: match kinds & 3 {
            0 => Action::Failed,
            1 => Action::Expired,
            2 => Action::Delayed {
                will_retry_until: Timestamp::from_second(1_800_000_000).unwrap(),
            },
            _ => Action::Relayed,
        },
        status: EnhancedStatus::new(5, 7, 1),
        diagnostic: diagnostic(kinds >> 2 & 3, &words),
        remote_mta: (kinds & 16 == 0).then(|| DomainPart::Name(domain("mx.example"))),
        cause: cause(kinds >> 5, &words),
        verdict: verdict(kinds >> 5, words),
        tlsa_base: (kinds & 16 == 0).then(|| domain("mx.example")),
        last_attempt: None,
    }
}

fn diagnostic(kind: u8, words: &str) -> Diagnostic {
    let code = ReplyCode::new(550).unwrap();
    match kind {
        0 => Diagnostic::Relay(words.to_owned()),
        1 => Diagnostic::reply(code, &words.split('|').collect::<Vec<_>>()),
        kind => Diagnostic::from_outcome(&Outcome {
            status: Status::Bounced,
            reply_code: (kind == 2).then_some(code),
            enhanced: EnhancedStatus::new(5, 7, 1),
            reason: format!("550-{words}").into(),
        }),
    }
}

fn cause(kind: u8, words: &str) -> Option<Cause> {
    let broken = |words: &str| Cause::Tls(TlsFault::Handshake(BrokenHandshake::Other(words.to_owned())));
    match kind {
        2 | 3 => Some(broken(words)),
        4 => Some(Cause::Policy(Demand::NoSecureTlsa)),
        5 => {
            let failure = FailedLookup::new(LookupFailure::Bogus, Culprit::OurResolver, words);
            Some(Cause::Dns(Lookup::Mx, failure))
        }
        6 => Some(Cause::Connection(ConnectionFault::Unreachable(words.to_owned()))),
        _ => None,
    }
}

fn verdict(kind: u8, words: String) -> DaneVerdict {
    match kind {
        0 => DaneVerdict::NotReached,
        1 => DaneVerdict::Verify,
        2 => DaneVerdict::Fail(FailCause::TlsHandshake(words)),
        3 => DaneVerdict::Softfail(FailCause::NoMatchingTlsa),
        4 => DaneVerdict::Skip(SkipReason::Danefail {
            source: words,
            line: 7,
        }),
        5 => DaneVerdict::Skip(SkipReason::Exception { until: words }),
        6 => DaneVerdict::Fail(FailCause::InsecureMx),
        _ => DaneVerdict::Fail(FailCause::Expired),
    }
}

fn mailbox(input: &mut Input<'_>) -> Mailbox {
    Mailbox::parse(&input.text()).unwrap_or_else(|_| Mailbox::parse("alice@example.org").unwrap())
}

fn domain(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

fn queue_id(number: u8) -> QueueId {
    QueueId::from_bytes([number; 16])
}

/// The message as text, where its lines are such; what is no UTF-8 becomes U+FFFD.
fn lines(message: &[u8], is_7bit: bool) -> String {
    assert!(!is_7bit || message.is_ascii());
    let lines = message.strip_suffix(b"\r\n").expect("an end of the last line");
    for line in lines.split(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        assert!(line.len() <= LINE, "{} octets: {line:?}", line.len());
        assert!(
            !line.iter().any(|octet| matches!(octet, b'\r' | b'\0')),
            "{line:?}"
        );
    }
    let ends = |end: &[u8]| message.windows(end.len()).filter(|window| *window == end).count();
    assert_eq!(ends(b"\n"), ends(b"\r\n"), "a lone LF");
    String::from_utf8_lossy(message).into_owned()
}

/// Fields of a header or a group, unfolded.
fn fields(header: &str) -> Vec<(String, String)> {
    let unfolded = header.replace("\r\n ", " ").replace("\r\n\t", "\t");
    let lines = unfolded.split("\r\n").filter(|line| !line.is_empty());
    let fields = lines.map(|line| line.split_once(':').expect("name: value"));
    fields
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect()
}

fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut named = fields.iter().filter(|(known, _)| known == name);
    named.next().map(|(_, value)| &**value)
}

/// What stands between the delimiter lines (RFC 2046 §5.1.1); nothing may look like one and be none.
fn parts<'a>(body: &'a str, boundary: &str) -> Vec<&'a str> {
    let delimiter = format!("--{boundary}");
    let pieces: Vec<&str> = body.split(&*delimiter).collect();
    let (last, parts) = pieces.split_last().unwrap();
    assert!(last.starts_with("--"), "{body}");
    let parts = parts.iter().skip(1);
    parts
        .map(|part| part.strip_prefix("\r\n").expect("a line of its own"))
        .collect()
}

/// The part for machines (RFC 3464 §2.1): a group about the message, then one for each recipient.
fn groups(part: &str, report: &Report) {
    let (_, status) = part.split_once("\r\n\r\n").expect("a part's body");
    let groups: Vec<_> = status.trim_end().split("\r\n\r\n").map(fields).collect();
    assert_eq!(groups.len(), report.recipients.len() + 1, "{status}");
    assert!(
        !status.contains(|c: char| c.is_control() && !"\r\n".contains(c)),
        "{status:?}"
    );
    assert_eq!(field(&groups[0], "Reporting-MTA"), Some("dns; relay.example"));
    for group in &groups[1..] {
        let count = |name| group.iter().filter(|(known, _)| known == name).count();
        for name in ["Final-Recipient", "Action", "Status"] {
            assert_eq!(count(name), 1, "{name} in {status}");
        }
        assert!(count("Diagnostic-Code") <= 1, "{status}");
        let action = field(group, "Action").unwrap();
        assert!(["failed", "delayed", "relayed"].contains(&action), "{action}");
        assert_eq!(field(group, "Status"), Some("5.7.1"));
    }
}
