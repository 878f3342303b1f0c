//! Reports as deliveries bring them about.

use dsn::{Action, Diagnostic, RecipientReport, Report};
use jiff::Timestamp;
use mail::cause::{Cause, DaneFlaw, Lookup, TlsFault, Unproven};
use mail::{
    BodyType, DaneVerdict, Domain, DomainPart, EnhancedStatus, FailCause, LookupFailure, MailParameters,
    Mailbox, QueueId, ReplyCode,
};

/// A message of 7 bits.
pub(crate) const PLAIN: &[u8] = b"From: Alice <alice@example.org>\r\nSubject: figures\r\nMessage-ID: \
    <figures.42@example.org>\r\n\r\nThe body, for whom it concerns.\r\n";
/// Its sender may be ASCII or not; its header is not.
pub(crate) const INTERNATIONAL: &str = "From: Andr\u{e9} <andr\u{e9}@example.org>\r\nSubject: \u{4e16}\u{754c}\r\n\
    Message-ID: <caf\u{e9}@example.org>\r\n\r\nd\u{e9}j\u{e0} vu\r\n";

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn name(name: &str) -> DomainPart {
    DomainPart::parse(name).unwrap()
}

pub(crate) fn mailbox(address: &str) -> Mailbox {
    Mailbox::parse(address).unwrap()
}

/// On `original`, of which nothing was asked.
pub(crate) fn report(original: &[u8], recipients: Vec<RecipientReport>) -> Report {
    let body = if original.is_ascii() {
        BodyType::SevenBit
    } else {
        BodyType::EightBitMime
    };
    Report {
        reporting_mta: name("relay.example.nl"),
        postmaster: None,
        original_sender: mailbox("alice@example.org"),
        parameters: MailParameters::of(body),
        size: original.len().try_into().unwrap(),
        queue_id: QueueId::from_bytes([7; 16]),
        arrived: time("2026-11-20T10:00:00Z"),
        recipients,
    }
}

/// The report as it is queued.
pub(crate) fn built(report: &Report, original: &[u8]) -> Vec<u8> {
    let original = &original[..report.wanted()];
    let now = time("2026-11-25T10:03:00Z");
    report.build(original, QueueId::from_bytes([8; 16]), now).unwrap()
}

pub(crate) fn refused() -> RecipientReport {
    let texts = ["5.1.1 <Bob@example.com>: unknown here", "5.1.1 good bye"];
    RecipientReport {
        address: mailbox("Bob@example.com"),
        original_recipient: Some("rfc822;Bob+2Bnews@alias.example".parse().unwrap()),
        action: Action::Failed,
        status: EnhancedStatus::new(5, 1, 1),
        diagnostic: Diagnostic::reply(ReplyCode::new(550).unwrap(), &texts),
        remote_mta: Some(name("mx.example.com")),
        verdict: DaneVerdict::Verify,
        cause: None,
        tlsa_base: Some(Domain::parse("mx.example.com").unwrap()),
        last_attempt: Some(time("2026-11-25T10:02:00Z")),
    }
}

/// Given up after its server never proved itself.
pub(crate) fn expired() -> RecipientReport {
    RecipientReport {
        address: mailbox("carol@example.net"),
        original_recipient: None,
        action: Action::Expired,
        status: EnhancedStatus::new(4, 7, 5),
        diagnostic: Diagnostic::Relay("no TLSA record matches the certificate".to_owned()),
        verdict: DaneVerdict::Fail(FailCause::NoMatchingTlsa),
        cause: Some(Cause::Tls(TlsFault::Unproven(Unproven::Dane(DaneFlaw::NoMatch)))),
        ..refused()
    }
}

/// No server was reached, because the domain's records could not be looked up.
pub(crate) fn delayed() -> RecipientReport {
    RecipientReport {
        address: mailbox("\"d d\"@example.info"),
        original_recipient: None,
        action: Action::Delayed {
            will_retry_until: time("2026-11-27T10:00:00Z"),
        },
        status: EnhancedStatus::new(4, 7, 5),
        diagnostic: Diagnostic::Relay("the MX look-up failed: bogus".to_owned()),
        remote_mta: None,
        verdict: DaneVerdict::Fail(FailCause::MxLookup(LookupFailure::Bogus)),
        cause: Some(Cause::Dns(Lookup::Mx, LookupFailure::Bogus.into())),
        tlsa_base: None,
        ..refused()
    }
}

pub(crate) fn relayed() -> RecipientReport {
    RecipientReport {
        address: mailbox("erin@example.com"),
        original_recipient: None,
        action: Action::Relayed,
        status: EnhancedStatus::new(2, 0, 0),
        diagnostic: Diagnostic::reply(ReplyCode::new(250).unwrap(), &["2.0.0 Ok"]),
        ..refused()
    }
}

pub(crate) fn refused_international() -> RecipientReport {
    RecipientReport {
        address: mailbox("ren\u{e9}+x@b\u{fc}cher.example"),
        original_recipient: Some("utf-8;d\u{e9}j\u{e0}@alias.example".parse().unwrap()),
        ..refused()
    }
}
