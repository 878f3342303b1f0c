//! What is told: as mail, and as JSON for commands and webhooks.

use std::fmt::Write as _;

use data_encoding::BASE64_MIME;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use mail::{BodyType, Envelope, MailParameters, Mailbox, QueueId, ReversePath};
use report::incidents::news::News;
use report::incidents::{Incident, page};
use serde::Serialize;
use spool::NewMessage;

/// The most incidents that are told in full at a time; the rest are counted.
const TOLD: usize = 20;

/// What is told of an incident.
#[derive(Debug, Serialize)]
pub(super) struct Item {
    pub(super) news: News,
    pub(super) incident: Incident,
}

/// The object that commands and webhooks are given.
#[derive(Serialize)]
struct Notice<'a> {
    relay: &'a str,
    incidents: &'a [Item],
    /// How many more there are.
    more: usize,
}

/// Our own mail.
pub(super) struct Mail {
    pub(super) message: NewMessage,
    pub(super) content: Vec<u8>,
}

/// One JSON object on one line.
pub(super) fn json(relay: &str, items: &[Item]) -> Vec<u8> {
    let told = items.get(..TOLD).unwrap_or(items);
    let notice = Notice {
        relay,
        incidents: told,
        more: items.len() - told.len(),
    };
    let mut line = crate::json::line(&notice).unwrap_or_default();
    line.push('\n');
    line.into_bytes()
}

/// The mail about these incidents. It has the null reverse-path, so that nothing is ever reported about it, and says that it
/// was made by a program, so that nobody replies to it by one (RFC 3834 §5).
pub(super) fn mail(items: &[Item], (to, relay): (&Mailbox, &str), now: Timestamp) -> Mail {
    let id = QueueId::generate();
    let mut content = String::new();
    let date = rfc2822::to_string(&now.to_zoned(jiff::tz::TimeZone::UTC)).unwrap_or_default();
    let fields = [
        ("Date", date),
        ("From", format!("danerelay <postmaster@{relay}>")),
        ("To", to.to_string()),
        ("Subject", subject(items, relay)),
        ("Message-ID", format!("<{id}@{relay}>")),
        ("Auto-Submitted", "auto-generated".to_owned()),
        ("MIME-Version", "1.0".to_owned()),
        ("Content-Type", "text/plain; charset=utf-8".to_owned()),
        ("Content-Transfer-Encoding", "base64".to_owned()),
    ];
    for (name, value) in fields {
        let _ = write!(content, "{name}: {value}\r\n");
    }
    content.push_str("\r\n");
    content.push_str(&BASE64_MIME.encode(text(items, relay, now).as_bytes()));
    let envelope = Envelope {
        reverse_path: ReversePath::Null,
        recipients: vec![to.clone().into()],
        parameters: MailParameters::of(BodyType::SevenBit),
    };
    Mail {
        message: NewMessage {
            id,
            envelope,
            created: now,
        },
        content: content.into_bytes(),
    }
}

/// Names of hosts and domains and words of ours: all of it is ASCII.
fn subject(items: &[Item], relay: &str) -> String {
    match items {
        [one] => format!("[{relay}] incident {}: {}", one.news.as_str(), one.incident.name),
        [first, ..] => format!(
            "[{relay}] {} incidents: {} {}, and others",
            items.len(),
            first.incident.name,
            first.news.as_str()
        ),
        [] => format!("[{relay}] incidents"),
    }
}

fn text(items: &[Item], relay: &str, now: Timestamp) -> String {
    let mut text = String::new();
    for item in items {
        let _ = write!(
            text,
            "{:<7} {:<4} {}\r\n",
            item.news.as_str(),
            item.incident.id,
            item.incident.summary
        );
    }
    for item in items.iter().take(TOLD) {
        text.push_str("\r\n----------------------------------------------------------------\r\n\r\n");
        text.push_str(&page::write(&item.incident, relay, now).replace('\n', "\r\n"));
    }
    let _ = write!(
        text,
        "\r\n-- \r\nWritten by danerelay at {relay}: `danerelay incidents` shows how things stand.\r\n"
    );
    text
}
