//! What to report, and to whom.

use jiff::Timestamp;
use mail::{
    Action, BodyType, Cause, DaneVerdict, Domain, DomainPart, EnhancedStatus, Envelope, MailParameters,
    Mailbox, Notice, OriginalRecipient, Outcome, QueueId, Recipient, RecipientParameters, Ret, ReversePath,
    TlsTag,
};

use crate::Diagnostic;
use crate::encoding::Way;

/// One delivery status notification: what became of some recipients of one message.
#[derive(Debug, Clone)]
pub struct Report {
    /// Our name, at which postmaster is reached (RFC 3461 §9.3).
    pub reporting_mta: DomainPart,
    /// The address shown in `From`; by default, or if the address is not ASCII, `postmaster@` our name.
    pub postmaster: Option<Mailbox>,
    /// The reverse-path of the original, to which the report goes.
    pub original_sender: Mailbox,
    /// The parameters of the original: `ENVID` and `RET`, and whether it is 8-bit or needed SMTPUTF8.
    pub parameters: MailParameters,
    /// Octets of the original's content.
    pub size: u64,
    /// The id of the original in our queue.
    pub queue_id: QueueId,
    /// When we accepted the original.
    pub arrived: Timestamp,
    /// The recipients that the sender is to be told about, and no others: a report that named the rest would reveal blind
    /// recipients.
    pub recipients: Vec<RecipientReport>,
}

/// What became of one recipient.
#[derive(Debug, Clone)]
pub struct RecipientReport {
    /// The forward-path as it was accepted.
    pub address: Mailbox,
    /// `ORCPT`, if the client gave one (RFC 3461 §4.2).
    pub original_recipient: Option<OriginalRecipient>,
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
    /// Why it failed; `None` if it did not, or if nothing is known about that.
    pub cause: Option<Cause>,
    /// Where its TLSA records are, without port and protocol (RFC 7672 §2.2.2), if they mattered.
    pub tlsa_base: Option<Domain>,
    /// When it was last tried.
    pub last_attempt: Option<Timestamp>,
}

impl RecipientReport {
    /// What to report about a recipient whose last attempt ended in `outcome`.
    pub fn new(recipient: Recipient, outcome: &Outcome, notice: Notice) -> Self {
        Self {
            address: recipient.address,
            original_recipient: recipient.parameters.original,
            action: notice.action,
            status: outcome.enhanced,
            diagnostic: Diagnostic::from_outcome(outcome),
            remote_mta: notice.remote_mta,
            verdict: notice.verdict,
            cause: notice.cause,
            tlsa_base: notice.tlsa_base,
            last_attempt: Some(notice.last_attempt),
        }
    }
}

impl Report {
    /// The envelope under which the report is to be sent: from the null reverse-path, so that it is never answered (RFC 3464
    /// §2, RFC 5321 §4.5.5), and without reports about itself (RFC 3461 §6.1).
    pub fn envelope(&self) -> Envelope {
        let recipient = Recipient {
            address: self.return_address(),
            parameters: RecipientParameters {
                notify: "NEVER".parse().ok(),
                original: None,
            },
        };
        // RFC 8689 §5.
        let tls = match self.parameters.tls {
            TlsTag::Required => TlsTag::Required,
            TlsTag::Usual | TlsTag::NotRequired | TlsTag::OwnReport => TlsTag::Usual,
        };
        let parameters = match self.way() {
            Way::SevenBit => MailParameters::of(BodyType::SevenBit),
            Way::International => MailParameters {
                smtputf8: true,
                ..MailParameters::of(BodyType::EightBitMime)
            },
        };
        Envelope {
            reverse_path: ReversePath::Null,
            recipients: vec![recipient],
            parameters: MailParameters { tls, ..parameters },
        }
    }

    /// Where the report goes: to the sender, in ASCII if converting the domain to A-labels (RFC 5890 §2.3.2.1) is enough.
    /// Then it does not need SMTPUTF8, which the way back may not support.
    pub(crate) fn return_address(&self) -> Mailbox {
        let sender = &self.original_sender;
        if sender.is_ascii() || !sender.local_part().is_ascii() {
            return sender.clone();
        }
        // With A-labels it may be too long for a path.
        Mailbox::parse(&format!("{}@{}", sender.local_part(), sender.domain()))
            .unwrap_or_else(|_| sender.clone())
    }

    /// What the way back to the sender can carry. If the address is ASCII, only seven bits are certain.
    pub(crate) fn way(&self) -> Way {
        if self.return_address().is_ascii() {
            Way::SevenBit
        } else {
            Way::International
        }
    }

    /// Whether the sender wants the whole original back, and is being told of a failure (RFC 3461 §4.3).
    pub(crate) fn asks_for_all(&self) -> bool {
        let failed = |recipient: &RecipientReport| match recipient.action {
            Action::Failed | Action::Expired => true,
            Action::Delayed { .. } | Action::Relayed => false,
        };
        // As if it had asked for the header alone (RFC 8689 §5).
        let is_secret = self.parameters.tls == TlsTag::Required;
        !is_secret && self.parameters.ret == Some(Ret::Full) && self.recipients.iter().any(failed)
    }

    /// The recipients, grouped by outcome, the worst first.
    pub(crate) fn sorted(&self) -> Vec<&RecipientReport> {
        let mut recipients: Vec<&RecipientReport> = self.recipients.iter().collect();
        recipients.sort_by_key(|recipient| rank(recipient.action));
        recipients
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

/// The place of a fate in a report.
pub(crate) fn rank(action: Action) -> u8 {
    match action {
        Action::Failed => 0,
        Action::Expired => 1,
        Action::Delayed { .. } => 2,
        Action::Relayed => 3,
    }
}
