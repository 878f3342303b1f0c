//! The report as a message: a header of our own and three parts in a `multipart/report` (RFC 3464 §2, RFC 6522 §3).

use jiff::Timestamp;
use mail::{Action, QueueId};
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::date::Date;
use mail_builder::headers::raw::Raw;
use mail_builder::mime::{BodyPart, MimePart};

use crate::encoding::{Encoded, encode_text};
use crate::letter::letter;
use crate::report::Report;
use crate::returned::Returned;
use crate::status::delivery_status;

impl Report {
    /// The report as a message, complete with its header, made at `now` under the queue id `id`.
    ///
    /// `original` is the beginning of the original's content, as much of it as is [`wanted`](Self::wanted); with less,
    /// less is returned to the sender. `None` if there is no recipient to report (RFC 3464 §2.1 demands one).
    pub fn build(&self, original: &[u8], id: QueueId, now: Timestamp) -> Option<Vec<u8>> {
        (!self.recipients.is_empty()).then(|| build(self, original, id, now))
    }
}

/// Everything that the builder would otherwise generate itself, from a clock or at random, is passed in here: the date, the
/// message-id and the boundary.
fn build(report: &Report, original: &[u8], id: QueueId, now: Timestamp) -> Vec<u8> {
    let recipients = report.sorted();
    let returned = Returned::new(report, original);
    let letter = letter(report, &recipients, returned.extent, now);
    let status = delivery_status(report, &recipients);
    let mut parts = vec![
        (letter_type(&letter), encode_text(&letter, report.way())),
        (
            ContentType::new(status.content_type),
            encode_text(&status.text, report.way()),
        ),
    ];
    parts.extend(
        returned
            .part
            .map(|part| (ContentType::new(part.content_type), part.body)),
    );
    let mut message = MessageBuilder::new()
        .from(Address::new_address(
            Some("Mail Delivery System"),
            report.postmaster(),
        ))
        .to(Address::new_address(
            None::<&str>,
            report.return_address().to_string(),
        ))
        .subject(subject(report))
        .date(Date::new(now.as_second()))
        .message_id(format!("{id}@{}", report.reporting_mta))
        // These are answers to a message, not scheduled messages, and must never be answered themselves (RFC 3834 §5.2).
        .header("Auto-Submitted", Raw::new("auto-replied"));
    if let Some(message_id) = returned.message_id {
        message = message.in_reply_to(message_id.clone()).references(message_id);
    }
    let mut content = Vec::new();
    message.body(multipart(parts, id)).serialize(&mut content);
    content
}

/// A letter in pure ASCII is declared as such, which every reader understands.
fn letter_type(letter: &str) -> ContentType<'static> {
    let charset = if letter.is_ascii() { "us-ascii" } else { "utf-8" };
    ContentType::new("text/plain").attribute("charset", charset)
}

/// The parts, already in their transfer encoding. A multipart with an 8-bit part is itself 8-bit (RFC 2045 §6.4).
fn multipart(parts: Vec<(ContentType<'static>, Encoded)>, id: QueueId) -> MimePart<'static> {
    let bodies: Vec<&[u8]> = parts.iter().map(|(_, body)| &*body.octets).collect();
    let content_type = ContentType::new("multipart/report")
        .attribute("report-type", "delivery-status")
        .attribute("boundary", boundary(id, &bodies));
    let is_8bit = parts.iter().any(|(_, body)| body.name == "8bit");
    let parts: Vec<_> = parts
        .into_iter()
        .map(|(content_type, body)| {
            MimePart::new(content_type, BodyPart::Binary(body.octets.into())).transfer_encoding(body.name)
        })
        .collect();
    let multipart = MimePart::new(content_type, parts);
    if is_8bit {
        multipart.transfer_encoding("8bit")
    } else {
        multipart
    }
}

fn subject(report: &Report) -> &'static str {
    let all = |test: fn(Action) -> bool| report.recipients.iter().all(|recipient| test(recipient.action));
    if all(|action| matches!(action, Action::Failed | Action::Expired)) {
        "Your message could not be delivered"
    } else if all(|action| matches!(action, Action::Delayed { .. })) {
        "Your message is delayed"
    } else if all(|action| action == Action::Relayed) {
        "Your message was relayed"
    } else {
        "Report on the delivery of your message"
    }
}

/// A boundary that occurs in none of the parts (RFC 2046 §5.1.1). It is made from the report's id, which nobody could know
/// when the original was written; should it occur anyway, it is lengthened until it does not. Quoted-printable text never
/// contains `=_`.
fn boundary(id: QueueId, parts: &[&[u8]]) -> String {
    let mut boundary = format!("=_{id}");
    let mut number = 0_u64;
    while parts.iter().any(|part| contains(part, boundary.as_bytes())) {
        number = number.saturating_add(1);
        boundary = format!("=_{id}.{number}");
    }
    boundary
}

fn contains(part: &[u8], boundary: &[u8]) -> bool {
    part.windows(boundary.len()).any(|octets| octets == boundary)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_boundary_occurs_nowhere() {
        let id: QueueId = "01JDB3ZZZZZZZZZZZZZZZZZZZZ".parse().unwrap();
        let first = boundary(id, &[b"a"]);
        assert_eq!(first, "=_01JDB3ZZZZZZZZZZZZZZZZZZZZ");
        let second = boundary(id, &[b"a", format!("--{first}--").as_bytes()]);
        assert_eq!(second, format!("{first}.1"));
        let parts = [first.clone(), second, format!("{first}.2")];
        let parts: Vec<&[u8]> = parts.iter().map(String::as_bytes).collect();
        assert_eq!(boundary(id, &parts), format!("{first}.3"));
    }
}
