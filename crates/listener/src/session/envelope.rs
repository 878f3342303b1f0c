//! The envelope as stored in the spool: its content decides which extensions the next server must support.

use mail::{BodyType, Envelope, MailParameters, TlsTag};
use smtp::Transaction;

use super::header::HeaderScanner;

/// The envelope of a transaction whose content has been received.
///
/// A client may give SMTPUTF8 for plain ASCII. It is not passed on then (RFC 6531 §3.4): no message should fail because
/// a server lacks an extension that the message does not need. Nor does one recipient's address make the others need
/// it.
pub(super) fn envelope(transaction: Transaction, body: BodyType, header: &HeaderScanner) -> Envelope {
    let Transaction { mail, recipients } = transaction;
    let is_ascii = header.is_ascii() && mail.reverse_path.as_str().is_ascii();
    Envelope {
        recipients,
        parameters: MailParameters {
            body,
            smtputf8: mail.smtputf8 && !is_ascii,
            ret: mail.ret,
            envelope_id: mail.envelope_id,
            // The parameter overrules the field (RFC 8689 §4.1).
            tls: match mail.tls {
                TlsTag::Usual if header.waives_tls() => TlsTag::NotRequired,
                tag => tag,
            },
        },
        reverse_path: mail.reverse_path,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mail::{Mailbox, Recipient, RecipientParameters, ReversePath};
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
                tls: TlsTag::Usual,
                submitter: None,
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

    fn header(text: &str) -> HeaderScanner {
        let mut scanner = HeaderScanner::default();
        scanner.scan(text.as_bytes());
        scanner
    }

    fn of_header(is_ascii: bool) -> HeaderScanner {
        header(if is_ascii {
            "Subject: x\r\n\r\n"
        } else {
            "Subject: \u{e9}\r\n\r\n"
        })
    }

    #[test]
    fn the_parameter_overrules_the_field() {
        for (parameter, text, tag) in [
            (TlsTag::Usual, "Subject: x\r\n\r\n", TlsTag::Usual),
            (TlsTag::Usual, "TLS-Required: No\r\n\r\n", TlsTag::NotRequired),
            (TlsTag::Required, "TLS-Required: No\r\n\r\n", TlsTag::Required),
            (TlsTag::Required, "Subject: x\r\n\r\n", TlsTag::Required),
        ] {
            let mut given = transaction("a@b", "a@b", None, false);
            given.mail.tls = parameter;
            assert_eq!(
                envelope(given, BodyType::SevenBit, &header(text)).parameters.tls,
                tag
            );
        }
    }

    #[test]
    fn the_extension_is_needed_only_beyond_ascii() {
        for (from, to, header_is_ascii, needed) in [
            ("", "a@b", true, false),
            ("a@b", "a@xn--bcher-kva.example", true, false),
            ("a@b", "a@b", false, true),
            ("\u{e9}@b", "a@b", true, true),
            // Only this recipient needs it.
            ("a@b", "a@b\u{fc}cher.example", true, false),
        ] {
            let asked = envelope(
                transaction(from, to, None, true),
                BodyType::SevenBit,
                &of_header(header_is_ascii),
            );
            assert_eq!(asked.parameters.smtputf8, needed, "{from} {to} {header_is_ascii}");
        }
        // 8-bit octets in a header do not replace the parameter that the client did not give.
        let silent = envelope(
            transaction("a@b", "a@b", None, false),
            BodyType::EightBitMime,
            &of_header(false),
        );
        assert!(!silent.parameters.smtputf8);
    }

    #[test]
    fn recipients_stay_as_they_were_given() {
        let given = transaction("a@b", "\u{e9}@b", Some("utf-8;d\u{e9}j\u{e0}@b"), true);
        let recipients = given.recipients.clone();
        assert_eq!(
            envelope(given, BodyType::SevenBit, &of_header(true)).recipients,
            recipients
        );
    }
}
