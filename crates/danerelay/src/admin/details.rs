//! One message with everything known about it: what `queue show` shows.

use delivery::RetrySchedule;
use jiff::Timestamp;
use mail::{ReversePath, TlsTag};
use serde::{Deserialize, Serialize};
use spool::{Content, Declared, QueuedMessage, SpoolError};

/// How much of the content is searched for header fields, in octets.
const HEADER_LIMIT: usize = 256 << 10;

/// A message, when it is given up, and its header. Serialised, it is the output of `queue show --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MessageDetails {
    /// The message as `queue list` shows it.
    #[serde(flatten)]
    pub(crate) message: QueuedMessage,
    /// What its client declared besides its paths.
    pub(crate) declared: Declared,
    /// When it is given up.
    #[serde(serialize_with = "spool::in_milliseconds")]
    pub(crate) expires: Timestamp,
    /// Fields of its header.
    pub(crate) header: Header,
    /// Why its content cannot be read, if that is so; the header is empty then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trouble: Option<String>,
}

/// The header fields that identify a message to people: the first of each, unfolded, otherwise as written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) date: Option<String>,
    pub(crate) message_id: Option<String>,
}

impl MessageDetails {
    /// Reads the header of the content. Sender and recipients can be shown even if the content cannot be read.
    pub(crate) async fn read(
        message: QueuedMessage,
        (declared, content): (Declared, Result<Content, SpoolError>),
        expires: Timestamp,
    ) -> Self {
        let read = match content {
            Ok(content) => beginning(&content).await,
            Err(error) => Err(error),
        };
        let (header, trouble) = match read {
            Ok(octets) => (Header::parse(&octets), None),
            Err(error) => (Header::default(), Some(error.to_string())),
        };
        Self {
            message,
            declared,
            expires,
            header,
            trouble,
        }
    }
}

/// When the last of the recipients is given up.
pub(super) fn expires(
    (message, tag): (&QueuedMessage, TlsTag),
    retry: &RetrySchedule,
    now: Timestamp,
) -> Timestamp {
    // Everything in a queue has had a valid reverse-path.
    let sender = ReversePath::parse(&message.sender).unwrap_or(ReversePath::Null);
    let attempts = message.recipients.iter().map(|recipient| recipient.attempts);
    let fewest = attempts.min().unwrap_or(message.attempts);
    retry.gives_up(message.created, (&sender, tag), fewest, now)
}

/// The content up to the end of its header, or up to the search limit.
async fn beginning(content: &Content) -> Result<Vec<u8>, SpoolError> {
    let mut reader = content.reader().await?;
    let mut octets: Vec<u8> = Vec::new();
    while octets.len() < HEADER_LIMIT
        && let Some(chunk) = reader.next().await?
    {
        let before = octets.len().saturating_sub(3);
        octets.extend_from_slice(&chunk);
        let fresh = octets.get(before..).unwrap_or_default();
        if fresh.windows(4).any(|four| four == b"\r\n\r\n") {
            break;
        }
    }
    Ok(octets)
}

impl Header {
    fn parse(octets: &[u8]) -> Self {
        let text = String::from_utf8_lossy(octets);
        let mut header = Self::default();
        let mut lines = text.split("\r\n").peekable();
        while let Some(line) = lines.next().filter(|line| !line.is_empty()) {
            let Some((name, first)) = line.split_once(':') else {
                continue;
            };
            let mut body = first.to_owned();
            // Folding (RFC 5322 §2.2.3); which white space it was does not matter here.
            while let Some(more) = lines.next_if(|next| next.starts_with([' ', '\t'])) {
                body.push(' ');
                body.push_str(more.trim_start());
            }
            if let Some(place) = header.place(name.trim_end()) {
                place.get_or_insert_with(|| body.trim().replace('\t', " "));
            }
        }
        header
    }

    fn place(&mut self, name: &str) -> Option<&mut Option<String>> {
        match name.to_ascii_lowercase().as_str() {
            "from" => Some(&mut self.from),
            "to" => Some(&mut self.to),
            "subject" => Some(&mut self.subject),
            "date" => Some(&mut self.date),
            "message-id" => Some(&mut self.message_id),
            _ => None,
        }
    }

    /// The fields that are present, by name.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("From", &self.from),
            ("To", &self.to),
            ("Subject", &self.subject),
            ("Date", &self.date),
            ("Message-ID", &self.message_id),
        ]
        .into_iter()
        .filter_map(|(name, body)| Some((name, body.as_deref()?)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_first_field_of_a_name_counts_and_is_unfolded() {
        let header = Header::parse(
            b"Received: from a\r\n\tby b; Sun\r\nSUBJECT : one\r\n\t two\tthree\r\nsubject: other\r\nno field\r\n\
              Message-ID:<1@a>\r\n\r\nFrom: body@a.example\r\n",
        );
        assert_eq!(header.subject.as_deref(), Some("one two three"));
        assert_eq!(header.message_id.as_deref(), Some("<1@a>"));
        assert_eq!(header.from, None);
        assert_eq!(header.fields().count(), 2);
    }

    #[test]
    fn any_octets_have_some_header() {
        for octets in [
            &b""[..],
            b"\r\n",
            b":",
            b" : \r\n :",
            b"\xff\xfe: \xff\r\n",
            b"From",
        ] {
            assert_eq!(Header::parse(octets), Header::default(), "{octets:?}");
        }
    }

    #[test]
    fn a_message_ends_when_the_schedule_ends_it() {
        let hours = |hours| Duration::from_hours(hours);
        let retry = RetrySchedule {
            delays: vec![hours(1)],
            max_age: hours(3),
            bounce_max_age: hours(2),
        };
        for (sender, age) in [("", 2), ("a@b.example", 3)] {
            let message = QueuedMessage {
                id: mail::QueueId::generate(),
                sender: sender.to_owned(),
                size: 21,
                created: Timestamp::UNIX_EPOCH,
                attempts: 0,
                next_attempt: None,
                recipients: Vec::new(),
            };
            let after = |hours: i64| Timestamp::from_second(hours * 3600).unwrap();
            let expires = |retry, tag, now| expires((&message, tag), retry, now);
            assert_eq!(expires(&retry, TlsTag::Usual, after(0)), after(age));
            // A message that was never tried is not given up, however old it is.
            assert_eq!(expires(&retry, TlsTag::Usual, after(50)), after(50));
            // A TLS report of our own is of no use after a day.
            let days = RetrySchedule {
                max_age: hours(120),
                bounce_max_age: hours(120),
                ..retry.clone()
            };
            assert_eq!(expires(&days, TlsTag::Usual, after(0)), after(120));
            assert_eq!(expires(&days, TlsTag::OwnReport, after(0)), after(24));
        }
    }
}
