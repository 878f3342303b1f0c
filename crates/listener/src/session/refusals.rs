//! Logs what a session was refused: one line with a count.

use mail::event::Event;
use mail::event::client::Rejected;
use mail::{Mailbox, ReversePath};

use crate::client::Client;
use crate::config::ListenerConfig;

/// How much of a refused command is kept, in octets.
const COMMAND: usize = 256;

/// Commands that are kept with what stands behind the verb.
const ENVELOPE: [&[u8]; 2] = [b"MAIL", b"RCPT"];
/// Commands of which only the verb is kept.
const VERBS: [&str; 16] = [
    "EHLO", "HELO", "DATA", "BDAT", "RSET", "NOOP", "VRFY", "EXPN", "HELP", "QUIT", "STARTTLS", "AUTH",
    "ETRN", "TURN", "XCLIENT", "XFORWARD",
];

/// What a session was refused since the last log line.
#[derive(Debug, Default)]
pub(super) struct Refusals(Option<Box<Refused>>);

/// The first refusal, and how many there were.
#[derive(Debug)]
struct Refused {
    subject: Subject,
    reply: String,
    /// The last reply that differs from the first.
    other: Option<String>,
    count: u64,
}

/// What was refused.
#[derive(Debug, Default)]
pub(super) struct Subject {
    /// The reverse-path of the transaction, if there is one.
    pub(super) from: Option<ReversePath>,
    /// The recipient.
    pub(super) to: Option<Mailbox>,
    /// The command that was refused: MAIL or RCPT as the client wrote it, of others the verb.
    pub(super) command: Option<String>,
    /// The user as which the client tried to log in.
    pub(super) user: Option<String>,
}

impl Subject {
    /// A message, or what its client said before it gave a sender.
    pub(super) fn message(from: Option<ReversePath>) -> Self {
        Self {
            from,
            ..Self::default()
        }
    }

    /// A recipient of a message.
    pub(super) fn recipient(from: ReversePath, to: Mailbox) -> Self {
        Self {
            from: Some(from),
            to: Some(to),
            ..Self::default()
        }
    }

    /// A client that failed to log in as this user.
    pub(super) fn user(name: String) -> Self {
        Self {
            user: Some(name),
            ..Self::default()
        }
    }

    /// A command that was refused for its syntax or its place. Only MAIL and RCPT are shown whole, and of others only
    /// verbs of SMTP: the client may have been trying to send its password.
    pub(super) fn command(line: &[u8], from: Option<ReversePath>) -> Self {
        let begins_with = |verb: &str| {
            let (word, rest) = line.split_at_checked(verb.len()).unwrap_or_default();
            word.eq_ignore_ascii_case(verb.as_bytes()) && !rest.first().is_some_and(u8::is_ascii_alphanumeric)
        };
        let verb = line.get(..4).unwrap_or_default();
        let command = if ENVELOPE.iter().any(|one| verb.eq_ignore_ascii_case(one)) {
            let kept = line.get(..line.len().min(COMMAND)).unwrap_or_default();
            Some(String::from_utf8_lossy(kept).into_owned())
        } else {
            VERBS
                .iter()
                .find(|verb| begins_with(verb))
                .map(|verb| (*verb).to_owned())
        };
        Self {
            from,
            command,
            ..Self::default()
        }
    }
}

impl Refusals {
    /// Counts a refusal; the first one is kept.
    pub(super) fn add(&mut self, subject: Subject, reply: &str) {
        match &mut self.0 {
            None => {
                self.0 = Some(Box::new(Refused {
                    subject,
                    reply: reply.to_owned(),
                    other: None,
                    count: 1,
                }));
            }
            Some(refused) => {
                refused.count = refused.count.saturating_add(1);
                if reply != refused.reply && refused.other.as_deref() != Some(reply) {
                    refused.other = Some(reply.to_owned());
                }
            }
        }
    }

    /// Whether nothing was refused.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The event to log.
    pub(super) fn take(&mut self, client: &Client, config: &ListenerConfig) -> Option<Event> {
        let refused = *self.0.take()?;
        let subject = refused.subject;
        Some(Event::Rejected(Box::new(Rejected {
            client: client.address,
            may_relay: client.may_relay(config),
            name: client.name.clone(),
            from: subject.from,
            to: subject.to,
            reply: refused.reply,
            refused: refused.count,
            command: subject.command,
            user: subject.user,
            other: refused.other,
        })))
    }
}
