//! The one trace field that we put at the top of each message (RFC 5321 §4.4).

use jiff::Timestamp;
use mail::words::header_date;
use mail::{Domain, DomainPart, QueueId, Recipient};
use smtp::{Hello, Protocol};

use crate::client::{Client, UNKNOWN};
use crate::config::ClientInReceived;

/// The content of a Received field.
#[derive(Debug)]
pub(super) struct Received<'a> {
    pub(super) hello: &'a Hello,
    pub(super) client: &'a Client,
    pub(super) hostname: &'a Domain,
    pub(super) id: QueueId,
    /// Whether the client used SMTPUTF8.
    pub(super) smtputf8: bool,
    pub(super) recipients: &'a [Recipient],
    pub(super) at: Timestamp,
    /// Whether the client is named.
    pub(super) from: ClientInReceived,
}

impl Received<'_> {
    /// The field with its line endings, folded after the clauses; no line exceeds 998 octets.
    pub(super) fn to_field(&self) -> String {
        let mut clauses = vec![format!(
            "by {} with {} id {}",
            self.hostname,
            self.with(),
            self.id
        )];
        // With several recipients the clause would reveal them to each other (RFC 5321 §7.2, §7.6).
        if let [only] = self.recipients {
            clauses.push(format!("for <{}>", only.address));
        }
        // RFC 8314 §4.3.
        if let Some(facts) = &self.client.tls {
            clauses.push(format!("tls {}", facts.suite));
        }
        let clauses = clauses.join("\r\n\t");
        let date = header_date(self.at);
        let from = match self.from {
            ClientInReceived::Named => {
                format!("from {} ({})\r\n\t", sanitised(&self.hello.name), self.client())
            }
            ClientInReceived::LeftOut => String::new(),
        };
        format!("Received: {from}{clauses};\r\n\t{date}\r\n")
    }

    /// Name and address of the client, as far as they are known (`TCP-info`, RFC 5321 §4.4).
    fn client(&self) -> String {
        let name = self.client.name.as_deref();
        let name = name.map_or("unknown".to_owned(), sanitised);
        if self.client.address == UNKNOWN {
            return name;
        }
        format!("{name} {}", DomainPart::Literal(self.client.address))
    }

    /// The name of the protocol (RFC 3848 §1, RFC 6531 §4.3); there is none for HELO under TLS.
    fn with(&self) -> String {
        let base = match self.hello.protocol {
            _ if self.smtputf8 => "UTF8SMTP",
            Protocol::Smtp => return "SMTP".to_owned(),
            Protocol::Esmtp => "ESMTP",
        };
        let secure = if self.client.tls.is_some() { "S" } else { "" };
        let authenticated = if self.client.user.is_some() { "A" } else { "" };
        format!("{base}{secure}{authenticated}")
    }
}

/// The client's own name, if it is a name or an address literal; otherwise with every other octet replaced by `?`, so
/// that it can neither open a comment nor end the field.
fn sanitised(name: &str) -> String {
    if let Ok(valid) = DomainPart::parse(name) {
        return valid.to_string();
    }
    name.chars()
        .take(mail::domain::DOMAIN_LENGTH)
        .map(|c| {
            if c.is_ascii_alphanumeric() || ".-_[]:".contains(c) {
                c
            } else {
                '?'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mail::Mailbox;

    fn field(protocol: Protocol, name: &str, client: &str, recipients: &[&str]) -> String {
        let recipients: Vec<Recipient> = recipients
            .iter()
            .map(|text| Mailbox::parse(text).unwrap().into())
            .collect();
        Received {
            smtputf8: recipients.iter().any(|recipient| !recipient.address.is_ascii()),
            hello: &Hello {
                protocol,
                name: name.into(),
            },
            client: &Client::at(client.parse().unwrap()),
            hostname: &Domain::parse("relay.example").unwrap(),
            id: QueueId::from_bytes([0; 16]),
            recipients: &recipients,
            at: Timestamp::from_second(1_795_340_000).unwrap(),
            from: ClientInReceived::Named,
        }
        .to_field()
    }

    #[test]
    fn one_recipient_is_named() {
        assert_eq!(
            field(
                Protocol::Esmtp,
                "client.example",
                "192.0.2.1",
                &["\"a b\"@c.example"]
            ),
            "Received: from client.example (unknown [192.0.2.1])\r\n\
             \tby relay.example with ESMTP id 00000000000000000000000000\r\n\
             \tfor <\"a b\"@c.example>;\r\n\
             \tSun, 22 Nov 2026 09:33:20 +0000\r\n"
        );
    }

    #[test]
    fn beyond_ascii_only_with_smtputf8() {
        let text = field(
            Protocol::Esmtp,
            "client.example",
            "192.0.2.1",
            &["\u{e9}@c.example"],
        );
        assert!(text.contains("\tby relay.example with UTF8SMTP id "), "{text}");
        assert!(text.contains("\tfor <\u{e9}@c.example>;\r\n"), "{text}");
    }

    #[test]
    fn several_recipients_are_not() {
        assert_eq!(
            field(Protocol::Smtp, "[192.0.2.1]", "2001:db8::1", &["a@b", "c@d"]),
            "Received: from [192.0.2.1] (unknown [IPv6:2001:db8::1])\r\n\
             \tby relay.example with SMTP id 00000000000000000000000000;\r\n\
             \tSun, 22 Nov 2026 09:33:20 +0000\r\n"
        );
    }

    #[test]
    fn hostile_names_stay_within_the_clause() {
        let text = field(Protocol::Esmtp, "a)(b\r\nX: y;\"\\<>", "192.0.2.1", &["a@b"]);
        assert!(
            text.starts_with("Received: from a??b??X:?y????? (unknown"),
            "{text}"
        );
        let text = field(Protocol::Esmtp, &"(x".repeat(2000), "192.0.2.1", &["a@b"]);
        assert!(text.lines().all(|line| line.len() < 400));
        assert_eq!(text.lines().count(), 4);
    }
}
