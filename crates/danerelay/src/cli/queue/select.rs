//! Selectors: which messages a command is about.

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use mail::{Domain, QueueId, ReversePath};
use spool::{QueuedMessage, QueuedRecipient};

use crate::config::units::Interval;

/// A message is selected if each selector given fits it.
#[derive(Debug, Args)]
#[group(multiple = true)]
pub(super) struct Selectors {
    /// All messages; the same as giving no selector.
    #[arg(long, conflicts_with_all = ["id", "recipient_domain", "sender", "older_than", "reason"])]
    all: bool,

    /// The message of this queue id; may be given more than once.
    #[arg(long, value_name = "ID")]
    id: Vec<QueueId>,

    /// Messages with a recipient at this domain.
    #[arg(long, value_name = "DOMAIN")]
    recipient_domain: Option<Domain>,

    /// Messages of this envelope sender; <> for reports.
    #[arg(long, value_name = "ADDRESS", value_parser = parse_sender)]
    sender: Option<ReversePath>,

    /// Messages accepted longer ago than this, for example 4h.
    #[arg(long, value_name = "DURATION")]
    older_than: Option<Interval>,

    /// Messages with a recipient whose last attempt ended for a reason that contains this text; case does not matter.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

fn parse_sender(text: &str) -> Result<ReversePath, mail::AddressError> {
    let bare = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    ReversePath::parse(bare.unwrap_or(text))
}

impl Selectors {
    /// Whether the message is one of those meant.
    pub(super) fn fit(&self, message: &QueuedMessage, now: Timestamp) -> bool {
        let any = |fits: &dyn Fn(&QueuedRecipient) -> bool| message.recipients.iter().any(fits);
        (self.id.is_empty() || self.id.contains(&message.id))
            && self
                .sender
                .as_ref()
                .is_none_or(|sender| sender.as_str() == message.sender)
            && self
                .recipient_domain
                .as_ref()
                .is_none_or(|domain| any(&|recipient| is_at(recipient, domain)))
            && self
                .older_than
                .is_none_or(|interval| is_older(message, interval, now))
            && self
                .reason
                .as_ref()
                .is_none_or(|text| any(&|recipient| has_reason(recipient, text)))
    }
}

fn is_at(recipient: &QueuedRecipient, domain: &Domain) -> bool {
    let written = recipient.address.rsplit_once('@').map(|(_, domain)| domain);
    written.and_then(|written| Domain::parse(written).ok()).as_ref() == Some(domain)
}

fn is_older(message: &QueuedMessage, interval: Interval, now: Timestamp) -> bool {
    let age = now.duration_since(message.created);
    SignedDuration::try_from(interval.0).is_ok_and(|interval| age > interval)
}

fn has_reason(recipient: &QueuedRecipient, text: &str) -> bool {
    let reason = recipient.reason.as_deref().unwrap_or_default();
    reason.to_lowercase().contains(&text.to_lowercase())
}
