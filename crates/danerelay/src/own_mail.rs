//! Mail from the relay itself to those who run it: notices of incidents, the daily mail. It goes through our own queue.

use std::fmt::Write as _;
use std::sync::Arc;

use data_encoding::BASE64_MIME;
use jiff::Timestamp;
use mail::words::header_date;
use mail::{BodyType, Envelope, MailParameters, Mailbox, QueueId, ReversePath};
use spool::{Accepted, NewMessage, Spool, SpoolError};

/// What is written to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    /// In ASCII.
    pub(crate) subject: String,
    /// With CRLF or LF at the ends of its lines.
    pub(crate) text: String,
}

/// A letter as it is put into the queue.
pub(crate) struct Mail {
    message: NewMessage,
    content: Vec<u8>,
}

/// Puts our own mail into the queue.
pub(crate) struct Post<S> {
    pub(crate) spool: Arc<S>,
    /// Is told of the mail.
    pub(crate) accepted: Box<dyn Fn(Accepted) + Send + Sync>,
    /// Our name.
    pub(crate) relay: String,
}

impl Letter {
    /// The mail to somebody, from the relay of this name. It has the null reverse-path, so that nothing is ever reported about
    /// it.
    pub(crate) fn mail(&self, to: &Mailbox, relay: &str, now: Timestamp) -> Mail {
        let id = QueueId::generate();
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
            content: content(self, (to, relay), (id, now)).into_bytes(),
        }
    }
}

impl<S: Spool> Post<S> {
    /// Queues it.
    pub(crate) async fn mail(&self, mail: &Mail) -> Result<QueueId, SpoolError> {
        let mut incoming = self.spool.create()?;
        incoming.append(&mail.content).await?;
        let accepted = self.spool.commit(incoming, mail.message.clone()).await?;
        (self.accepted)(accepted);
        Ok(mail.message.id)
    }
}

/// It says that it was made by a program, so that nobody replies to it by one (RFC 3834 §5).
fn content(letter: &Letter, (to, relay): (&Mailbox, &str), (id, now): (QueueId, Timestamp)) -> String {
    let mut content = String::new();
    let fields = [
        ("Date", header_date(now)),
        ("From", format!("danerelay <postmaster@{relay}>")),
        ("To", to.to_string()),
        ("Subject", letter.subject.clone()),
        ("Message-ID", format!("<{id}@{relay}>")),
        ("Auto-Submitted", "auto-generated".to_owned()),
        ("MIME-Version", "1.0".to_owned()),
        ("Content-Type", "text/plain; charset=utf-8".to_owned()),
        ("Content-Transfer-Encoding", "base64".to_owned()),
    ];
    for (name, value) in fields {
        // A string takes everything.
        let _ = write!(content, "{name}: {value}\r\n");
    }
    let text = letter.text.replace("\r\n", "\n").replace('\n', "\r\n");
    content.push_str("\r\n");
    content.push_str(&BASE64_MIME.encode(text.as_bytes()));
    content
}
