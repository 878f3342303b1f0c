//! Selectors on the command line.

use clap::Args;
use mail::{AddressError, DomainPart, Mailbox, QueueId, ReversePath};
use settings_file::Interval;

use crate::admin::selectors::{EmptyText, NULL_PATH, Selectors, check_reason, check_sender};

/// Each selector given must fit.
#[derive(Debug, Args)]
#[group(multiple = true)]
pub(super) struct SelectorArguments {
    /// All that is in the queue.
    #[arg(long, conflicts_with_all = ["id", "recipient", "recipient_domain", "sender", "older_than", "reason"])]
    all: bool,

    /// The message of this queue id; may be given more than once.
    #[arg(long, value_name = "ID")]
    id: Vec<QueueId>,

    /// Messages with this recipient, in upper or lower case, and of these this recipient alone.
    #[arg(long, value_name = "ADDRESS", value_parser = parse_recipient)]
    recipient: Option<Mailbox>,

    /// Messages with a recipient at this domain or address literal, and of these such recipients.
    #[arg(long, value_name = "DOMAIN", value_parser = DomainPart::parse)]
    recipient_domain: Option<DomainPart>,

    /// Messages of this envelope sender, in upper or lower case; <> for reports.
    #[arg(long, value_name = "ADDRESS", value_parser = parse_sender)]
    sender: Option<ReversePath>,

    /// Messages accepted longer ago than this, for example 4h.
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    older_than: Option<Interval>,

    /// Recipients whose last attempt, as `queue list` shows it, contains this text: part of the host's name, of the codes
    /// (4.7.5), of what DANE found wrong (TLSA), or of the reason (bogus). Case is ignored.
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    reason: Option<String>,
}

/// Why a text is not a sender.
#[derive(Debug, thiserror::Error)]
enum SenderError {
    #[error(transparent)]
    Empty(#[from] EmptyText),
    #[error(transparent)]
    Address(#[from] AddressError),
}

fn parse_sender(text: &str) -> Result<ReversePath, SenderError> {
    check_sender(text)?;
    let bare = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    Ok(ReversePath::parse(bare.unwrap_or(text))?)
}

fn parse_recipient(text: &str) -> Result<Mailbox, AddressError> {
    let bare = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    Mailbox::parse(bare.unwrap_or(text))
}

fn parse_reason(text: &str) -> Result<String, EmptyText> {
    check_reason(text).map(|()| text.to_owned())
}

fn written(sender: &ReversePath) -> String {
    let path = sender.as_str();
    if path.is_empty() { NULL_PATH } else { path }.to_owned()
}

impl From<&SelectorArguments> for Selectors {
    fn from(arguments: &SelectorArguments) -> Self {
        Self {
            all: arguments.all,
            id: arguments.id.clone(),
            recipient: arguments.recipient.clone(),
            recipient_domain: arguments.recipient_domain.clone(),
            sender: arguments.sender.as_ref().map(written),
            older_than: arguments.older_than,
            reason: arguments.reason.clone(),
        }
    }
}
