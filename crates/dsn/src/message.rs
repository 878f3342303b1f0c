//! The report as a message: a header of our own and three parts in a `multipart/report` (RFC 3464 §2, RFC 6522 §3).

use jiff::Timestamp;
use mail::{Mailbox, QueueId};
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::date::Date;
use mail_builder::headers::raw::Raw;
use mail_builder::mime::{BodyPart, MimePart};

use crate::letter::letter;
use crate::original::OriginalHeader;
use crate::report::{Action, Report};
use crate::status::delivery_status;

/// Everything that the builder would make up by itself, from a clock or from chance, is given to it here: the date,
/// the message-id and the boundary.
pub(crate) fn build(report: &Report, original: &[u8], id: QueueId, now: Timestamp) -> Vec<u8> {
    let original = OriginalHeader::read(original);
    let letter = letter(report, now);
    let status = delivery_status(report);
    let boundary = boundary(id, &[&letter, &status, &original.text]);
    let mut message = MessageBuilder::new()
        .from(Address::new_address(
            Some("Mail Delivery System"),
            report.postmaster(),
        ))
        .to(sender_address(&report.original_sender))
        .subject(subject(report))
        .date(Date::new(now.as_second()))
        .message_id(format!("{id}@{}", report.reporting_mta))
        // Answers to a message, not messages of a schedule, and never to be answered themselves (RFC 3834 §5.2).
        .header("Auto-Submitted", Raw::new("auto-replied"));
    if let Some(message_id) = original.message_id {
        message = message.in_reply_to(message_id.clone()).references(message_id);
    }
    let content_type = ContentType::new("multipart/report")
        .attribute("report-type", "delivery-status")
        .attribute("boundary", boundary);
    let parts = vec![
        letter_part(letter),
        ready_part("message/delivery-status", "7bit", status),
        ready_part("text/rfc822-headers", original.encoding, original.text),
    ];
    let mut content = Vec::new();
    message
        .body(MimePart::new(content_type, parts))
        .serialize(&mut content);
    content
}

/// The builder picks the transfer encoding: 7bit, or quoted-printable if a word is too long for its line.
fn letter_part(letter: String) -> MimePart<'static> {
    MimePart::new(
        ContentType::new("text/plain").attribute("charset", "us-ascii"),
        BodyPart::Text(letter.into()),
    )
}

/// A part that is already in its transfer encoding.
fn ready_part(content_type: &'static str, encoding: &'static str, text: String) -> MimePart<'static> {
    MimePart::new(
        ContentType::new(content_type),
        BodyPart::Binary(text.into_bytes().into()),
    )
    .transfer_encoding(encoding)
}

/// The sender as an address. An address that is not ASCII cannot stand in a 7-bit header; it is shown as the name of
/// an empty group, in the manner of RFC 6857. The envelope has it as it is.
fn sender_address(sender: &Mailbox) -> Address<'_> {
    if sender.is_ascii() {
        Address::new_address(None::<&str>, sender.as_str())
    } else {
        Address::new_group(Some(sender.as_str()), Vec::new())
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

/// A boundary that occurs in none of the parts (RFC 2046 §5.1.1). It is made of the report's id, which nobody could
/// know when the original was written, and is lengthened until it occurs nowhere all the same. Quoted-printable text
/// never has `=_`, so that an encoding chosen later cannot bring it in.
fn boundary(id: QueueId, parts: &[&str]) -> String {
    let mut boundary = format!("=_{id}");
    let mut number = 0_u64;
    while parts.iter().any(|part| part.contains(boundary.as_str())) {
        number = number.saturating_add(1);
        boundary = format!("=_{id}.{number}");
    }
    boundary
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_boundary_occurs_nowhere() {
        let id: QueueId = "01JDB3ZZZZZZZZZZZZZZZZZZZZ".parse().unwrap();
        let first = boundary(id, &["a"]);
        assert_eq!(first, "=_01JDB3ZZZZZZZZZZZZZZZZZZZZ");
        let second = boundary(id, &["a", &format!("--{first}--")]);
        assert_eq!(second, format!("{first}.1"));
        let parts = [first.clone(), second, format!("{first}.2")];
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        assert_eq!(boundary(id, &parts), format!("{first}.3"));
    }
}
