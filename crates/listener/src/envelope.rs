//! The envelope as it goes into the spool: what it needs of the next server follows from what it holds.

use std::fmt::Write as _;

use mail::{BodyType, Envelope, MailParameters, OriginalRecipient, Recipient, RecipientParameters};
use smtp::Transaction;

/// The envelope of a transaction whose content has come.
///
/// A client may say SMTPUTF8 of plain ASCII. That is not carried on (RFC 6531 §3.4): no message fails for want of an
/// extension that it does not need.
pub(crate) fn envelope(transaction: Transaction, body: BodyType, header_is_ascii: bool) -> Envelope {
    let Transaction { mail, mut recipients } = transaction;
    let mut smtputf8 = mail.smtputf8;
    if smtputf8 && header_is_ascii && mail.reverse_path.as_str().is_ascii() {
        // One that cannot be written in ASCII keeps all as they were received.
        if let Some(ascii) = recipients.iter().map(in_ascii).collect() {
            recipients = ascii;
            smtputf8 = false;
        }
    }
    Envelope {
        reverse_path: mail.reverse_path,
        recipients,
        parameters: MailParameters {
            body,
            smtputf8,
            ret: mail.ret,
            envelope_id: mail.envelope_id,
        },
    }
}

/// A recipient whose ORCPT has its 7-bit form, which means the same (RFC 6533 §3). `None` if the address is beyond ASCII,
/// or if that form would be too long.
fn in_ascii(recipient: &Recipient) -> Option<Recipient> {
    let original = recipient.parameters.original.as_ref();
    let original = original
        .map(|original| seven_bit(original).ok_or(()))
        .transpose()
        .ok()?;
    recipient.address.is_ascii().then(|| Recipient {
        address: recipient.address.clone(),
        parameters: RecipientParameters {
            notify: recipient.parameters.notify.clone(),
            original,
        },
    })
}

fn seven_bit(original: &OriginalRecipient) -> Option<OriginalRecipient> {
    let mut text = String::new();
    for character in original.as_str().chars() {
        if character.is_ascii() {
            text.push(character);
        } else {
            // Writing into a string cannot fail.
            let _ = write!(text, "\\x{{{:X}}}", u32::from(character));
        }
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use mail::{Mailbox, ReversePath};
    use smtp::MailFrom;

    fn transaction(from: &str, to: &str, original: Option<&str>, smtputf8: bool) -> Transaction {
        Transaction {
            mail: MailFrom {
                reverse_path: ReversePath::parse(from).unwrap(),
                size: None,
                body: None,
                smtputf8,
                ret: None,
                envelope_id: None,
            },
            recipients: vec![Recipient {
                address: Mailbox::parse(to).unwrap(),
                parameters: RecipientParameters {
                    notify: None,
                    original: original.map(|text| text.parse().unwrap()),
                },
            }],
        }
    }

    #[test]
    fn the_extension_is_needed_only_beyond_ascii() {
        for (from, to, header_is_ascii, needed) in [
            ("", "a@b", true, false),
            ("a@b", "a@xn--bcher-kva.example", true, false),
            ("a@b", "a@b", false, true),
            ("\u{e9}@b", "a@b", true, true),
            ("a@b", "a@b\u{fc}cher.example", true, true),
        ] {
            let asked = envelope(
                transaction(from, to, None, true),
                BodyType::SevenBit,
                header_is_ascii,
            );
            assert_eq!(asked.parameters.smtputf8, needed, "{from} {to} {header_is_ascii}");
        }
        // 8-bit octets in a header do not make up for what the client did not say.
        let silent = envelope(
            transaction("a@b", "a@b", None, false),
            BodyType::EightBitMime,
            false,
        );
        assert!(!silent.parameters.smtputf8);
    }

    #[test]
    fn original_recipients_take_their_seven_bit_form_where_all_else_is_ascii() {
        let original = |to: &str, text: &str| {
            let envelope = envelope(transaction("a@b", to, Some(text), true), BodyType::SevenBit, true);
            let original = envelope.recipients[0].parameters.original.clone().unwrap();
            (envelope.parameters.smtputf8, original.as_str().to_owned())
        };
        assert_eq!(
            original("a@b", "UTF-8;D\u{e9}j\u{e0}\u{1f600}@b"),
            (false, r"UTF-8;D\x{E9}j\x{E0}\x{1F600}@b".to_owned())
        );
        assert_eq!(
            original("\u{e9}@b", "utf-8;\u{e9}@b"),
            (true, "utf-8;\u{e9}@b".to_owned())
        );
        // In its other form this one would be longer than an ORCPT may be.
        let long = format!("utf-8;{}", "\u{e9}".repeat(100));
        assert_eq!(original("a@b", &long), (true, long.clone()));
        let mut two = transaction("a@b", "a@b", Some("utf-8;\u{e9}@b"), true);
        two.recipients
            .extend(transaction("a@b", "c@d", Some(&long), true).recipients);
        let recipients = two.recipients.clone();
        assert_eq!(envelope(two, BodyType::SevenBit, true).recipients, recipients);
    }
}
