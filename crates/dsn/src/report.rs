//! What there is to tell, and to whom.

use jiff::Timestamp;
use mail::{
    BodyType, DaneVerdict, Domain, DomainPart, EnhancedStatus, Envelope, Mailbox, QueueId, ReversePath,
    Status,
};

use crate::{Diagnostic, message};

/// One delivery status notification: what became of some recipients of one message.
#[derive(Debug, Clone)]
pub struct Report {
    /// Our name, at which postmaster is reached (RFC 3461 §9.3).
    pub reporting_mta: DomainPart,
    /// Who is shown in `From`; by default, or if the address is not ASCII, `postmaster@` our name.
    pub postmaster: Option<Mailbox>,
    /// The reverse-path of the original, to which the report goes.
    pub original_sender: Mailbox,
    /// `ENVID` of the original, decoded from xtext, if its client gave one (RFC 3461 §4.4).
    pub envelope_id: Option<String>,
    /// The name of the original in our queue.
    pub queue_id: QueueId,
    /// When we accepted the original.
    pub arrived: Timestamp,
    /// The recipients that the sender is to hear of, and no others: a report that named the rest would show one
    /// blind recipient to another's reader.
    pub recipients: Vec<RecipientReport>,
}

/// What became of one recipient.
#[derive(Debug, Clone)]
pub struct RecipientReport {
    /// The forward-path as it was accepted.
    pub address: Mailbox,
    /// `ORCPT`, decoded from xtext, for example `rfc822;Carol@example.org`, if the client gave one (RFC 3461 §4.2).
    pub original_recipient: Option<String>,
    /// What was done.
    pub action: Action,
    /// The enhanced status; an expired recipient keeps the class 4 of its last failure (RFC 3464 §2.3.3).
    pub status: EnhancedStatus,
    /// The words that decided.
    pub diagnostic: Diagnostic,
    /// The server that was last tried; `None` if no server was.
    pub remote_mta: Option<DomainPart>,
    /// What DANE had to say about it.
    pub verdict: DaneVerdict,
    /// Where its TLSA records are, without port and protocol (RFC 7672 §2.2.2), if they played a part.
    pub tlsa_base: Option<Domain>,
    /// When it was last tried.
    pub last_attempt: Option<Timestamp>,
}

/// What was done about a recipient. Those values of RFC 3464 §2.3.3 that a relay can have, and the two ways to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It failed for good.
    Failed,
    /// It was tried for as long as a message may wait, and given up.
    Expired,
    /// It waits for a further attempt.
    Delayed {
        /// When it will be given up.
        will_retry_until: Timestamp,
    },
    /// It was handed to a server that will not report; to be told only to a sender who asked (RFC 3461 §5.2.3).
    Relayed,
}

impl Action {
    /// The action that goes with an outcome; `expiry` is when a deferred recipient will be given up.
    pub fn of(status: Status, expiry: Timestamp) -> Self {
        match status {
            Status::Sent => Self::Relayed,
            Status::Deferred => Self::Delayed {
                will_retry_until: expiry,
            },
            Status::Bounced => Self::Failed,
            Status::Expired => Self::Expired,
        }
    }

    /// The word of RFC 3464 §2.3.3.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Failed | Self::Expired => "failed",
            Self::Delayed { .. } => "delayed",
            Self::Relayed => "relayed",
        }
    }
}

impl Report {
    /// The report as a message, complete with its header, made at `now` under the queue id `id`.
    ///
    /// `original` is the original's content or as much of its beginning as is at hand; its header, to at most 64 KiB,
    /// is returned. `None` if there is no recipient to report (RFC 3464 §2.1 demands one).
    pub fn build(&self, original: &[u8], id: QueueId, now: Timestamp) -> Option<Vec<u8>> {
        (!self.recipients.is_empty()).then(|| message::build(self, original, id, now))
    }

    /// The envelope under which the report is to be sent: from the null reverse-path, so that nothing ever answers it
    /// (RFC 3464 §2, RFC 5321 §4.5.5).
    pub fn envelope(&self) -> Envelope {
        Envelope {
            reverse_path: ReversePath::Null,
            recipients: vec![self.original_sender.clone()],
            body: BodyType::SevenBit,
        }
    }

    /// The address of whoever runs this relay; ASCII.
    pub(crate) fn postmaster(&self) -> String {
        self.postmaster
            .as_ref()
            .filter(|mailbox| mailbox.is_ascii())
            .map_or_else(
                || format!("postmaster@{}", self.reporting_mta),
                ToString::to_string,
            )
    }
}
